"""The forms that providers send: of fields alone, or of fields and files (RFC 7578)."""

import re
from binascii import a2b_qp
from collections.abc import Iterable
from hashlib import sha256
from string import hexdigits
from typing import NamedTuple

from shared.domain.errors import MalformedPayload
from shared.providers.base import WebhookRequest

FORM_TYPE = "application/x-www-form-urlencoded"
MULTIPART_TYPE = "multipart/form-data"
FORM_TYPES = frozenset({FORM_TYPE, MULTIPART_TYPE})
MOST_FIELDS = 1000
LONGEST_HEADER = 8192


class FormField(NamedTuple):
    name: str
    content: bytes
    """Whatever its charset: the provider says that elsewhere, if at all."""
    file_name: str | None = None
    """None where it is no file."""
    content_type: str = ""


def read_form(request: WebhookRequest) -> list[FormField]:
    """The fields in order, taken apart once however many ask. Raises MalformedPayload."""
    if "form" not in request.known:
        request.known["form"] = _taken_apart(request)
    fields: list[FormField] = request.known["form"]
    return fields


def _taken_apart(request: WebhookRequest) -> list[FormField]:
    if request.content_type == FORM_TYPE:
        return _of_fields(request.body)
    if request.content_type == MULTIPART_TYPE:
        return _of_parts(request.header("content-type"), request.body)
    raise MalformedPayload("the body is declared as no form")


def write_form(fields: Iterable[FormField]) -> tuple[str, bytes]:
    """The content type and the body of a form with files (RFC 7578), as browsers write it.

    https://html.spec.whatwg.org/multipage/form-control-infrastructure.html#multipart-form-data
    """
    fields = tuple(fields)
    # From what it separates, in which a digest of the same never stands.
    boundary = digest(fields)
    written: list[bytes] = []
    for one in fields:
        head = f'content-disposition: form-data; name="{_quoted(one.name)}"'
        if one.file_name is not None:
            head += f'; filename="{_quoted(one.file_name)}"\r\ncontent-type: {one.content_type}'
        written += [f"--{boundary}\r\n{head}\r\n\r\n".encode(), one.content, b"\r\n"]
    body = b"".join([*written, f"--{boundary}--\r\n".encode()])
    return f"{MULTIPART_TYPE}; boundary={boundary}", body


def _quoted(name: str) -> str:
    return name.replace("\r", "%0D").replace("\n", "%0A").replace('"', "%22")


def digest(fields: Iterable[FormField], *, without: frozenset[str] = frozenset()) -> str:
    """Of what the fields say, however they are written: the same again has another boundary."""
    known = sorted(
        sha256(f"{one.name}\n{one.file_name}\n".encode() + one.content).digest()
        for one in fields
        if one.name not in without
    )
    return sha256(b"".join(known)).hexdigest()


def _of_fields(body: bytes) -> list[FormField]:
    pairs = [pair.partition(b"=") for pair in body.split(b"&", MOST_FIELDS) if pair]
    if len(pairs) > MOST_FIELDS:
        raise MalformedPayload("the form has too many fields")
    return [
        FormField(_plain(name).decode("utf-8", "replace"), _plain(value))
        for name, _, value in pairs
    ]


_HEX_AS_H = bytes(ord("h") if chr(code) in hexdigits else code for code in range(256))
_BROKEN_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_AS_QUOTED_PRINTABLE = ((b"=", b"=3D"), (b"\n", b"=0A"), (b"\r", b"=0D"), (b"%", b"="))


def _plain(value: bytes) -> bytes:
    """Without its escapes. Python's own way takes eighty bytes of memory for each of them.

    Raises MalformedPayload.
    """
    value = value.replace(b"+", b" ")
    if b"%" not in value:
        return value
    # Counted, and not looked for by a pattern, which takes three times as long.
    broken = value.count(b"%") - value.translate(_HEX_AS_H).count(b"%hh")
    if broken > MOST_FIELDS:
        raise MalformedPayload("the form is not written as forms are")
    if broken:
        value = _BROKEN_ESCAPE.sub(b"%25", value)
    for written, quoted in _AS_QUOTED_PRINTABLE:
        value = value.replace(written, quoted)
    return a2b_qp(value)


def _of_parts(content_type: str, body: bytes) -> list[FormField]:
    # Not Python's own mail parser: it would take apart a mail that is attached as a file.
    from multipart import (  # type: ignore[import-untyped] # it has no types
        MultipartError,
        PushMultipartParser,
        parse_options_header,
    )

    if b"\r\n" not in body[:LONGEST_HEADER]:
        body = body.replace(b"\n", b"\r\n")  # SendGrid's own test of Inbound Parse sends it so
    fields: list[FormField] = []
    content = bytearray()
    segment = None
    try:
        _, options = parse_options_header(content_type)
        parser = PushMultipartParser(
            options.get("boundary", ""),
            max_header_size=LONGEST_HEADER,
            max_segment_count=MOST_FIELDS,
            header_charset="latin-1",
        )
        # The end of the body is told by nothing at all.
        for event in (*parser.parse(body), *parser.parse(b"")):
            if isinstance(event, (bytes, bytearray)):
                content += event
            elif event is not None:
                segment = event
                content = bytearray()
            elif segment is not None:
                fields.append(
                    FormField(
                        _utf8(segment.name or ""),
                        bytes(content),
                        _utf8(segment.filename) if segment.filename is not None else None,
                        segment.content_type or "",
                    )
                )
                segment = None
    except (MultipartError, ValueError):
        raise MalformedPayload("the form cannot be taken apart") from None
    return fields


def _utf8(value: str) -> str:
    return value.encode("latin-1", "replace").decode("utf-8", "replace")
