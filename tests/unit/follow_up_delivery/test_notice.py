"""A word calls for one message, which leaves once, whatever is delivered twice."""

from datetime import timedelta
from typing import Any

import pytest

from functions.ai_classification.logic import understand
from functions.follow_up_delivery.logic.notice import ANSWERED, send_notice
from functions.follow_up_delivery.logic.request import fulfil, read_request
from functions.follow_up_delivery.logic.state import CLAIM_LASTS
from functions.follow_up_delivery.logic.transmission import MOST_FAILURES
from shared.adapters.classifier import build_classifier
from shared.domain.errors import (
    Contention,
    NotFound,
    SendDelayed,
    SendRefused,
    SendUnconfirmed,
)
from shared.domain.follow_up import FollowUpState
from shared.domain.journey import DeliveryRequest, NoticeRequest
from shared.domain.model import TouchpointId
from shared.domain.opting import AnsweredLine
from shared.domain.suppression import (
    Notice,
    NoticeState,
    Suppression,
    SuppressionKind,
    SuppressionRecord,
    address_subject,
    endpoint_subject,
)
from shared.domain.touchpoint import Channel, Direction, Message, Touchpoint
from shared.providers.base import HttpRequest, MailRequest
from tests.builders import NOON, PHONE, SMS_LINE, endpoint, journey, profile_id, sms, touchpoint
from tests.unit.follow_up_delivery.conftest import Promise

MINUTE = timedelta(minutes=1)
NEVER = build_classifier(None, "")


def hear(promise: Promise, seen: Touchpoint) -> Touchpoint:
    """The message has gone through the journey's first two steps."""
    world = promise.world
    promise.hear(seen)
    understand(
        journey(seen),
        ledger=world.ledger,
        classifier=NEVER,
        profiles=world.profiles,
        consents=world.consents,
        policies=promise.policies,
        clock=world.clock,
    )
    return seen


def word(promise: Promise, text: str, *, minutes: int = 0, **given: Any) -> Touchpoint:
    at = promise.world.clock.now() + minutes * MINUTE
    return hear(promise, sms(text, at=at, key=f"SM-{text}-{minutes}", **given))


def send(promise: Promise, seen: Touchpoint) -> Notice | None:
    return send_notice(NoticeRequest(touchpoint_id=seen.touchpoint_id), promise.ports)


def sent_form(promise: Promise) -> str:
    """Of the only one that left."""
    ((provider, outgoing),) = promise.world.sender.sent
    assert provider == "twilio" and isinstance(outgoing, HttpRequest)
    return outgoing.body.decode()


def record(promise: Promise, seen: Touchpoint) -> SuppressionRecord:
    assert seen.endpoint is not None
    return promise.world.consents.record(endpoint_subject(seen.endpoint))


def test_ma_6514_an_opt_out_is_confirmed_once_in_their_language(promise: Promise) -> None:
    stop = word(promise, "STOP")
    first, again = send(promise, stop), send(promise, stop)
    assert first == again
    assert first is not None and first.state is NoticeState.SENT
    assert "plus+de+messages" in sent_form(promise)
    assert "To=%2B33612345678" in sent_form(promise)


def test_what_left_is_a_touchpoint_of_their_timeline(promise: Promise) -> None:
    notice = send(promise, word(promise, "STOP"))
    assert notice is not None and notice.sent_as is not None
    entry = promise.world.ledger.read(notice.sent_as)
    assert entry is not None and entry.profile_id == profile_id()
    assert entry.touchpoint.direction is Direction.OUTBOUND
    assert isinstance(entry.touchpoint.content, Message)
    assert entry.touchpoint.content.message_class == "legal"


def test_a_second_stop_is_confirmed_no_more(promise: Promise) -> None:
    send(promise, word(promise, "STOP"))
    second = word(promise, "stop!!", minutes=1)
    assert send(promise, second) is None
    assert len(promise.world.sender) == 1


def test_the_last_word_is_the_one_confirmed(promise: Promise) -> None:
    stop, start = word(promise, "STOP"), word(promise, "START", minutes=1)
    assert send(promise, stop) is None
    assert send(promise, start) is not None
    assert "recevrez" in sent_form(promise)


def test_start_lifts_and_a_stop_after_it_is_confirmed_again(promise: Promise) -> None:
    for minutes, text in enumerate(("STOP", "START", "Arrêt")):
        send(promise, word(promise, text, minutes=minutes))
    assert len(promise.world.sender) == 3


def test_help_is_answered_beside_a_confirmation_that_is_due(promise: Promise) -> None:
    stop, help_ = word(promise, "STOP"), word(promise, "AIDE", minutes=1)
    for seen in (help_, stop):
        notice = send(promise, seen)
        assert notice is not None and notice.state is NoticeState.SENT
    assert len(promise.world.sender) == 2


def test_after_it_nothing_else_leaves_to_that_endpoint(promise: Promise) -> None:
    send(promise, word(promise, "STOP"))
    answered = promise.hear(sms("Et ma commande ?", at=NOON + 3 * MINUTE))
    promise.make_reply(to=answered.touchpoint_id)
    refused = promise.deliver()
    assert refused.state is FollowUpState.REFUSED
    assert refused.result == "suppression: the person opted out (opt_out_keyword)"


def test_quiet_hours_do_not_hold_it_back(promise: Promise) -> None:
    promise.world.clock.advance(timedelta(hours=10))
    notice = send(promise, word(promise, "STOP"))
    assert notice is not None and notice.state is NoticeState.SENT


def test_where_the_company_holds_it_back_it_leaves_later(promise: Promise) -> None:
    sending = promise.policies.sending
    quiet = sending.model_copy(update={"disturbs": sending.disturbs | {"legal"}})
    promise.policies = promise.policies._replace(sending=quiet)
    promise.world.clock.advance(timedelta(hours=10))
    stop = word(promise, "STOP")
    waiting = send(promise, stop)
    assert waiting is not None and waiting.state is NoticeState.PENDING
    morning, payload = next(iter(promise.world.timer.scheduled.values()))
    promise.world.clock.advance(morning - promise.world.clock.now())
    answer = fulfil(read_request(payload), promise.ports)
    assert answer == {"touchpoint_id": stop.touchpoint_id, "state": "sent"}


@pytest.mark.parametrize("kind", [SuppressionKind.LEGAL, SuppressionKind.COMPLAINT])
def test_any_other_suppression_stops_it(promise: Promise, kind: SuppressionKind) -> None:
    stop = Suppression(kind=kind, reason="it is forbidden", by="agent:lea", at=NOON)
    promise.world.consents.tell(address_subject(Channel.SMS, PHONE), stop)
    notice = send(promise, word(promise, "STOP"))
    assert notice is not None
    assert (notice.state, notice.result) == (NoticeState.REFUSED, "suppression: it is forbidden")


def test_an_address_that_writes_after_it_bounced_is_alive(promise: Promise) -> None:
    stop = Suppression(
        kind=SuppressionKind.BOUNCE, reason="gone", by="provider:twilio", at=NOON - MINUTE
    )
    promise.world.consents.tell(address_subject(Channel.SMS, PHONE), stop)
    notice = send(promise, word(promise, "STOP"))
    assert notice is not None and notice.state is NoticeState.SENT


def test_twilio_that_stopped_them_itself_is_not_asked_again(promise: Promise) -> None:
    promise.world.sender.fail_next(SendRefused("Twilio refused: code 21610", code="21610"))
    stop = word(promise, "STOP")
    notice = send(promise, stop)
    assert notice is not None and notice.state is NoticeState.REFUSED
    assert notice.result == (
        "the provider refused it (21610): Twilio refused: code 21610;"
        " it has stopped them and told them so itself"
    )
    assert send(promise, stop) == notice
    assert len(promise.world.sender) == 0
    assert len(promise.world.timer) == 0
    assert len(record(promise, stop).active) == 1


def test_a_refusal_for_good_stops_the_endpoint_for_follow_ups_too(promise: Promise) -> None:
    promise.world.sender.fail_next(SendRefused("131026", code="131026"))
    assert promise.deliver().state is FollowUpState.REFUSED
    subject = address_subject(Channel.WHATSAPP, PHONE)
    (stop,) = promise.world.consents.record(subject).active
    assert (stop.kind, stop.by) == (SuppressionKind.BOUNCE, "provider:whatsapp_cloud")


def test_any_other_refusal_stops_nobody(promise: Promise) -> None:
    promise.world.sender.fail_next(SendRefused("no", code="30410"))
    stop = word(promise, "STOP")
    notice = send(promise, stop)
    assert notice is not None
    assert notice.result == "the provider refused it (30410): no"
    assert [one.kind for one in record(promise, stop).active] == [SuppressionKind.OPT_OUT]


def test_a_line_whose_provider_answers_itself_sends_nothing(promise: Promise) -> None:
    words = promise.policies.consent.words.model_copy(
        update={"answered_by_provider": (AnsweredLine(provider="twilio", account=SMS_LINE),)}
    )
    consent = promise.policies.consent.model_copy(update={"words": words})
    promise.policies = promise.policies._replace(consent=consent)
    notice = send(promise, word(promise, "STOP"))
    assert notice is not None
    assert (notice.state, notice.result) == (NoticeState.REFUSED, ANSWERED)


def test_a_word_that_the_provider_answered_is_not_answered_again(promise: Promise) -> None:
    """Twilio's Advanced Opt-Out says so beside the word."""
    stop = word(promise, "STOP", answered_word="opt_out")
    notice = send(promise, stop)
    assert notice is not None
    assert (notice.state, notice.result) == (NoticeState.REFUSED, ANSWERED)
    assert len(promise.world.sender) == 0


def test_without_a_secret_it_is_refused_before_anybody_is_asked(promise: Promise) -> None:
    del promise.world.secrets.secrets["twilio"]
    notice = send(promise, word(promise, "STOP"))
    assert notice is not None and notice.state is NoticeState.REFUSED


def test_a_lost_answer_is_never_sent_twice(promise: Promise) -> None:
    promise.world.sender.fail_next(SendUnconfirmed("the connection broke"))
    stop = word(promise, "STOP")
    notice = send(promise, stop)
    assert notice is not None and notice.state is NoticeState.UNCONFIRMED
    assert send(promise, stop) == notice
    assert len(promise.world.sender) == 0


def test_a_provider_that_cannot_be_reached_is_asked_again_later(promise: Promise) -> None:
    promise.world.sender.fail_next(SendDelayed("busy"), SendDelayed("busy"))
    stop = word(promise, "STOP")
    for expected in (MINUTE, 2 * MINUTE):
        waiting = send(promise, stop)
        assert waiting is not None and waiting.state is NoticeState.PENDING
        at, payload = next(
            (at, payload)
            for name, (at, payload) in promise.world.timer.scheduled.items()
            if name == f"notice-{stop.touchpoint_id}-{waiting.failures}"
        )
        assert at == promise.world.clock.now() + expected
        assert payload == {"touchpoint_id": stop.touchpoint_id}
    sent = send(promise, stop)
    assert sent is not None and sent.state is NoticeState.SENT


def test_it_waits_as_long_as_the_provider_asks_for(promise: Promise) -> None:
    half_an_hour = 30 * MINUTE
    promise.world.sender.fail_next(SendDelayed("busy", retry_after=half_an_hour))
    stop = word(promise, "STOP")
    send(promise, stop)
    at, _ = promise.world.timer.scheduled[f"notice-{stop.touchpoint_id}-1"]
    assert at == promise.world.clock.now() + half_an_hour


def test_the_same_schedule_again_only_moves(promise: Promise) -> None:
    stop = word(promise, "STOP")
    promise.world.timer.schedule(f"notice-{stop.touchpoint_id}-1", NOON, {})
    promise.world.sender.fail_next(SendDelayed("busy"))
    send(promise, stop)
    at, _ = promise.world.timer.scheduled[f"notice-{stop.touchpoint_id}-1"]
    assert at == promise.world.clock.now() + MINUTE


def test_after_an_hour_of_failures_it_is_given_up(promise: Promise) -> None:
    promise.world.sender.fail_next(*[SendDelayed("busy")] * (MOST_FAILURES + 1))
    stop = word(promise, "STOP")
    last = None
    for _ in range(MOST_FAILURES + 1):
        last = send(promise, stop)
        promise.world.clock.advance(timedelta(hours=1))
    assert last is not None
    assert last.state is NoticeState.REFUSED
    assert last.result is not None and last.result.startswith("given up: ")


def claim(promise: Promise, seen: Touchpoint) -> None:
    """An attempt that broke off while the provider was asked."""
    assert seen.endpoint is not None
    pending = record(promise, seen).notices["subscription"]
    claimed = pending.model_copy(
        update={"state": NoticeState.SENDING, "claimed_at": promise.world.clock.now()}
    )
    subject = endpoint_subject(seen.endpoint)
    promise.world.consents.move_notice(subject, claimed, NoticeState.PENDING)


def test_while_another_delivery_is_under_way_nothing_is_sent(promise: Promise) -> None:
    stop = word(promise, "STOP")
    claim(promise, stop)
    with pytest.raises(Contention):
        send(promise, stop)


def test_an_attempt_that_broke_off_is_never_repeated(promise: Promise) -> None:
    stop = word(promise, "STOP")
    claim(promise, stop)
    promise.world.clock.advance(CLAIM_LASTS)
    notice = send(promise, stop)
    assert notice is not None and notice.state is NoticeState.UNCONFIRMED
    assert len(promise.world.sender) == 0


def test_contention_after_it_left_only_repeats_the_write(promise: Promise) -> None:
    stop = word(promise, "STOP")
    consents, failures = promise.world.consents, 2

    class Contended(type(consents)):  # type: ignore[misc] # the fake's own class
        def end_notice(self, *given: Any, **more: Any) -> None:
            nonlocal failures
            if failures:
                failures -= 1
                raise Contention("somebody else wrote the record")
            consents.end_notice(*given, **more)

    contended = Contended()
    contended.__dict__.update(consents.__dict__)
    promise.world.consents = contended
    notice = send(promise, stop)
    assert notice is not None and notice.state is NoticeState.SENT
    assert len(promise.world.sender) == 1


def test_contention_without_end_rises(promise: Promise) -> None:
    class Contended(type(promise.world.consents)):  # type: ignore[misc] # the fake's own class
        def end_notice(self, *given: Any, **more: Any) -> None:
            raise Contention("somebody else wrote the record")

    stop = word(promise, "STOP")
    contended = Contended()
    contended.__dict__.update(promise.world.consents.__dict__)
    promise.world.consents = contended
    with pytest.raises(Contention):
        send(promise, stop)


def test_a_proven_mail_is_answered_in_its_thread(promise: Promise) -> None:
    way = endpoint(
        Channel.EMAIL,
        provider="email_ses",
        account="support@boutique.example",
        address="awa@example.com",
    )
    mail = touchpoint(
        Message(text="Désinscrivez-moi", subject="Newsletter"),
        provider="email_ses",
        account="support@boutique.example",
        channel=Channel.EMAIL,
        endpoint=way,
        key="<1@mail>",
        proof="dmarc",
        at=promise.world.clock.now(),
    )
    notice = send(promise, hear(promise, mail))
    assert notice is not None and notice.state is NoticeState.SENT
    ((_, outgoing),) = promise.world.sender.sent
    assert isinstance(outgoing, MailRequest)
    assert b"In-Reply-To: <1@mail>" in outgoing.mime


def test_whom_nobody_knows_is_told_in_the_language_of_the_line(promise: Promise) -> None:
    stop = sms("STOP", at=promise.world.clock.now(), key="SM-nobody", language="it")
    hear(promise, stop)
    promise.world.ledger.change(stop.touchpoint_id, profile_id=None)
    notice = send(promise, stop)
    assert notice is not None and notice.state is NoticeState.SENT
    assert "messaggi+qui" in sent_form(promise)


@pytest.mark.parametrize("way_back", [True, False])
def test_without_a_touchpoint_or_its_way_back_there_is_nothing_to_tell(
    promise: Promise, way_back: bool
) -> None:
    id_ = TouchpointId("none")
    if not way_back:
        id_ = promise.hear(sms("STOP", endpoint=None)).touchpoint_id
    with pytest.raises(NotFound):
        send_notice(NoticeRequest(touchpoint_id=id_), promise.ports)


def test_a_request_is_a_follow_up_s_or_a_notice_s(promise: Promise) -> None:
    due = {"ticket_id": promise.ticket.ticket_id, "follow_up_id": promise.follow_up.follow_up_id}
    request = read_request(due)
    assert isinstance(request, DeliveryRequest)
    assert fulfil(request, promise.ports) == {
        "follow_up_id": promise.follow_up.follow_up_id,
        "state": "done",
    }
    stop, start = word(promise, "STOP"), word(promise, "START", minutes=1)
    superseded = fulfil(read_request({"touchpoint_id": stop.touchpoint_id}), promise.ports)
    assert superseded["state"] == "superseded"
    assert fulfil(NoticeRequest(touchpoint_id=start.touchpoint_id), promise.ports) == {
        "touchpoint_id": start.touchpoint_id,
        "state": "sent",
    }
