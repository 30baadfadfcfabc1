"""What the send gate must know, read from the recent past."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from functions.follow_up_delivery.logic.message import Draft
from functions.follow_up_delivery.logic.state import Ports
from shared.domain.model import ProfileId
from shared.domain.profile import Profile
from shared.domain.send_gate import pass_gate
from shared.domain.sending import GateResult, MessageClass, SendContext
from shared.domain.touchpoint import Direction, Message, Touchpoint
from shared.ports import Ledger

MOST_LOOKED_AT = 500
"""Touchpoints of the recent past that the gate looks through; a person has fewer."""


def ask_gate(
    draft: Draft,
    answered: Touchpoint,
    profile_id: ProfileId,
    profile: Profile | None,
    ports: Ports,
) -> GateResult:
    """`answered` is looked at beside the recent past: it may be older, or newer than the index."""
    policy = ports.policies.sending
    now = ports.clock.now()
    cap = policy.frequency_caps.get(draft.message_class)
    window = policy.reply_windows.get(draft.endpoint.channel, timedelta(0))
    since = now - max(cap.per if cap else timedelta(0), window)
    whose = profile.profile_ids if profile else (profile_id,)
    recent = _recent(ports.ledger, whose, since)
    sent_at = tuple(one.occurred_at for one in recent if _is_of_class(one, draft.message_class))
    heard = [
        one.occurred_at
        for one in (answered, *recent)
        if one.direction is Direction.INBOUND and one.endpoint == draft.endpoint
    ]
    suppression = ports.profiles.suppression(draft.endpoint)
    context = SendContext(
        now=now,
        endpoint=draft.endpoint,
        message_class=draft.message_class,
        suppressed_because=suppression.reason if suppression else None,
        time_zone=profile.time_zone if profile else None,
        sent_at=sent_at,
        last_inbound_at=max(heard, default=None),
        template_ready=draft.template is not None,
    )
    return pass_gate(context, policy)


def _recent(ledger: Ledger, whose: Sequence[ProfileId], since: datetime) -> list[Touchpoint]:
    found: list[Touchpoint] = []
    cursor = None
    while len(found) < MOST_LOOKED_AT:
        page = ledger.timeline(whose, since=since, limit=100, cursor=cursor)
        found += [entry.touchpoint for entry in page.items]
        if (cursor := page.cursor) is None:
            break
    return found


def _is_of_class(touchpoint: Touchpoint, message_class: MessageClass) -> bool:
    content = touchpoint.content
    return isinstance(content, Message) and content.message_class == message_class.value
