"""A reply window closes soon and nobody has answered: that is told, while there is still time."""

from functions.follow_up_delivery.logic.gate import ids_of, recent_past
from functions.follow_up_delivery.logic.state import Ports, TicketChange, end, put_off
from shared.domain.follow_up import Announce, FollowUp, FollowUpState
from shared.domain.reply_window import ReplyWindow, WindowState, opened_at, windows_of
from shared.domain.ticket import Ticket
from shared.events.catalogue import ReplyWindowClosingSoon
from shared.ports.tickets import LogEntry

NO_WINDOW = "their way back has no reply window"
CLOSED = "the reply window has closed already"


def announce(follow_up: FollowUp, action: Announce, ticket: Ticket, ports: Ports) -> FollowUp:
    """Tell it, or wait for longer where the customer opened the window anew meanwhile.

    Raises Contention where somebody changes the ticket; it is then tried again.
    """
    now = ports.clock.now()
    window = _window(ticket, ports)
    if window is None or window.open_until is None:
        return end(follow_up, FollowUpState.CANCELLED, NO_WINDOW, ports)
    if window.state(now) is WindowState.CLOSED:
        return end(follow_up, FollowUpState.CANCELLED, CLOSED, ports)
    if (due_at := window.open_until - action.ahead) > max(now, follow_up.due_at):
        return put_off(follow_up, due_at, FollowUpState.SCHEDULED, ports)
    channel = window.endpoint.channel
    event = ReplyWindowClosingSoon(
        ticket_id=ticket.ticket_id,
        profile_id=ticket.profile_id,
        queue=ticket.queue,
        assignee=ticket.assignee,
        channel=channel,
        closes_at=window.open_until,
    )
    closes_at = window.open_until.isoformat()
    log = LogEntry(
        at=now,
        what="reply_window_closing_soon",
        by=f"follow_up:{follow_up.name}",
        detail={"channel": channel, "closes_at": closes_at},
    )
    result = f"told that the reply window closes at {closes_at}"
    change = TicketChange(ticket, ticket, event, log)
    return end(follow_up, FollowUpState.DONE, result, ports, ticket=change)


def _window(ticket: Ticket, ports: Ports) -> ReplyWindow | None:
    """The longest of the endpoint that an answer goes to, as its latest words opened it."""
    word = ticket.answerable
    answered = ports.ledger.read(word.touchpoint_id)
    if word.endpoint is None or answered is None:
        return None
    lengths = ports.policies.sending.reply_windows.get(word.endpoint.channel)
    if lengths is None:
        return None
    profile = ports.profiles.read(answered.profile_id or ticket.profile_id)
    whose = ids_of(profile, answered.profile_id or ticket.profile_id)
    recent = recent_past(ports.ledger, whose, ports.clock.now() - lengths.longest)
    spoken_at = opened_at(word.endpoint, (answered.touchpoint, *recent))
    return windows_of(word.endpoint, spoken_at, lengths)[-1]
