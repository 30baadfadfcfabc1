"""What the send gate must know, read from the recent past."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from functions.follow_up_delivery.logic.message import Draft
from functions.follow_up_delivery.logic.state import Ports
from shared.domain.ai_use import AiUseName
from shared.domain.computed import time_zone
from shared.domain.consent import ConsentState, standing
from shared.domain.model import ProfileId
from shared.domain.profile import Profile
from shared.domain.reply_window import opened_at
from shared.domain.send_gate import pass_gate
from shared.domain.sending import GateResult, MessageClass, SendContext
from shared.domain.suppression import SuppressionKind, endpoint_subject, subjects_of
from shared.domain.touchpoint import Message, Touchpoint
from shared.ports.ledger import Ledger
from shared.ports.understanding import AiUses

MACHINES = AiUseName.MACHINE_WRITTEN_MESSAGES

MOST_LOOKED_AT = 500
"""Touchpoints of the recent past that the gate looks through; a person has fewer."""


def ask_gate(
    draft: Draft,
    answered: Touchpoint,
    profile_id: ProfileId | None,
    profile: Profile | None,
    ports: Ports,
) -> GateResult:
    """`answered` is looked at beside the recent past: it may be older, or newer than the index."""
    policy = ports.policies.sending
    now = ports.clock.now()
    cap = policy.frequency_caps.get(draft.message_class)
    window = policy.reply_windows.get(draft.endpoint.channel)
    since = now - max(cap.per if cap else timedelta(0), window.longest if window else timedelta(0))
    whose = ids_of(profile, profile_id)
    recent = recent_past(ports.ledger, whose, since)
    sent_at = tuple(one.occurred_at for one in recent if _is_of_class(one, draft.message_class))
    heard_at = opened_at(draft.endpoint, (answered, *recent))
    purpose = policy.purpose_of(draft.message_class, draft.purpose)
    zone = time_zone(profile) if profile else None
    context = SendContext(
        now=now,
        endpoint=draft.endpoint,
        message_class=draft.message_class,
        machine_may_write=_may_write(ports.ai_uses) if draft.written.needs_disclosure else None,
        suppressed_because=_suppressed_because(draft, whose, heard_at, ports),
        purpose=purpose,
        consented=_consented(draft, purpose, whose, ports),
        time_zone=zone.value if zone else None,
        sent_at=sent_at,
        last_inbound_at=heard_at,
        by_person=draft.is_persons_answer,
        is_answer=draft.is_answer,
        template_ready=draft.template is not None,
    )
    return pass_gate(context, policy)


def _may_write(ai_uses: AiUses) -> bool:
    """Asked at each attempt, and only about a machine's words.

    Where the switch cannot be read, this rises: nothing was claimed yet, so nothing leaves, and the
    delivery is tried again.
    """
    return ai_uses.states([MACHINES])[MACHINES].is_on


def _suppressed_because(
    draft: Draft, whose: Sequence[ProfileId], heard_at: datetime | None, ports: Ports
) -> str | None:
    """The reason of the first suppression of endpoint, address or person that stops this message.

    A notice is what an opt-out calls for, so that very one does not stop it. An address that wrote
    to us after it bounced is alive.
    """
    subjects = subjects_of(draft.endpoint, whose)
    records = ports.consents.records(subjects)
    own = endpoint_subject(draft.endpoint)
    for subject in subjects:
        for one in records[subject].active if subject in records else ():
            answered = draft.is_notice and subject == own and one.kind is SuppressionKind.OPT_OUT
            alive = one.kind is SuppressionKind.BOUNCE and heard_at and heard_at > one.at
            if one.stops(draft.message_class) and not answered and not alive:
                return one.reason
    return None


def _consented(
    draft: Draft, purpose: str | None, whose: Sequence[ProfileId], ports: Ports
) -> bool | None:
    """What the ledger of consents says of this purpose on this channel; None for nothing."""
    if purpose is None:
        return None
    found = standing(ports.consents.of(whose), purpose, draft.endpoint.channel, ports.clock.now())
    return None if found is None else found.state is ConsentState.GRANTED


def ids_of(profile: Profile | None, profile_id: ProfileId | None) -> Sequence[ProfileId]:
    """All profiles of the person, as far as they are known."""
    return (profile.profile_ids if profile else ()) or ((profile_id,) if profile_id else ())


def recent_past(ledger: Ledger, whose: Sequence[ProfileId], since: datetime) -> list[Touchpoint]:
    found: list[Touchpoint] = []
    cursor = None
    while whose and len(found) < MOST_LOOKED_AT:
        page = ledger.timeline(whose, since=since, limit=100, cursor=cursor)
        found += [entry.touchpoint for entry in page.items]
        if (cursor := page.cursor) is None:
            break
    return found


def _is_of_class(touchpoint: Touchpoint, message_class: MessageClass) -> bool:
    content = touchpoint.content
    return isinstance(content, Message) and content.message_class == message_class.value
