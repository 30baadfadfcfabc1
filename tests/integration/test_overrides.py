"""Overrides on real tables: who comes second is told, nothing is lost, and a replay only reads."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest

from shared.adapters.bedrock_classifier import as_written
from shared.deciding import said
from shared.domain.errors import Conflict, Contention
from shared.domain.override import Meant, Override, next_override, released
from shared.domain.profile import LearnedLanguage, Mood
from shared.domain.touchpoint import DeliveryStatus, Touchpoint, TouchpointState
from shared.events.catalogue import ClassificationOverridden, ProfileUpdated
from shared.operations.replay import Rules, replay
from shared.ports.ledger import LedgerEntry
from shared.ports.tickets import LogEntry
from tests.builders import (
    NOON,
    classification,
    journey,
    observed,
    policies,
    profile_id,
    profile_tie,
    ticket,
    touchpoint,
    webhook_request,
    whatsapp_message,
    word,
)
from tests.fakes import FakeClassifier
from tests.integration.conftest import Stores
from tests.integration.test_stores import OPENED, opened_event

SAID = whatsapp_message()
WRITERS = 8


def understood(stores: Stores, seen: Touchpoint = SAID, *, state: str = "processed") -> LedgerEntry:
    """As its journey's last state leaves it."""
    stores.ledger.record([observed(seen)])
    outcome = journey(seen, understood=classification()).model_dump_json(exclude_none=True)
    stores.client.update_item(
        TableName=stores.names["touchpoints"],
        Key={"touchpoint_id": {"S": seen.touchpoint_id}},
        UpdateExpression="SET #state = :state, outcome = :outcome",
        ExpressionAttributeNames={"#state": "state"},
        ExpressionAttributeValues={":state": {"S": state}, ":outcome": {"S": outcome}},
    )
    return entry_of(stores, seen)


def entry_of(stores: Stores, seen: Touchpoint = SAID) -> LedgerEntry:
    entry = stores.ledger.read(seen.touchpoint_id)
    assert entry is not None
    return entry


def made(before: LedgerEntry, intent: str = "refund") -> tuple[Override, ClassificationOverridden]:
    meant = Meant(intent=intent, reason="I read it")
    one = next_override(SAID.touchpoint_id, meant, before.overrides, by="agent:7", now=NOON)
    event = ClassificationOverridden(
        touchpoint_id=SAID.touchpoint_id,
        attempt=before.attempt + 1,
        override_id=one.override_id,
        intent=intent,
        by="agent:7",
    )
    return one, event


def override(stores: Stores, before: LedgerEntry, intent: str = "refund") -> LedgerEntry:
    one, event = made(before, intent)
    return stores.ledger.override(before, (*before.overrides, one), event)


def test_an_override_is_kept_with_its_event_and_its_round(stores: Stores) -> None:
    after = override(stores, understood(stores))
    assert after == entry_of(stores)
    assert (after.state, after.attempt) == (TouchpointState.RECEIVED, 2)
    (one,) = after.overrides
    key = {"touchpoint_id": {"S": SAID.touchpoint_id}}
    item = stores.client.get_item(TableName=stores.names["touchpoints"], Key=key)["Item"]
    data = item["event"]["M"]["data"]["M"]
    assert item["event"]["M"]["type"] == {"S": "ClassificationOverridden"}
    assert (data["attempt"], data["intent"]) == ({"N": "2"}, {"S": "refund"})
    assert stores.ledger.balance().holds
    gone = released(after.overrides, one.override_id, by="agent:8", at=NOON)
    again = understood(stores)
    assert stores.ledger.override(again, gone, made(again)[1]).overrides == gone
    assert entry_of(stores).attempt == 3


def test_a_failed_round_leaves_the_list_of_troubles_when_it_is_overridden(stores: Stores) -> None:
    before = understood(stores, state="failed")
    after = override(stores, before)
    assert (after.state, after.failed_step) == (TouchpointState.RECEIVED, None)
    assert stores.ledger.in_state(TouchpointState.FAILED).items == []


def test_who_read_an_earlier_round_writes_nothing(stores: Stores) -> None:
    before = understood(stores)
    override(stores, before)
    with pytest.raises(Contention):
        override(stores, before, "complaint")
    understood(stores)
    with pytest.raises(Contention):
        override(stores, before, "complaint")
    assert [one.intent for one in entry_of(stores).overrides] == ["refund"]


def test_of_all_who_override_and_redrive_at_once_one_comes_first(real_stores: Stores) -> None:
    before = understood(real_stores, state="failed")

    def one_of(number: int) -> str:
        if number % 2:
            return "redriven" if real_stores.ledger.send_again(SAID.touchpoint_id) else ""
        try:
            override(real_stores, before, f"intent_{number}")
        except Contention:
            return ""
        return f"intent_{number}"

    with ThreadPoolExecutor(max_workers=WRITERS) as pool:
        won = [one for one in pool.map(one_of, range(WRITERS * 4)) if one]
    after = entry_of(real_stores)
    # A redrive of what is under way is one more round; an override finds it changed.
    assert after.attempt == 1 + len(won)
    assert [one.intent for one in after.overrides] == [one for one in won if one != "redriven"]
    assert len(after.overrides) <= 1
    assert real_stores.ledger.balance().holds


def test_none_of_many_overrides_one_after_the_other_is_lost(real_stores: Stores) -> None:
    understood(real_stores)

    def persist(number: int) -> None:
        for _ in range(500):
            before = understood_again(real_stores)
            try:
                override(real_stores, before, f"intent_{number}")
            except Contention:
                continue
            return
        raise AssertionError("the writers keep each other from ever getting through")

    with ThreadPoolExecutor(max_workers=WRITERS) as pool:
        list(pool.map(persist, range(WRITERS)))
    kept = {one.intent for one in entry_of(real_stores).overrides}
    assert kept == {f"intent_{number}" for number in range(WRITERS)}


def understood_again(stores: Stores) -> LedgerEntry:
    """Its round has ended."""
    stores.client.update_item(
        TableName=stores.names["touchpoints"],
        Key={"touchpoint_id": {"S": SAID.touchpoint_id}},
        UpdateExpression="SET #state = :state",
        ExpressionAttributeNames={"#state": "state"},
        ExpressionAttributeValues={":state": {"S": "processed"}},
    )
    return entry_of(stores)


def test_a_ticket_opens_only_in_the_round_that_is_under_way(stores: Stores) -> None:
    override(stores, understood(stores))
    one = ticket(first=word(SAID))
    for attempt in (1, 3):
        with pytest.raises(Conflict):
            stores.tickets.open(one, opened_event(one), OPENED, attempt=attempt)
    stores.tickets.open(one, opened_event(one), OPENED, attempt=2)
    assert stores.tickets.read(one.ticket_id) == one


def test_a_first_round_has_no_number_and_opens_its_ticket(stores: Stores) -> None:
    stores.ledger.record([observed(SAID)])
    one = ticket(first=word(SAID))
    log = LogEntry(at=NOON, what="opened", by="policy", detail={"override": {"said": {"a": "b"}}})
    stores.tickets.open(one, opened_event(one), log, attempt=1)
    assert stores.tickets.log(one.ticket_id) == [log]


def test_a_corrected_mood_is_told_and_the_same_again_is_not(stores: Stores) -> None:
    stores.ledger.record([observed(SAID)])
    stores.profiles.attach(profile_tie(SAID))
    event = ProfileUpdated(
        profile_id=profile_id(), touchpoint_id=SAID.touchpoint_id, change="corrected"
    )
    key = {"pk": {"S": f"profile#{profile_id()}"}, "sk": {"S": "learned"}}

    def learn(sentiment: str, language: str) -> bool:
        """Whether that was told."""
        id_ = SAID.touchpoint_id
        mood = Mood(touchpoint_id=id_, at=NOON, score=0, sentiment=sentiment)
        learned = LearnedLanguage(touchpoint_id=id_, language=language, at=NOON)
        stores.profiles.learn(profile_id(), id_, learned, mood, event)
        item = stores.client.get_item(TableName=stores.names["profiles"], Key=key)["Item"]
        stores.client.update_item(
            TableName=stores.names["profiles"], Key=key, UpdateExpression="REMOVE event"
        )
        return "event" in item

    told = [
        learn(*taught)
        for taught in (
            ("negative", "fr"),
            ("negative", "fr"),
            ("neutral", "fr"),
            ("neutral", "de"),
            ("neutral", "de"),
        )
    ]
    assert told == [True, False, True, True, False]
    person = stores.profiles.read(profile_id())
    assert person is not None and person.learned_language is not None
    assert person.learned_language.language == "de"
    assert [one.sentiment for one in person.moods] == ["neutral"]


@contextmanager
def recorded(client: Any) -> Iterator[list[str]]:
    """The names of the calls a client makes meanwhile."""
    calls: list[str] = []

    def heard(model: Any, **_: Any) -> None:
        calls.append(model.name)

    client.meta.events.register("before-call.dynamodb", heard)
    yield calls
    client.meta.events.unregister("before-call.dynamodb", heard)


def test_a_replay_reads_the_ledger_page_by_page_and_makes_no_other_call(stores: Stores) -> None:
    sayings = [whatsapp_message(f"message {n}", at=NOON + timedelta(minutes=n)) for n in range(250)]
    stores.ledger.record([observed(one) for one in sayings])
    for seen in sayings[:3]:
        understood(stores, seen)
    before = stores.state()
    knows = {said(sayings[0]): classification(intent="refund")}
    rules = Rules(policies(), policies(), FakeClassifier(knows))
    with recorded(stores.client) as calls:
        found = replay(rules, masker=as_written, ledger=stores.ledger)
        late = replay(
            rules, masker=as_written, ledger=stores.ledger, since=NOON + timedelta(minutes=240)
        )
    assert set(calls) == {"Scan"}
    assert len(calls) >= 4
    assert (found.looked_at, found.understood, found.changed) == (250, 3, 1)
    assert late.looked_at == 10
    assert stores.state() == before


def test_quarantined_requests_and_lone_statuses_are_no_touchpoints(stores: Stores) -> None:
    key = stores.ledger.quarantine("twilio", webhook_request(b"?"), "no", NOON)
    moved = DeliveryStatus(status="read", message_id="wamid.out")
    stores.ledger.advance_delivery(touchpoint(moved, key="status"), moved)
    stores.ledger.record([observed(SAID)])
    assert [one.touchpoint for one in stores.ledger.all().items] == [SAID]
    stores.ledger.release(key)
    assert [one.touchpoint for one in stores.ledger.all().items] == [SAID]
