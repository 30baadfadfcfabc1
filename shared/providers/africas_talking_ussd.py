"""USSD through Africa's Talking: every input of a session is a request, its answer the next screen.

https://developers.africastalking.com/docs/ussd/overview
https://developers.africastalking.com/docs/ussd/handle_sessions
https://developers.africastalking.com/docs/ussd/notifications (read in 2026-11)

The number calls `/webhooks/africas_talking_ussd/<secret>`, and may be told to report the end of a
session to the same address. What is shown stands in `policies/ussd.yaml` (docs/ussd.md). Each step
is one touchpoint, known by session and text; the step that completes a message is the person's
word, the others are passive.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from shared.domain.touchpoint import (
    Channel,
    Content,
    Direction,
    Endpoint,
    Message,
    Touchpoint,
    TrackedEvent,
)
from shared.domain.ussd import UssdMenu
from shared.providers._africas_talking import (
    PathSecret,
    check_path_secret,
    identifiers,
    moment,
    phone,
    read_fields,
    without_path_secret,
)
from shared.providers._reply_line import ReplyLine
from shared.providers.base import (
    Fetch,
    Observed,
    Outcome,
    Payload,
    Provider,
    ProviderId,
    Secret,
    WebhookRequest,
    WebhookResponse,
    believable,
    read_model,
)

NAME = "africas_talking_ussd"
GOES_ON = "CON"
ENDS = "END"
SESSION_ENDED = "ussd_session_ended"
TOLD: Mapping[str, str] = {
    "status": "status",
    "durationInMillis": "duration_ms",
    "hopsCount": "hops",
    "cost": "cost",
    "errorMessage": "error",
}
"""What is kept of the end of a session. What was typed and shown, its steps have told."""


class SmsLine(ReplyLine):
    channel: Literal["sms"] = "sms"


class Line(BaseModel):
    """One number people dial, and where they are answered: USSD itself cannot call anybody."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    service_code: str = Field(pattern=r"^[*#0-9]{2,40}$")
    reply_line: SmsLine


class AfricasTalkingUssdSecret(Secret):
    """`path_secrets`: the last segment of the address; two are valid while they are rotated.

    `lines`: the numbers whose callers are answered by SMS, `{"service_code": "*384*44135#",
    "reply_line": {"channel": "sms", "provider": "africas_talking_sms", "account": "22384"}}`.
    """

    path_secrets: list[PathSecret] = Field(min_length=1)
    lines: list[Line] = []


class Request(Payload):
    session: ProviderId = Field(alias="sessionId")
    line: str = Field(alias="serviceCode", min_length=1, max_length=100)
    phone_number: str = Field(alias="phoneNumber", min_length=1, max_length=100)
    text: str = Field(default="", max_length=4096)


class Ended(Payload):
    session: ProviderId = Field(alias="sessionId")
    line: str = Field(default="", alias="serviceCode", max_length=100)
    phone_number: str = Field(default="", alias="phoneNumber", max_length=100)
    status: str = Field(max_length=60)
    date: str = Field(default="", max_length=60)


class AfricasTalkingUssd(Provider[AfricasTalkingUssdSecret]):
    name = NAME
    secret_type = AfricasTalkingUssdSecret
    largest_body = 200_000
    answer_within = timedelta(seconds=1)

    def __init__(self, menu: Callable[[], UssdMenu]) -> None:
        self._menu = menu

    def verify(
        self, request: WebhookRequest, secret: AfricasTalkingUssdSecret, fetch: Fetch
    ) -> None:
        check_path_secret(request, secret.path_secrets)

    def without_proof(
        self, request: WebhookRequest, secret: AfricasTalkingUssdSecret
    ) -> WebhookRequest:
        return without_path_secret(request)

    def parse(
        self, request: WebhookRequest, secret: AfricasTalkingUssdSecret, received_at: datetime
    ) -> list[Observed]:
        fields = read_fields(request.body)
        if _is_end(fields):
            ended = read_model(Ended, fields)
            properties: dict[str, JsonValue] = {
                ours: fields[theirs][:500] for theirs, ours in TOLD.items() if fields.get(theirs)
            }
            touchpoint = _touchpoint(
                ended,
                f"{ended.session}:ended",
                TrackedEvent(name=SESSION_ENDED, properties=properties),
                secret,
                received_at,
                occurred_at=believable(moment(ended.date), received_at),
            )
        else:
            dialled = read_model(Request, fields)
            touchpoint = self._observed(dialled, secret, received_at)
        return [Observed(touchpoint, request.body)]

    def _observed(
        self, dialled: Request, secret: AfricasTalkingUssdSecret, received_at: datetime
    ) -> Touchpoint:
        step = self._menu().step(dialled.text, dialled.line)
        # An id is logged, and a text may hold anything: so its digest.
        key = f"{dialled.session}:{sha256(dialled.text.encode()).hexdigest()[:16]}"
        return _touchpoint(
            dialled,
            key,
            Message(text=step.records or step.said, choice=step.choice),
            secret,
            received_at,
            direction=Direction.INBOUND if step.records else Direction.PASSIVE,
            language=step.language,
        )

    def respond(self, outcome: Outcome, observed: list[Observed]) -> WebhookResponse:
        """The screen, whether the step is kept or not; but no end that promises what is not."""
        menu = self._menu()
        if not observed:
            return _screen(ENDS, menu.say(menu.notes.not_recorded, menu.fallback_language))
        fields = read_fields(observed[0].raw)
        if _is_end(fields):
            return WebhookResponse()
        dialled = read_model(Request, fields)
        step = menu.step(dialled.text, dialled.line)
        if outcome is Outcome.NOT_KEPT and step.records is not None:
            return _screen(ENDS, menu.say(menu.notes.not_recorded, step.language))
        return _screen(ENDS if step.ends else GOES_ON, step.shown)


def _touchpoint(
    told: Request | Ended,
    key: str,
    content: Content,
    secret: AfricasTalkingUssdSecret,
    received_at: datetime,
    *,
    direction: Direction = Direction.PASSIVE,
    occurred_at: datetime | None = None,
    language: str | None = None,
) -> Touchpoint:
    number = phone(told.phone_number)
    return Touchpoint(
        provider=NAME,
        account=told.line,
        provider_event_id=key,
        channel=Channel.USSD,
        direction=direction,
        occurred_at=occurred_at or received_at,
        received_at=received_at,
        content=content,
        identifiers=identifiers(number),
        endpoint=_way_back(told.line, number, secret),
        language=language,
    )


def _way_back(
    service_code: str, number: str | None, secret: AfricasTalkingUssdSecret
) -> Endpoint | None:
    line = next((one for one in secret.lines if one.service_code == service_code), None)
    if line is None or number is None:
        return None
    way = line.reply_line
    return Endpoint(
        channel=Channel(way.channel), provider=way.provider, account=way.account, address=number
    )


def _is_end(fields: Mapping[str, str]) -> bool:
    return "status" in fields and "text" not in fields


def _screen(prefix: str, text: str) -> WebhookResponse:
    return WebhookResponse(body=f"{prefix} {text}", headers={"cache-control": "no-store"})


def _company_menu() -> UssdMenu:
    """It is deployed with the code. YAML is read by whoever dials, and by nobody else's start."""
    from shared.policies.reader import read_policies

    return read_policies().ussd


PROVIDER = AfricasTalkingUssd(_company_menu)
