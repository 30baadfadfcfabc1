"""A mail that its carrier took apart, put together again, so that every mail is read one way."""

import re
from base64 import encodebytes
from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import NamedTuple
from urllib.parse import quote

from shared.mail.text import one_line

_NAME = re.compile(r"[!-9;-~]{1,100}")
_MEDIA_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]{1,127}/[a-z0-9!#$&^_.+-]{1,127}")
_OF_THE_BODY = re.compile(r"content-|mime-version$", re.IGNORECASE)


class Enclosure(NamedTuple):
    """A file of the mail. `content_id` is set where the HTML shows it."""

    name: str
    content_type: str
    content: bytes
    content_id: str = ""


def rebuilt(
    headers: Iterable[tuple[str, str]],
    *,
    text: str,
    html: str,
    enclosures: Sequence[Enclosure] = (),
) -> bytes:
    """MIME with these headers, in order, around these contents.

    What described the former body is left out, but that it was a report of a mail server.
    """
    headers = [(name, one_line(value)) for name, value in headers if _NAME.fullmatch(name)]
    forms = [("plain", text), ("html", html)]
    words = [
        _part(f'text/{form}; charset="utf-8"', [], written.encode("utf-8", "replace"))
        for form, written in forms
        if written.strip()
    ]
    was_report = any(
        name.lower() == "content-type" and value.lower().startswith("multipart/report")
        for name, value in headers
    )
    kept = [f"{name}: {value}" for name, value in headers if not _OF_THE_BODY.match(name)]
    inner = _multipart("alternative", words)
    outer = _multipart("report" if was_report else "mixed", [inner, *map(_enclosed, enclosures)])
    return "\r\n".join([*kept, "MIME-Version: 1.0", ""]).encode("utf-8", "replace") + outer


def _multipart(kind: str, parts: Sequence[bytes]) -> bytes:
    """Nothing within can hold the line between two parts, for it is derived from all of them."""
    boundary = f"=_{sha256(b''.join(parts)).hexdigest()}"
    between = f"--{boundary}".encode()
    head = f'Content-Type: multipart/{kind}; boundary="{boundary}"\r\n\r\n'.encode()
    body = b"".join(between + b"\r\n" + part + b"\r\n" for part in parts)
    return head + body + between + b"--\r\n"


def _part(content_type: str, headers: Sequence[str], content: bytes) -> bytes:
    encoding = "base64"
    if content_type.startswith("message/"):
        encoding = "8bit"  # what is a mail itself stands as it is (RFC 2046, 5.2.1)
    else:
        content = encodebytes(content)
    lines = [
        f"Content-Type: {content_type}",
        f"Content-Transfer-Encoding: {encoding}",
        *headers,
    ]
    return "\r\n".join([*lines, "", ""]).encode() + content


def _enclosed(one: Enclosure) -> bytes:
    stated = one.content_type.partition(";")[0].strip().lower()
    is_known = _MEDIA_TYPE.fullmatch(stated) and not stated.startswith("multipart/")
    name = one_line(one.name)
    # Without a name, a text that is shown would be taken for words of the mail.
    disposition = "inline" if one.content_id and name else "attachment"
    if name:
        disposition += f"; filename*=utf-8''{quote(name, safe='')}"
    headers = [f"Content-Disposition: {disposition}"]
    if content_id := re.sub(r"[^!-;=?-~]", "", one.content_id):
        headers.append(f"Content-ID: <{content_id}>")
    return _part(stated if is_known else "application/octet-stream", headers, one.content)
