"""One request made into another that its provider never sent, by the draws of a `Random`.

A body is changed as what it is (JSON, a form, parts, a mail, whatever stands inside another), then
sometimes as bytes. The same draws give the same request; `hypothesis` may be who draws.
"""

import gzip
import json
import re
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any
from urllib.parse import parse_qsl, quote_plus, urlencode

from shared.providers.base import WebhookRequest
from tests.fuzz.values import (
    CANARY,
    CHARSETS,
    HTML,
    KNOWN_KEYS,
    KNOWN_VALUES,
    MAIL_HEADERS,
    MEDIA_TYPES,
    NUMBERS,
    RAW_NUMBERS,
    STRINGS,
)

FORM = "application/x-www-form-urlencoded"
PARTS = "multipart/form-data"
LONGEST = 300_000
"""Bytes of a mutated body; what is larger is among the bombs."""


def mutated(request: WebhookRequest, draw: Random) -> WebhookRequest:
    """The same request with a body that is wrong somewhere, and now and then a header, too."""
    if draw.random() < 0.08:
        request = with_other_head(request, draw)
    body = mutated_body(request, draw)
    if draw.random() < 0.15:
        body = mutated_bytes(body, draw)
    if "gzip" in request.header("content-encoding"):
        body = _packed(body, draw)
    return replace(request, body=body[:LONGEST])


def mutated_body(request: WebhookRequest, draw: Random) -> bytes:
    body = _unpacked(request)
    match request.content_type:
        case "application/x-www-form-urlencoded":
            return _form(body, draw)
        case "multipart/form-data":
            return _parts(request.header("content-type"), body, draw)
    return _as_bytes(mutated_text(body.decode("utf-8", "surrogateescape"), draw))


def _unpacked(request: WebhookRequest) -> bytes:
    if "gzip" not in request.header("content-encoding"):
        return request.body
    try:
        return gzip.decompress(request.body)
    except (OSError, EOFError):
        return request.body


def _packed(body: bytes, draw: Random) -> bytes:
    packed = gzip.compress(body[:LONGEST], 1, mtime=0)
    return mutated_bytes(packed, draw) if draw.random() < 0.1 else packed


def _as_bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape" if _escapes(text) else "surrogatepass")


def _escapes(text: str) -> bool:
    return not re.search("[\ud800-\udc7f\udd00-\udfff]", text)


# Text, as what it is


def mutated_text(text: str, draw: Random) -> str:
    """A document inside a string is changed inside: SNS, Slack and mail providers nest them."""
    if text[:1] in {"{", "["}:
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            pass
        else:
            return _json(document, draw)
    if is_mail(text):
        return _mail(text, draw)
    if len(text) > 60 and re.fullmatch(r"[A-Za-z0-9+/=\s]+", text[:400]):
        try:
            inner = b64decode(text, validate=False).decode("utf-8", "surrogateescape")
        except ValueError:
            inner = ""
        if is_mail(inner):
            return b64encode(_as_bytes(_mail(inner, draw))).decode()
    if re.search(r"<(?:html|div|p|body)\b", text[:500]):
        return _spliced(text, draw.choice(HTML), draw)
    return _scalar_text(text, draw)


def is_mail(text: str) -> bool:
    return re.search(r"^(?:From|Received|Subject|MIME-Version): ?", text[:4_000], re.M) is not None


def _scalar_text(text: str, draw: Random) -> str:
    match draw.randrange(6):
        case 0:
            return text + CANARY
        case 1:
            return _spliced(text, draw.choice(STRINGS), draw)
        case 2:
            return text * min(draw.choice((0, 2, 50, 1_000)), LONGEST // (len(text) + 1))
        case 3:
            return text[: draw.randrange(len(text) + 1)]
        case 4:
            return text.swapcase() + " "
    return draw.choice(STRINGS)


def _spliced(text: str, inner: str, draw: Random) -> str:
    at = draw.randrange(len(text) + 1)
    return text[:at] + inner + text[at:]


# JSON


def _json(document: Any, draw: Random) -> str:
    holder = [document]
    for _ in range(draw.choice((1, 1, 1, 2, 3))):
        spots = list(_spots(holder))
        if not spots:
            break
        parent, key = draw.choice(spots)
        draw.choice(_EDITS)(parent, key, draw)
    text = _dumps(holder[0] if holder else None, draw)
    for mark, number in RAW_NUMBERS.items():
        if mark in text:
            text = text.replace(f'"{mark}"', number)
    return text


def _dumps(value: Any, draw: Random) -> str:
    try:
        return json.dumps(value, ensure_ascii=draw.random() < 0.9)
    except (RecursionError, ValueError):
        return "[" * 500


def _spots(value: Any) -> list[tuple[Any, Any]]:
    """Every place in the document, as the container and the key or position in it."""
    found: list[tuple[Any, Any]] = []
    waiting = [value]
    while waiting:
        container = waiting.pop()
        places = container.items() if isinstance(container, dict) else enumerate(container)
        for key, one in places:
            found.append((container, key))
            if isinstance(one, dict | list) and one:
                waiting.append(one)
    return found


def _nasty(draw: Random) -> Any:
    match draw.randrange(10):
        case 0 | 1 | 2 | 3:
            return draw.choice(STRINGS)
        case 4:
            return draw.choice(NUMBERS)
        case 5:
            return draw.choice(tuple(RAW_NUMBERS))
        case 6:
            return draw.choice((None, True, False, [], {}, [[]], [None], {"": None}))
        case 7:
            return draw.choice(KNOWN_VALUES)
        case 8:
            return _nested(draw.choice((None, CANARY)), draw)
    return {CANARY: CANARY, "id": CANARY, "type": CANARY}


def _nested(value: Any, draw: Random) -> Any:
    for _ in range(draw.choice((3, 30, 150, 198, 300))):
        value = [value] if draw.random() < 0.5 else {CANARY: value}
    return value


def _exchange(parent: Any, key: Any, draw: Random) -> None:
    parent[key] = _nasty(draw)


def _remove(parent: Any, key: Any, draw: Random) -> None:
    del parent[key]


def _inside(parent: Any, key: Any, draw: Random) -> None:
    value = parent[key]
    if isinstance(value, str):
        parent[key] = mutated_text(value, draw)
    elif isinstance(value, bool):
        parent[key] = not value
    elif isinstance(value, int | float):
        parent[key] = draw.choice((-value, value + 1, value * 10**9, "7", [value]))
    else:
        _exchange(parent, key, draw)


def _repeat(parent: Any, key: Any, draw: Random) -> None:
    if isinstance(parent, list):
        parent[key:key] = [parent[key]] * draw.choice((1, 3, 40))
    else:
        parent[draw.choice(KNOWN_KEYS)] = parent[key]


def _retag(parent: Any, key: Any, draw: Random) -> None:
    """The same value under a name that means something else, here or at another provider."""
    if isinstance(parent, dict):
        value = parent.pop(key)
        parent[draw.choice((*KNOWN_KEYS, CANARY, "x" * 400, "\x00", "é.[0]"))] = value
    else:
        parent[key] = draw.choice(KNOWN_VALUES)


def _add(parent: Any, key: Any, draw: Random) -> None:
    if isinstance(parent, dict):
        name = draw.choice((*KNOWN_KEYS, CANARY))
        parent[name] = draw.choice(KNOWN_VALUES) if draw.random() < 0.5 else _nasty(draw)
    else:
        parent.append(_nasty(draw))


def _wrap(parent: Any, key: Any, draw: Random) -> None:
    value = parent[key]
    parent[key] = draw.choice(
        ([value], {"value": value}, [[value]], str(value)[:5_000], [value] * 3)
    )


def _exchange_two(parent: Any, key: Any, draw: Random) -> None:
    other = draw.choice(list(parent) if isinstance(parent, dict) else range(len(parent)))
    parent[key], parent[other] = parent[other], parent[key]


def _same_kind(parent: Any, key: Any, draw: Random) -> None:
    """Another sound value: what is right by itself and wrong here."""
    parent[key] = draw.choice(KNOWN_VALUES)


_EDITS: tuple[Callable[[Any, Any, Random], None], ...] = (
    _exchange,
    _exchange,
    _remove,
    _inside,
    _inside,
    _inside,
    _repeat,
    _retag,
    _add,
    _wrap,
    _exchange_two,
    _same_kind,
)


# Forms


def _form(body: bytes, draw: Random) -> bytes:
    pairs = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)
    raw = ""
    for _ in range(draw.choice((1, 1, 2, 3))):
        at = draw.randrange(len(pairs)) if pairs else 0
        name, value = pairs[at] if pairs else ("", "")
        match draw.randrange(8):
            case 0 if pairs:
                del pairs[at]
            case 1:
                pairs[at : at + 1] = [(name, draw.choice(STRINGS))]
            case 2 | 3:
                pairs[at : at + 1] = [(name, mutated_text(value, draw))]
            case 4:
                pairs.insert(draw.randrange(len(pairs) + 1), (name, draw.choice(STRINGS)))
            case 5:
                pairs += [(draw.choice((*KNOWN_KEYS, CANARY)), draw.choice(STRINGS))]
            case 6:
                pairs += [(name, value)] * draw.choice((1, 20, 1_200))
            case _:
                raw += draw.choice(
                    (
                        "&%",
                        "&%zz=%ff",
                        "&=",
                        "&&&",
                        f"&{quote_plus(name)}=%ff%fe%00",
                        "&a=b=c",
                        ";x=y",
                    )
                )
    return _encoded(pairs) + raw.encode()


def _encoded(pairs: list[tuple[str, str]]) -> bytes:
    plain = [(_utf8(name), _utf8(value)) for name, value in pairs]
    return urlencode(plain).encode()


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


# Multipart


def _parts(content_type: str, body: bytes, draw: Random) -> bytes:
    found = re.search(r"boundary=\"?([^\";]+)", content_type)
    mark = b"--" + (found[1] if found else "x").encode("utf-8", "surrogateescape")
    parts = body.split(mark)
    for _ in range(draw.choice((1, 1, 2, 3))):
        if len(parts) < 2:
            break
        at = draw.randrange(1, len(parts))
        part = parts[at]
        match draw.randrange(9):
            case 0:
                del parts[at]
            case 1:
                parts[at:at] = [part] * draw.choice((1, 5, 1_100))
            case 2:
                parts[at] = mutated_bytes(part, draw)
            case 3:
                parts[at] = part.replace(
                    b'name="', b'name="' + _as_bytes(draw.choice(STRINGS))[:9_000]
                )
            case 4:
                parts[at] = part.replace(b'name="', b'x="')
            case 5:
                header = _as_bytes(draw.choice(MAIL_HEADERS)) + b"\r\n"
                parts[at] = b"\r\n" + header + part.lstrip(b"\r\n")
            case 6:
                parts[at] = part[: draw.randrange(len(part) + 1)]
            case _:
                head, gap, content = part.partition(b"\r\n\r\n")
                text = content.removesuffix(b"\r\n").decode("utf-8", "surrogateescape")
                parts[at] = head + gap + _as_bytes(mutated_text(text, draw)) + b"\r\n"
    return mark.join(parts)


# Mail


def _mail(text: str, draw: Random) -> str:
    for _ in range(draw.choice((1, 1, 2, 3))):
        text = _mail_once(text, draw)
    return text


def _mail_once(text: str, draw: Random) -> str:
    end = re.search(r"\r?\n\r?\n", text)
    head = text[: end.start()] if end else text
    gap, content = (end[0], text[end.end() :]) if end else ("\n\n", "")
    lines = head.split("\n")
    at = draw.randrange(len(lines))
    match draw.randrange(13):
        case 0:
            del lines[at]
        case 1:
            lines.insert(at, lines[at])
        case 2:
            lines.insert(at, draw.choice(MAIL_HEADERS))
        case 3:
            name = lines[at].partition(":")[0]
            lines[at] = f"{name}: {draw.choice(STRINGS)}"
        case 4:
            charset = draw.choice(CHARSETS)
            return re.sub(r"charset=\"?[\w-]+\"?", lambda _: f"charset={charset}", text)
        case 5:
            way = draw.choice(("base64", "quoted-printable", "uuencode", "8bit", "", CANARY))
            lines.insert(0, f"Content-Transfer-Encoding: {way}")
        case 6:
            return _enclosed(text, draw)
        case 7:
            return head + gap + _spliced(content, draw.choice((*STRINGS, *HTML)), draw)
        case 8:
            return head + gap + content * draw.choice((0, 2, 30))
        case 9:
            return (
                head
                + gap
                + "".join(f"{'>' * draw.choice((1, 9, 200))}{x}\n" for x in content.split("\n"))
            )
        case 10:
            return text.replace("\r\n", "\n") if "\r\n" in text else text.replace("\n", "\r")
        case 11:
            return text[: draw.randrange(len(text) + 1)]
        case _:
            other = draw.choice(MAIL_HEADERS)
            place = draw.choice([one.end() for one in re.finditer(r"\n", text)] or [0])
            return text[:place] + other + "\n" + text[place:]
    return "\n".join(lines) + gap + content


def _enclosed(text: str, draw: Random) -> str:
    """The mail within mails, or within parts."""
    depth = draw.choice((1, 2, 19, 21, 40))
    if draw.random() < 0.5:
        return "Content-Type: message/rfc822\n\n" * depth + text
    opened = "".join(
        f'Content-Type: multipart/mixed; boundary="b{level}"\n\n--b{level}\n'
        for level in range(depth)
    )
    return "From: a@example.org\nTo: b@example.org\n" + opened + text


# Bytes, and what is around the body


def mutated_bytes(body: bytes, draw: Random) -> bytes:
    at = draw.randrange(len(body) + 1)
    end = at + draw.choice((1, 2, 8, 64))
    match draw.randrange(9):
        case 0:
            return body[:at]
        case 1:
            return body[:at] + bytes([draw.randrange(256)]) + body[at + 1 :]
        case 2:
            return body[:at] + body[end:]
        case 3:
            return body[:end] + body[at:]
        case 4:
            return body[:at] + draw.randbytes(8) + body[at:]
        case 5:
            return b"\xef\xbb\xbf" + body
        case 6:
            return body.decode("utf-8", "replace").encode(draw.choice(("utf-16", "utf-32-le")))
        case 7:
            return body + body
    return draw.choice((b"", b"null", b"0", b'""', b"[]", b"{}", b"\x00", b"\xff" * 9, b" " * 99))


def with_other_head(request: WebhookRequest, draw: Random) -> WebhookRequest:
    """Something is wrong around the body: a header, the query, the path, the method."""
    headers = dict(request.headers)
    name = draw.choice(sorted({*headers, "content-type", "content-encoding", "authorization"}))
    match draw.randrange(9):
        case 0:
            headers.pop(name, None)
        case 1:
            headers[name] = draw.choice(STRINGS)
        case 2:
            headers["content-type"] = draw.choice(MEDIA_TYPES)
        case 3:
            headers[name] = _scalar_text(headers.get(name, ""), draw)
        case 4:
            headers["content-encoding"] = draw.choice(("gzip", "GZIP ", "br", "deflate", ""))
        case 5:
            pairs = [*request.query, (draw.choice(KNOWN_KEYS), draw.choice(STRINGS))]
            return replace(request, query=tuple(pairs))
        case 6:
            pairs = [(key, _scalar_text(value, draw)) for key, value in request.query]
            return replace(request, query=tuple(pairs), url=request.url + draw.choice(STRINGS))
        case 7:
            path = draw.choice((*STRINGS, *KNOWN_KEYS, request.path + "/", request.path.upper()))
            return replace(request, path=path, url=draw.choice((request.url, *STRINGS)))
        case _:
            return replace(request, method=draw.choice(("GET", "POST", "PUT", "HEAD", "", "é")))
    return replace(request, headers=headers)
