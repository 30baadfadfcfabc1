"""Segment's calls that come as the address of an image: of a mail, or of a page without JavaScript.

https://www.twilio.com/docs/segment/connections/sources/catalog/libraries/server/pixel-tracking-api
and, with all of it in the query, https://www.rudderstack.com/docs/api/pixel-api/ (2026-11).
"""

import json
import re
from base64 import b64decode
from hashlib import sha256

from pydantic import JsonValue

from shared.domain.errors import MalformedPayload
from shared.providers.base import WebhookRequest, WebhookResponse, read_json

IMAGE = WebhookResponse(
    content=b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff!\xf9\x04\x01\x00\x00\x00\x00,"
    b"\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;",
    content_type="image/gif",
    headers={"cache-control": "no-store"},
)
"""One transparent point, asked for anew each time it is shown."""

_PATH = re.compile(r"(?:v1/pixel|pixel/v1)/(track|identify|page|screen|group|alias)")
DEEPEST = 5
"""Names within names, as in `context.page.url`; Segment's own calls go no deeper."""


def pixel_call(request: WebhookRequest) -> str:
    """The call that an image makes by its address, or an empty text."""
    found = _PATH.fullmatch(request.path) if request.method == "GET" else None
    return found[1] if found else ""


def pixel_body(request: WebhookRequest) -> bytes:
    """What the same call would have in its body.

    No browser tries an image again: each showing is an event of its own, named by when it came.
    """
    told = request.parameter("data")
    document = read_json(_decoded(told)) if told else _document(request)
    if not isinstance(document, dict):
        raise MalformedPayload("data: an object is expected")
    shown = sha256(f"{request.arrived_at.isoformat()} {request.query}".encode("utf-8", "replace"))
    return json.dumps({"messageId": f"pixel-{shown.hexdigest()}"} | document).encode()


def _decoded(data: str) -> bytes:
    """Base64 that went through a URL, where a plus is a space; or, as is allowed, none at all."""
    if data.lstrip().startswith("{"):
        return data.encode("utf-8", "replace")
    plain = re.sub(r"[\r\n\t=]", "", data.strip()).translate(str.maketrans(" -_", "++/"))
    try:
        return b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except ValueError:
        raise MalformedPayload("data: neither JSON nor base64") from None


def _document(request: WebhookRequest) -> JsonValue:
    """The query's names with points in them as objects within objects. All values are text."""
    document: dict[str, JsonValue] = {}
    for name, value in request.query:
        *path, last = name.split(".", DEEPEST)
        place = document
        for step in path:
            within = place.setdefault(step, {})
            if not isinstance(within, dict):
                raise MalformedPayload("query: a name has a value and names within it")
            place = within
        place.setdefault(last, value)
    return document
