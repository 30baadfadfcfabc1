"""Phone calls through Twilio.

One call is one touchpoint that grows: each request tells a part of it (`shared.domain.call`).

Incoming calls: https://www.twilio.com/docs/voice/twiml#request-parameters
Statuses: https://www.twilio.com/docs/voice/api/call-resource#statuscallback
Recordings: https://www.twilio.com/docs/voice/twiml/record
Real-time transcription: https://www.twilio.com/docs/voice/twiml/transcription
Speech and keys: https://www.twilio.com/docs/voice/twiml/gather
Forwarding: https://www.twilio.com/docs/voice/twiml/dial
Caller id: https://www.twilio.com/docs/voice/trusted-calling-with-shakenstir
Over WhatsApp: https://www.twilio.com/docs/voice/twiml/whatsapp
Calling: https://www.twilio.com/docs/voice/api/call-resource#create-a-call
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from html import escape
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from shared.domain.call import with_words
from shared.domain.errors import RefusalReason, SendRefused
from shared.domain.identity import Identifier, IdentifierType, Proof
from shared.domain.touchpoint import (
    Attachment,
    Call,
    CallState,
    Channel,
    DeliveryStatus,
    Direction,
    Endpoint,
    Heard,
    Stop,
    Touchpoint,
)
from shared.providers._twilio import (
    PHONE,
    XML_TYPE,
    Address,
    Sid,
    TwilioAccount,
    TwilioProduct,
    api_request,
    digest_of,
    events_of,
    form_of,
    kept,
)
from shared.providers.base import (
    HttpRequest,
    Observed,
    Outcome,
    Payload,
    Secret,
    WebhookRequest,
    WebhookResponse,
    as_bytes,
    believable,
    read_json,
    read_model,
)

# What takes a webhook in sends nothing.
if TYPE_CHECKING:
    from shared.domain.sending import OutboundMessage

NAME = "twilio_voice"
LONGEST_TEXT = 3000
LONGEST_TWIML = 4000
"""Characters of the parameter Twiml; the text is escaped within it."""
LONGEST_VOICEMAIL = 120
"""Seconds; a longer recording is not transcribed."""
RINGS = 20
"""Seconds, before a forwarded call is not answered: less than most mailboxes of mobiles wait."""

STATES: Mapping[str, CallState] = {
    "queued": CallState.QUEUED,
    "initiated": CallState.QUEUED,
    "ringing": CallState.RINGING,
    "in-progress": CallState.IN_PROGRESS,
    "answered": CallState.IN_PROGRESS,
    "canceled": CallState.CANCELED,
    "no-answer": CallState.NO_ANSWER,
    "busy": CallState.BUSY,
    "failed": CallState.FAILED,
    "completed": CallState.COMPLETED,
}
STATUSES: Mapping[CallState, Literal["accepted", "sent", "delivered", "failed"]] = {
    CallState.QUEUED: "accepted",
    CallState.RINGING: "sent",
    CallState.IN_PROGRESS: "delivered",
    CallState.COMPLETED: "delivered",
    CallState.CANCELED: "failed",
    CallState.NO_ANSWER: "failed",
    CallState.BUSY: "failed",
    CallState.FAILED: "failed",
}
"""What a call of ours is, as a message that is spoken."""
TAKEN = frozenset({"completed", "answered"})
"""The DialCallStatus after somebody of the company spoke with the caller."""

WITHHELD = frozenset({"+266696687", "+86282452253", "+8656696", "+2562533", "+7378742833"})
"""ANONYMOUS, UNAVAILABLE, UNKNOWN, BLOCKED and RESTRICTED, as one would type them on a phone: what
operators send of callers who hide. https://help.twilio.com/articles/223179988
"""
WHATSAPP = "whatsapp:"
"""Stands before both numbers of a call over WhatsApp."""
ATTESTED = "TN-Validation-Passed-A"

STOPS: Mapping[str, Stop] = {
    "13223": Stop(kind="bounce"),  # no such number
    "21211": Stop(kind="bounce"),
    "21217": Stop(kind="bounce"),
}
REFUSALS: Mapping[str, RefusalReason] = {
    "13223": "invalid_recipient",
    "13224": "invalid_recipient",
    "13225": "blocked",
    "13227": "unauthorized",  # the country is not allowed for our account
    "20003": "unauthorized",
    "20404": "unauthorized",
    "21201": "invalid_recipient",
    "21203": "blocked",
    "21205": "content",
    "21210": "unauthorized",  # the caller id is not ours
    "21211": "invalid_recipient",
    "21212": "unauthorized",
    "21213": "unauthorized",
    "21214": "unreachable",
    "21215": "unauthorized",  # the country is not allowed for our account
    "21216": "blocked",
    "21217": "invalid_recipient",
    "21219": "unauthorized",  # a trial account, and an unverified number
    "12100": "content",
    "twiml": "content",
    "files": "not_supported",
    "choices": "not_supported",
}
"""https://www.twilio.com/docs/api/errors (2026-11); the last three are ours."""

LANGUAGES: Mapping[str, str] = {
    "ar": "ar-AE",
    "de": "de-DE",
    "en": "en-US",
    "es": "es-ES",
    "fr": "fr-FR",
    "it": "it-IT",
    "nl": "nl-NL",
    "pl": "pl-PL",
    "pt": "pt-PT",
    "ro": "ro-RO",
    "tr": "tr-TR",
}
"""In which <Say> speaks a language that is only known by its name."""


class Line(Secret):
    """One number of the company, and what its callers hear."""

    number: str = Field(pattern=PHONE.pattern)
    language: str = Field(default="en-US", pattern=r"^[a-z]{2,3}-[A-Z]{2}$")
    voice: str = Field(default="", max_length=100, pattern=r"^[A-Za-z0-9.\-]*$")
    greeting: str = Field(default="", max_length=1000)
    forward_to: str = Field(default="", pattern=rf"^({PHONE.pattern})?$")
    """A team's number."""
    record: bool = True
    """Whether callers whom nobody answers may leave a message."""
    after_the_tone: str = Field(default="", max_length=1000)
    """What they hear before it, where they were forwarded in vain."""
    transcribe: bool = True


class TwilioVoiceSecret(TwilioAccount):
    """`lines`: the numbers whose calls this webhook answers. A number that is not here is busy."""

    lines: tuple[Line, ...] = ()

    def line(self, number: str) -> Line | None:
        """Whichever way it is called."""
        bare = number.removeprefix(WHATSAPP)
        return next((one for one in self.lines if one.number == bare), None)


class Told(Payload):
    """What any request about a call may tell."""

    call_sid: Sid = Field(alias="CallSid")
    parent: Sid | None = Field(default=None, alias="ParentCallSid")
    sender: Address = Field(default="", alias="From", validate_default=False)
    to: Address = Field(default="", alias="To", validate_default=False)
    direction: str = Field(default="", alias="Direction", pattern=r"^[a-z-]{0,40}$")
    status: str = Field(default="", alias="CallStatus", pattern=r"^[a-z-]{0,40}$")
    source: str = Field(default="", alias="CallbackSource", max_length=60)
    at: str = Field(default="", alias="Timestamp", max_length=60)
    duration: str = Field(default="", alias="CallDuration", pattern=r"^[0-9]{0,9}$")
    caller_name: str = Field(default="", alias="CallerName")
    verstat: str = Field(default="", alias="StirVerstat", max_length=60)
    error: str = Field(default="", alias="ErrorCode", max_length=40)
    sip: str = Field(default="", alias="SipResponseCode", max_length=10)
    dial: str = Field(default="", alias="DialCallStatus", pattern=r"^[a-z-]{0,40}$")
    bridged: str = Field(default="", alias="DialBridged", max_length=10)
    digits: str = Field(default="", alias="Digits", max_length=200)
    speech: str = Field(default="", alias="SpeechResult", max_length=65_536)
    language: str = Field(default="", alias="LanguageCode", max_length=35)
    recording: str = Field(default="", alias="RecordingUrl", pattern=r"^(https?://\S{1,2000})?$")
    recording_status: str = Field(default="", alias="RecordingStatus", max_length=40)
    recorded_at: str = Field(default="", alias="RecordingStartTime", max_length=60)
    transcription: str = Field(default="", alias="TranscriptionSid", max_length=64)
    text: str = Field(default="", alias="TranscriptionText", max_length=65_536)
    live: str = Field(default="", alias="TranscriptionEvent", max_length=60)
    track: str = Field(default="", alias="Track", max_length=40)
    sequence: str = Field(default="0", alias="SequenceId", pattern=r"^[0-9]{1,9}$")
    final: str = Field(default="", alias="Final", max_length=10)
    data: str = Field(default="", alias="TranscriptionData", max_length=65_536)

    @property
    def state(self) -> CallState | None:
        return STATES.get(self.status)

    @property
    def is_ours(self) -> bool:
        """Whether we called."""
        return self.direction.startswith("outbound") and not self.is_leg

    @property
    def is_leg(self) -> bool:
        """Whether it is the way to a member of the team, within somebody else's call."""
        return self.direction == "outbound-dial" and self.parent is not None

    @property
    def kind(self) -> str:
        """What this request is about, of all that it repeats."""
        if self.is_leg:
            return "leg"
        if self.live:
            return "live"
        if self.text or self.transcription:
            return "transcription"
        if self.dial:
            return "dial"
        if self.recording or self.recording_status:
            return "recording"
        if self.speech or self.digits:
            return "gather"
        if self.source or (self.state is not CallState.RINGING and self.status):
            return "status"
        return "incoming"


class Spoken(Payload):
    """TranscriptionData."""

    transcript: str = ""


class TwilioVoice(TwilioProduct[TwilioVoiceSecret]):
    name = NAME
    secret_type = TwilioVoiceSecret
    stops = STOPS
    refusals = REFUSALS
    longest_text = LONGEST_TEXT

    def parse(
        self, request: WebhookRequest, secret: TwilioVoiceSecret, received_at: datetime
    ) -> list[Observed]:
        if (fields := form_of(request)) is None:
            return list(events_of(request, NAME, Channel.VOICE, received_at))
        raw = request.body or as_bytes(request.url.partition("?")[2])
        if "CallSid" not in fields:
            what = "a form without a call"
            seen = kept(NAME, Channel.VOICE, digest_of(fields), what, received_at)
            return [Observed(seen, raw)]
        told = _read(fields)
        if told.is_ours and told.kind in {"status", "incoming"} and told.state is not None:
            return [Observed(_status(told, told.state, received_at), raw)]
        return [Observed(_part(told, fields, secret.line(told.to), received_at), raw)]

    def respond(self, outcome: Outcome, observed: list[Observed]) -> WebhookResponse:
        """For what waits for none, and a call nobody could read: TwiML that ends it."""
        return _twiml()

    def answer(
        self, request: WebhookRequest, secret: TwilioVoiceSecret, observed: list[Observed]
    ) -> WebhookResponse:
        """What the caller hears next."""
        fields = form_of(request)
        if fields is None or "CallSid" not in fields:
            return _twiml()
        told = _read(fields)
        return _twiml(*_instructions(told, secret.line(told.to), request.url.partition("?")[0]))

    def prepare(self, message: "OutboundMessage", secret: TwilioVoiceSecret) -> HttpRequest:
        """Call, say the text, and hang up."""
        if message.files:
            raise _refused("a call carries no files", "files")
        if message.choices:
            raise _refused("nobody would hear which answer was picked", "choices")
        endpoint = message.endpoint
        language = _spoken_language(message.language, secret.line(endpoint.account))
        spoken = _response('<Pause length="1"/>', _say(message.text, language))
        if not message.text.strip() or len(spoken) > LONGEST_TWIML:
            raise _refused(f"what is said has 1 to about {LONGEST_TEXT} characters", "twiml")
        form = [("To", endpoint.address), ("From", endpoint.account), ("Twiml", spoken)]
        if secret.status_callback:
            form.append(("StatusCallback", secret.status_callback))
            events = ("initiated", "ringing", "answered", "completed")
            form += [("StatusCallbackEvent", event) for event in events]
        return api_request(secret, "Calls", form)


def _read(fields: Mapping[str, str]) -> Told:
    """An empty field says nothing. Raises MalformedPayload."""
    return read_model(Told, {name: one for name, one in fields.items() if one})


def _status(told: Told, state: CallState, received_at: datetime) -> Touchpoint:
    """How far a call of ours came."""
    known = STATUSES[state]
    code = told.error or told.sip
    status = DeliveryStatus(
        status=known,
        message_id=told.call_sid,
        reason=f"{told.status} {code}".strip() if known == "failed" else None,
        stop=STOPS.get(told.error) if known == "failed" else None,
    )
    return Touchpoint(
        provider=NAME,
        account=told.sender,
        provider_event_id=f"{told.call_sid}:{told.status}",
        channel=Channel.VOICE,
        direction=Direction.PASSIVE,
        occurred_at=_moment(told.at, received_at),
        received_at=received_at,
        content=status,
        identifiers=_identifiers(told.to),
        endpoint=_endpoint(told.to, told.sender),
    )


def _part(
    told: Told, fields: Mapping[str, str], line: Line | None, received_at: datetime
) -> Touchpoint:
    """One part of a call that came in. Who calls whom is only told by some parts, and of the leg to
    a member of the team it would be somebody else.
    """
    names_both = bool(told.sender and told.to) and told.direction in {"", "inbound"}
    who = _identifiers(told.sender) if names_both else ()
    at = _moment(told.at or told.recorded_at, received_at)
    call = Call(
        call_id=told.parent if told.is_leg and told.parent else told.call_sid,
        parts=(f"{told.kind}:{digest_of(fields)[:16]}",),
        **_told(told, line, at),
    )
    return Touchpoint(
        provider=NAME,
        account=told.to if names_both else "",
        provider_event_id=call.call_id,
        channel=Channel.VOICE,
        direction=Direction.INBOUND if names_both else Direction.PASSIVE,
        occurred_at=at,
        received_at=received_at,
        content=with_words(call),
        identifiers=who,
        proof=Proof.ATTESTED if who and told.verstat == ATTESTED else None,
        endpoint=_endpoint(told.sender, told.to) if names_both else None,
        name=told.caller_name[:200] or None if who else None,
        language=told.language or None,
    )


def _told(told: Told, line: Line | None, at: datetime) -> dict[str, object]:
    """What this part says of the call."""
    if told.is_leg:
        return {"reached_person": True} if told.state in _SPOKE else {}
    facts: dict[str, object] = {}
    if told.state is not None:
        facts["state"] = told.state
    if told.kind == "status" and told.source and told.state is not None:
        if told.state is CallState.IN_PROGRESS:
            facts["answered_at"] = at
        elif told.state not in {CallState.QUEUED, CallState.RINGING}:
            facts["ended_at"] = at
    if told.duration:
        facts["duration"] = int(told.duration)
    if told.kind == "incoming" and line is not None and not line.forward_to:
        # What answers is a greeting.
        facts["reached_person"] = False
    if told.kind == "dial":
        facts["reached_person"] = told.dial in TAKEN and told.bridged != "false"
    if told.recording and told.recording_status in {"", "completed"}:
        medium = Attachment(
            form="voice", content_type="audio/wav", provider_reference=told.recording
        )
        facts["attachments"] = (medium,)
    elif told.kind == "gather" and told.digits:
        facts["digits"] = (told.digits,)
    heard = _heard(told)
    facts["heard"] = (heard,) if heard is not None and heard.text else ()
    facts["is_heard_out"] = told.live in {"transcription-stopped", "transcription-error"}
    return facts


_SPOKE = frozenset({CallState.IN_PROGRESS, CallState.COMPLETED})


def _heard(told: Told) -> Heard | None:
    """The caller's words in it; of a transcription while they speak only theirs, once certain."""
    if told.live:
        if told.track == "outbound_track" or told.final == "false" or not told.data:
            return None
        spoken = read_model(Spoken, read_json(told.data.encode()))
        key = f"{told.transcription}:{int(told.sequence):09}"
        return Heard(source="live", key=key, text=spoken.transcript)
    if told.text:
        return Heard(source="transcript", key=told.transcription or told.call_sid, text=told.text)
    if told.speech:
        digest = digest_of({"speech": told.speech})[:16]
        return Heard(source="speech", key=digest, text=told.speech)
    return None


def _moment(stated: str, received_at: datetime) -> datetime:
    """Twilio tells RFC 2822, and in real-time transcription ISO 8601."""
    if not stated:
        return received_at
    try:
        moment = parsedate_to_datetime(stated) if "," in stated else datetime.fromisoformat(stated)
        moment = moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError):
        return received_at
    return believable(moment, received_at)


def _identifiers(address: str) -> tuple[Identifier, ...]:
    number = address.removeprefix(WHATSAPP)
    if number in WITHHELD or not PHONE.fullmatch(number):
        return ()
    return (Identifier(type=IdentifierType.PHONE, value=number),)


def _endpoint(person: str, line: str) -> Endpoint | None:
    """None for who hides their number, and for an app or a SIP phone: nobody can be called back;
    nor on WhatsApp, before they have agreed to it there.
    """
    if person.startswith(WHATSAPP) or not _identifiers(person):
        return None
    return Endpoint(channel=Channel.VOICE, provider=NAME, account=line, address=person)


def _instructions(told: Told, line: Line | None, url: str) -> tuple[str, ...]:
    """What becomes of the call is told to `url`, our webhook. Empty where none are asked for."""
    if told.direction not in {"", "inbound"}:
        return ()
    if told.kind == "incoming":
        return _greeting(line, url) if line else ('<Reject reason="busy"/>',)
    if told.kind == "dial" and line is not None:
        if told.dial in TAKEN or not line.record:
            return ("<Hangup/>",)
        return _voicemail(line, line.after_the_tone, url)
    if told.kind == "recording" and not told.recording_status:
        return ("<Hangup/>",)
    return ()


def _greeting(line: Line, url: str) -> tuple[str, ...]:
    if line.forward_to:
        dial = f'<Dial timeout="{RINGS}" action="{_text(url)}">'
        number = f"<Number>{line.forward_to}</Number></Dial>"
        return (_say(line.greeting, line.language, line.voice), dial + number)
    if line.record:
        return _voicemail(line, line.greeting, url)
    return (_say(line.greeting, line.language, line.voice), "<Hangup/>")


def _voicemail(line: Line, words: str, url: str) -> tuple[str, ...]:
    """Recordings are only transcribed in English; other languages are while they are spoken."""
    back = _text(url)
    afterwards = live = ""
    if line.transcribe and line.language.startswith("en"):
        afterwards = f' transcribe="true" transcribeCallback="{back}"'
    elif line.transcribe:
        live = (
            f'<Start><Transcription statusCallbackUrl="{back}" languageCode="{line.language}" '
            'track="inbound_track" partialResults="false"/></Start>'
        )
    record = (
        f'<Record action="{back}" maxLength="{LONGEST_VOICEMAIL}" playBeep="true"'
        f' recordingStatusCallback="{back}"{afterwards}/>'
    )
    return (_say(words, line.language, line.voice), live, record)


def _say(words: str, language: str, voice: str = "") -> str:
    if not words:
        return ""
    speaker = f' voice="{voice}"' if voice else ""
    return f'<Say language="{language}"{speaker}>{_text(words)}</Say>'


def _spoken_language(stated: str | None, line: Line | None) -> str:
    """The one that was asked for, as the line speaks it; else the line's own."""
    own = line.language if line else LANGUAGES["en"]
    asked = (stated or "").partition("-")[0].lower()
    return own if own.startswith(f"{asked}-") else LANGUAGES.get(asked, own)


def _text(words: str) -> str:
    """For XML, which has no place for most control characters."""
    return escape("".join(one for one in words if one in "\n\t" or _is_xml(ord(one))))


def _is_xml(code: int) -> bool:
    return 0x20 <= code < 0xD800 or 0xE000 <= code < 0xFFFE or code > 0xFFFF


def _response(*verbs: str) -> str:
    return f"<Response>{''.join(verbs)}</Response>" if any(verbs) else "<Response/>"


def _twiml(*verbs: str) -> WebhookResponse:
    return WebhookResponse(body=_response(*verbs), content_type=XML_TYPE)


def _refused(detail: str, code: str) -> SendRefused:
    return SendRefused(detail, code=code, reason=REFUSALS[code])


PROVIDER = TwilioVoice()
