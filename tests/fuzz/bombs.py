"""Requests made to cost much: as large, deep and many as a provider's limits let in.

Each fixture's own lists and texts are filled until the body is as large as it may be, for what is
cheap once may be dear ten thousand times.
"""

import gzip
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlencode

from shared.providers.base import WebhookRequest
from tests.fuzz.laws import Subject

LARGEST_TEXT = 1_000_000
"""Characters that one text is filled to."""
KILOBYTE = 1_000

TEXTS = {
    "x": "x",
    "blanks": " ",
    "lines": "\n",
    "quote marks": ">",
    "open tags": "<",
    "elements": "<div>",
    "nested quotes": "<blockquote>",
    "entities": "&amp;",
    "rules": "_",
    "words": "a b ",
    "addresses": "a@b.example, ",
    "message ids": "<a@b> ",
    "encoded words": "=?utf-8?b?4oKs?= ",
    "accents": "\u0301",
    "ligatures": "\ufdfa",
    "digits": "9",
    "brackets": "([{",
    "quotes": '"\\',
    "dates": "On Fri, 20 Nov 2026 at 09:00, a@b.example wrote:\n> ",
}
DOCUMENTS = {
    "open lists": (b"", b"[", b""),
    "empty lists": (b"[", b"[],", b"0]"),
    "empty objects": (b"[", b"{},", b"0]"),
    "numbers": (b"[", b"1.5,", b"0]"),
    "digits": (b'{"a":', b"9", b"}"),
    "fraction": (b'{"a":0.', b"3", b"}"),
    "the same key": (b"{", b'"a":1,', b'"b":1}'),
    "one text": (b'"', b"x", b'"'),
    "escapes": (b'["', b"\\u00e9", b'"]'),
    "texts": (b"[", b'"ab",', b"0]"),
}
MAILS = {
    "parts": ('Content-Type: multipart/mixed; boundary="b"\n\n', "--b\n\nx\n", "--b--\n"),
    "nested": ("", 'Content-Type: multipart/mixed; boundary="b"\n\n--b\n', ""),
    "messages": ("", "Content-Type: message/rfc822\n\n", ""),
    "headers": ("", "X-A: b\n", "\nx"),
    "addressees": ("To: ", "a <a@b.example>, ", "\n\nx"),
    "comments": ("From: ", "(", "\n\nx"),
    "references": ("References: ", "<a@b> ", "\n\nx"),
    "parameters": ("Content-Type: text/plain", "; a=b", "\n\nx"),
    "continued parameters": ("Content-Type: text/plain", "; a*0=b", "\n\nx"),
    "subject": ("Subject: ", "=?utf-8?q?=E2=82=AC?= ", "\n\nx"),
    "base64": ("Content-Transfer-Encoding: base64\n\n", "QUJD", ""),
    "quoted-printable": ("Content-Transfer-Encoding: quoted-printable\n\n", "=41=\n", ""),
    "html": ("Content-Type: text/html\n\n", "<p>a<b>c</b></p>", ""),
    "japanese": ("Content-Type: text/plain; charset=iso-2022-jp\n\n", "\x1b$B", ""),
    "no charset": ("Content-Type: text/plain; charset=x\n\n", "é", ""),
    "a file": (
        "Content-Type: application/pdf\nContent-Disposition: attachment; filename=a.pdf\n"
        "Content-Transfer-Encoding: base64\n\n",
        "QUJD" * 19 + "\n",
        "",
    ),
}


def bombs(
    subject: Subject, genuine: tuple[WebhookRequest, ...]
) -> Iterator[tuple[str, WebhookRequest]]:
    """Each with what it is."""
    largest = subject.provider.largest_body
    done: set[str] = set()
    for request in genuine:
        for name, body in _of(request, largest):
            if name not in done and len(body) <= largest:
                done.add(name)
                yield name, replace(request, body=body)
        if not done & {"gzip"}:
            done.add("gzip")
            packed = gzip.compress(b'{"batch":[' + b" " * 10 * largest, 9, mtime=0)
            headers = {**request.headers, "content-encoding": "gzip"}
            yield "gzip", replace(request, headers=headers, body=packed)


def _of(request: WebhookRequest, largest: int) -> Iterator[tuple[str, bytes]]:
    if request.content_type == "application/x-www-form-urlencoded":
        yield from _forms(request.body, largest)
    elif request.content_type == "multipart/form-data":
        yield from _parts(request, largest)
    else:
        for name, (begin, unit, end) in DOCUMENTS.items():
            yield name, begin + unit * ((largest - 100) // len(unit)) + end
        yield "keys", _keys(largest)
        yield from _filled(request.body, largest)


def _keys(largest: int) -> bytes:
    return json.dumps({str(number): 1 for number in range(largest // 14)}).encode()


def _filled(body: bytes, largest: int) -> Iterator[tuple[str, bytes]]:
    """Every list of the document as long as may be, every text as long as may be."""
    try:
        document = json.loads(body)
    except ValueError:
        return
    spare = largest - len(json.dumps(document)) - KILOBYTE
    for path, parent, key in _places(document):
        value = parent[key]
        if isinstance(value, list) and value:
            size = len(json.dumps(value[0])) + 2
            parent[key] = value[:1] * max(1, spare // size)
            yield f"list {path}", json.dumps(document).encode()
        elif isinstance(value, str):
            for name, text in _texts(value, min(spare, LARGEST_TEXT)):
                parent[key] = text
                yield f"{path}: {name}", json.dumps(document, ensure_ascii=False).encode()
        parent[key] = value


def _texts(value: str, room: int) -> Iterator[tuple[str, str]]:
    """What may stand in place of a text: fillers, or the bombs of what it holds."""
    if value[:1] == "{":
        yield from (
            (name, body.decode("utf-8", "replace"))
            for name, body in _filled(value.encode(), room // 2)
        )
    for name, (begin, unit, end) in MAILS.items() if len(value) > 200 else ():
        yield f"mail of {name}", begin + unit * (room // 2 // len(unit)) + end
    for name, unit in TEXTS.items():
        yield name, unit * (room // 2 // len(unit))


def _places(value: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Container and key of each value; the path is the same for all elements of a list."""
    match value:
        case dict():
            for key in list(value):
                yield f"{path}.{key}", value, key
                yield from _places(value[key], f"{path}.{key}")
        case list():
            for at in range(len(value)):
                yield f"{path}[]", value, at
                yield from _places(value[at], f"{path}[]")


def _forms(body: bytes, largest: int) -> Iterator[tuple[str, bytes]]:
    yield "fields", b"&".join([b"a=b"] * (largest // 4))
    yield "names", b"&".join(b"%d=" % number for number in range(largest // 8))
    yield "percents", b"a=" + b"%41" * ((largest - 10) // 3)
    yield "separators", b"&" * largest
    pairs = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)
    for at, (key, value) in enumerate(pairs):
        for name, text in _texts(value, min(largest // 2, LARGEST_TEXT)):
            yield f"{key}: {name}", urlencode([*pairs[:at], (key, text), *pairs[at + 1 :]]).encode()


def _parts(request: WebhookRequest, largest: int) -> Iterator[tuple[str, bytes]]:
    boundary = request.header("content-type").partition("boundary=")[2].strip('"')
    mark = b"--" + boundary.encode()
    empty = mark + b'\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n'
    yield "parts", empty * (largest // len(empty) - 1)
    yield "marks", mark * (largest // len(mark) - 1)
    yield "half marks", empty + (b"\r\n" + mark[:-1]) * ((largest - 200) // (len(mark) + 1))
    yield "long header", mark + b"\r\nX: " + b"x" * (largest - 200)
    parts = request.body.split(mark)
    for at, part in enumerate(parts):
        head, gap, content = part.partition(b"\r\n\r\n")
        named = head.rpartition(b'name="')[2].partition(b'"')[0].decode("utf-8", "replace")
        for name, text in _texts(content.decode("utf-8", "replace"), largest // 2):
            filled = head + gap + text.encode() + b"\r\n" if gap else part
            yield f"{named}: {name}", mark.join([*parts[:at], filled, *parts[at + 1 :]])
