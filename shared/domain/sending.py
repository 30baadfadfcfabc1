"""What leaves: the message, its class, and the send gate that everything passes."""

from datetime import time, timedelta
from enum import StrEnum
from typing import Literal, Self

from pydantic import Field, model_validator

from shared.domain.breaker import Breaker
from shared.domain.disclosure import is_disclosed
from shared.domain.model import Instant, Model
from shared.domain.reply_window import WindowLengths
from shared.domain.sla import TimeZoneName
from shared.domain.touchpoint import Channel, Choice, Endpoint, FileForm, Writer


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


class OutboundFile(Model):
    """A file that goes along: one that lies elsewhere, at `url`, or with us, as `object_key`.

    `url` is public for as long as the provider needs to fetch it. One of ours gets such an address
    when it leaves, or its `content`, whichever its provider takes; neither is kept.
    """

    form: FileForm = "file"
    url: str = Field(default="", pattern=r"^(https://.*)?$")
    name: str = Field(default="", max_length=255)
    content_type: str = Field(default="application/octet-stream", max_length=255)
    object_key: str | None = None
    upload_id: str | None = None
    """As what one of ours was uploaded, which has ended since, maybe."""
    size: int | None = Field(default=None, ge=0)
    """Bytes, of one of ours."""
    content: bytes = Field(default=b"", exclude=True, repr=False)

    @model_validator(mode="after")
    def _lies_somewhere(self) -> Self:
        if not self.url and self.object_key is None:
            raise ValueError("url: nothing says where it lies")
        return self


class OutboundMessage(Model):
    """One message on its way to one endpoint.

    `send_key` names the commitment behind it: one key, one message. What a machine wrote is no
    message unless its text begins with `disclosure`.
    """

    send_key: str = Field(max_length=64)
    endpoint: Endpoint
    message_class: MessageClass
    text: str = ""
    """Free text. With `template` set, the same words rendered, for the record and for channels
    without templates.
    """
    written_by: Writer
    disclosure: str | None = None
    """The words with which `text` tells that a machine wrote the rest."""
    template: TemplateUse | None = None
    """Set when the channel's reply window is closed and the provider must be given an approved
    template.
    """
    files: tuple[OutboundFile, ...] = ()
    choices: tuple[Choice, ...] = ()
    """Answers to pick from, where the channel has buttons or lists; `text` asks the question."""
    as_human_agent: bool = False
    """Whether only the longer window for a person's own answer is open (Messenger, Instagram)."""
    subject: str | None = None
    in_reply_to: str | None = None
    """The provider's id of the message this answers: a WhatsApp context, a Message-ID."""
    thread: tuple[str, ...] = ()
    language: str | None = None
    unsubscribe_url: str | None = None
    """Where one click ends mails of this kind (RFC 8058)."""

    @model_validator(mode="after")
    def _says_that_a_machine_wrote_it(self) -> Self:
        if self.written_by is Writer.MACHINE:
            if self.template is not None:
                raise ValueError("template: its words are approved, and so not a machine's")
            if not is_disclosed(self.text, self.disclosure):
                raise ValueError("text: a machine wrote it, and it does not say so first")
        return self


class GateStep(Model):
    """One question of the gate and its answer."""

    name: Literal[
        "ai_use",
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
    SEND_AS_HUMAN_AGENT = "send_as_human_agent"
    """A person's own words, where only the longer window for those is open."""
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
    """The classes that leave only where the person allowed their purpose."""
    purposes: dict[MessageClass, str] = {}
    """What a message of a class is for, as consents name it, where it does not say so itself. A
    withdrawn consent stops any class.
    """
    only_answers: frozenset[Channel] = frozenset()
    """The channels over which nothing leaves but what an agent answers: no promise, no notice."""
    quiet_hours: QuietHours
    disturbs: frozenset[MessageClass]
    """The classes that quiet hours hold back."""
    default_time_zone: TimeZoneName
    frequency_caps: dict[MessageClass, FrequencyCap]
    reply_windows: dict[Channel, WindowLengths]
    """Channels without one are always open."""
    reply_templates: tuple[str, ...] = ()
    """What an agent may send in place of words of their own, where the channel approved it."""
    breaker: Breaker = Breaker(failures=5, open_for=timedelta(minutes=5))
    """Of each account at a provider: after so many failures nobody asks there for so long."""
    monthly_budget: dict[Channel, str] = {}

    @model_validator(mode="after")
    def _asks_for_something(self) -> Self:
        if nameless := sorted(self.consent_required - set(self.purposes)):
            raise ValueError(f"purposes: {', '.join(nameless)} needs consent, to what is not said")
        return self

    def purpose_of(self, message_class: MessageClass, stated: str | None) -> str | None:
        return stated or self.purposes.get(message_class)


class SendContext(Model):
    """What the gate is told. None or empty means that nothing is recorded, which the step says."""

    now: Instant
    endpoint: Endpoint
    message_class: MessageClass
    machine_may_write: bool | None = None
    """Whether messages that a machine wrote may leave now; None where a person wrote this one."""
    suppressed_because: str | None = None
    purpose: str | None = None
    """What it is for, where a consent could speak of that."""
    consented: bool | None = None
    time_zone: str | None = None
    sent_at: tuple[Instant, ...] = ()
    """When messages of this class left to this person lately, across channels."""
    last_inbound_at: Instant | None = None
    """When this endpoint last wrote to us."""
    by_person: bool = False
    """Whether it is a person's own answer, and neither a machine's nor a rule's."""
    is_answer: bool = False
    """Whether an agent answers, and no rule speaks."""
    template_ready: bool = False
    """Whether an approved template could be sent in place of free text."""
