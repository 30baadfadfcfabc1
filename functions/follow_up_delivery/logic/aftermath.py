"""What a provider tells after the send: that it did leave after all, or that it did not arrive."""

from functions.follow_up_delivery.logic.delivery import answered_by
from functions.follow_up_delivery.logic.links import preference_link
from functions.follow_up_delivery.logic.message import outbound_touchpoint, write
from functions.follow_up_delivery.logic.state import Ports, Refusal, end, ticket_change
from functions.follow_up_delivery.logic.transmission import keep
from shared.domain.errors import Contention, NotFound
from shared.domain.follow_up import FollowUp, FollowUpState, SendReply, SendTemplate
from shared.domain.journey import ConfirmationRequest, FailureRequest
from shared.domain.sending import Verdict
from shared.domain.ticket import record_failed_reply
from shared.domain.touchpoint import Writer
from shared.providers.base import find_provider


def confirm(request: ConfirmationRequest, ports: Ports) -> FollowUp | None:
    """End an unconfirmed follow-up as done, with the message that left.

    None where no unconfirmed one has that key. Raises Contention where it is settled at this
    moment, or its attempt still waits for the provider's answer, which may be none: it is then
    tried again.
    """
    if _in_state(FollowUpState.SENDING, request.send_key, ports) is not None:
        raise Contention("its attempt is under way")
    follow_up = _in_state(FollowUpState.UNCONFIRMED, request.send_key, ports)
    if follow_up is None or not isinstance(follow_up.action, SendTemplate | SendReply):
        return None
    ticket = ports.tickets.read(follow_up.ticket_id)
    if ticket is None:
        return None
    answered = ports.ledger.read(answered_by(follow_up, follow_up.action, ticket))
    if answered is None or answered.touchpoint.endpoint is None:
        return None
    whose = answered.profile_id or follow_up.profile_id
    draft = write(
        follow_up.action,
        ticket,
        answered.touchpoint,
        ports.profiles.read(whose),
        ports.policies,
        lambda: preference_link(whose, ports),
    )
    message = draft.message(follow_up.follow_up_id, ports.policies, Verdict.SEND_TEXT)
    sent_at = follow_up.claimed_at or follow_up.due_at
    sent = outbound_touchpoint(message, request.message_id, sent_at)
    return note_early_failure(keep(follow_up, sent, ports), ports)


def _in_state(state: FollowUpState, send_key: str, ports: Ports) -> FollowUp | None:
    """Of those under way or settled by nobody, which are few: the latter are shown to a person."""
    cursor = None
    while True:
        page = ports.tickets.follow_ups_in_state(state, limit=100, cursor=cursor)
        found = next((one for one in page.items if one.follow_up_id == send_key), None)
        if found is not None or page.cursor is None:
            return found
        cursor = page.cursor


def note_early_failure(follow_up: FollowUp, ports: Ports) -> FollowUp:
    """What was told to have failed before it was kept: its status found no ticket to return to.

    Call it after the write. One that comes later finds the ticket; told by both, it is noted once.
    """
    sent_as = follow_up.touchpoint_id
    if follow_up.state is not FollowUpState.DONE or sent_as is None:
        return follow_up
    entry = ports.ledger.read(sent_as)
    if entry is None or entry.delivery is None or entry.delivery.status != "failed":
        return follow_up
    request = FailureRequest(
        ticket_id=follow_up.ticket_id, follow_up_id=follow_up.follow_up_id, failed=sent_as
    )
    return note_failure(request, ports)


def note_failure(request: FailureRequest, ports: Ports) -> FollowUp:
    """What was done is refused after all, and the ticket waits for us again.

    Told twice, it is noted once. Raises Contention where somebody changes the ticket.
    """
    follow_up = ports.tickets.read_follow_up(request.ticket_id, request.follow_up_id)
    ticket = ports.tickets.read(request.ticket_id)
    entry = ports.ledger.read(request.failed)
    if follow_up is None or ticket is None or entry is None:
        raise NotFound("there is no such follow-up, or what it sent was erased")
    told = entry.delivery
    is_done = follow_up.state is FollowUpState.DONE
    if not is_done or told is None or told.status != "failed":
        return follow_up
    sent, now = entry.touchpoint, ports.clock.now()
    after = ticket
    if isinstance(follow_up.action, SendReply) and follow_up.action.written_by is Writer.PERSON:
        calendar = ports.policies.calendar_of(ticket.first)
        after = record_failed_reply(ticket, sent.occurred_at, now, calendar)
    code = (told.reason or "").partition(" ")[0].rstrip(":;") or None
    reason = find_provider(sent.provider).refusals.get(code or "", "unknown")
    result = f"it left and did not arrive: {told.reason or 'the provider does not say why'}"
    change = ticket_change(
        after, ticket, "delivery_failed", by=f"provider:{sent.provider}", at=now, reason=result
    )
    refusal = Refusal(reason, code)
    return end(follow_up, FollowUpState.REFUSED, result, ports, refusal=refusal, ticket=change)
