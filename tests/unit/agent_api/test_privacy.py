"""Exports, corrections and erasures, as an agent asks for them."""

from datetime import timedelta
from typing import get_args

import pytest

from functions.agent_api import ports, privacy
from functions.agent_api.logic.privacy import PROVIDER, AskedReason
from shared.domain.identity import IdentifierType
from shared.domain.identity_graph import IdentityGraph, settled
from shared.domain.identity_tie import TieKind, tie
from shared.domain.privacy import (
    STALLED_AFTER,
    ErasureId,
    ErasureState,
    ExportId,
    ExportState,
    Reason,
    proof_of,
)
from shared.domain.profile import Profile
from shared.domain.touchpoint import Direction, Identification
from shared.events.catalogue import ErasureDone, ErasureRequested, ExportRequested
from tests.builders import NOON, identifier, policies
from tests.fake_privacy import FakePrivacyRequests
from tests.fakes import World
from tests.unit.agent_api.client import AGENT, Client

PHONE = identifier()
MAIL = identifier("awa@example.com", IdentifierType.EMAIL)
PATH = f"/v1/profiles/{PHONE.profile_id}"


@pytest.fixture
def requests(world: World, client: Client) -> FakePrivacyRequests:
    fake = FakePrivacyRequests(world.events)
    client.override(ports.privacy_requests, fake)
    client.override(privacy.drawn, "drawn-1")
    return fake


@pytest.fixture(autouse=True)
def profile(world: World) -> Profile:
    """A phone, of which somebody stated a mail address."""
    keys = frozenset({PHONE.key, MAIL.key})
    stated = tie(PHONE.key, MAIL.key, TieKind.STATED, NOON, "touchpoint:1")
    graph = IdentityGraph(identifiers=keys, homes=frozenset({PHONE.key}), ties=(stated,))
    world.profiles.put_graph(settled(graph, policies().identity))
    made = Profile(
        profile_id=PHONE.profile_id,
        profile_ids=(PHONE.profile_id,),
        created_at=NOON,
        identifiers=(PHONE,),
    )
    world.profiles.put(made)
    return made


def test_an_export_is_asked_for_and_fetched(
    world: World, client: Client, requests: FakePrivacyRequests
) -> None:
    asked = client.post(f"{PATH}/exports", {})
    assert asked.status == 202
    assert (asked.body["state"], asked.body["by"], asked.body["url"]) == ("running", AGENT, None)
    assert world.happened(ExportRequested) == [ExportRequested(export_id="drawn-1")]
    export = requests.exports[ExportId("drawn-1")]
    assert (export.language, export.profile_ids) == ("en", (PHONE.profile_id,))
    requests.save_export(export.model_copy(update={"state": ExportState.READY}))
    assert client.get("/v1/exports/drawn-1").body["url"] == "https://example.com/drawn-1"
    world.clock.advance(policies().retention.export)
    assert client.get("/v1/exports/drawn-1").status == 404


def test_the_page_speaks_the_language_that_is_asked_for(
    client: Client, requests: FakePrivacyRequests
) -> None:
    assert client.post(f"{PATH}/exports", {"language": "it"}).status == 202
    assert requests.exports[ExportId("drawn-1")].language == "it"
    assert client.post(f"{PATH}/exports", {"language": "Italian"}).status == 422


def test_no_such_export_or_erasure(client: Client, requests: FakePrivacyRequests) -> None:
    assert client.get("/v1/exports/nothing").status == 404
    assert client.get("/v1/erasures/nothing").status == 404


def test_a_correction_is_a_touchpoint_of_our_own(world: World, client: Client) -> None:
    answer = client.patch(PATH, traits={"last_name": "Diallo", "city": None})
    assert answer.status == 202
    (written,) = world.ledger
    assert written.touchpoint_id == answer.body["touchpoint_id"]
    assert (written.provider, written.account) == (PROVIDER, AGENT)
    assert written.direction is Direction.PASSIVE
    assert written.content == Identification(traits={"last_name": "Diallo", "city": None})
    assert written.identifiers == (PHONE,)
    assert b"agent:agent-7" in world.ledger.raw[written.touchpoint_id]


def test_what_was_stated_wrongly_is_no_longer_said_to_be_theirs(
    world: World, client: Client
) -> None:
    wrong = MAIL.model_dump(mode="json")
    answer = client.patch(PATH, not_theirs=[wrong])
    assert (answer.status, answer.body["touchpoint_id"]) == (202, None)
    graph = world.profiles.known([PHONE.profile_id]).graphs[PHONE.profile_id].graph
    person = graph.person_with(PHONE.profile_id)
    assert person is not None
    assert graph.stated_of(person) == frozenset()
    assert len(world.ledger) == 0


@pytest.mark.parametrize("wrong", [PHONE, identifier("+33699999999")])
def test_what_is_proven_or_unknown_cannot_be_disowned(client: Client, wrong: object) -> None:
    assert isinstance(wrong, type(PHONE))
    answer = client.patch(PATH, not_theirs=[wrong.model_dump(mode="json")])
    assert (answer.status, answer.fields) == (400, ["not_theirs"])


def test_a_correction_must_say_something(client: Client) -> None:
    assert client.patch(PATH).status == 422


def erase(client: Client, *, confirm: str = PHONE.profile_id) -> tuple[int, dict[str, object]]:
    answer = client.post(f"{PATH}/erasures", {"reason": "objection", "confirm": confirm})
    return answer.status, answer.body


def test_an_erasure_is_confirmed_asked_for_and_proven(
    world: World, client: Client, requests: FakePrivacyRequests
) -> None:
    assert erase(client, confirm="something else")[0] == 400
    status, asked = erase(client)
    assert (status, asked["state"], asked["proof"]) == (202, "running", None)
    assert world.happened(ErasureRequested) == [ErasureRequested(erasure_id="drawn-1")]
    under_way = client.get("/v1/erasures/drawn-1").body
    assert (under_way["looked_at"], under_way["passes"]) == (0, 0)

    erasure = requests.erasures[ErasureId("drawn-1")]
    proof = proof_of(erasure, NOON, b"k")
    requests.end_erasure(proof, erasure, ErasureDone(erasure_id="drawn-1"))
    done = client.get("/v1/erasures/drawn-1").body
    assert (done["state"], done["looked_at"]) == ("done", None)
    assert done["proof"]["subjects"] == list(proof.subjects)


def test_that_a_backup_brought_somebody_back_is_no_reason_to_ask_for(
    client: Client, requests: FakePrivacyRequests
) -> None:
    body = {"reason": "restored_backup", "confirm": PHONE.profile_id}
    answer = client.post(f"{PATH}/erasures", body)
    assert (answer.status, answer.fields) == (422, ["reason"])
    assert "'legal_obligation'" in answer.body["detail"]
    assert "Reason." not in answer.body["detail"]
    assert requests.erasures == {}
    assert {*get_args(AskedReason), Reason.RESTORED_BACKUP} == set(Reason)


def test_asking_twice_is_asking_once(
    world: World, client: Client, requests: FakePrivacyRequests
) -> None:
    erase(client)
    client.override(privacy.drawn, "drawn-2")
    assert erase(client)[1]["erasure_id"] == "drawn-1"
    assert len(world.happened(ErasureRequested)) == 1


def test_asking_again_makes_a_stalled_erasure_go_on(
    world: World, client: Client, requests: FakePrivacyRequests
) -> None:
    erase(client)
    world.clock.advance(STALLED_AFTER + timedelta(seconds=1))
    status, again = erase(client)
    assert (status, again["erasure_id"], again["state"]) == (202, "drawn-1", "running")
    assert world.happened(ErasureRequested)[-1] == ErasureRequested(erasure_id="drawn-1", attempt=2)
    erase(client)
    assert len(world.happened(ErasureRequested)) == 2


def test_an_erasure_goes_on_that_stalled_after_it_deleted_the_profile(
    world: World, client: Client, requests: FakePrivacyRequests
) -> None:
    erase(client)
    (standing,) = requests.erasures.values()
    requests.save_erasure(standing.model_copy(update={"state": ErasureState.FAILED}))
    world.profiles.forget(PHONE.profile_id)
    status, again = erase(client)
    assert (status, again["erasure_id"], again["state"]) == (202, "drawn-1", "running")
    assert world.happened(ErasureRequested)[-1] == ErasureRequested(erasure_id="drawn-1", attempt=2)


def test_who_was_erased_or_never_was(
    world: World, client: Client, requests: FakePrivacyRequests
) -> None:
    gone, never = identifier("+33600000001"), identifier("+33600000002")
    world.profiles.erased.add(gone.profile_id)
    for whose, status in ((gone, 409), (never, 404)):
        path = f"/v1/profiles/{whose.profile_id}"
        confirmed = {"reason": "objection", "confirm": whose.profile_id}
        assert client.post(f"{path}/erasures", confirmed).status == status
        assert client.post(f"{path}/exports", {}).status == status
        assert client.patch(path, traits={"a": 1}).status == status


def test_ids_are_drawn() -> None:
    assert privacy.drawn() != privacy.drawn()
