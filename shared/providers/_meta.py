"""What Meta's three channels share: the proof, the handshake, times, the error body, the waiting.

https://developers.facebook.com/docs/graph-api/webhooks/getting-started
https://developers.facebook.com/docs/graph-api/guides/error-handling
"""

import hmac
import json
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import islice
from typing import ClassVar, TypeVar
from urllib.parse import urlsplit

from pydantic import ConfigDict, Field, JsonValue

from shared.domain.errors import (
    MalformedPayload,
    SendUnconfirmed,
    Unauthentic,
)
from shared.providers.base import (
    JSON_TYPE,
    LARGEST_SPREAD,
    Fetch,
    HttpResponse,
    Observed,
    PartlyMalformed,
    Payload,
    Provider,
    Secret,
    WebhookRequest,
    WebhookResponse,
    believable,
    read_json,
    retry_after,
    same,
)

API_VERSION = "v26.0"
"""The newest, of 2026-07-29: https://developers.facebook.com/docs/graph-api/changelog"""
API = f"https://graph.facebook.com/{API_VERSION}"

LONGEST_URL = 2048
"""Of a referral; half an address leads nowhere, so a longer one is left out."""

Stamp = int | str | None
"""A time as Meta writes it: a number or digits, of seconds or of milliseconds; seldom ISO 8601."""

OFFERS = "marketing"
"""The purpose of what Meta calls marketing messages, as consents name it."""

_CURRENCY = re.compile(r"[A-Z]{3}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECONDS = 10**11
"""From here on a number counts milliseconds: as seconds it would be the year 5138."""
_USAGE = "x-business-use-case-usage"


class MetaSecret(Secret):
    """App dashboard: `app_secrets` under Settings > Basic, `verify_token` is yours to invent."""

    app_secrets: list[str] = Field(min_length=1)
    verify_token: str = Field(min_length=8)


MetaSecretT = TypeVar("MetaSecretT", bound=MetaSecret)


class Part(Payload):
    """A part of a webhook.

    Through the years Meta has written the same id, number or time now as a number, now as text.
    """

    model_config = ConfigDict(strict=False, coerce_numbers_to_str=True)


MOST_FAILURES = 100
"""Parts that cannot be read, after which no further one is: the request waits as a whole."""

Piece = Callable[[], list[Observed]]
"""Reads one part of a request; the raw of what it held is the request as if it had held this part
only. Raises MalformedPayload.
"""


class MetaProvider(Provider[MetaSecretT]):
    title: ClassVar[str]
    """What people call it, for messages of errors."""
    too_fast: ClassVar[frozenset[str]]
    """Codes after which nothing was sent, and waiting helps."""
    largest_body = 3_000_000
    """Meta: payloads are up to 3 MB."""
    longest_list = 1_000
    """Meta: so many changes in one batch at most. As many parts of one request are read.
    https://developers.facebook.com/docs/graph-api/webhooks/getting-started
    """

    def challenge(self, request: WebhookRequest, secret: MetaSecretT) -> WebhookResponse | None:
        """Meta asks once, by GET, whether we know the token set in its dashboard."""
        if request.method != "GET":
            return None
        known = same(request.parameter("hub.verify_token"), secret.verify_token)
        if not known or request.parameter("hub.mode") != "subscribe":
            return WebhookResponse(status=403)
        return WebhookResponse(body=request.parameter("hub.challenge"))

    def verify(self, request: WebhookRequest, secret: MetaSecretT, fetch: Fetch) -> None:
        given = request.header("x-hub-signature-256")
        valid = [
            "sha256=" + hmac.new(key.encode(), request.body, sha256).hexdigest()
            for key in secret.app_secrets
        ]
        if not any(same(given, one) for one in valid):
            raise Unauthentic("X-Hub-Signature-256 is missing or wrong")

    def parse(
        self, request: WebhookRequest, secret: MetaSecretT, received_at: datetime
    ) -> list[Observed]:
        """Raises MalformedPayload; PartlyMalformed where one part cannot be read and others can."""
        if request.content_type != JSON_TYPE:
            raise MalformedPayload("the body is not declared as JSON")
        body = read_json(request.body, longest_list=self.longest_list)
        pieces = list(islice(self.pieces(body, secret, received_at), self.longest_list + 1))
        if len(pieces) > self.longest_list:
            raise MalformedPayload(f"entry: {self.longest_list} parts at most")
        observed: list[Observed] = []
        failures: list[str] = []
        spread = 0
        for read in pieces:
            try:
                seen = read()
            except MalformedPayload as error:
                failures.append(str(error))
                if len(failures) == MOST_FAILURES:
                    break
                continue
            observed += seen
            spread += sum(len(one.raw) for one in seen)
            if spread > LARGEST_SPREAD:
                raise MalformedPayload("entry: what its parts share is too large for so many")
        if failures and observed:
            raise PartlyMalformed(failures[0], readable=observed)
        if failures:
            raise MalformedPayload(failures[0])
        return observed

    def pieces(
        self, body: JsonValue, secret: MetaSecretT, received_at: datetime
    ) -> Iterable[Piece]:
        """The parts of a request. Raises MalformedPayload where it is none of this channel's."""
        raise NotImplementedError

    def message_id(self, answer: JsonValue) -> str:
        """Of a message that was taken. Raises MalformedPayload."""
        raise NotImplementedError

    def receipt(self, response: HttpResponse) -> str:
        if response.status == 200:
            try:
                return self.message_id(read_json(response.body))
            except MalformedPayload:
                raise SendUnconfirmed(f"{self.title} took the message and gave no id") from None
        code = self._code(response.body)
        is_busy = 400 <= response.status < 500 and code in self.too_fast
        self.not_taken(response, code, is_busy=is_busy, wait=_wait(response))

    def _code(self, body: bytes) -> str:
        """Meta's code, or code and subcode where `refusals` knows the pair; `unknown` for none."""
        try:
            answer = read_json(body)
        except MalformedPayload:
            return "unknown"
        error = answer.get("error") if isinstance(answer, dict) else None
        if not isinstance(error, dict) or not isinstance(error.get("code"), int):
            return "unknown"
        pair = f"{error['code']}/{error.get('error_subcode')}"
        return pair if pair in self.refusals or pair in self.too_fast else str(error["code"])


def moment(stamp: Stamp, received_at: datetime) -> datetime:
    """When it happened; the time of arrival where nothing is said.

    Raises MalformedPayload.
    """
    return received_at if stamp in {None, ""} else believable(instant(stamp or 0), received_at)


def instant(stamp: int | str) -> datetime:
    """Raises MalformedPayload."""
    try:
        if isinstance(stamp, str) and not (stamp.isascii() and stamp.isdigit()):
            stated = datetime.fromisoformat(stamp)
            return stated.astimezone(UTC) if stated.tzinfo else stated.replace(tzinfo=UTC)
        number = int(stamp)
        is_milliseconds = abs(number) >= _MILLISECONDS
        return _EPOCH + timedelta(milliseconds=number if is_milliseconds else number * 1000)
    except (ValueError, OverflowError):
        raise MalformedPayload("timestamp: not a time") from None


def content_key(raw: bytes) -> str:
    """For what has no id of its own."""
    return sha256(raw).hexdigest()


def compact(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def url_that_fits(url: str) -> str:
    return url if len(url) <= LONGEST_URL else ""


def only_currency(stated: Iterable[str]) -> str | None:
    """That of all lines of a basket (ISO 4217); None where they differ, or it is none."""
    currency, *others = {*stated} or {""}
    return currency if not others and _CURRENCY.fullmatch(currency) else None


def lies_at(url: str, hosts: tuple[str, ...]) -> bool:
    """Whether an https URL is of one of the hosts; `*.` stands for all below one."""
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        return False
    if parts.scheme != "https" or port not in {None, 443} or parts.username is not None:
        return False
    return any(
        host.endswith(one.removeprefix("*")) if one.startswith("*.") else host == one
        for one in hosts
    )


def _wait(response: HttpResponse) -> timedelta | None:
    """What the answer asks for. Meta tells it in minutes, by business and by use.

    https://developers.facebook.com/docs/graph-api/overview/rate-limiting
    """
    if (stated := retry_after(response)) is not None:
        return stated
    headers = {name.lower(): value for name, value in response.headers.items()}
    try:
        usage = read_json(headers.get(_USAGE, "").encode())
    except MalformedPayload:
        return None
    uses = [
        use
        for limits in (usage.values() if isinstance(usage, Mapping) else ())
        for use in (limits if isinstance(limits, list) else ())
        if isinstance(use, Mapping)
    ]
    minutes = [use.get("estimated_time_to_regain_access") for use in uses]
    longest = max((one for one in minutes if isinstance(one, int)), default=0)
    return timedelta(minutes=min(longest, 24 * 60)) if longest > 0 else None
