"""The ConsentStore on moto's tables and on AWS's own DynamoDB Local."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from shared.adapters import dynamo
from shared.adapters.consents import DynamoConsentStore
from shared.domain.consent import Consent, ConsentState
from shared.domain.errors import Contention
from shared.domain.model import ProfileId, TouchpointId
from shared.domain.retention import RetentionPolicy, epoch
from shared.domain.suppression import (
    Notice,
    NoticeState,
    Release,
    Suppression,
    SuppressionKind,
    endpoint_subject,
)
from shared.domain.touchpoint import Channel, Direction, Message
from shared.events.catalogue import EndpointSuppressed, HelpRequested
from tests.builders import NOON, PHONE, endpoint, policies, profile_id, touchpoint
from tests.fakes import FakeClock
from tests.integration.conftest import Stores
from tests.state import scan

OPT_OUT = SuppressionKind.OPT_OUT
SUBJECT = endpoint_subject(endpoint())
RETENTION = policies().retention
MESSAGE = TouchpointId("touchpoint-1")
SUPPRESSED = EndpointSuppressed(kind="opt_out", classes="all", touchpoint_id=MESSAGE, confirm=True)


@pytest.fixture
def consents(stores: Stores) -> DynamoConsentStore:
    return stores.consents


def consent(hours: int = 0, state: ConsentState = ConsentState.GRANTED) -> Consent:
    at = NOON + timedelta(hours=hours)
    return Consent(purpose="marketing", state=state, source="agent:1", proof="a form", at=at)


def suppression(hours: int = 0) -> Suppression:
    at = NOON + timedelta(hours=hours)
    return Suppression(
        kind=OPT_OUT, reason="the person opted out", by="word:opt_out_keyword", at=at
    )


def release(hours: int) -> Release:
    at = NOON + timedelta(hours=hours)
    return Release(kind=OPT_OUT, reason="the person asked for it", by="word:start", at=at)


def notice(template: str = "opt_out_confirmed", of: str = MESSAGE, hours: int = 0) -> Notice:
    at = NOON + timedelta(hours=hours)
    return Notice.model_validate({"template": template, "touchpoint_id": of, "at": at})


def items(stores: Stores) -> list[dict[str, object]]:
    return scan(stores.client, stores.names["profiles"])


def test_the_ledger_keeps_every_statement_once_and_in_order(
    consents: DynamoConsentStore, stores: Stores
) -> None:
    withdrawn = consent(1, ConsentState.WITHDRAWN)
    for one in (withdrawn, consent(), consent()):
        consents.state(profile_id(), one)
    consents.state(ProfileId("other"), consent(2))
    assert consents.of([profile_id()]) == [consent(), withdrawn]
    assert consents.of([profile_id(), ProfileId("other")]) == [consent(), withdrawn, consent(2)]
    assert consents.of([ProfileId("nobody")]) == []
    assert len(items(stores)) == 3
    assert {item["event"]["type"] for item in items(stores)} == {"ConsentStated"}  # type: ignore[index] # scan returns plain items


def test_a_statement_ends_and_then_it_stands_no_more_whether_deleted_or_not(stores: Stores) -> None:
    """The table deletes in no order: the withdrawal may be gone before what it withdrew."""
    clock, span = FakeClock(NOON + timedelta(hours=2)), RETENTION.consent

    def store(retention: RetentionPolicy) -> DynamoConsentStore:
        profiles = stores.names["profiles"]
        return DynamoConsentStore(stores.client, profiles, "", retention, lambda: clock)

    store(RETENTION).state(profile_id(), consent())
    store(RETENTION).state(profile_id(), consent(1))
    assert [item["expires_at"] for item in items(stores)] == [
        epoch(NOON + span),
        epoch(NOON + span) + 3600,
    ]
    assert store(RETENTION).of([profile_id()]) == [consent(), consent(1)]
    clock.advance(span - timedelta(hours=2))
    assert store(RETENTION).of([profile_id()]) == [consent(1)]
    longer = RETENTION.model_copy(update={"consent": 2 * span})
    assert store(longer).of([profile_id()]) == [consent(1)]
    shorter = RETENTION.model_copy(update={"consent": span - timedelta(days=1)})
    assert store(shorter).of([profile_id()]) == []


def test_what_stops_a_message_is_found_by_its_subject(
    consents: DynamoConsentStore, stores: Stores
) -> None:
    assert consents.tell(SUBJECT, suppression(), event=SUPPRESSED) is True
    found = consents.records([SUBJECT, "profile#nobody"])
    assert list(found) == [SUBJECT]
    assert found[SUBJECT].active == (suppression(),)
    (item,) = items(stores)
    assert item["event"] == SUPPRESSED.carried()


def test_no_item_names_an_address(consents: DynamoConsentStore, stores: Stores) -> None:
    consents.tell(SUBJECT, suppression(), notice=notice(), event=SUPPRESSED)
    (item,) = items(stores)
    record = item.pop("record")
    assert isinstance(record, bytes)
    everything = f"{item} {dynamo.decompressed(record).decode()}"
    assert PHONE.removeprefix("+") not in everything


def test_only_what_changes_the_standing_is_an_event_and_calls_for_a_notice(
    consents: DynamoConsentStore, stores: Stores
) -> None:
    consents.tell(SUBJECT, suppression(), notice=notice(), event=SUPPRESSED)
    again = notice(of="touchpoint-2", hours=1)
    assert consents.tell(SUBJECT, suppression(1), notice=again, event=SUPPRESSED) is False
    assert consents.records([SUBJECT])[SUBJECT].notices["subscription"] == notice()
    (item,) = items(stores)
    assert "event" not in item
    assert item["version"] == 2


def test_the_same_statement_again_is_no_write(consents: DynamoConsentStore, stores: Stores) -> None:
    for _ in range(2):
        consents.tell(SUBJECT, suppression(), notice=notice(), event=SUPPRESSED)
    (item,) = items(stores)
    assert item["version"] == 1


def test_the_latest_statement_wins_in_any_order(consents: DynamoConsentStore) -> None:
    consents.tell(SUBJECT, release(2))
    consents.tell(SUBJECT, suppression(1))
    assert consents.records([SUBJECT])[SUBJECT].active == ()
    consents.tell(SUBJECT, suppression(3))
    assert consents.records([SUBJECT])[SUBJECT].active == (suppression(3),)


def test_concurrent_statements_are_all_kept(real_stores: Stores) -> None:
    consents = real_stores.consents

    def tell(hours: int) -> bool:
        while True:
            try:
                return consents.tell(
                    SUBJECT,
                    suppression(hours),
                    notice=notice(of=f"touchpoint-{hours}"),
                    event=SUPPRESSED,
                )
            except Contention:
                continue

    with ThreadPoolExecutor(8) as pool:
        changed = list(pool.map(tell, range(24)))
    record = consents.records([SUBJECT])[SUBJECT]
    assert changed.count(True) == 1
    assert record.active == (suppression(23),)
    assert record.notices["subscription"].touchpoint_id == f"touchpoint-{changed.index(True)}"


def test_help_is_called_for_once_an_hour(consents: DynamoConsentStore, stores: Stores) -> None:
    event = HelpRequested(touchpoint_id=MESSAGE, channel="sms")
    assert consents.call_for_help(SUBJECT, notice("help"), event) is True
    assert consents.call_for_help(SUBJECT, notice("help"), event) is False
    assert consents.call_for_help(SUBJECT, notice("help", "touchpoint-2", 2), event) is True
    (item,) = items(stores)
    assert item["event"] == event.carried()


def test_a_notice_is_claimed_once(consents: DynamoConsentStore) -> None:
    consents.tell(SUBJECT, suppression(), notice=notice())
    claimed = notice().model_copy(update={"state": NoticeState.SENDING, "claimed_at": NOON})
    consents.move_notice(SUBJECT, claimed, NoticeState.PENDING)
    with pytest.raises(Contention):
        consents.move_notice(SUBJECT, claimed, NoticeState.PENDING)
    assert consents.records([SUBJECT])[SUBJECT].notices["subscription"] == claimed


def test_a_notice_that_another_replaced_is_claimed_by_nobody(
    consents: DynamoConsentStore,
) -> None:
    consents.tell(SUBJECT, suppression(), notice=notice())
    consents.tell(SUBJECT, release(1), notice=notice("opt_in_confirmed", "touchpoint-2"))
    with pytest.raises(Contention):
        consents.move_notice(SUBJECT, notice(), NoticeState.PENDING)
    with pytest.raises(Contention):
        consents.move_notice("profile#nobody", notice(), NoticeState.PENDING)


def test_what_left_is_kept_with_its_touchpoint(
    consents: DynamoConsentStore, stores: Stores
) -> None:
    consents.tell(SUBJECT, suppression(), notice=notice())
    sent = touchpoint(Message(text="Done"), key="wamid.out", direction=Direction.OUTBOUND)
    ended = notice().model_copy(update={"state": NoticeState.SENT, "sent_as": sent.touchpoint_id})
    consents.end_notice(SUBJECT, ended, sent=sent, profile_id=profile_id())
    assert consents.records([SUBJECT])[SUBJECT].notices["subscription"] == ended
    entry = stores.ledger.read(sent.touchpoint_id)
    assert entry is not None
    assert entry.profile_id == profile_id()
    counted = [item for item in items(stores) if item["pk"] == f"profile#{profile_id()}"]
    assert counted[0]["count#outbound#whatsapp"] == 1


def test_what_left_to_nobody_is_in_the_ledger_alone(
    consents: DynamoConsentStore, stores: Stores
) -> None:
    sent = touchpoint(
        Message(text="Done"), key="SM1", direction=Direction.OUTBOUND, channel=Channel.SMS
    )
    # Another notice is due by now: this one left all the same.
    consents.end_notice(SUBJECT, notice(), sent=sent, profile_id=None)
    entry = stores.ledger.read(sent.touchpoint_id)
    assert entry is not None
    assert entry.profile_id is None
    assert items(stores) == []


def test_a_record_that_others_keep_writing_is_contention(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    consents = stores.consents
    consents.tell(SUBJECT, suppression())
    stale, record = consents._read(SUBJECT)
    consents.tell(SUBJECT, suppression(1))
    monkeypatch.setattr(consents, "_read", lambda subject: (stale, record))
    with pytest.raises(Contention):
        consents.tell(SUBJECT, suppression(2))
