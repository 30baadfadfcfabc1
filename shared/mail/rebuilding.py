"""A mail that its carrier took apart, put together again, so that every mail is read one way."""

import re
from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import NamedTuple
from urllib.parse import quote

from shared.mail.structure import MEDIA_TYPE
from shared.mail.text import one_line

_NAME = re.compile(r"[!-9;-~]{1,100}")
_CHARSET = re.compile(r"[\w.:-]{1,40}", re.ASCII)
_OF_THE_BODY = re.compile(r"content-|mime-version$", re.IGNORECASE)


class Words(NamedTuple):
    """One form of the text, in the charset that the carrier states."""

    content: bytes
    charset: str = "utf-8"


class Enclosure(NamedTuple):
    """A file of the mail. `content_id` is set where the HTML shows it."""

    name: str
    content_type: str
    content: bytes
    content_id: str = ""


def rebuilt(
    headers: Iterable[tuple[str, str]],
    *,
    text: Words,
    html: Words,
    enclosures: Sequence[Enclosure] = (),
) -> bytes:
    """MIME with these headers, in order, around these contents, which stand as they are.

    What described the former body is left out, but that it was a report of a mail server.
    """
    # `From : eve@…` is one From more: left out, it would hide whom the carrier found.
    stripped = ((name.strip(), value) for name, value in headers)
    headers = [(name, one_line(value)) for name, value in stripped if _NAME.fullmatch(name)]
    forms = [("plain", text), ("html", html)]
    words = [
        [_head_of_words(form, words.charset), words.content]
        for form, words in forms
        if words.content.strip()
    ]
    was_report = any(
        name.lower() == "content-type" and value.lower().startswith("multipart/report")
        for name, value in headers
    )
    kept = [f"{name}: {value}" for name, value in headers if not _OF_THE_BODY.match(name)]
    inner = _multipart("alternative", words)
    outer = _multipart("report" if was_report else "mixed", [inner, *map(_enclosed, enclosures)])
    top = "\r\n".join([*kept, "MIME-Version: 1.0", ""]).encode("utf-8", "replace")
    # Put together once: each time more would take the length of the mail again.
    return b"".join([top, *outer])


def _multipart(kind: str, parts: Sequence[list[bytes]]) -> list[bytes]:
    """Nothing within can hold the line between two parts, for it is derived from all of them."""
    derived = sha256()
    for piece in (piece for part in parts for piece in part):
        derived.update(piece)
    boundary = f"=_{derived.hexdigest()}"
    between = f"--{boundary}\r\n".encode()
    pieces = [f'Content-Type: multipart/{kind}; boundary="{boundary}"\r\n\r\n'.encode()]
    for part in parts:
        pieces += [between, *part, b"\r\n"]
    return [*pieces, f"--{boundary}--\r\n".encode()]


def _head_of_words(form: str, charset: str) -> bytes:
    stated = charset if _CHARSET.fullmatch(charset) else "utf-8"
    return f'Content-Type: text/{form}; charset="{stated}"\r\n\r\n'.encode()


def _enclosed(one: Enclosure) -> list[bytes]:
    stated = one.content_type.partition(";")[0].strip().lower()
    is_known = MEDIA_TYPE.fullmatch(stated) and not stated.startswith("multipart/")
    name = one_line(one.name)
    # Without a name, a text that is shown would be taken for words of the mail.
    disposition = "inline" if one.content_id and name else "attachment"
    if name:
        disposition += f"; filename*=utf-8''{quote(name, safe='')}"
    lines = [
        f"Content-Type: {stated if is_known else 'application/octet-stream'}",
        f"Content-Disposition: {disposition}",
    ]
    if content_id := re.sub(r"[^!-;=?-~]", "", one.content_id):
        lines.append(f"Content-ID: <{content_id}>")
    return ["\r\n".join([*lines, "", ""]).encode(), one.content]
