"""Claim, ask the provider, keep what left."""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import NamedTuple

from functions.follow_up_delivery.logic.account import Suspended, ask, tell
from functions.follow_up_delivery.logic.files import with_files
from functions.follow_up_delivery.logic.message import Draft, outbound_touchpoint
from functions.follow_up_delivery.logic.state import (
    Ports,
    Refusal,
    end,
    put_off,
    ticket_change,
)
from shared.domain.errors import (
    Contention,
    MissingSecret,
    RefusalReason,
    SendDelayed,
    SendRefused,
    SendUnconfirmed,
    UnknownProvider,
)
from shared.domain.follow_up import FollowUp, FollowUpState, SendReply
from shared.domain.sending import OutboundMessage, Verdict
from shared.domain.suppression import told_by_provider
from shared.domain.ticket import record_agent_reply
from shared.domain.touchpoint import Stop, Touchpoint, Writer
from shared.events.catalogue import EndpointSuppressed
from shared.providers.base import NothingToTransmit, Outgoing, find_provider

MOST_FAILURES = 6
FIRST_DELAY = timedelta(minutes=1)
"""Doubled with each failure: 1, 2, 4, 8, 16 and 32 minutes."""
MOST_HELD = 48
"""About a day of waiting for an account that fails; then a person is shown it."""
LONGEST_DELAY = timedelta(days=1)
"""However long a provider asks us to wait."""
WRITE_ATTEMPTS = 5


class Refused(NamedTuple):
    reason: str
    refusal: Refusal
    stop: Stop | None = None
    """What the provider says about every other message to that endpoint."""


class Unconfirmed(NamedTuple):
    reason: str


class Delayed(NamedTuple):
    reason: str
    retry_after: timedelta | None = None
    """How long the provider asked us to wait, or how long nobody asks it."""
    is_asked: bool = True


Attempt = Touchpoint | Refused | Unconfirmed | Delayed
"""How it went: what left, or why nothing did or nobody knows."""


SAYS_NOTHING: frozenset[RefusalReason] = frozenset({"limit", "unknown"})
"""Refusals that tell neither that the account is well nor that it is not."""


class Attempted(NamedTuple):
    how: Attempt
    tell: Callable[[], None]
    """Tells of the account what this says of it. Call it when what became of the message is kept:
    that comes first.
    """


def attempt(
    draft: Draft, send_key: str, ports: Ports, *, verdict: Verdict, claim: Callable[[], None]
) -> Attempted:
    """Send it once. `claim` is called when it is certain that the provider will be asked.

    What `claim` raises rises; nothing has left then.
    """
    try:
        message = draft.message(send_key, ports.policies, verdict)
        outgoing = _prepare(message, ports)
    except SendRefused as error:
        return Attempted(Refused(str(error), Refusal(error.reason, error.code)), _nothing)
    except MissingSecret as error:
        return Attempted(Refused(str(error), Refusal("unauthorized")), _nothing)
    except UnknownProvider as error:
        return Attempted(Refused(str(error), Refusal("not_supported")), _nothing)
    if isinstance(outgoing, NothingToTransmit):
        claim()
        return Attempted(_transmit(message, outgoing, ports), _nothing)
    asking = ask(draft.endpoint, ports)
    if isinstance(asking, Suspended):
        wait = asking.until - ports.clock.now()
        reason = "this account failed too often; nobody asks it now"
        return Attempted(Delayed(reason, wait, is_asked=False), _nothing)
    claim()
    how = _transmit(message, outgoing, ports)
    failed = _says_of_account(how)
    if failed is None:
        return Attempted(how, _nothing)
    return Attempted(how, partial(tell, asking, failed=failed, ports=ports))


def _nothing() -> None:
    """What there is to tell of an account that was not asked."""


def _transmit(message: OutboundMessage, outgoing: Outgoing, ports: Ports) -> Attempt:
    provider = message.endpoint.provider
    # Before the provider is asked: it tells what was read by its own time of the message, which is
    # later then.
    left_at = ports.clock.now()
    try:
        message_id = ports.sender.transmit(provider, outgoing)
    except SendRefused as error:
        stop = find_provider(provider).stops.get(error.code)
        refusal = Refusal(error.reason, error.code)
        return Refused(f"the provider refused it ({error.code}): {error}", refusal, stop)
    except SendUnconfirmed as error:
        return Unconfirmed(str(error))
    except SendDelayed as error:
        return Delayed(str(error), error.retry_after)
    return outbound_touchpoint(message, message_id, left_at)


def _says_of_account(how: Attempt) -> bool | None:
    """Whether it failed, or None where this says nothing of it.

    A message that is refused for what it is or whom it is for shows that the account is well.
    """
    if isinstance(how, Refused):
        reason = how.refusal.reason
        return None if reason in SAYS_NOTHING else reason == "unauthorized"
    return not isinstance(how, Touchpoint)


def heed(draft: Draft, refused: Refused, ports: Ports) -> None:
    """Where the provider says that nothing more is to be sent there, nothing more is."""
    if refused.stop is None:
        return
    at = ports.clock.now()
    subject, suppression = told_by_provider(draft.endpoint, refused.stop, at, None)
    event = EndpointSuppressed(
        kind=suppression.kind, classes=suppression.classes, channel=draft.endpoint.channel
    )
    ports.consents.tell(subject, suppression, event=event)


def transmit(follow_up: FollowUp, draft: Draft, ports: Ports, *, verdict: Verdict) -> FollowUp:
    """Send what passed the gate, once, and end the follow-up with how that went.

    Raises Contention when another delivery claimed it first; nothing has left then.
    """
    claimed = follow_up.model_copy(
        update={"state": FollowUpState.SENDING, "claimed_at": ports.clock.now()}
    )
    standing = follow_up

    def claim() -> None:
        nonlocal standing
        ports.tickets.move(claimed, FollowUpState.SCHEDULED)
        standing = claimed

    how, tell_account = attempt(draft, follow_up.follow_up_id, ports, verdict=verdict, claim=claim)
    ended = _kept(standing, how, draft, ports)
    tell_account()
    return ended


def _kept(standing: FollowUp, how: Attempt, draft: Draft, ports: Ports) -> FollowUp:
    if isinstance(how, Touchpoint):
        return keep(standing, how, ports)
    if isinstance(how, Delayed):
        return _try_later(standing, how, ports) if how.is_asked else _hold(standing, how, ports)
    if isinstance(how, Unconfirmed):
        return end(standing, FollowUpState.UNCONFIRMED, how.reason, ports)
    heed(draft, how, ports)
    return end(standing, FollowUpState.REFUSED, how.reason, ports, refusal=how.refusal)


def _prepare(message: OutboundMessage, ports: Ports) -> Outgoing:
    """By the secret of the account that it leaves from."""
    provider = find_provider(message.endpoint.provider)
    name = ports.policies.accounts.of(provider.name, message.endpoint.account).secret
    if missing := ", ".join(sorted(one for one in provider.lacks if getattr(message, one))):
        detail = f"this way carries no {missing}"
        raise SendRefused(detail, code="not_supported", reason="not_supported")
    secret = provider.read_secret(ports.secrets.read(name), name)
    return provider.prepare(with_files(message, provider, ports.media_files), secret)


def delay(failures: int, delayed: Delayed) -> timedelta:
    """How long to wait after so many failures: never less than the provider asked for, a day at
    most.
    """
    ours: timedelta = FIRST_DELAY * 2**failures
    return max(ours, min(delayed.retry_after or timedelta(0), LONGEST_DELAY))


def _try_later(follow_up: FollowUp, delayed: Delayed, ports: Ports) -> FollowUp:
    if follow_up.failures >= MOST_FAILURES:
        reason = f"given up: {delayed.reason}"
        return end(follow_up, FollowUpState.REFUSED, reason, ports, refusal=Refusal("unreachable"))
    until = ports.clock.now() + delay(follow_up.failures, delayed)
    failed = follow_up.model_copy(update={"failures": follow_up.failures + 1, "claimed_at": None})
    return put_off(failed, until, FollowUpState.SENDING, ports)


def _hold(follow_up: FollowUp, delayed: Delayed, ports: Ports) -> FollowUp:
    """Wait until the account may be asked; that is no failure of this message. It was not claimed.

    The longer it waits the more seldom it comes back, so that many do not all come at each try.
    """
    if follow_up.attempt >= MOST_HELD:
        reason = f"given up: {delayed.reason}"
        return end(follow_up, FollowUpState.REFUSED, reason, ports, refusal=Refusal("unreachable"))
    wait = delay(min(follow_up.attempt, MOST_FAILURES - 1), delayed)
    return put_off(follow_up, ports.clock.now() + wait, FollowUpState.SCHEDULED, ports)


def keep(follow_up: FollowUp, sent: Touchpoint, ports: Ports) -> FollowUp:
    """It has left, so Contention is no reason to begin again: only the write is repeated."""
    for _ in range(WRITE_ATTEMPTS - 1):
        with suppress(Contention):
            return _end_as_sent(follow_up, sent, ports)
    return _end_as_sent(follow_up, sent, ports)


def _end_as_sent(follow_up: FollowUp, sent: Touchpoint, ports: Ports) -> FollowUp:
    """A reply also stands in its ticket's log, as the ticket is at this moment.

    A person's moves it. A machine's leaves it as it is: a first response is a human's, and what was
    promised until somebody answers still is.
    """
    change = None
    if isinstance(follow_up.action, SendReply):
        ticket = ports.tickets.read(follow_up.ticket_id)
        assert ticket is not None, "nothing removes a ticket while a reply to it leaves"
        at, agent = sent.occurred_at, follow_up.action.agent
        if follow_up.action.written_by is Writer.MACHINE:
            change = ticket_change(ticket, ticket, "machine_replied", by=f"machine:{agent}", at=at)
        else:
            replied = record_agent_reply(ticket, at)
            change = ticket_change(replied, ticket, "agent_replied", by=f"agent:{agent}", at=at)
    return end(follow_up, FollowUpState.DONE, "sent", ports, sent=sent, ticket=change)
