from datetime import timedelta

import pytest

from functions.agent_api.logic.profiles import read_identifier
from shared.domain.errors import InvalidInput
from shared.domain.identity import Identifier, IdentifierType, IdentityPolicy
from shared.domain.identity_graph import IdentityGraph, settled, united
from shared.domain.identity_tie import TieKind, tie
from shared.domain.model import ProfileId
from shared.domain.profile import MergeSuggestion, Profile, Trait
from shared.domain.touchpoint import Channel, Direction
from shared.runtime import wiring
from tests import builders
from tests.builders import NOON
from tests.fakes import World
from tests.unit.agent_api.client import Client

FRENCH = IdentityPolicy(default_region="FR")


IDENTIFIERS = (
    builders.identifier(),
    builders.identifier("awa@example.com", IdentifierType.EMAIL),
    builders.identifier("FR.12", IdentifierType.WHATSAPP_USER, "portfolio-1"),
    builders.identifier("a:b", IdentifierType.WEB_ANONYMOUS),
)


def one_person(first: Identifier, *others: Identifier) -> IdentityGraph:
    """Of whom only the first identifier has a history."""
    ties = [tie(first.key, one.key, TieKind.MERGED, NOON, "agent:1", "same") for one in others]
    alone = IdentityGraph(identifiers=frozenset({first.key}), homes=frozenset({first.key}))
    return settled(united([alone], ties), FRENCH)


def awa(world: World) -> Profile:
    """A person with a phone, a mail address, a business-scoped id and a browser, and messages."""
    whose = builders.profile_id()
    world.profiles.put_graph(one_person(*IDENTIFIERS))
    profile = Profile(
        profile_id=whose,
        created_at=NOON,
        identifiers=(builders.identifier(),),
        traits={"name": Trait(value="Awa", at=NOON), "language": Trait(value="fr_FR", at=NOON)},
        first_at=NOON,
        last_at={
            Direction.INBOUND: NOON + timedelta(minutes=2),
            Direction.OUTBOUND: NOON + timedelta(minutes=3),
        },
        contacts={
            (Direction.INBOUND, Channel.WHATSAPP): 3,
            (Direction.INBOUND, Channel.SMS): 1,
            (Direction.OUTBOUND, Channel.WHATSAPP): 2,
        },
    )
    world.profiles.put(profile)
    for minutes, text in enumerate(("Bonjour", "Toujours rien", "Merci")):
        said = builders.whatsapp_message(text, at=NOON + timedelta(minutes=minutes))
        world.ledger.record([builders.observed(said)])
        world.ledger.change(said.touchpoint_id, profile_id=whose)
    return profile


def test_a_profile(world: World, client: Client) -> None:
    whose = awa(world).profile_id
    other = ProfileId("another")
    pair = (min(whose, other), max(whose, other))
    world.profiles.put(Profile(profile_id=other, profile_ids=(other,), created_at=NOON))
    reason = "one touchpoint carried both"
    world.profiles.suggest(
        MergeSuggestion(profile_ids=pair, reason=reason, by="touchpoint:a", at=NOON)
    )
    body = client.get(f"/v1/profiles/{whose}").body
    assert body["language"] == {"value": "fr", "origin": "stated"}
    assert body["preferred_channel"] == {"value": "whatsapp", "origin": "learned"}
    assert body["time_zone"] is None
    assert body["traits"]["name"]["value"] == "Awa"
    assert {"direction": "outbound", "channel": "whatsapp", "number": 2} in body["contacts"]
    assert body["first_contact_at"] == "2026-11-23T12:00:00Z"
    assert body["last_contact_at"] == "2026-11-23T12:02:00Z"
    assert body["merge_suggestions"][0]["profile_ids"] == list(pair)
    assert {"type": "phone", "scope": "", "value": "+33612345678"} in body["identifiers"]


def test_a_profile_nobody_has_written_to_yet(world: World, client: Client) -> None:
    world.profiles.put(Profile(profile_id=ProfileId("quiet"), created_at=NOON))
    assert client.get("/v1/profiles/quiet").body["last_contact_at"] is None


@pytest.mark.parametrize(
    "identifier",
    [
        "phone:+33612345678",
        "phone: 33612345678",
        "phone:06 12 34 56 78",
        "email:Awa@Example.com ",
        "whatsapp_user:portfolio-1:FR.12",
        "web_anonymous:a:b",
    ],
)
def test_a_profile_by_its_identifier(world: World, client: Client, identifier: str) -> None:
    profile = awa(world)
    (found,) = client.get("/v1/profiles", identifier=identifier).body["items"]
    assert found["profile_id"] == profile.profile_id


def test_an_identifier_of_nobody(client: Client) -> None:
    answer = client.get("/v1/profiles", identifier="phone:+33600000000")
    assert (answer.status, answer.body) == (200, {"items": [], "cursor": None})


@pytest.mark.parametrize(
    "identifier", ["phone:hello", "+33612345678", "fax:12", "email:", "email:   ", "::::"]
)
def test_an_identifier_that_says_nothing(client: Client, identifier: str) -> None:
    answer = client.get("/v1/profiles", identifier=identifier)
    assert (answer.status, answer.fields) == (400, ["identifier"])


def test_no_identifier_at_all(client: Client) -> None:
    answer = client.get("/v1/profiles")
    assert (answer.status, answer.fields) == (422, ["identifier"])


def test_a_reading_too_long_for_an_identifier_is_left_out() -> None:
    text = f"web_user:{'x' * 100}:{'y' * 250}"
    (only,) = read_identifier(text, FRENCH, wiring.identifier_forms())
    assert (only.scope, only.value) == ("x" * 100, "y" * 250)
    with pytest.raises(InvalidInput):
        read_identifier(f"web_user:{'x' * 201}:{'y' * 321}", FRENCH, wiring.identifier_forms())


def test_the_timeline_is_newest_first_and_pages(world: World, client: Client) -> None:
    path = f"/v1/profiles/{awa(world).profile_id}/timeline"
    first = client.get(path, limit=2).body
    assert [one["text"] for one in first["items"]] == ["Merci", "Toujours rien"]
    second = client.get(path, limit=2, cursor=first["cursor"]).body
    assert [one["text"] for one in second["items"]] == ["Bonjour"]
    assert second["cursor"] is None
    late = client.get(path, since="2026-11-23T12:01:00Z").body
    assert [one["text"] for one in late["items"]] == ["Merci", "Toujours rien"]


@pytest.mark.parametrize("path", ["/v1/profiles/nobody", "/v1/profiles/nobody/timeline"])
def test_no_such_profile(client: Client, path: str) -> None:
    assert client.get(path).status == 404


def test_the_garbage_cursor_of_a_timeline(world: World, client: Client) -> None:
    answer = client.get(f"/v1/profiles/{awa(world).profile_id}/timeline", cursor="garbage")
    assert (answer.status, answer.fields) == (400, ["cursor"])
