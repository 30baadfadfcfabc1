"""The touchpoint: one observed contact between a person and the company, immutable but for a call,
which grows by what is told of it.
"""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, JsonValue

from shared.domain.identity import Identifier, Proof
from shared.domain.model import Instant, Model, TouchpointId, derived_id


class Channel(StrEnum):
    """The medium, whoever delivers it."""

    WHATSAPP = "whatsapp"
    MESSENGER = "messenger"
    INSTAGRAM = "instagram"
    TELEGRAM = "telegram"
    SLACK = "slack"
    SMS = "sms"
    EMAIL = "email"
    WEB_CHAT = "web_chat"
    VOICE = "voice"
    PUSH = "push"
    REVIEW = "review"
    USSD = "ussd"
    IN_STORE = "in_store"
    PAPER = "paper"
    WEB = "web"
    APP = "app"


class Direction(StrEnum):
    INBOUND = "inbound"
    """The person speaks to the company."""
    OUTBOUND = "outbound"
    """The company speaks to the person."""
    PASSIVE = "passive"
    """Something the person did, or that happened to them, which asks for no answer by itself."""


class Automation(StrEnum):
    """Why a message is known to come from a machine: it is recorded, and opens no ticket."""

    AUTO_REPLY = "auto_reply"
    BOUNCE = "bounce"
    ECHO = "echo"
    BOT = "bot"


class Writer(StrEnum):
    """Who wrote the words of a message that leaves."""

    PERSON = "person"
    MACHINE = "machine"
    """A model: whoever reads it must be told so."""


class Endpoint(Model):
    """Where one person is reached on one channel through one of our lines.

    A reply goes back to exactly this.
    """

    channel: Channel
    provider: str = Field(pattern=r"^[a-z][a-z0-9_]{0,49}$")
    account: str = Field(max_length=320)
    address: str = Field(min_length=1, max_length=320)

    @property
    def key(self) -> str:
        return "|".join((self.channel, self.provider, self.account, self.address))


Form = Literal["file", "image", "audio", "voice", "video", "sticker"]
"""Of an attachment: `voice` is spoken into the phone, `audio` is a recording that was sent."""


FileForm = Literal["file", "image", "audio", "video"]
"""Of a file that we send."""


class Attachment(Model):
    """A file or medium that came along.

    `object_key` once it is in our bucket, `provider_reference` until it is fetched.
    """

    form: Form = "file"
    name: str = Field(default="", max_length=255)
    content_type: str = Field(default="application/octet-stream", max_length=255)
    size: int | None = Field(default=None, ge=0)
    object_key: str | None = None
    provider_reference: str | None = None


class Place(Model):
    """A spot on the earth that somebody shared (WGS 84 degrees), with its name if they gave one."""

    latitude: float = Field(ge=-90, le=90)
    longitude: float = Field(ge=-180, le=180)
    name: str = Field(default="", max_length=1024)
    address: str = Field(default="", max_length=1024)


class ContactCard(Model):
    """Somebody's card, passed on. Of whom it is, nothing proves."""

    name: str = Field(default="", max_length=1024)
    phones: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()


class Choice(Model):
    """One of the answers a message offered: a button, a row of a list.

    `id` is what the sender of the offer called it, `title` what the person read.
    """

    id: str = Field(default="", max_length=1024)
    title: str = Field(default="", max_length=1024)


class Referral(Model):
    """What led the person into the conversation: an advertisement, a post, a link."""

    source: Literal["ad", "post", "link", "other"]
    id: str = Field(default="", max_length=512)
    """Of the advertisement or post, at the provider."""
    url: str = Field(default="", max_length=2048)
    headline: str = Field(default="", max_length=1024)
    ref: str = Field(default="", max_length=2048)
    """What the company wrote into the link."""


class Line(Model):
    """One line of a purchase, an order, or a basket."""

    sku: str = Field(max_length=100)
    name: str | None = None
    quantity: float = Field(default=1, gt=0)
    unit_price: str | None = Field(default=None, pattern=r"^-?\d+(\.\d+)?$")


class Basket(Model):
    """Products the person says they want: a wish, not yet an order."""

    lines: tuple[Line, ...]
    currency: str | None = Field(default=None, pattern=r"^[A-Z]{3}$")


class Message(Model):
    """Words from one to the other, on any conversational channel, and what came with them.

    `text` holds the person's own words and, where they pressed a button, what stood on it.
    """

    kind: Literal["message"] = "message"
    text: str = ""
    subject: str | None = None
    attachments: tuple[Attachment, ...] = ()
    place: Place | None = None
    cards: tuple[ContactCard, ...] = ()
    choice: Choice | None = None
    """Which answer of ours they picked."""
    offers: tuple[Choice, ...] = ()
    """Outbound only: the answers that were offered."""
    basket: Basket | None = None
    referral: Referral | None = None
    forwarded: bool = False
    in_reply_to: str | None = None
    """The provider's id of the message this one answers."""
    answered_word: Literal["opt_out", "opt_in", "help"] | None = None
    """What the provider took the words for, acted upon and has answered already."""
    thread: tuple[str, ...] = ()
    """What a reply must name, oldest first: a mail's References header, the message that began a
    thread in Slack, a premium SMS's link.
    """
    message_class: Literal["transactional", "service", "marketing", "legal"] | None = None
    """Outbound only."""
    written_by: Writer | None = None
    """Outbound only; None where nobody told us."""


class Reaction(Model):
    """A sign put to one message; an empty `emoji` takes back what was put there."""

    kind: Literal["reaction"] = "reaction"
    message_id: str
    """The provider's id of the message it is put to."""
    emoji: str = Field(default="", max_length=64)


class MessageEdit(Model):
    """Somebody wrote a message of theirs anew. The first wording stays where it is."""

    kind: Literal["message_edit"] = "message_edit"
    message_id: str
    text: str = ""
    attachments: tuple[Attachment, ...] = ()


class MessageDeletion(Model):
    """Somebody took a message of theirs back."""

    kind: Literal["message_deletion"] = "message_deletion"
    message_id: str


class CallState(StrEnum):
    """How far a call went; of two the later one here counts."""

    QUEUED = "queued"
    RINGING = "ringing"
    IN_PROGRESS = "in_progress"
    CANCELED = "canceled"
    """The caller gave up before anybody answered."""
    NO_ANSWER = "no_answer"
    BUSY = "busy"
    FAILED = "failed"
    COMPLETED = "completed"
    """It was answered, by whomever or whatever, and has ended."""


class Heard(Model):
    """Words of the caller that a machine wrote down."""

    source: Literal["speech", "live", "transcript"]
    """Asked for and answered · while they spoke, sentence by sentence · of a recording."""
    key: str = Field(max_length=128)
    """Unique within the source; in the order of keys they were said."""
    text: str


class Call(Model):
    """A phone call, as far as its parts told: they come one by one, in any order, any number of
    times (`shared.domain.call`).
    """

    kind: Literal["call"] = "call"
    call_id: str = Field(max_length=256)
    parts: tuple[str, ...] = ()
    """The names of what was told so far: the same name, the same part."""
    state: CallState = CallState.QUEUED
    answered_at: Instant | None = None
    ended_at: Instant | None = None
    duration: int | None = Field(default=None, ge=0)
    """Seconds, as the provider counts them."""
    reached_person: bool | None = None
    """Whether somebody of the company took it; None where nobody told."""
    digits: tuple[str, ...] = ()
    """What the caller pressed."""
    attachments: tuple[Attachment, ...] = ()
    """Recordings."""
    heard: tuple[Heard, ...] = ()
    is_heard_out: bool = False
    """No more `live` words follow."""
    text: str = ""
    """Of everything that was heard, what counts as the caller's words."""

    @property
    def has_ended(self) -> bool:
        return self.state not in {CallState.QUEUED, CallState.RINGING, CallState.IN_PROGRESS}

    @property
    def is_missed(self) -> bool:
        """Whether it ended and nobody of the company spoke with the caller.

        A call that was completed, of which nobody told who took it, is not.
        """
        if not self.has_ended or self.reached_person:
            return False
        return self.state is not CallState.COMPLETED or self.reached_person is False

    @property
    def wants_understanding(self) -> bool:
        """Whether it waits for somebody to think about it: nobody of the company heard it, and it
        is over, or the caller has said what they had to say.
        """
        if self.reached_person:
            return False
        is_said = self.is_heard_out or any(one.source != "live" for one in self.heard)
        return self.is_missed or bool(self.text and (self.has_ended or is_said))


class Stop(Model):
    """What a provider says about every other message to an address, by its own codes."""

    kind: Literal["opt_out", "bounce", "complaint", "provider_block"]
    classes: Literal["all", "marketing"] = "all"


DELIVERY_RANK = {"accepted": 1, "sent": 2, "delivered": 3, "failed": 4, "read": 5}
"""Which of two statuses is the further one. A mail that was delivered may bounce after all; what
was read did arrive, whatever else is told.
"""


class DeliveryStatus(Model):
    """What became of a message we sent. Never opens a ticket."""

    kind: Literal["delivery_status"] = "delivery_status"
    status: Literal["accepted", "sent", "delivered", "read", "failed"]
    message_id: str
    """The provider's id of our message."""
    send_key: str | None = Field(default=None, max_length=64)
    """What we called it when we sent it, where the provider gives that back."""
    reason: str | None = None
    stop: Stop | None = None
    """Why nothing more is to be sent to the touchpoint's endpoint; None where more may."""
    price_category: str | None = Field(default=None, max_length=60)
    """What the provider charges it as, in its own words; None where it does not say."""
    billable: bool | None = None
    """Whether it costs anything: the same category may be free within a window."""


class DeliveryWatermark(Model):
    """Everything we sent to the touchpoint's endpoint until a moment arrived, or was read.

    Some providers (Messenger) tell a time where others name a message.
    """

    kind: Literal["delivery_watermark"] = "delivery_watermark"
    status: Literal["delivered", "read"]
    until: Instant


class PageView(Model):
    kind: Literal["page_view"] = "page_view"
    name: str | None = None
    url: str | None = None
    properties: dict[str, JsonValue] = {}


class TrackedEvent(Model):
    """Something the person did on a site or in an app, named by the company; or at the provider,
    named after it.
    """

    kind: Literal["tracked_event"] = "tracked_event"
    name: str
    properties: dict[str, JsonValue] = {}
    stop: Stop | None = None
    """Why nothing more is to be sent to the touchpoint's endpoint: the person blocked us there."""
    lifts: Stop | None = None
    """What no longer holds for the endpoint: the person took the block back."""


class Identification(Model):
    """The company's own systems tell who this is.

    Traits become the profile's, the newest value of each.
    """

    kind: Literal["identification"] = "identification"
    traits: dict[str, JsonValue] = {}


class Purchase(Model):
    """Bought and paid on the spot: a till, a kiosk."""

    kind: Literal["purchase"] = "purchase"
    number: str
    store: str | None = None
    total: str = Field(pattern=r"^-?\d+(\.\d+)?$")
    currency: str = Field(pattern=r"^[A-Z]{3}$")
    lines: tuple[Line, ...] = ()


class Order(Model):
    """One version of an order; `version_at` tells which of two is newer, whatever order they arrive
    in.
    """

    kind: Literal["order"] = "order"
    number: str
    status: Literal["placed", "paid", "shipped", "delivered", "cancelled", "returned", "refunded"]
    version_at: Instant
    total: str | None = Field(default=None, pattern=r"^-?\d+(\.\d+)?$")
    currency: str | None = Field(default=None, pattern=r"^[A-Z]{3}$")
    lines: tuple[Line, ...] = ()


class Appointment(Model):
    """One version of an appointment; without `version_at`, as new as its touchpoint."""

    kind: Literal["appointment"] = "appointment"
    number: str
    status: Literal["booked", "moved", "cancelled", "kept", "missed"]
    version_at: Instant | None = None
    starts_at: Instant
    place: str | None = None
    purpose: str | None = None


class Contract(Model):
    """One version of a contract: a subscription, an insurance, a loan."""

    kind: Literal["contract"] = "contract"
    number: str
    status: Literal["proposed", "active", "suspended", "ended"]
    version_at: Instant
    product: str | None = None
    ends_at: Instant | None = None


class GoodsReturn(Model):
    """One version of a return of something bought."""

    kind: Literal["return"] = "return"
    number: str
    status: Literal["requested", "approved", "received", "refunded", "refused"]
    version_at: Instant
    order_number: str | None = None
    reason: str | None = None


class WarrantyClaim(Model):
    """One version of a claim under warranty."""

    kind: Literal["warranty_claim"] = "warranty_claim"
    number: str
    status: Literal["opened", "accepted", "repaired", "replaced", "refused", "closed"]
    version_at: Instant
    product: str | None = None
    reason: str | None = None


class ConsentStatement(Model):
    """The person allowed or forbade a purpose, or the company's own system says they did."""

    kind: Literal["consent"] = "consent"
    purpose: str = Field(pattern=r"^[a-z][a-z0-9_]{0,49}$")
    channel: Channel | None = None
    """None: every channel."""
    state: Literal["granted", "withdrawn"]
    wording: str | None = Field(default=None, max_length=500)
    """What the person agreed to, or the version of it: the proof."""
    expires_at: Instant | None = None
    lifts: Stop | None = None
    """What no longer holds for the endpoint: the person takes there again what they had stopped."""


class Review(Model):
    """Said in public, with a mark.

    Somebody who writes theirs anew says something again: each version is a touchpoint.
    """

    kind: Literal["review"] = "review"
    rating: float
    best: float = 5
    text: str = ""
    source: str | None = Field(default=None, max_length=60)
    """Where it stands: `app_store`, `google_play`, `google_maps`."""
    review_id: str | None = Field(default=None, max_length=200)
    """What it is called there; the same for all its versions."""
    place: str | None = None
    """What is reviewed: a store, an app."""
    version: str | None = Field(default=None, max_length=60)
    """Of the app."""
    url: str | None = None


class SurveyAnswer(Model):
    """CSAT 1 to 5, NPS 0 to 10, CES 1 to 7, with the person's own words where they gave some."""

    kind: Literal["survey_answer"] = "survey_answer"
    survey: str
    metric: Literal["csat", "nps", "ces"]
    score: int = Field(ge=0, le=10)
    text: str = ""


class Unsupported(Model):
    """Authentic, of a kind we do not know yet. Kept with its raw form; nothing is dropped."""

    kind: Literal["unsupported"] = "unsupported"
    what: str = Field(max_length=200)


Content = Annotated[
    Message
    | Reaction
    | MessageEdit
    | MessageDeletion
    | Call
    | DeliveryStatus
    | DeliveryWatermark
    | PageView
    | TrackedEvent
    | Identification
    | Purchase
    | Order
    | Appointment
    | Contract
    | GoodsReturn
    | WarrantyClaim
    | ConsentStatement
    | Review
    | SurveyAnswer
    | Unsupported,
    Field(discriminator="kind"),
]


class Touchpoint(Model):
    """One observed contact.

    `provider_event_id` is the provider's key for it, unique within (provider, account).
    """

    provider: str = Field(pattern=r"^[a-z][a-z0-9_]{0,49}$")
    account: str = Field(max_length=320)
    provider_event_id: str = Field(min_length=1, max_length=512)
    channel: Channel
    direction: Direction
    occurred_at: Instant
    received_at: Instant
    content: Content
    identifiers: tuple[Identifier, ...] = ()
    """Of the person, as the provider gave them; `profile_update` normalises."""
    proof: Proof | None = None
    """What vouches for the identifiers beyond the provider's own signature."""
    endpoint: Endpoint | None = None
    """Where a reply to this touchpoint goes; None where there is no way back."""
    name: str | None = Field(default=None, max_length=200)
    """What the person calls themselves on this channel."""
    language: str | None = Field(default=None, max_length=35)
    """BCP 47, where the provider states it."""
    automation: Automation | None = None

    @property
    def touchpoint_id(self) -> TouchpointId:
        # Some parts of a call do not tell on which line it came.
        account = "" if isinstance(self.content, Call) else self.account
        return touchpoint_id(self.provider, account, self.provider_event_id)

    def of_message(self, message_id: str) -> TouchpointId:
        """Which message of ours this one speaks of: one of the line that its endpoint names, for
        another system may tell what became of it (an app, of what was pushed to it).
        """
        line = self.endpoint or self
        return touchpoint_id(line.provider, line.account, message_id)

    @property
    def text(self) -> str:
        """The person's own words, if this touchpoint holds any."""
        return getattr(self.content, "text", "")

    @property
    def needs_understanding(self) -> bool:
        """Whether somebody said something that a person or a rule should think about."""
        if self.direction is not Direction.INBOUND or self.automation is not None:
            return False
        if isinstance(self.content, Call):
            return self.content.wants_understanding
        return self.content.kind in {"message", "review", "survey_answer"}


def touchpoint_id(provider: str, account: str, provider_event_id: str) -> TouchpointId:
    """Derived, so that a redelivery, an echo of our own message and a delivery status find the same
    touchpoint.
    """
    return TouchpointId(derived_id("touchpoint", provider, account, provider_event_id))


class TouchpointState(StrEnum):
    RECEIVED = "received"
    """In flight: durable, its journey has not ended."""
    PROCESSED = "processed"
    FAILED = "failed"
    """A step gave up; `redrive` sends it round again."""
    QUARANTINED = "quarantined"
    """Authentic but unreadable."""
