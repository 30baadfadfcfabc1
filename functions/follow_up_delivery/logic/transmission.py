"""Claim, ask the provider, keep what left."""

from contextlib import suppress
from datetime import timedelta

from functions.follow_up_delivery.logic.message import Draft, outbound_touchpoint
from functions.follow_up_delivery.logic.state import Ports, end, put_off, ticket_change
from shared.domain.errors import (
    Contention,
    MissingSecret,
    SendDelayed,
    SendRefused,
    SendUnconfirmed,
    UnknownProvider,
)
from shared.domain.follow_up import FollowUp, FollowUpState, SendReply
from shared.domain.sending import OutboundMessage
from shared.domain.ticket import record_agent_reply
from shared.domain.touchpoint import Touchpoint
from shared.providers.base import Outgoing, find_provider

MOST_FAILURES = 6
FIRST_DELAY = timedelta(minutes=1)
"""Doubled with each failure: 1, 2, 4, 8, 16 and 32 minutes."""
WRITE_ATTEMPTS = 5


def transmit(follow_up: FollowUp, draft: Draft, ports: Ports, *, as_template: bool) -> FollowUp:
    """Send what passed the gate, once, and end the follow-up with how that went.

    Raises Contention when another delivery claimed it first; nothing has left then.
    """
    try:
        outgoing = _prepare(draft.message(follow_up.follow_up_id, as_template=as_template), ports)
    except (SendRefused, MissingSecret, UnknownProvider) as error:
        return end(follow_up, FollowUpState.REFUSED, str(error), ports)
    claimed = follow_up.model_copy(
        update={"state": FollowUpState.SENDING, "claimed_at": ports.clock.now()}
    )
    ports.tickets.move(claimed, FollowUpState.SCHEDULED)
    try:
        message_id = ports.sender.transmit(draft.endpoint.provider, outgoing)
    except SendRefused as error:
        reason = f"the provider refused it ({error.code}): {error}"
        return end(claimed, FollowUpState.REFUSED, reason, ports)
    except SendUnconfirmed as error:
        return end(claimed, FollowUpState.UNCONFIRMED, str(error), ports)
    except SendDelayed as error:
        return _try_later(claimed, str(error), ports)
    return _keep(claimed, outbound_touchpoint(draft, message_id, ports.clock.now()), ports)


def _prepare(message: OutboundMessage, ports: Ports) -> Outgoing:
    provider = find_provider(message.endpoint.provider)
    return provider.prepare(message, provider.read_secret(ports.secrets.read(provider.name)))


def _try_later(follow_up: FollowUp, reason: str, ports: Ports) -> FollowUp:
    if follow_up.failures >= MOST_FAILURES:
        return end(follow_up, FollowUpState.REFUSED, f"given up: {reason}", ports)
    until = ports.clock.now() + FIRST_DELAY * 2**follow_up.failures
    failed = follow_up.model_copy(update={"failures": follow_up.failures + 1, "claimed_at": None})
    return put_off(failed, until, FollowUpState.SENDING, ports)


def _keep(follow_up: FollowUp, sent: Touchpoint, ports: Ports) -> FollowUp:
    """It has left, so Contention is no reason to begin again: only the write is repeated."""
    for _ in range(WRITE_ATTEMPTS - 1):
        with suppress(Contention):
            return _end_as_sent(follow_up, sent, ports)
    return _end_as_sent(follow_up, sent, ports)


def _end_as_sent(follow_up: FollowUp, sent: Touchpoint, ports: Ports) -> FollowUp:
    """An agent's reply also moves its ticket, as it stands at this moment."""
    change = None
    if isinstance(follow_up.action, SendReply):
        ticket = ports.tickets.read(follow_up.ticket_id)
        assert ticket is not None, "nothing removes a ticket while a reply to it leaves"
        replied = record_agent_reply(ticket, sent.occurred_at)
        by = f"agent:{follow_up.action.agent}"
        change = ticket_change(replied, ticket, "agent_replied", by=by, at=sent.occurred_at)
    return end(follow_up, FollowUpState.DONE, "sent", ports, sent=sent, ticket=change)
