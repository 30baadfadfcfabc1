"""What the headers of a mail say: words in any charset, addresses, times (RFC 5322, RFC 2047)."""

import re
from base64 import b64encode
from binascii import a2b_qp
from datetime import UTC, datetime
from email.headerregistry import AddressHeader, DateHeader
from email.message import EmailMessage
from typing import NamedTuple

from shared.mail.structure import LONGEST_HEADER, PARSER_BUGS, POLICY, from_base64, head_of
from shared.mail.text import clean, decoded, one_line

LONGEST_ADDRESSES = 4_000
"""Characters of headers with addresses that are taken apart: Python's parser grows with their
square."""
MOST_WORDS = 30
"""And commas, to one address. Python's parser makes objects of each, and nobody has so many."""


class Mailbox(NamedTuple):
    name: str
    address: str
    """As written; `local@domain`."""


def headers_of(head: EmailMessage) -> dict[str, list[str]]:
    """By name in lower case, in order, decoded, each on one line."""
    headers: dict[str, list[str]] = {}
    for name, value in head.raw_items():
        headers.setdefault(name.lower(), []).append(_decoded_header(name, str(value)))
    return headers


def header_pairs(mail: bytes) -> list[tuple[str, str]]:
    """Name and value of each header from the top, each on one line, as they stand."""
    pairs = head_of(mail).raw_items()
    return [(name, one_line(str(value)[:LONGEST_HEADER])) for name, value in pairs]


def _decoded_header(name: str, value: str) -> str:
    """On one line. Bytes that are no ASCII, which no header should hold, are read as text is."""
    value = value[:LONGEST_HEADER]
    try:
        value.encode()
    except UnicodeEncodeError:
        value = decoded(value.encode("utf-8", "surrogateescape"), None)
    unfolded = one_line(value)
    if name.lower() in _ADDRESSED:
        return unfolded  # decoded after it is taken apart: a decoded name could hold an address
    return one_line(without_encoded_words(unfolded))


_ADDRESSED = {"from", "reply-to", "sender", "to", "cc", "return-path", "delivered-to"}


# Words (RFC 2047)

_WORD = r"=\?[^?\s]{1,120}\?[bBqQ]\?[^?]{0,2000}\?="
_WORDS_IN_A_ROW = re.compile(rf"{_WORD}(?:\s*{_WORD})*")
_ENCODED_WORD = re.compile(r"=\?([^?*]*)[^?]*\?(.)\?([^?]*)\?=")
"""The charset may have a language behind it (RFC 2231, 5)."""


def without_encoded_words(text: str) -> str:
    """`=?utf-8?Q?Caf=C3=A9?=` and its like as what they say.

    Those in a row are put together before they are decoded: many clients break them in the middle
    of a character, as they should not.
    """
    return _WORDS_IN_A_ROW.sub(_words, text) if "=?" in text else text


def _words(run: re.Match[str]) -> str:
    told: list[tuple[str, bytes]] = []
    for word in _ENCODED_WORD.finditer(run[0]):
        charset, content = word[1].lower(), _unpacked(word[2], word[3])
        if told and told[-1][0] == charset:
            told[-1] = (charset, told[-1][1] + content)
        else:
            told.append((charset, content))
    return "".join(decoded(content, charset) for charset, content in told)


def _unpacked(encoding: str, written: str) -> bytes:
    content = written.encode("utf-8", "surrogateescape")
    return a2b_qp(content, header=True) if encoding in "qQ" else from_base64(content)


# Addresses

_ADDRESS = r"[^\s<>@,;()]{1,64}@[^\s<>@,;()]{1,255}"
_PLAIN_ADDRESS = re.compile(r"[^\s<>@,;]{1,64}@[^\s<>@,;]{1,255}")
_NAMED_BEHIND = re.compile(rf"\s*<?({_ADDRESS})>?\s*\(([^()]{{1,200}})\)\s*")
_IN_BRACKETS = re.compile(rf"<({_ADDRESS})>")


def mailboxes(value: str) -> list[Mailbox]:
    """Those of one header; what is no address is left out."""
    if sum(map(value.count, " ,;")) > MOST_WORDS * (value.count("@") + 1):
        return [Mailbox("", one) for one in _PLAIN_ADDRESS.findall(value)]
    if behind := _NAMED_BEHIND.fullmatch(value):
        # `ann@example.org (Ann Other)`, as it was written before 1982, and still is.
        return [Mailbox(one_line(without_encoded_words(behind[2]))[:200], behind[1])]
    found = _taken_apart(value)
    return found or [Mailbox("", one) for one in _IN_BRACKETS.findall(value)]


def _taken_apart(value: str) -> list[Mailbox]:
    header = parsed("to", _WORDS_IN_A_ROW.sub(_in_utf_8, value) if "=?" in value else value)
    found: list[Mailbox] = []
    if not isinstance(header, AddressHeader):
        return found
    try:
        for one in header.addresses:
            address = clean(one.addr_spec).strip()
            if _PLAIN_ADDRESS.fullmatch(address):
                found.append(Mailbox(one_line(one.display_name)[:200], address))
    except PARSER_BUGS:
        return found
    return found


def _in_utf_8(run: re.Match[str]) -> str:
    """Encoded words in a row as one that Python's parser can decode."""
    return f"=?utf-8?b?{b64encode(_words(run).encode()).decode()}?="


# Times

_FRACTION = re.compile(r"(:[0-9]{2})\.[0-9]{1,9}\b")
_ZONE = re.compile(r"( [+-][0-9]{2}):([0-9]{2})\b")


def moment_of(stated: str) -> datetime | None:
    """In UTC; without a zone it is taken as UTC. None for what is no time.

    Some servers write `04:43:24.518`, and some `-04:00`, as no mail should (RFC 5322, 3.3).
    """
    sound = _ZONE.sub(r"\1\2", _FRACTION.sub(r"\1", stated.strip()))
    header = parsed("date", sound)
    moment = header.datetime if isinstance(header, DateHeader) else None
    if moment is None:
        return None
    try:
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except OverflowError:
        return None


def parsed(name: str, value: str) -> object:
    """The header as Python's mail library understands it, or None where it does not."""
    try:
        return POLICY.header_factory(name, value)
    except PARSER_BUGS:
        return None
