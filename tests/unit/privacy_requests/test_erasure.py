"""Erasing step by step: passes until nothing is found, and nothing twice."""

from datetime import timedelta

import pytest

from functions.privacy_requests.logic.erasure import STEPS, erase
from functions.privacy_requests.logic.steps import ROUNDS, Next, Ports
from shared.domain.errors import Conflict, MissingSecret
from shared.domain.identity import IdentifierType
from shared.domain.identity_graph import IdentityGraph, settled
from shared.domain.identity_tie import TieKind, tie
from shared.domain.privacy import (
    MOST_PASSES,
    Erasure,
    ErasureId,
    ErasureProof,
    ErasureState,
    Reason,
)
from shared.domain.profile import Profile
from shared.domain.suppression import SuppressionKind, person_subject
from shared.events.catalogue import ErasureDone, ErasureRequested
from tests.builders import NOON, identifier, policies, profile_id
from tests.fake_privacy import FakePersonalData, FakePrivacyRequests
from tests.fakes import FakeSecrets, World
from tests.unit.privacy_requests.conftest import erasure_step

PHONE = identifier()
CARD = identifier("C-4711882", IdentifierType.CUSTOMER_NUMBER)
PASS = ("erase_tickets", "erase_touchpoints", "leave_graphs", "erase_profiles", "search_ledger")


@pytest.fixture
def begun(requests: FakePrivacyRequests) -> Erasure:
    erasure = Erasure(
        erasure_id=ErasureId("e1"),
        profile_ids=(profile_id(),),
        reason=Reason.OBJECTION,
        by="agent-7",
        requested_at=NOON,
        touched_at=NOON,
    )
    return requests.begin_erasure(erasure, ErasureRequested(erasure_id="e1"))


def standing(requests: FakePrivacyRequests) -> Erasure:
    found = requests.read_erasure(ErasureId("e1"))
    assert isinstance(found, Erasure)
    return found


def run_to_its_end(ports: Ports) -> int:
    """As the state machine does; how many passes it took."""
    for passes in range(1, 10):
        assert erase(erasure_step("begin_pass"), ports) is Next.ON
        for name in PASS:
            while erase(erasure_step(name), ports) is Next.AGAIN:
                pass
        if erase(erasure_step("end_pass"), ports) is Next.ON:
            assert erase(erasure_step("write_proof"), ports) is Next.ON
            return passes
    raise AssertionError("it does not end")


def test_it_ends_with_a_pass_that_found_nothing(
    ports: Ports,
    requests: FakePrivacyRequests,
    data: FakePersonalData,
    begun: Erasure,
    world: World,
) -> None:
    data.tickets, data.touchpoints, data.profiles = 2, 3, 1
    world.profiles.put_graph(graph())
    data.unclaimed = [b'{"to": "+33612345678"}', b'{"to": "+33699999999"}']
    assert run_to_its_end(ports) == 2
    proof = requests.read_erasure(ErasureId("e1"))
    assert isinstance(proof, ErasureProof)
    assert proof.counts == {"tickets": 2, "touchpoints": 3, "profiles": 1, "unclaimed": 1}
    assert data.unclaimed == [b'{"to": "+33699999999"}']
    assert world.happened(ErasureDone) == [ErasureDone(erasure_id="e1")]
    assert requests.marked == {}


def graph() -> IdentityGraph:
    keys = frozenset({PHONE.key, CARD.key})
    proven = tie(PHONE.key, CARD.key, TieKind.VERIFIED, NOON, "touchpoint:1")
    return settled(IdentityGraph(identifiers=keys, homes=keys, ties=(proven,)), policies().identity)


def test_all_that_are_one_person_are_marked_and_nothing_more_is_sent(
    ports: Ports,
    requests: FakePrivacyRequests,
    data: FakePersonalData,
    begun: Erasure,
    world: World,
) -> None:
    world.profiles.put_graph(graph())
    erase(erasure_step("begin_pass"), ports)
    whole = standing(requests)
    assert whole.profile_ids == (PHONE.profile_id, CARD.profile_id)
    assert set(requests.marked) == {PHONE.profile_id, CARD.profile_id}
    records = world.consents.records([person_subject(CARD.profile_id)])
    (record,) = records.values()
    assert [one.kind for one in record.active] == [SuppressionKind.LEGAL]
    assert erase(erasure_step("leave_graphs"), ports) is Next.ON
    assert data.left == [None]


def test_a_profile_without_a_graph_has_the_identifier_it_is_named_after(
    ports: Ports, requests: FakePrivacyRequests, begun: Erasure, world: World
) -> None:
    erase(erasure_step("begin_pass"), ports)
    assert standing(requests).identifiers == ()
    world.profiles.put(known_profile())
    erase(erasure_step("begin_pass"), ports)
    assert standing(requests).identifiers == (PHONE.key,)


def known_profile() -> Profile:
    return Profile(
        profile_id=PHONE.profile_id,
        profile_ids=(PHONE.profile_id,),
        created_at=NOON,
        identifiers=(PHONE,),
    )


def test_what_is_found_in_a_later_pass_makes_another(
    ports: Ports, data: FakePersonalData, begun: Erasure
) -> None:
    data.touchpoints = 1
    erase(erasure_step("begin_pass"), ports)
    erase(erasure_step("erase_touchpoints"), ports)
    assert erase(erasure_step("end_pass"), ports) is Next.AGAIN
    data.touchpoints = 1
    erase(erasure_step("begin_pass"), ports)
    erase(erasure_step("erase_touchpoints"), ports)
    assert erase(erasure_step("end_pass"), ports) is Next.AGAIN
    erase(erasure_step("begin_pass"), ports)
    assert erase(erasure_step("end_pass"), ports) is Next.ON


def test_one_invocation_does_so_much_and_no_more(
    ports: Ports, data: FakePersonalData, begun: Erasure
) -> None:
    erase(erasure_step("begin_pass"), ports)
    data.tickets, data.pages = ROUNDS, 2
    assert erase(erasure_step("erase_tickets"), ports) is Next.AGAIN
    assert erase(erasure_step("erase_tickets"), ports) is Next.ON
    assert erase(erasure_step("search_ledger"), ports) is Next.AGAIN
    assert erase(erasure_step("search_ledger"), ports) is Next.ON


def test_an_event_that_comes_twice_starts_one_run(
    ports: Ports, requests: FakePrivacyRequests, begun: Erasure
) -> None:
    assert erase(erasure_step("begin_pass"), ports) is Next.ON
    assert erase(erasure_step("begin_pass", run="run-2"), ports) is Next.ENDED
    assert erase(erasure_step("erase_tickets", run="run-2"), ports) is Next.ENDED
    assert standing(requests).run == "run-1"


def test_a_new_attempt_takes_over_and_the_old_run_ends(
    ports: Ports, requests: FakePrivacyRequests, begun: Erasure
) -> None:
    erase(erasure_step("begin_pass"), ports)
    erase(erasure_step("give_up"), ports)
    assert standing(requests).state is ErasureState.FAILED
    assert erase(erasure_step("begin_pass", run="run-2", attempt=2), ports) is Next.ON
    assert standing(requests).state is ErasureState.RUNNING
    assert erase(erasure_step("erase_tickets"), ports) is Next.ENDED


def test_over_is_over(ports: Ports, begun: Erasure) -> None:
    run_to_its_end(ports)
    assert all(erase(erasure_step(name), ports) is Next.ENDED for name in STEPS)


def test_who_writes_all_the_time_is_not_chased_for_ever(
    ports: Ports, requests: FakePrivacyRequests, begun: Erasure
) -> None:
    assert erase(erasure_step("begin_pass"), ports) is Next.ON
    requests.save_erasure(standing(requests).model_copy(update={"passes": MOST_PASSES}))
    with pytest.raises(Conflict):
        erase(erasure_step("begin_pass"), ports)
    again = erasure_step("begin_pass", attempt=2)
    assert erase(again, ports) is Next.ON, "asked again, it is not given up beforehand"
    assert standing(requests).passes == 1


@pytest.mark.parametrize("secrets", [FakeSecrets(), FakeSecrets({"privacy": {}})])
def test_without_a_key_there_is_no_proof(
    ports: Ports, secrets: FakeSecrets, begun: Erasure
) -> None:
    erase(erasure_step("begin_pass"), ports)
    with pytest.raises(MissingSecret):
        erase(erasure_step("write_proof"), ports._replace(secrets=secrets))


def test_each_step_that_keeps_something_says_when(
    ports: Ports, requests: FakePrivacyRequests, begun: Erasure, world: World
) -> None:
    world.clock.advance(timedelta(minutes=5))
    erase(erasure_step("begin_pass"), ports)
    assert standing(requests).touched_at == world.clock.now()
