"""What the SMS and the USSD of Africa's Talking have in common.

Nothing is signed, so the proof is the address itself: its last segment is a secret that only the
dashboard of Africa's Talking knows. https://developers.africastalking.com/docs/sms/notifications
"""

import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated
from urllib.parse import parse_qsl

from pydantic import StringConstraints

from shared.domain.errors import MalformedPayload, Unauthentic
from shared.domain.identity import Identifier, IdentifierType
from shared.providers._form import FORM_TYPE
from shared.providers.base import JSON_TYPE, WebhookRequest, read_json, same

PathSecret = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{24,128}$")]
"""Drawn by you (`python -c "import secrets; print(secrets.token_urlsafe(32))"`), the last segment
of the webhook's address.
"""
_NUMBER = re.compile(r"\+?[1-9][0-9]{8,14}")
_MOST_FIELDS = 50


def check_path_secret(request: WebhookRequest, valid: Iterable[str]) -> None:
    given = request.path.rpartition("/")[2]
    if not any(same(given, one) for one in valid):
        raise Unauthentic("the last segment of the path is missing or wrong")


def without_path_secret(request: WebhookRequest) -> WebhookRequest:
    """As quarantine may keep it: the path still ends in a segment, and names its account before."""
    before, _, secret = request.path.rpartition("/")
    return replace(request, path=f"{before}/-", url=request.url.replace(secret, "-"))


def read_fields(body: bytes, content_type: str = FORM_TYPE) -> dict[str, str]:
    """A form, of a repeated field the last value; a JSON object of scalars does as well.

    Raises MalformedPayload.
    """
    if content_type == JSON_TYPE:
        content = read_json(body)
        if not isinstance(content, dict):
            raise MalformedPayload("the body is no JSON object")
        scalars = {name: one for name, one in content.items() if isinstance(one, str | int)}
        return {name: str(one) for name, one in scalars.items()}
    try:
        pairs = parse_qsl(
            body.decode(), keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS
        )
    except ValueError:
        raise MalformedPayload("the form is not UTF-8 or has too many fields") from None
    return dict(pairs)


def phone(address: str) -> str | None:
    """With its plus, which some networks leave out; None for a short code or a word."""
    stripped = address.strip()
    return f"+{stripped.removeprefix('+')}" if _NUMBER.fullmatch(stripped) else None


def identifiers(number: str | None) -> tuple[Identifier, ...]:
    return (Identifier(type=IdentifierType.PHONE, value=number),) if number else ()


def moment(text: str) -> datetime | None:
    """ISO 8601, with a T or a blank. A time without a zone is taken for UTC; one that was local to
    Nairobi is then in the future, which `believable` replaces.
    """
    try:
        read = datetime.fromisoformat(text.strip())
        return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
