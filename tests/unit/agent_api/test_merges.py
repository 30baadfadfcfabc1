"""An agent decides who is one person, and takes it back."""

from datetime import timedelta

import pytest

from shared.domain.errors import Contention
from shared.domain.identity import Identifier, IdentifierType
from shared.domain.identity_graph import IdentityGraph, settled
from shared.domain.profile import MergeSuggestion, Profile
from shared.events.catalogue import ProfilesMerged, ProfilesSeparated
from shared.ports.profiles import GraphChange
from tests import builders
from tests.builders import NOON
from tests.fake_profiles import FakeProfileStore
from tests.fakes import World
from tests.unit.agent_api.client import AGENT, Answer, Client

PHONE = builders.identifier()
MAIL = builders.identifier("awa@example.com", IdentifierType.EMAIL)
CARD = builders.identifier("card-7", IdentifierType.LOYALTY_CARD)


@pytest.fixture(autouse=True)
def people(world: World) -> None:
    for minutes, one in enumerate((PHONE, MAIL, CARD)):
        put(world.profiles, one, minutes)


def put(profiles: FakeProfileStore, one: Identifier, minutes: int = 0) -> None:
    created = NOON + timedelta(minutes=minutes)
    profiles.put(Profile(profile_id=one.profile_id, created_at=created, identifiers=(one,)))


def merge(client: Client, *people: Identifier, reason: str = "she said so") -> Answer:
    ids = [one.profile_id for one in people]
    return client.post("/v1/merges", {"profile_ids": ids, "reason": reason})


def separate(client: Client, *people: Identifier, reason: str = "two people") -> Answer:
    ids = [one.profile_id for one in people]
    return client.post("/v1/separations", {"profile_ids": ids, "reason": reason})


def ids_of(client: Client, one: Identifier) -> set[str]:
    return set(client.get(f"/v1/profiles/{one.profile_id}").body["profile_ids"])


def test_a_merge_is_undone_and_both_are_who_they_were(world: World, client: Client) -> None:
    before = [client.get(f"/v1/profiles/{one.profile_id}").body for one in (PHONE, MAIL)]
    answer = merge(client, PHONE, MAIL)
    assert answer.status == 200
    assert (answer.body["kind"], answer.body["joins"]) == ("merged", True)
    assert (answer.body["by"], answer.body["reason"]) == (f"agent:{AGENT}", "she said so")
    assert ids_of(client, PHONE) == ids_of(client, MAIL) == {PHONE.profile_id, MAIL.profile_id}
    world.clock.advance(timedelta(minutes=1))
    assert separate(client, MAIL, PHONE).body["joins"] is False
    assert [client.get(f"/v1/profiles/{one.profile_id}").body for one in (PHONE, MAIL)] == before
    kinds = [type(one) for one in world.happened(ProfilesMerged, ProfilesSeparated)]
    assert kinds == [ProfilesMerged, ProfilesSeparated]


def test_what_holds_a_person_together_is_told_with_rule_and_actor(client: Client) -> None:
    merged = merge(client, PHONE, MAIL).body
    (shown,) = client.get(f"/v1/profiles/{MAIL.profile_id}/merges").body["items"]
    assert shown == merged
    assert shown["rule"] == "decided by a person"
    assert {one["value"] for one in shown["identifiers"]} == {PHONE.value, MAIL.value}
    assert client.get(f"/v1/profiles/{CARD.profile_id}/merges").body["items"] == []
    assert client.get("/v1/profiles/nobody/merges").status == 404


def test_what_was_decided_before_is_still_told(world: World, client: Client) -> None:
    merge(client, PHONE, MAIL, reason="she said so")
    world.clock.advance(timedelta(minutes=1))
    separate(client, PHONE, MAIL, reason="her sister")
    told = client.get(f"/v1/profiles/{PHONE.profile_id}/merges").body["items"]
    assert [(one["kind"], one["reason"], one["holds"]) for one in told] == [
        ("separated", "her sister", True),
        ("merged", "she said so", False),
    ]


def test_undoing_by_any_two_of_their_profiles_undoes_the_merge_between(
    world: World, client: Client
) -> None:
    merge(client, PHONE, MAIL)
    world.clock.advance(timedelta(minutes=1))
    merge(client, MAIL, CARD)
    world.clock.advance(timedelta(minutes=1))
    separate(client, PHONE, CARD)
    assert ids_of(client, PHONE) == {PHONE.profile_id, MAIL.profile_id}
    assert ids_of(client, CARD) == {CARD.profile_id}


@pytest.mark.parametrize("again", [(PHONE, PHONE), (PHONE, MAIL), (MAIL, PHONE)])
def test_a_merge_with_oneself_or_in_a_circle_is_a_conflict(
    client: Client, again: tuple[Identifier, Identifier]
) -> None:
    merge(client, PHONE, MAIL)
    answer = merge(client, *again)
    assert answer.status == 409
    said = "with itself" if again[0] == again[1] else "one person already"
    assert said in answer.body["detail"]


def test_what_is_no_id_is_refused_at_the_door(client: Client) -> None:
    body = {"profile_ids": ["x" * 3000, PHONE.profile_id], "reason": "no"}
    assert client.post("/v1/merges", body).status == 422


def test_nobody_is_parted_from_themselves(client: Client) -> None:
    assert separate(client, PHONE, PHONE).status == 409


def test_the_erased_are_merged_with_nobody(world: World, client: Client) -> None:
    gone = builders.identifier("+33600000001")
    world.profiles.erased.add(gone.profile_id)
    answer = merge(client, PHONE, gone)
    assert (answer.status, answer.body["detail"]) == (409, "this profile was erased")
    assert merge(client, PHONE, builders.identifier("+33600000002")).status == 404


def test_a_merge_that_would_bring_together_who_was_parted_is_a_conflict(
    world: World, client: Client
) -> None:
    separate(client, PHONE, CARD)
    world.clock.advance(timedelta(minutes=1))
    merge(client, PHONE, MAIL)
    world.clock.advance(timedelta(minutes=1))
    answer = merge(client, MAIL, CARD)
    assert answer.status == 409
    assert "not one person" in answer.body["detail"]
    assert ids_of(client, CARD) == {CARD.profile_id}


def test_a_decision_that_a_later_one_outweighs_changes_nothing(
    world: World, client: Client
) -> None:
    merge(client, PHONE, MAIL)
    world.clock.advance(-timedelta(minutes=1))
    separate(client, PHONE, MAIL)
    assert ids_of(client, PHONE) == {PHONE.profile_id, MAIL.profile_id}


def test_more_identifiers_than_one_graph_holds_are_a_conflict(world: World, client: Client) -> None:
    crowd = [builders.identifier(f"+336000000{n:02}") for n in range(45)]
    keys = frozenset(one.key for one in crowd)
    crowded = IdentityGraph(identifiers=keys, homes=keys)
    world.profiles.put_graph(settled(crowded, builders.policies().identity))
    put(world.profiles, crowd[0])
    answer = merge(client, PHONE, crowd[0])
    assert (answer.status, "more than 45" in answer.body["detail"]) == (409, True)


def test_suggestions_are_reviewed_most_probable_first_and_go_when_decided(
    world: World, client: Client
) -> None:
    for other, score in ((MAIL, 0.5), (CARD, 0.9)):
        pair = tuple(sorted((PHONE.profile_id, other.profile_id)))
        made = MergeSuggestion(
            profile_ids=(pair[0], pair[1]), score=score, reason="alike", by="model:1", at=NOON
        )
        world.profiles.suggest(made)
    first = client.get("/v1/merge-suggestions", limit=1).body
    assert [one["score"] for one in first["items"]] == [0.9]
    second = client.get("/v1/merge-suggestions", limit=1, cursor=first["cursor"]).body
    assert [one["score"] for one in second["items"]] == [0.5]
    separate(client, PHONE, CARD)
    first = client.get("/v1/merge-suggestions", limit=1).body
    assert [one["score"] for one in first["items"]] == [0.5], "a decided one makes no empty page"
    assert merge(client, PHONE, MAIL).body["score"] == 0.5
    assert client.get("/v1/merge-suggestions").body["items"] == []


class Busy(FakeProfileStore):
    """A touchpoint of the same person gets in between, so many times."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times

    def change_graph(self, change: GraphChange) -> None:
        self.times -= 1
        if self.times >= 0:
            raise Contention("the graph is no longer as it was read")
        super().change_graph(change)


@pytest.mark.parametrize(("times", "status"), [(2, 200), (9, 409)])
def test_who_meets_another_writer_tries_again(
    world: World, client: Client, times: int, status: int
) -> None:
    busy = Busy(times)
    world.profiles = busy
    for one in (PHONE, MAIL):
        put(busy, one)
    assert merge(client, PHONE, MAIL).status == status
