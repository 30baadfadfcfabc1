"""Requests made to cost much: as large, deep and many as a provider's limits let in.

Each fixture's own lists and texts are filled until the body is as large as it may be, for what is
cheap once may be dear ten thousand times.
"""

import gzip
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlencode

from shared.providers.base import WebhookRequest
from tests.fuzz.laws import Subject
from tests.fuzz.mutations import is_mail

LARGEST_TEXT = 200_000
"""Characters that one text is filled to; a mail to half of what the body may hold."""
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


Text = TypeVar("Text", str, bytes)
Made = Callable[[], bytes]
"""Made only where it is wanted, for that takes longest; before the next one is asked for."""


def bombs(
    subject: Subject, genuine: tuple[WebhookRequest, ...]
) -> Iterator[tuple[str, WebhookRequest]]:
    """Each with what it is."""
    largest = subject.provider.largest_body
    done: set[str] = set()
    for request in genuine:
        for name, made in _of(request, largest, subject.provider.longest_list):
            if name not in done and len(body := made()) <= largest:
                done.add(name)
                yield name, replace(request, body=body)
    packed = gzip.compress(b'{"batch":[' + b" " * 10 * largest, 9, mtime=0)
    headers = {**genuine[0].headers, "content-encoding": "gzip"}
    yield "gzip", replace(genuine[0], headers=headers, body=packed)


def _of(request: WebhookRequest, largest: int, longest: int) -> Iterator[tuple[str, Made]]:
    if request.content_type == "application/x-www-form-urlencoded":
        yield from _forms(request.body, largest, longest)
    elif request.content_type == "multipart/form-data":
        yield from _parts(request, largest, longest)
    else:
        for name, (begin, unit, end) in DOCUMENTS.items():
            yield name, partial(_joined, begin, unit, end, largest - 100)
        yield "keys", lambda: _keys(largest)
        yield from _filled(request.body, largest, longest)


def _keys(largest: int) -> bytes:
    return json.dumps({str(number): 1 for number in range(largest // 14)}).encode()


def _filled(body: bytes, largest: int, longest: int) -> Iterator[tuple[str, Made]]:
    """Every list of the document as long as may be, every text as long as may be."""
    try:
        document = json.loads(body)
    except ValueError:
        return
    spare = largest - len(json.dumps(document)) - KILOBYTE
    holder = [document]

    def with_value(parent: Any, key: Any, new: Callable[[], Any]) -> Made:
        def made() -> bytes:
            old = parent[key]
            parent[key] = new()
            try:
                return json.dumps(holder[0], ensure_ascii=False).encode()
            finally:
                parent[key] = old

        return made

    for path, parent, key in [("", holder, 0), *_places(document)]:
        value = parent[key]
        if isinstance(value, list) and value:
            size = len(json.dumps(value[0])) + 2
            times = min(max(1, spare // size), longest)
            yield f"list {path}", with_value(parent, key, partial(_repeated, value[:1], times))
            others = partial(_numbered, value[0], max(1, times * size // (size + 20)))
            yield f"list {path}, each another", with_value(parent, key, others)
        elif isinstance(value, str):
            for name, text in _texts(value, spare, longest):
                yield f"{path}: {name}", with_value(parent, key, text)


def _joined(begin: Text, unit: Text, end: Text, length: int) -> Text:
    return begin + unit * (length // len(unit)) + end


def _decoded(made: Made) -> str:
    return made().decode()


_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{4}){4,}(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")


def _repeated(value: Any, times: int) -> Any:
    return value * times


def _numbered(value: Any, times: int) -> list[Any]:
    """With a number before each of its texts: whoever leaves doubles out leaves out none."""
    match value:
        case str():
            return [f"{number}{value}" for number in range(times)]
        case dict():
            texts = [key for key, one in value.items() if isinstance(one, str)][:4]
            return [
                value | {key: f"{number}{value[key]}" for key in texts} for number in range(times)
            ]
    return [value] * times


def _texts(value: str, room: int, longest: int) -> Iterator[tuple[str, Callable[[], str]]]:
    """What may stand in place of a text: fillers, or the bombs of what it holds."""
    if value[:1] == "{":
        for name, made in _filled(value.encode(), room // 2, longest):
            yield name, partial(_decoded, made)
    if _BASE64.fullmatch(value):
        yield "a file", partial(_repeated, "QUJD", room // 8)
    for name, (begin, unit, end) in MAILS.items() if is_mail(value) else ():
        yield f"mail of {name}", partial(_joined, begin, unit, end, room // 2)
    for name, unit in TEXTS.items():
        times = min(room // 2, LARGEST_TEXT) // len(unit)
        yield name, partial(_repeated, unit, times)


def _places(value: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Container and key of each value; the path is the same for all elements of a list."""
    match value:
        case dict():
            for key in value:
                yield f"{path}.{key}", value, key
                yield from _places(value[key], f"{path}.{key}")
        case list():
            for at in range(len(value)):
                yield f"{path}[]", value, at
                yield from _places(value[at], f"{path}[]")


def _forms(body: bytes, largest: int, longest: int) -> Iterator[tuple[str, Made]]:
    yield "fields", lambda: b"&".join([b"a=b"] * (largest // 4))
    yield "names", lambda: b"&".join(b"%d=" % number for number in range(largest // 8))
    yield "percents", lambda: b"a=" + b"%41" * ((largest - 10) // 3)
    yield "separators", lambda: b"&" * largest
    pairs = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)
    for at, (key, value) in enumerate(pairs):
        for name, text in _texts(value, largest // 2, longest):
            yield f"{key}: {name}", partial(_with_field, pairs, at, text)


def _with_field(pairs: list[tuple[str, str]], at: int, text: Callable[[], str]) -> bytes:
    return urlencode([*pairs[:at], (pairs[at][0], text()), *pairs[at + 1 :]]).encode()


def _parts(request: WebhookRequest, largest: int, longest: int) -> Iterator[tuple[str, Made]]:
    boundary = request.header("content-type").partition("boundary=")[2].strip('"')
    mark = b"--" + boundary.encode()
    empty = mark + b'\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n'
    yield "parts", lambda: empty * (largest // len(empty) - 1)
    yield "marks", lambda: mark * (largest // len(mark) - 1)
    yield "half marks", lambda: empty + (b"\r\n" + mark[:-1]) * (largest // (len(mark) + 9))
    yield "long header", lambda: mark + b"\r\nX: " + b"x" * (largest - 200)
    parts = request.body.split(mark)
    for at, part in enumerate(parts):
        head, gap, content = part.partition(b"\r\n\r\n")
        named = head.rpartition(b'name="')[2].partition(b'"')[0].decode("utf-8", "replace")
        written = content.decode("utf-8", "replace")
        for name, text in _texts(written, largest // 2, longest) if gap else ():
            yield f"{named}: {name}", partial(_with_part, mark, parts, at, head + gap, text)


def _with_part(
    mark: bytes, parts: list[bytes], at: int, head: bytes, text: Callable[[], str]
) -> bytes:
    return mark.join([*parts[:at], head + text().encode() + b"\r\n", *parts[at + 1 :]])
