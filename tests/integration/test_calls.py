"""A call grows in the ledger, whatever its parts' order, and goes round its journey again where one
tells something to think about. On moto and on AWS's own DynamoDB Local; concurrency on that one.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import reduce
from typing import Any, TypeVar

import boto3
import pytest

from functions.ai_classification.logic import understand
from functions.profile_update.logic.update import update_profile
from functions.ticket_creation.logic.creation import create_ticket
from shared.adapters import dynamo
from shared.adapters.ledger_items import INLINE_LIMIT, this_round
from shared.adapters.rule_classifier import RuleClassifier
from shared.domain.call import grown
from shared.domain.classification import Classification
from shared.domain.errors import Conflict, Contention
from shared.domain.journey import JourneyState
from shared.domain.model import TouchpointId
from shared.domain.touchpoint import (
    Attachment,
    Call,
    CallState,
    Channel,
    Direction,
    Heard,
    Touchpoint,
    TouchpointState,
)
from shared.ports.ledger import LedgerEntry
from shared.runtime import wiring
from tests.builders import (
    NOON,
    PHONE,
    call_part,
    classification,
    observed,
    policies,
    profile_id,
    profile_tie,
)
from tests.fakes import FakeClock
from tests.integration.conftest import Stores

WRITERS = 16
WORDS = "My parcel 4512 never came."


def voicemail(phone: str = PHONE, key: str = "CA1") -> list[Touchpoint]:
    """Nobody is there, the caller leaves a message, a machine writes it down."""
    spoken = (Heard(source="transcript", key="TR1", text=WORDS),)
    recording = (Attachment(form="voice", provider_reference=f"https://api.twilio.com/{key}"),)
    both: dict[str, Any] = {"phone": phone, "key": key}
    return [
        call_part("incoming", state=CallState.RINGING, reached_person=False, **both),
        call_part("answered", at=2, state=CallState.IN_PROGRESS, answered_at=NOON, **both),
        call_part("ended", at=60, state=CallState.COMPLETED, duration=58, **both),
        call_part("recording", at=61, key=key, phone=None, attachments=recording),
        call_part("transcription", at=90, key=key, phone=None, heard=spoken),
    ]


def record(stores: Stores, part: Touchpoint) -> bool:
    content = part.content
    assert isinstance(content, Call)
    [is_new] = stores.ledger.record([observed(part, content.parts[0].encode())])
    return is_new


def read(stores: Stores, of: Touchpoint) -> LedgerEntry:
    entry = stores.ledger.read(of.touchpoint_id)
    assert entry is not None
    return entry


@pytest.mark.parametrize("seed", range(4))
def test_its_parts_are_one_touchpoint_in_any_order(stores: Stores, seed: int) -> None:
    parts = voicemail()
    told = parts * 2
    random.Random(seed).shuffle(told)
    new = [record(stores, part) for part in told]
    assert new.count(True) == len(parts)
    entry = read(stores, parts[0])
    assert entry.touchpoint == reduce(grown, parts)
    assert entry.touchpoint.text == WORDS
    assert entry.deliveries == len(told)
    raw = stores.ledger.raw(entry.touchpoint.touchpoint_id)
    assert raw is not None
    names = [
        name for part in parts if isinstance(part.content, Call) for name in part.content.parts
    ]
    assert sorted(raw.decode().splitlines()) == sorted(names)
    balance = stores.ledger.balance()
    assert (balance.received, balance.duplicate, balance.in_flight) == (10, 5, 5)
    assert balance.holds


def events_of(stores: Stores) -> dict[str, Any]:
    (item,) = stores.client.scan(TableName=stores.names["touchpoints"])["Items"]
    return dict(dynamo.plain(item).get("event", {}))


def test_a_part_that_tells_nothing_to_think_about_states_nothing(stores: Stores) -> None:
    incoming, answered, ended, recording, transcription = voicemail()
    record(stores, incoming)
    assert events_of(stores)["data"]["attempt"] == 1
    finish(stores, incoming, attempt=1)
    record(stores, answered)
    assert events_of(stores) == {}
    assert read(stores, incoming).state is TouchpointState.PROCESSED
    record(stores, ended)
    assert events_of(stores)["data"] == {
        "touchpoint_id": incoming.touchpoint_id,
        "provider": "twilio_voice",
        "channel": "voice",
        "kind": "call",
        "attempt": 2,
        "has_media": False,
    }
    assert read(stores, incoming).state is TouchpointState.RECEIVED
    record(stores, recording)
    record(stores, transcription)
    assert read(stores, incoming).attempt == read(stores, incoming).grown == 3
    record(stores, transcription)
    assert read(stores, incoming).attempt == 3
    finish(stores, incoming, attempt=3)
    balance = stores.ledger.balance()
    assert (balance.received, balance.processed, balance.duplicate) == (6, 5, 1)
    assert balance.holds


def finish(stores: Stores, of: Touchpoint, *, attempt: int) -> None:
    stores.profiles.finish(of.touchpoint_id, attempt)


def test_a_round_that_is_over_finishes_and_ties_nothing(stores: Stores) -> None:
    incoming, _, ended, *_ = voicemail()
    record(stores, incoming)
    record(stores, ended)
    with pytest.raises(Contention):
        finish(stores, incoming, attempt=1)
    with pytest.raises(Conflict):
        stores.profiles.attach(profile_tie(incoming, finished=True, attempt=1))
    assert read(stores, incoming).state is TouchpointState.RECEIVED
    stores.profiles.attach(profile_tie(read(stores, incoming).touchpoint, attempt=2))
    assert read(stores, incoming).profile_id == profile_id()
    profile = stores.profiles.read(profile_id())
    assert profile is not None
    assert profile.contacts == {(Direction.INBOUND, Channel.VOICE): 1}


def test_what_is_too_large_goes_to_s3_and_a_lost_write_replaces_nothing(stores: Stores) -> None:
    noise = random.Random(1)
    parts = [
        call_part(
            f"live {n}",
            heard=(Heard(source="live", key=f"{n}", text=noise.randbytes(60_000).hex()),),
        )
        for n in range(5)
    ]
    for part in parts:
        record(stores, part)
    whole = reduce(grown, parts)
    assert len(whole.text) > INLINE_LIMIT
    assert read(stores, parts[0]).touchpoint == whole
    raw = stores.ledger.raw(parts[0].touchpoint_id)
    assert raw is not None and raw.splitlines()[-1] == b"live 4"
    listed = boto3.client("s3").list_objects_v2(Bucket=stores.bucket)["Contents"]
    keys = [one["Key"] for one in listed]
    folder = f"touchpoint/message/{parts[0].touchpoint_id}/"
    assert len(keys) > 1
    assert all(key.startswith(folder) for key in keys)


def test_a_call_that_was_erased_meanwhile_begins_anew(stores: Stores) -> None:
    incoming, *_, transcription = voicemail()
    record(stores, incoming)
    key = dynamo.attributes({"touchpoint_id": incoming.touchpoint_id})
    stores.client.delete_item(TableName=stores.names["touchpoints"], Key=key)
    assert record(stores, transcription)
    assert read(stores, incoming).touchpoint == transcription


class Words:
    """The company's rules; whatever they leave open is about a delivery."""

    def __init__(self) -> None:
        self._rules = RuleClassifier(policies().understanding)

    def classify(self, text: str, **given: Any) -> Classification:
        known = self._rules.classify(text, **given)
        return known or classification(intent="delivery_problem", language="en")


T = TypeVar("T")


class Journey:
    """The state machine's order of the steps, its retry on Contention and its last write."""

    def __init__(self, stores: Stores) -> None:
        self.stores = stores
        self.words = Words()
        self.clock = FakeClock(NOON)

    def run(self, touchpoint_id: TouchpointId, attempt: int) -> None:
        state = JourneyState(touchpoint_id=touchpoint_id, attempt=attempt)
        stores, company = self.stores, policies()
        profile = self._retried(
            lambda: update_profile(
                state,
                ledger=stores.ledger,
                profiles=stores.profiles,
                consents=stores.consents,
                policy=company.identity,
                forms=wiring.identifier_forms(),
            )
        )
        if profile.next_step == "nothing":
            return
        known = state.model_copy(update={"profile_update": profile})
        meant = self._retried(
            lambda: understand(
                known,
                ledger=stores.ledger,
                classifier=self.words,
                profiles=stores.profiles,
                consents=stores.consents,
                policies=company,
                clock=self.clock,
            )
        )
        understood = known.model_copy(update={"ai_classification": meant})
        if meant.next_step == "ticket_creation":
            ticket = self._retried(
                lambda: create_ticket(
                    understood,
                    ledger=stores.ledger,
                    tickets=stores.tickets,
                    policies=company,
                    clock=self.clock,
                )
            )
            understood = understood.model_copy(update={"ticket_creation": ticket})
        self._record_outcome(understood, attempt)

    def _record_outcome(self, state: JourneyState, attempt: int) -> None:
        change = dynamo.update(
            {"touchpoint_id": state.touchpoint_id},
            table=self.stores.names["touchpoints"],
            set_={
                "state": TouchpointState.PROCESSED,
                "outcome": state.model_dump_json(exclude_none=True),
            },
            remove=["event"],
            condition=f"#state = :received AND {this_round(attempt)}",
            values={"received": TouchpointState.RECEIVED, "round": attempt},
        )
        try:
            with dynamo.contention():
                self.stores.client.update_item(**change)
        except Contention:
            return

    def _retried(self, step: Callable[[], T]) -> T:
        for _ in range(300):
            try:
                return step()
            except Contention:
                continue
        raise AssertionError("the writers keep each other from ever getting through")


def lived_through(stores: Stores, told: Sequence[Touchpoint], *, writers: int) -> None:
    """Each delivery is recorded, and the round that is then under way runs: some of them run twice,
    some late.
    """
    journey = Journey(stores)

    def deliver(part: Touchpoint) -> None:
        record(stores, part)
        journey.run(part.touchpoint_id, read(stores, part).attempt)

    with ThreadPoolExecutor(max_workers=writers) as pool:
        list(pool.map(deliver, told))


def tickets_of(stores: Stores, phone: str) -> list[tuple[str, str]]:
    page = stores.tickets.by_profiles([profile_id(phone)])
    return [(one.queue, one.first.intent) for one in page.items]


def test_a_missed_call_opens_a_ticket_and_its_words_move_it(stores: Stores) -> None:
    *calls, transcription = voicemail()
    lived_through(stores, calls, writers=1)
    assert tickets_of(stores, PHONE) == [("care", "contact_human")]
    outcome = read(stores, transcription).outcome
    assert outcome is not None
    decided, obligation = outcome["ai_classification"]["decisions"]
    assert (decided["outcome"], decided["reason"]) == ("contact_human", "rule missed_call")
    assert obligation["outcome"] == "owed"
    lived_through(stores, [transcription], writers=1)
    assert tickets_of(stores, PHONE) == [("orders", "delivery_problem")]
    [ticket] = stores.tickets.by_profiles([profile_id()]).items
    moved = stores.tickets.log(ticket.ticket_id)[-1]
    assert (moved.what, moved.by) == ("call_went_on", "policy")
    assert moved.detail["queue"] == {"from": "care", "to": "orders"}
    assert read(stores, transcription).state is TouchpointState.PROCESSED


def callers() -> Iterator[tuple[str, list[Touchpoint]]]:
    for n in range(6):
        phone = f"+3361234{n:04}"
        yield phone, voicemail(phone, f"CA{n}")


@pytest.mark.parametrize("seed", range(2))
def test_all_at_once_and_twice_it_is_one_call_and_one_ticket(
    real_stores: Stores, seed: int
) -> None:
    told = [part for _, parts in callers() for part in parts] * 2
    random.Random(seed).shuffle(told)
    lived_through(real_stores, told, writers=WRITERS)
    for phone, parts in callers():
        entry = read(real_stores, parts[0])
        assert entry.touchpoint == reduce(grown, parts)
        assert entry.state is TouchpointState.PROCESSED
        assert entry.profile_id == profile_id(phone)
        assert tickets_of(real_stores, phone) == [("orders", "delivery_problem")]
        profile = real_stores.profiles.read(profile_id(phone))
        assert profile is not None
        assert profile.contacts == {(Direction.INBOUND, Channel.VOICE): 1}
    balance = real_stores.ledger.balance()
    assert balance.holds
    assert (balance.received, balance.processed) == (len(told), len(told) // 2)
    assert (balance.duplicate, balance.in_flight) == (len(told) // 2, 0)


def test_many_parts_of_one_call_at_once_are_all_there(real_stores: Stores) -> None:
    parts = [
        call_part(f"live {n}", at=n, heard=(Heard(source="live", key=f"{n:03}", text=f"{n}"),))
        for n in range(WRITERS)
    ]
    with ThreadPoolExecutor(max_workers=WRITERS) as pool:
        new = list(pool.map(lambda part: record(real_stores, part), parts * 2))
    assert new.count(True) == WRITERS
    assert read(real_stores, parts[0]).touchpoint == reduce(grown, parts)
    assert read(real_stores, parts[0]).deliveries == 2 * WRITERS
