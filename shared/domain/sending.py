"""What leaves: the message, its class, and the send gate that everything passes."""

from datetime import time, timedelta
from enum import StrEnum
from typing import Literal

from pydantic import Field

from shared.domain.model import Instant, Model
from shared.domain.sla import TimeZoneName
from shared.domain.touchpoint import Channel, Endpoint


class MessageClass(StrEnum):
    """Decides consent, caps, quiet hours and price."""

    TRANSACTIONAL = "transactional"
    SERVICE = "service"
    MARKETING = "marketing"
    LEGAL = "legal"


class TemplateUse(Model):
    """A template the provider approved, with its variables in order."""

    name: str
    language: str
    parameters: tuple[str, ...] = ()


class OutboundMessage(Model):
    """One message on its way to one endpoint.

    `send_key` names the commitment behind it: one key, one message.
    """

    send_key: str = Field(max_length=64)
    endpoint: Endpoint
    message_class: MessageClass
    text: str = ""
    """Free text. With `template` set, the same words rendered, for the record and for channels
    without templates.
    """
    template: TemplateUse | None = None
    """Set when the channel's reply window is closed and the provider must be given an approved
    template.
    """
    subject: str | None = None
    in_reply_to: str | None = None
    """The provider's id of the message this answers: a WhatsApp context, a Message-ID."""
    thread: tuple[str, ...] = ()
    language: str | None = None


class GateStep(Model):
    """One question of the gate and its answer."""

    name: Literal[
        "suppression",
        "consent",
        "message_class",
        "quiet_hours",
        "frequency_cap",
        "reply_window",
        "budget",
    ]
    passed: bool
    reason: str


class Verdict(StrEnum):
    SEND_TEXT = "send_text"
    SEND_TEMPLATE = "send_template"
    DEFER = "defer"
    REFUSE = "refuse"


class GateResult(Model):
    """`until` is set when the verdict is to defer."""

    verdict: Verdict
    steps: tuple[GateStep, ...]
    until: Instant | None = None

    @property
    def reason(self) -> str:
        """Of the step that stopped it, or an empty string."""
        return next((f"{step.name}: {step.reason}" for step in self.steps if not step.passed), "")


class QuietHours(Model):
    """Local time; `until` before `begins` means over midnight."""

    begins: time
    until: time


class FrequencyCap(Model):
    most: int = Field(ge=1)
    per: timedelta


class SendingPolicy(Model):
    """The company's rules for everything that leaves (`policies/sending.yaml`)."""

    consent_required: frozenset[MessageClass]
    quiet_hours: QuietHours
    disturbs: frozenset[MessageClass]
    """The classes that quiet hours hold back."""
    default_time_zone: TimeZoneName
    frequency_caps: dict[MessageClass, FrequencyCap]
    reply_windows: dict[Channel, timedelta]
    """Channels without one are always open."""
    monthly_budget: dict[Channel, str] = {}


class SendContext(Model):
    """What the gate is told. None or empty means that nothing is recorded, which the step says."""

    now: Instant
    endpoint: Endpoint
    message_class: MessageClass
    suppressed_because: str | None = None
    consented: bool | None = None
    time_zone: str | None = None
    sent_at: tuple[Instant, ...] = ()
    """When messages of this class left to this person lately, across channels."""
    last_inbound_at: Instant | None = None
    """When this endpoint last wrote to us."""
    template_ready: bool = False
    """Whether an approved template could be sent in place of free text."""
