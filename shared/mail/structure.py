"""How a mail is built (RFC 2046): its parts, found by their boundaries and not line by line.

Python's own parser looks at every line of every file, which takes it a third of a second for ten
megabytes. Here it gets the heads alone, of no more than is reasonable.
"""

import re
from binascii import Error, a2b_base64, a2b_qp, a2b_uu
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from email.errors import HeaderParseError
from email.message import EmailMessage
from email.parser import BytesHeaderParser
from email.policy import EmailPolicy
from io import BytesIO
from itertools import islice

from shared.domain.errors import MalformedPayload

MOST_PARTS = 200
DEEPEST_PART = 20
MOST_HEADERS = 500
LONGEST_HEADER = 5_000
LONGEST_HEAD = 64_000
"""Bytes of all headers together that are looked at."""
LONGEST_STRUCTURE = 1_000
"""Characters that are looked at of a header that says how the mail is built: Python's parser grows
with their square."""

_DEAR = '"([;'
MOST_DEAR = 40
"""Of these in such a header, which cost the most: two hundred parts full of them take the parser
five seconds.
"""

PARSER_BUGS = (
    HeaderParseError,
    AssertionError,
    AttributeError,
    IndexError,
    KeyError,
    TypeError,
    ValueError,
    LookupError,
    OverflowError,
    RecursionError,
)
"""What Python's header parser is known to raise on headers it did not foresee."""

MEDIA_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]{1,127}/[a-z0-9!#$&^_.+-]{1,127}")
"""RFC 6838, 4.2. It becomes a header of the stored file, which takes no other characters."""

_UNQUOTED = re.compile(
    r"(;\s*(?:boundary|(?:file)?name)\s*=\s*)([^\s\";][^\";]*)(?=;|$)", re.IGNORECASE
)


class _Bounded(EmailPolicy):
    """Python's own reading of headers, of no more than is reasonable, and of each once: it is asked
    thirty times a mail what type a part has, and would take the header apart each time.
    """

    def header_fetch_parse(self, name: str, value: str) -> str:
        known: dict[tuple[str, str], str] = self.__dict__.setdefault("known", {})
        if (parsed := known.get((name, value))) is None:
            bounded, is_dear = value[:LONGEST_HEADER], False
            if name.lower().startswith("content-"):
                # `boundary=----=_Part_1` and `filename=my bill.pdf`, which want quotes (RFC 2045).
                plain = "".join(bounded[:LONGEST_STRUCTURE].splitlines())
                bounded = _UNQUOTED.sub(_quoted, plain)
                is_dear = sum(map(bounded.count, _DEAR)) > MOST_DEAR
            # As text, of which the type and the names are found all the same.
            parsed = bounded
            with suppress(*PARSER_BUGS):
                parsed = bounded if is_dear else super().header_fetch_parse(name, bounded)
            known[name, value] = parsed
        return parsed


def _quoted(parameter: re.Match[str]) -> str:
    value = parameter[2].strip().replace("\\", "\\\\")
    return f'{parameter[1]}"{value}"'


POLICY = _Bounded(refold_source="none")


@dataclass(frozen=True, eq=False)
class Section:
    """A part of a mail: its head, and from where to where in the mail its content goes.

    `parts` is None where it is not taken apart: a file, a text, a mail within the mail.
    """

    head: EmailMessage
    mail: bytes = field(repr=False)
    begins: int
    ends: int
    parts: "tuple[Section, ...] | None"

    @property
    def content_type(self) -> str:
        return self.head.get_content_type()

    @property
    def content(self) -> bytes:
        """As it stands in the mail."""
        return self.mail[self.begins : self.ends]

    def raw_header(self, name: str) -> str:
        """The first of that name as it stands, or an empty string."""
        named = (str(value) for known, value in self.head.raw_items() if known.lower() == name)
        return next(named, "")


def take_apart(mail: bytes) -> Section:
    """Raises MalformedPayload for more parts, or deeper ones, than any mail client makes."""
    return _section(mail, (0, len(mail)), "text/plain", 0, [0])


def _section(
    mail: bytes, span: tuple[int, int], default_type: str, depth: int, found: list[int]
) -> Section:
    found[0] += 1
    if depth > DEEPEST_PART or found[0] > MOST_PARTS:
        raise MalformedPayload("the mail has too many parts, or too deep ones")
    ends = span[1]
    head, begins = _head(mail, *span)
    head.set_default_type(default_type)
    parts = None
    if head.get_content_maintype() == "multipart":
        spans = _spans(mail, begins, ends, _boundary(head))
        if spans is None:
            spans = _spans(mail, begins, ends, _another_boundary(mail, begins, ends))
        if spans is not None:
            # RFC 2046, 5.1.5.
            inner = "message/rfc822" if head.get_content_subtype() == "digest" else "text/plain"
            parts = tuple(_section(mail, one, inner, depth + 1, found) for one in spans)
    return Section(head, mail, begins, ends, parts)


# Heads

_END_OF_LINE = rb"(?:\r\n|\r|\n|\Z)"
_FIELD = re.compile(
    rb"(?:From |[\x21-\x39\x3b-\x7e]*+:|[ \t])[^\r\n]*+" + _END_OF_LINE +
    rb"(?:[ \t][^\r\n]*+" + _END_OF_LINE + rb")*+"
)  # fmt: skip
_LINE_BREAK = re.compile(rb"\r\n|\r|\n")


def _head(mail: bytes, begins: int, ends: int) -> tuple[EmailMessage, int]:
    """The headers, and where the content begins: below a blank line, or where no header goes on."""
    longest = min(ends, begins + LONGEST_HEAD)
    at, kept = begins, begins
    number = 0
    while at < longest and (line := _FIELD.match(mail, at, longest)):
        at = line.end()
        number += 1
        kept = at if number <= MOST_HEADERS else kept
    if at == longest < ends:
        kept = max(mail.rfind(b"\n", begins, kept), begins)
        blank_lines = (mail.find(end, at, ends) for end in (b"\n\n", b"\r\n\r\n", b"\r\r"))
        at = min((place for place in blank_lines if place >= 0), default=ends)
        at = _past_line_end(mail, at, ends)
    head = BytesHeaderParser(EmailMessage, policy=POLICY.clone()).parsebytes(mail[begins:kept])
    assert isinstance(head, EmailMessage)
    return head, _past_line_end(mail, at, ends)


def _past_line_end(mail: bytes, at: int, ends: int) -> int:
    found = _LINE_BREAK.match(mail, at, ends)
    return found.end() if found else at


def head_of(mail: bytes) -> EmailMessage:
    """The headers of the mail itself."""
    return _head(mail, 0, len(mail))[0]


_PLAIN_HEADS = tuple(
    re.compile(rb"(?:[!-9;-~]++:[^\r\n\0]*+%b(?:[ \t][^\r\n\0]*+%b)*+)++%b" % (end, end, end))
    for end in (b"\r\n", b"\n")
)
_FIELDS = re.compile(rb"^([!-9;-~]++:)(.*(?:\n[ \t].*)*)", re.MULTILINE)


def has_one_author(mail: bytes) -> bool:
    """Whether every program finds the same From in it: one, which is looked at whole.

    What some take for a header and others for words (`From : eve@…`, a line that ends with a bare
    CR, what stands below five hundred others) gives a mail two authors: one whom DMARC proved, and
    one who is read. https://www.usenix.org/conference/usenixsecurity20/presentation/chen-jianjun
    """
    head = next(filter(None, (one.match(mail, 0, LONGEST_HEAD) for one in _PLAIN_HEADS)), None)
    if head is None or (head.re is _PLAIN_HEADS[1] and b"\r\n" in mail):
        return False
    fields = _FIELDS.findall(head[0])
    authors = [value for name, value in fields if name.lower() == b"from:"]
    return len(fields) <= MOST_HEADERS and len(authors) == 1 and len(authors[0]) < LONGEST_HEADER


# Boundaries

_REST_OF_LINE = re.compile(rb"(--)?[ \t]*" + _END_OF_LINE)
_LOOKS_LIKE_ONE = re.compile(
    rb"(?:^|[\r\n])--(\S[^\r\n]{0,199})(?:\r\n|\r|\n)content-[a-z-]{1,40}:", re.IGNORECASE
)
_LOOKED_THROUGH = 64_000


def _boundary(head: EmailMessage) -> bytes:
    try:
        stated = head.get_boundary() or ""
    except PARSER_BUGS:
        return b""
    return stated.encode("utf-8", "surrogateescape")


def _another_boundary(mail: bytes, begins: int, ends: int) -> bytes:
    """What stands between the parts where the head says something else, or nothing."""
    above = max(begins - 1, 0)  # the line end of the head, for one that stands at the very top
    found = _LOOKS_LIKE_ONE.search(mail, above, min(ends, begins + _LOOKED_THROUGH))
    return found[1].rstrip() if found else b""


def _spans(mail: bytes, begins: int, ends: int, boundary: bytes) -> list[tuple[int, int]] | None:
    """From where to where each part goes; None where the boundary stands nowhere.

    What follows the last boundary is no part; but some clients close a boundary and go on with it.
    """
    if not boundary:
        return None
    mark = b"--" + boundary
    spans: list[tuple[int, int]] = []
    opened: int | None = None
    is_there = False
    at = mail.find(mark, begins, ends)
    for _ in range(2 * MOST_PARTS):
        if at < 0:
            break
        below = at + len(mark)
        is_line = at == begins or mail[at - 1] in b"\r\n"
        if is_line and (rest := _REST_OF_LINE.match(mail, below, ends)):
            is_there = True
            if opened is not None:
                spans.append((opened, _before_line_end(mail, opened, at)))
            below = rest.end()
            opened = None if rest[1] else below
        at = mail.find(mark, below, ends)
    else:
        raise MalformedPayload("the mail has too many parts, or too deep ones")
    if opened is not None:
        spans.append((opened, ends))
    return spans if is_there else None


def _before_line_end(mail: bytes, begins: int, at: int) -> int:
    """The line end above a boundary belongs to it."""
    length = 2 if mail[at - 2 : at] == b"\r\n" else 1
    return max(at - length, begins)


# Content


def from_base64(content: bytes) -> bytes:
    """What of it is Base64, however it ends; all of it where it is words that only claim to be."""
    if content.count(b" ") * _LETTERS_TO_A_BLANK > len(content):
        return content
    for padding in (b"", b"==", b"A=="):
        try:
            return a2b_base64(content + padding)
        except Error:
            continue
    return b""


_LETTERS_TO_A_BLANK = 20
"""Words have fewer; Base64 has none but where a client put one for each line end."""


def from_uuencoded(content: bytes) -> bytes:
    """What stands between `begin` and `end`; all of it where there is neither."""
    found = bytearray()
    _, begin, below = content.partition(b"begin ")
    if not begin:
        return content
    for line in islice(BytesIO(below), 1, None):
        if line.strip(b" `\t\r\n") in {b"", b"end"}:
            break
        try:
            found += a2b_uu(line)
        except Error:
            # Some write more characters than the length that stands first says.
            length = (((line[0] - 32) & 63) * 4 + 5) // 3
            try:
                found += a2b_uu(line[:length])
            except Error:
                break
    return bytes(found)


_UNPACKED_BY: Mapping[str, tuple[Callable[[bytes], bytes], int]] = {
    "base64": (from_base64, 2),
    "quoted-printable": (a2b_qp, 4),
    **dict.fromkeys(("x-uuencode", "uuencode", "uue", "x-uue"), (from_uuencoded, 2)),
}
"""By Content-Transfer-Encoding: the decoder, and how many bytes one byte has at most."""


def encoding_of(section: Section) -> str:
    """An empty string where it stands as it is."""
    stated = section.raw_header("content-transfer-encoding").partition(";")[0].strip().lower()
    return stated if stated in _UNPACKED_BY else ""


def unpacked(section: Section, most: int | None = None) -> bytes:
    """The content, of which `most` bytes are wanted; a broken encoding gives what can be had."""
    decode, room = _UNPACKED_BY.get(encoding_of(section), (bytes, 1))
    if most is None:
        return decode(section.content)
    within = section.mail[section.begins : min(section.ends, section.begins + most * room)]
    return decode(within)[:most]
