"""What a word calls for: that an opt-out or an opt-in was understood, or an answer to HELP.

It belongs to no ticket. It is claimed on the record of the endpoint it goes to before the provider
is asked, and ended after, so it leaves once, whatever is delivered twice.
"""

from contextlib import suppress
from datetime import datetime

from functions.follow_up_delivery.logic.gate import ask_gate
from functions.follow_up_delivery.logic.message import Draft, write_notice
from functions.follow_up_delivery.logic.state import CLAIM_LASTS, Ports
from functions.follow_up_delivery.logic.transmission import (
    MOST_FAILURES,
    MOST_HELD,
    WRITE_ATTEMPTS,
    Attempt,
    Delayed,
    Refused,
    Unconfirmed,
    attempt,
    delay,
    heed,
)
from shared.domain.errors import Contention, NotFound
from shared.domain.journey import NoticeRequest
from shared.domain.model import ProfileId
from shared.domain.sending import Verdict
from shared.domain.suppression import (
    Notice,
    NoticeState,
    SuppressionRecord,
    endpoint_subject,
)
from shared.domain.touchpoint import Endpoint, Message, Touchpoint
from shared.policies.reader import Policies
from shared.ports.ledger import LedgerEntry

ANSWERED = "the provider answers these words itself"


def send_notice(request: NoticeRequest, ports: Ports) -> Notice | None:
    """Send the notice that this touchpoint calls for, and return how it stands.

    None where another word came since: what it said is no longer so. Raises Contention while
    another delivery of the same notice is under way.
    """
    entry = ports.ledger.read(request.touchpoint_id)
    if entry is None or entry.touchpoint.endpoint is None:
        raise NotFound("there is no such touchpoint, or it has no way back")
    endpoint = entry.touchpoint.endpoint
    subject = endpoint_subject(endpoint)
    record = ports.consents.records([subject]).get(subject, SuppressionRecord())
    notice = next(
        (one for one in record.notices.values() if one.touchpoint_id == request.touchpoint_id),
        None,
    )
    if notice is None:
        return None
    if notice.state is NoticeState.SENDING:
        return _after_broken_attempt(subject, notice, ports)
    if notice.state is not NoticeState.PENDING:
        return notice
    if _was_answered(entry.touchpoint) or _answers_itself(endpoint, ports.policies):
        return _end(subject, notice, NoticeState.REFUSED, ANSWERED, ports)
    return _send(subject, notice, entry, ports)


def _after_broken_attempt(subject: str, notice: Notice, ports: Ports) -> Notice:
    if notice.claimed_at is not None and ports.clock.now() < notice.claimed_at + CLAIM_LASTS:
        raise Contention("another delivery of this notice is under way")
    reason = "the attempt broke off: the provider may or may not have it"
    return _end(subject, notice, NoticeState.UNCONFIRMED, reason, ports)


def _was_answered(touchpoint: Touchpoint) -> bool:
    """The provider says so beside the word itself."""
    content = touchpoint.content
    return isinstance(content, Message) and content.answered_word is not None


def _answers_itself(endpoint: Endpoint, policies: Policies) -> bool:
    return any(
        (line.provider, line.account) == (endpoint.provider, endpoint.account)
        for line in policies.consent.words.answered_by_provider
    )


def _send(subject: str, notice: Notice, entry: LedgerEntry, ports: Ports) -> Notice:
    touchpoint, profile_id = entry.touchpoint, entry.profile_id
    profile = ports.profiles.read(profile_id) if profile_id else None
    draft = write_notice(notice.template, touchpoint, profile, ports.policies)
    gate = ask_gate(draft, touchpoint, profile_id, profile, ports)
    if gate.verdict is Verdict.REFUSE:
        return _end(subject, notice, NoticeState.REFUSED, gate.reason, ports)
    if gate.verdict is Verdict.DEFER:
        assert gate.until is not None
        return _put_off(subject, notice, gate.until, ports)
    claimed = notice.model_copy(
        update={"state": NoticeState.SENDING, "claimed_at": ports.clock.now()}
    )
    standing = notice

    def claim() -> None:
        nonlocal standing
        ports.consents.move_notice(subject, claimed, NoticeState.PENDING)
        standing = claimed

    send_key = f"notice-{notice.touchpoint_id}"
    how, tell_account = attempt(draft, send_key, ports, verdict=gate.verdict, claim=claim)
    ended = _kept(subject, standing, how, draft, profile_id, ports)
    tell_account()
    return ended


def _kept(
    subject: str,
    standing: Notice,
    how: Attempt,
    draft: Draft,
    profile_id: ProfileId | None,
    ports: Ports,
) -> Notice:
    if isinstance(how, Touchpoint):
        return _keep(subject, standing, how, profile_id, ports)
    if isinstance(how, Delayed):
        later = _try_later if how.is_asked else _hold
        return later(subject, standing, how, ports)
    if isinstance(how, Unconfirmed):
        return _end(subject, standing, NoticeState.UNCONFIRMED, how.reason, ports)
    heed(draft, how, ports)
    return _end(subject, standing, NoticeState.REFUSED, _why(how), ports)


def _why(refused: Refused) -> str:
    """A provider that stopped this endpoint itself has told the person itself (Twilio's 21610)."""
    if refused.stop is not None and refused.stop.kind == "opt_out":
        return f"{refused.reason}; it has stopped them and told them so itself"
    return refused.reason


def _try_later(subject: str, notice: Notice, delayed: Delayed, ports: Ports) -> Notice:
    if notice.failures >= MOST_FAILURES:
        return _end(subject, notice, NoticeState.REFUSED, f"given up: {delayed.reason}", ports)
    until = ports.clock.now() + delay(notice.failures, delayed)
    failed = notice.model_copy(update={"failures": notice.failures + 1})
    return _put_off(subject, failed, until, ports)


def _hold(subject: str, notice: Notice, delayed: Delayed, ports: Ports) -> Notice:
    """As a follow-up waits for an account that fails: about a day, ever more seldom."""
    if notice.held >= MOST_HELD:
        return _end(subject, notice, NoticeState.REFUSED, f"given up: {delayed.reason}", ports)
    until = ports.clock.now() + delay(min(notice.held, MOST_FAILURES - 1), delayed)
    held = notice.model_copy(update={"held": notice.held + 1})
    return _put_off(subject, held, until, ports)


def _put_off(subject: str, notice: Notice, until: datetime, ports: Ports) -> Notice:
    pending = notice.model_copy(update={"state": NoticeState.PENDING, "claimed_at": None})
    ports.consents.move_notice(subject, pending, notice.state)
    name = f"notice-{notice.touchpoint_id}-{notice.failures + notice.held}"
    request = NoticeRequest(touchpoint_id=notice.touchpoint_id).model_dump()
    if not ports.timer.schedule(name, until, request):
        ports.timer.move(name, until, request)
    return pending


def _end(subject: str, notice: Notice, state: NoticeState, result: str, ports: Ports) -> Notice:
    ended = notice.model_copy(update={"state": state, "result": result[:300]})
    ports.consents.move_notice(subject, ended, notice.state)
    return ended


def _keep(
    subject: str, notice: Notice, sent: Touchpoint, profile_id: ProfileId | None, ports: Ports
) -> Notice:
    """It has left, so Contention is no reason to begin again: only the write is repeated."""
    ended = notice.model_copy(
        update={
            "state": NoticeState.SENT,
            "result": "sent",
            "sent_as": sent.touchpoint_id,
        }
    )

    def write() -> Notice:
        ports.consents.end_notice(subject, ended, sent=sent, profile_id=profile_id)
        return ended

    for _ in range(WRITE_ATTEMPTS - 1):
        with suppress(Contention):
            return write()
    return write()
