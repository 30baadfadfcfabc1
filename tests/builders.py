"""Small builders of domain objects: the plausible default, and whatever a test cares about."""

from datetime import UTC, datetime, timedelta
from typing import Any

from shared.domain.call import with_words
from shared.domain.classification import Classification, Evidence, Sentiment, Urgency
from shared.domain.follow_up import FollowUp, SendTemplate
from shared.domain.identity import Identifier, IdentifierType, profile_id_from
from shared.domain.journey import (
    ClassificationStep,
    JourneyState,
    ProfileStep,
    TicketOutcome,
    TicketStep,
)
from shared.domain.model import FollowUpId, ProfileId, TicketId, TouchpointId, derived_id
from shared.domain.records import Standing
from shared.domain.sla import SlaClock
from shared.domain.ticket import CustomerWord, Milestone, Priority, Ticket, ticket_id_for
from shared.domain.touchpoint import (
    Call,
    Channel,
    Content,
    Direction,
    Endpoint,
    Message,
    Touchpoint,
)
from shared.policies.reader import Policies, read_policies
from shared.ports.profiles import ProfileTie
from shared.providers.base import Observed, WebhookRequest

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
"""A Monday, 13:00 in Paris."""

PHONE = "+33612345678"
WHATSAPP_LINE = "106540352242922"
SMS_LINE = "+33755500000"


def policies() -> Policies:
    """The company's own, as they stand in shared/policies."""
    return read_policies()


def identifier(
    value: str = PHONE, type_: IdentifierType = IdentifierType.PHONE, scope: str = ""
) -> Identifier:
    return Identifier(type=type_, scope=scope, value=value)


def profile_id(value: str = PHONE) -> ProfileId:
    """Of the profile that this phone number creates."""
    return profile_id_from(identifier(value))


def endpoint(
    channel: Channel = Channel.WHATSAPP,
    *,
    provider: str = "whatsapp_cloud",
    account: str = WHATSAPP_LINE,
    address: str = PHONE.removeprefix("+"),
) -> Endpoint:
    return Endpoint(channel=channel, provider=provider, account=account, address=address)


def touchpoint(content: Content | None = None, **overrides: Any) -> Touchpoint:
    """An inbound WhatsApp message unless told otherwise. `key` is the provider's event id."""
    at = overrides.pop("at", NOON)
    fields: dict[str, Any] = {
        "provider": "whatsapp_cloud",
        "account": WHATSAPP_LINE,
        "provider_event_id": overrides.pop("key", "wamid.1"),
        "channel": Channel.WHATSAPP,
        "direction": Direction.INBOUND,
        "occurred_at": at,
        "received_at": at + timedelta(seconds=1),
        "content": content if content is not None else Message(text="Bonjour"),
        "identifiers": (identifier(),),
        "endpoint": endpoint(),
        "name": "Awa",
    }
    return Touchpoint.model_validate(fields | overrides)


def whatsapp_message(
    text: str = "Où est ma commande ?", *, phone: str = PHONE, **overrides: Any
) -> Touchpoint:
    """What whatsapp_cloud makes of a text message. The key follows from sender and text."""
    overrides.setdefault("key", f"wamid.{derived_id('message', phone, text)}")
    overrides.setdefault("identifiers", (identifier(phone),))
    overrides.setdefault("endpoint", endpoint(address=phone.removeprefix("+")))
    return touchpoint(Message(text=text), **overrides)


def sms(text: str = "Toujours rien ?", *, phone: str = PHONE, **overrides: Any) -> Touchpoint:
    """What the twilio provider makes of an SMS."""
    message = Message(text=text, answered_word=overrides.pop("answered_word", None))
    overrides.setdefault("key", f"SM{derived_id('message', phone, text)}")
    overrides.setdefault("identifiers", (identifier(phone),))
    way_back = endpoint(Channel.SMS, provider="twilio", account=SMS_LINE, address=phone)
    fields = {"provider": "twilio", "account": SMS_LINE, "channel": Channel.SMS}
    return touchpoint(message, **fields | {"endpoint": way_back} | overrides)


def call_part(
    name: str, *, at: int = 0, key: str = "CA1", phone: str | None = PHONE, **told: Any
) -> Touchpoint:
    """One part of a call, `at` seconds after noon. Without a phone it names neither end."""
    line = SMS_LINE if phone else ""
    moment = NOON + timedelta(seconds=at)
    return touchpoint(
        with_words(Call(call_id=key, parts=(name,), **told)),
        key=key,
        at=moment,
        provider="twilio_voice",
        account=line,
        name=None,
        channel=Channel.VOICE,
        direction=Direction.INBOUND if phone else Direction.PASSIVE,
        identifiers=(identifier(phone),) if phone else (),
        endpoint=endpoint(Channel.VOICE, provider="twilio_voice", account=line, address=phone)
        if phone
        else None,
    )


def profile_tie(seen: Touchpoint, **overrides: Any) -> ProfileTie:
    """Of a touchpoint to a profile that is not there yet, unless `profile` says otherwise."""
    fields: dict[str, Any] = {
        "touchpoint": seen,
        "home": seen.identifiers[0],
        "profile": None,
        "graph_id": None,
        "graph": None,
        "traits": {},
        "finished": False,
        "event": None,
        "counts": Standing(),
    }
    return ProfileTie(**fields | overrides)


def observed(seen: Touchpoint | None = None, raw: bytes = b"{}") -> Observed:
    return Observed(touchpoint=seen if seen is not None else whatsapp_message(), raw=raw)


def webhook_request(body: bytes = b"{}", **overrides: Any) -> WebhookRequest:
    """A POST to /webhooks/whatsapp_cloud, header names in lower case."""
    fields: dict[str, Any] = {
        "method": "POST",
        "url": "https://example.com/webhooks/whatsapp_cloud",
        "path": "",
        "headers": {"content-type": "application/json"},
        "query": (),
        "body": body,
        "arrived_at": NOON,
    }
    return WebhookRequest(**fields | overrides)


def classification(**overrides: Any) -> Classification:
    fields: dict[str, Any] = {
        "language": "fr",
        "language_confidence": 0.98,
        "intent": "order_status",
        "intent_confidence": 0.91,
        "runner_up": "delivery_problem",
        "runner_up_confidence": 0.06,
        "sentiment": Sentiment.NEUTRAL,
        "sentiment_score": -0.1,
        "sentiment_confidence": 0.8,
        "urgency": Urgency.NORMAL,
        "evidence": (Evidence(aspect="intent", words=("commande",), weight=0.4),),
        "decided_by": "embedded",
        "version": "embedded-test",
        "threshold": 0.5,
    }
    return Classification.model_validate(fields | overrides)


def word(of: Touchpoint | None = None, **overrides: Any) -> CustomerWord:
    """A touchpoint as a ticket sees it."""
    said = of if of is not None else whatsapp_message()
    fields: dict[str, Any] = {
        "touchpoint_id": said.touchpoint_id,
        "at": said.occurred_at,
        "endpoint": said.endpoint,
        "intent": "order_status",
        "priority": Priority.NORMAL,
        "language": "fr",
    }
    return CustomerWord.model_validate(fields | overrides)


def ticket(**overrides: Any) -> Ticket:
    """Opened by one WhatsApp message at noon; first response due four hours later."""
    whose = overrides.get("profile_id", profile_id())
    queue, sequence = overrides.get("queue", "orders"), overrides.get("sequence", 1)
    first = overrides.get("first", word())
    fields: dict[str, Any] = {
        "ticket_id": ticket_id_for(whose, queue, sequence),
        "profile_id": whose,
        "queue": queue,
        "sequence": sequence,
        "priority": first.priority,
        "first": first,
        "last": first,
        "spoken_on": {first.endpoint.channel: first.at} if first.endpoint else {},
        "first_response": SlaClock(due_at=first.at + timedelta(hours=4)),
        "resolution": SlaClock(due_at=first.at + timedelta(hours=72)),
    }
    return Ticket.model_validate(fields | overrides)


def follow_up(of: Ticket | None = None, **overrides: Any) -> FollowUp:
    """ "We are still working on it", due a day after the ticket was opened."""
    whose = of if of is not None else ticket()
    name = overrides.get("name", "still_working_on_it")
    fields: dict[str, Any] = {
        "follow_up_id": FollowUpId(derived_id("follow_up", whose.ticket_id, name, "")),
        "ticket_id": whose.ticket_id,
        "profile_id": whose.profile_id,
        "name": name,
        "since": whose.first.at,
        "due_at": whose.first.at + timedelta(days=1),
        "action": SendTemplate(template="still_working_on_it"),
        "cancelled_by": frozenset({Milestone.AGENT_REPLIED, Milestone.TICKET_RESOLVED}),
    }
    return FollowUp.model_validate(fields | overrides)


def journey(
    of: Touchpoint,
    *,
    profile: ProfileId | None = None,
    understood: Classification | None = None,
    ticket_id: TicketId | None = None,
    queue: str = "orders",
) -> JourneyState:
    """The state in which a journey ends, as deep as what is given."""
    meant, opened = None, None
    if understood is not None:
        meant = ClassificationStep(
            classification=understood, next_step="ticket_creation" if ticket_id else "nothing"
        )
    if ticket_id is not None:
        opened = TicketStep(
            outcome=TicketOutcome.OPENED,
            ticket_id=ticket_id,
            queue=queue,
            next_step="follow_up_scheduling",
        )
    step = ProfileStep(
        profile_id=profile if profile is not None else profile_id(),
        next_step="ai_classification" if meant else "nothing",
        why="somebody wrote",
    )
    return JourneyState(
        touchpoint_id=TouchpointId(of.touchpoint_id),
        profile_update=step,
        ai_classification=meant,
        ticket_creation=opened,
    )
