"""A restored backup brings people back; the proofs know them, without their names."""

from collections.abc import Collection
from datetime import timedelta

import pytest

from shared.domain.errors import MissingSecret
from shared.domain.identity import Identifier
from shared.domain.model import Instant, ProfileId
from shared.domain.privacy import Erasure, ErasureId, Reason, proof_of
from shared.domain.profile import Profile
from shared.events.catalogue import ErasureRequested
from shared.operations.reerase import reerase
from shared.ports.paging import Page
from tests.builders import NOON, identifier
from tests.fake_privacy import FakePrivacyRequests
from tests.fakes import FakeClock, FakeSecrets, World

ERASED, BACK_BY_THEMSELVES, NEVER = (identifier(f"+3360000000{n}") for n in range(3))
SECRETS = FakeSecrets({"privacy": {"key": "k"}})


class Everybody:
    """The profiles of a restored table, one a page."""

    def __init__(self, *ids: ProfileId) -> None:
        self._ids = ids

    def profile_ids(self, *, limit: int = 100, cursor: str | None = None) -> Page[ProfileId]:
        number = int(cursor or 0)
        last = number + 1 == len(self._ids)
        return Page([self._ids[number]], None if last else str(number + 1))

    def put(self, profile_id: ProfileId, keys: Collection[str]) -> None:
        raise AssertionError("it only reads")

    def find(self, keys: Collection[str], *, most: int) -> list[ProfileId]:
        raise AssertionError("it only reads")


def put(world: World, one: Identifier, created_at: Instant) -> None:
    made = Profile(
        profile_id=one.profile_id,
        profile_ids=(one.profile_id,),
        created_at=created_at,
        identifiers=(one,),
    )
    world.profiles.put(made)


def test_who_was_erased_is_erased_again_and_nobody_else() -> None:
    world, said = World(), list[str]()
    requests = FakePrivacyRequests(world.events)
    gone = Erasure(
        erasure_id=ErasureId("e1"),
        profile_ids=(ERASED.profile_id, BACK_BY_THEMSELVES.profile_id),
        reason=Reason.OBJECTION,
        by="agent-7",
        requested_at=NOON,
        touched_at=NOON,
    )
    requests.kept_proofs[gone.erasure_id] = proof_of(gone, NOON, b"k")
    put(world, ERASED, NOON - timedelta(days=9))
    put(world, NEVER, NOON - timedelta(days=9))
    put(world, BACK_BY_THEMSELVES, NOON + timedelta(days=1))
    index = Everybody(*(one.profile_id for one in (ERASED, NEVER, BACK_BY_THEMSELVES)))
    asked = reerase(
        requests=requests,
        profiles=world.profiles,
        index=index,
        secrets=SECRETS,
        clock=FakeClock(),
        report=said.append,
    )
    assert (asked, len(said)) == (1, 1)
    (again,) = requests.erasures.values()
    assert (again.profile_ids, again.reason) == ((ERASED.profile_id,), Reason.RESTORED_BACKUP)
    assert world.happened(ErasureRequested) == [ErasureRequested(erasure_id=again.erasure_id)]


@pytest.mark.parametrize("secrets", [FakeSecrets(), FakeSecrets({"privacy": {}})])
def test_without_the_key_nobody_is_recognised(secrets: FakeSecrets) -> None:
    with pytest.raises(MissingSecret):
        reerase(
            requests=FakePrivacyRequests(),
            profiles=World().profiles,
            index=Everybody(NEVER.profile_id),
            secrets=secrets,
            clock=FakeClock(),
        )
