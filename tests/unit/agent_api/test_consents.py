"""Agents read and state consents, stop and release, and hand out links."""

from datetime import timedelta
from typing import Any

import pytest

from functions.agent_api.logic.consents import make_link
from shared.domain.consent import Consent
from shared.domain.errors import MissingSecret
from shared.domain.identity import IdentifierType
from shared.domain.identity_graph import IdentityGraph, settled, united
from shared.domain.identity_tie import TieKind, tie
from shared.domain.model import ProfileId
from shared.domain.preference_link import NAME, PreferenceKeys, whose
from shared.domain.profile import Profile
from shared.domain.suppression import (
    Suppression,
    address_subject,
    endpoint_subject,
    person_subject,
)
from shared.domain.touchpoint import Channel
from shared.events.catalogue import ConsentStated, EndpointReleased, EndpointSuppressed
from tests.builders import (
    NOON,
    PHONE,
    endpoint,
    identifier,
    observed,
    policies,
    profile_id,
    whatsapp_message,
)
from tests.fakes import World
from tests.unit.agent_api.client import AGENT, Client

HERE = f"/v1/profiles/{profile_id()}"
OTHER = identifier("+33700000000").profile_id
KEYS = {"id": "k1", "key": "k" * 40}
WAY = endpoint().model_dump(mode="json")


@pytest.fixture(autouse=True)
def person(world: World) -> None:
    """Two profiles of one person, who wrote by WhatsApp."""
    world.profiles.put(
        Profile(
            profile_id=profile_id(),
            profile_ids=(profile_id(), OTHER),
            created_at=NOON,
            identifiers=(identifier(),),
        )
    )
    seen = whatsapp_message()
    world.ledger.record([observed(seen)])
    world.ledger.change(seen.touchpoint_id, profile_id=profile_id())


def consent(world: World, whose_: ProfileId = OTHER, **fields: Any) -> None:
    usual = {"purpose": "marketing", "state": "granted", "source": "preference_page", "at": NOON}
    world.consents.state(whose_, Consent.model_validate(usual | fields))


def standing(body: dict[str, Any]) -> dict[tuple[str, str], str | None]:
    return {(one["purpose"], one["channel"]): one["state"] for one in body["standing"]}


def test_what_stands_and_every_statement_of_the_whole_person(client: Client, world: World) -> None:
    consent(world, channel="sms")
    answer = client.get(f"{HERE}/consents")
    assert answer.status == 200
    stands = standing(answer.body)
    assert stands.pop(("marketing", "sms")) == "granted"
    assert len(stands) == 7 and set(stands.values()) == {None}
    (statement,) = answer.body["statements"]
    assert statement["source"] == "preference_page"


def test_an_agent_keeps_what_the_person_said(client: Client, world: World) -> None:
    consent(world)
    world.clock.advance(timedelta(minutes=1))
    said = {"purpose": "marketing", "channel": "sms", "state": "withdrawn", "proof": "by phone"}
    answer = client.post(f"{HERE}/consents", said)
    assert answer.status == 201
    stands = standing(answer.body)
    assert (stands["marketing", "sms"], stands["marketing", "email"]) == ("withdrawn", "granted")
    (kept,) = world.consents.of([profile_id()])
    assert (kept.source, kept.proof) == (f"agent:{AGENT}", "by phone")
    assert len(world.happened(ConsentStated)) == 2


def test_what_is_said_of_an_identifier_without_a_history_counts_for_the_person(
    client: Client, world: World
) -> None:
    phone, mail = identifier(), identifier("awa@example.com", IdentifierType.EMAIL)
    merged = tie(phone.key, mail.key, TieKind.MERGED, NOON, "agent:1")
    graph = united([IdentityGraph(identifiers=frozenset(), homes=frozenset({phone.key}))], [merged])
    world.profiles.put_graph(settled(graph, policies().identity))
    path = f"/v1/profiles/{mail.profile_id}"
    said = {"purpose": "marketing", "channel": "sms", "state": "withdrawn"}
    answer = client.post(f"{path}/consents", said)
    assert standing(answer.body)["marketing", "sms"] == "withdrawn"
    client.post(f"{path}/suppressions", {"on": "person", "kind": "legal", "reason": "court"})
    assert [one["kind"] for one in client.get(f"{HERE}/suppressions").body["items"]] == ["legal"]


def test_a_purpose_the_company_does_not_ask_about(client: Client) -> None:
    answer = client.post(f"{HERE}/consents", {"purpose": "spam", "state": "granted"})
    assert (answer.status, answer.fields) == (400, ["purpose"])


@pytest.mark.parametrize("state", ["restored", "maybe"])
def test_a_state_that_nobody_says(client: Client, state: str) -> None:
    answer = client.post(f"{HERE}/consents", {"purpose": "marketing", "state": state})
    assert (answer.status, answer.fields) == (422, ["state"])


def stop(world: World, subject: str, kind: str = "opt_out") -> None:
    fields = {"kind": kind, "reason": "they wrote STOP", "by": "word:opt_out_keyword", "at": NOON}
    world.consents.tell(subject, Suppression.model_validate(fields))


def test_what_stops_messages_is_shown_with_where_it_holds(client: Client, world: World) -> None:
    stop(world, endpoint_subject(endpoint()))
    stop(world, address_subject(Channel.WHATSAPP, PHONE), "bounce")
    stop(world, person_subject(OTHER), "legal")
    items = client.get(f"{HERE}/suppressions").body["items"]
    assert [(one["on"], one["kind"], one["active"]) for one in items] == [
        ("person", "legal", True),
        ("endpoint", "opt_out", True),
        ("address", "bounce", True),
    ]
    assert [one["endpoint"] for one in items] == [None, WAY, WAY]


def test_who_is_stopped_nowhere(client: Client) -> None:
    assert client.get(f"{HERE}/suppressions").body["items"] == []


@pytest.mark.parametrize(
    ("on", "given", "subject"),
    [
        ("person", {}, person_subject(profile_id())),
        ("endpoint", {"endpoint": WAY}, endpoint_subject(endpoint())),
        ("address", {"endpoint": WAY}, address_subject(Channel.WHATSAPP, PHONE)),
    ],
)
def test_an_agent_stops_and_releases(
    client: Client, world: World, on: str, given: dict[str, Any], subject: str
) -> None:
    stopped = client.post(
        f"{HERE}/suppressions", {"on": on, "kind": "legal", "reason": "a court", **given}
    )
    assert (stopped.status, stopped.body["active"], stopped.body["on"]) == (201, True, on)
    (standing_,) = world.consents.record(subject).active
    assert (standing_.reason, standing_.by) == ("a court", f"agent:{AGENT}")

    world.clock.advance(timedelta(minutes=1))
    path = f"{HERE}/suppressions/{stopped.body['suppression_id']}"
    lifted = client.call("DELETE", path, query={"kind": "legal", "reason": "it was withdrawn"})
    assert (lifted.status, lifted.body["active"]) == (200, False)
    assert lifted.body["lifted_by"] == f"agent:{AGENT}"
    assert world.consents.record(subject).active == ()
    assert len(world.happened(EndpointSuppressed, EndpointReleased)) == 2
    again = client.call("DELETE", path, query={"kind": "legal", "reason": "once more"})
    assert again.status == 404


def test_a_stop_of_the_other_profile_is_the_person_s(client: Client, world: World) -> None:
    stop(world, person_subject(OTHER), "manual")
    world.clock.advance(timedelta(minutes=1))
    path = f"{HERE}/suppressions/person"
    assert client.call("DELETE", path, query={"kind": "manual", "reason": "ok"}).status == 200
    assert world.consents.record(person_subject(OTHER)).active == ()


def test_what_stops_somebody_else_is_not_lifted_here(client: Client, world: World) -> None:
    elsewhere = endpoint_subject(endpoint(address="33999999999"))
    stop(world, elsewhere)
    path = f"{HERE}/suppressions/{elsewhere.partition('#')[2]}"
    answer = client.call("DELETE", path, query={"kind": "opt_out", "reason": "please"})
    assert answer.status == 404
    assert len(world.consents.record(elsewhere).active) == 1


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"on": "person", "kind": "legal", "reason": "x", "endpoint": WAY}, "body"),
        ({"on": "endpoint", "kind": "legal", "reason": "x"}, "body"),
        ({"on": "person", "kind": "bounce", "reason": "x"}, "kind"),
        ({"on": "person", "kind": "legal", "reason": ""}, "reason"),
    ],
)
def test_a_stop_that_says_too_little_or_too_much(
    client: Client, body: dict[str, Any], field: str
) -> None:
    answer = client.post(f"{HERE}/suppressions", body)
    assert (answer.status, answer.fields) == (422, [field])


def test_a_consent_that_is_over_before_it_is_given_is_refused(client: Client, world: World) -> None:
    body = {"purpose": "marketing", "state": "granted"}
    now = world.clock.now()
    for ends in (now - timedelta(days=1), now):
        answer = client.post(f"{HERE}/consents", body | {"expires_at": ends.isoformat()})
        assert (answer.status, answer.fields) == (400, ["expires_at"])
        assert "past" in answer.body["detail"]
    assert world.consents.of([profile_id()]) == []
    ends = now + timedelta(days=1)
    assert client.post(f"{HERE}/consents", body | {"expires_at": ends.isoformat()}).status == 201


@pytest.mark.parametrize("path", ["consents", "suppressions"])
def test_nobody_has_nothing(client: Client, path: str) -> None:
    assert client.get(f"/v1/profiles/none/{path}").status == 404


def test_a_link_is_the_person_s(client: Client, world: World) -> None:
    world.secrets.secrets[NAME] = KEYS
    answer = client.call("POST", f"{HERE}/preference-links")
    assert answer.status == 201
    base, _, token = answer.body["url"].rpartition("/")
    assert base == "https://shop.example/preferences"
    keys = PreferenceKeys.model_validate(KEYS)
    assert whose(token, keys, world.clock.now()) == profile_id()
    assert answer.body["expires_at"] == "2027-11-23T12:00:00Z"


def test_without_a_secret_there_is_no_link(world: World) -> None:
    with pytest.raises(MissingSecret):
        make_link(
            profile_id(),
            base="https://shop.example/preferences/",
            profiles=world.profiles,
            secrets=world.secrets,
            policy=policies().consent,
            clock=world.clock,
        )
