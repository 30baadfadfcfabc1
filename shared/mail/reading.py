"""A mail as it really comes: no From or two, wrong charsets, files without names, nested parts."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from email import message_from_bytes
from email.errors import HeaderParseError
from email.headerregistry import AddressHeader, DateHeader
from email.message import EmailMessage
from email.policy import EmailPolicy
from itertools import islice
from typing import NamedTuple

from shared.domain.errors import MalformedPayload
from shared.mail.text import clean, decoded, from_html, one_line

MOST_PARTS = 200
DEEPEST_PART = 20
MOST_HEADERS = 500
LONGEST_HEADER = 5_000
LONGEST_STRUCTURE = 1_000
"""Characters of a header that are looked at, and of one that says how the mail is built: Python's
parser grows with their square."""
_OPENS_A_PART = re.compile(rb"boundary\s*=|message/(?:rfc822|global)", re.IGNORECASE)

_PARSER_BUGS = (
    HeaderParseError,
    AssertionError,
    AttributeError,
    IndexError,
    KeyError,
    TypeError,
    ValueError,
    LookupError,
    RecursionError,
)
"""What Python's header parser is known to raise on headers it did not foresee."""


class _Bounded(EmailPolicy):
    """Python's own reading of headers, of no more than is reasonable."""

    def header_fetch_parse(self, name: str, value: str) -> str:
        most = LONGEST_STRUCTURE if name.lower().startswith("content-") else LONGEST_HEADER
        parsed: str = super().header_fetch_parse(name, value[:most])
        return parsed


_POLICY = _Bounded()


class Mailbox(NamedTuple):
    name: str
    address: str
    """As written; `local@domain`."""


class Part(NamedTuple):
    """A file that came along."""

    name: str
    content_type: str
    content: bytes


class Mail(NamedTuple):
    headers: dict[str, list[str]]
    """By name in lower case, in order, decoded, each on one line."""
    content_type: str
    text: str
    """Everything, history included."""
    parts: tuple[Part, ...]

    def header(self, name: str) -> str:
        """The first of that name, or an empty string."""
        return next(iter(self.headers.get(name, ())), "")

    def mailboxes(self, name: str) -> list[Mailbox]:
        """Those of every header of that name; what is no address is left out."""
        found: list[Mailbox] = []
        left = LONGEST_HEADER
        for value in self.headers.get(name, [])[:_MOST_OF_A_NAME]:
            found += _mailboxes(value[:left])
            left = max(0, left - len(value))
        return found

    def message_ids(self, name: str) -> tuple[str, ...]:
        """`<…>` each, in order."""
        return tuple(MESSAGE_ID.findall(" ".join(self.headers.get(name, ()))))

    @property
    def date(self) -> datetime | None:
        """When it says it was written, in UTC; without a zone it is taken as UTC."""
        header = _parsed("date", self.header("date"))
        moment = header.datetime if isinstance(header, DateHeader) else None
        if moment is None:
            return None
        try:
            return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
        except OverflowError:
            return None


_MOST_OF_A_NAME = 10
"""Headers of one name that are looked at; a sound mail has one."""

MESSAGE_ID = re.compile(r"<[^<>\s]{1,250}>")


def read_mail(content: bytes) -> Mail:
    """Read one message. Raises MalformedPayload for what no mail client would send."""
    if len(_OPENS_A_PART.findall(content)) > MOST_PARTS:
        raise MalformedPayload("the mail has too many parts")
    try:
        message = message_from_bytes(content, EmailMessage, policy=_POLICY)
        assert isinstance(message, EmailMessage)
        leaves = list(_leaves(message))
    except RecursionError:
        raise MalformedPayload("the mail is nested too deeply") from None
    texts: list[str] = []
    parts: list[Part] = []
    for leaf in leaves:
        if leaf.is_words:
            texts.append(_words(leaf.part))
        else:
            parts.append(_file(leaf.part))
    return Mail(
        headers=_headers(message),
        content_type=message.get_content_type(),
        text="\n\n".join(text for text in texts if text.strip()),
        parts=tuple(parts),
    )


# Structure


class _Leaf(NamedTuple):
    part: EmailMessage
    is_words: bool


def _leaves(part: EmailMessage, depth: int = 0, found: list[int] | None = None) -> Iterator[_Leaf]:
    """The parts that are shown or kept, in order. A forwarded message is one file."""
    found = [0] if found is None else found
    found[0] += 1
    if depth > DEEPEST_PART or found[0] > MOST_PARTS:
        raise MalformedPayload("the mail has too many parts, or too deep ones")
    children = _children(part)
    if not children:
        if not part.is_multipart() or part.get_content_maintype() == "message":
            yield _Leaf(part, is_words=_is_words(part))
        return
    if part.get_content_subtype() == "alternative":
        yield from _leaves_of_best(children, depth, found)
        return
    for child in children:
        yield from _leaves(child, depth + 1, found)


def _children(part: EmailMessage) -> list[EmailMessage]:
    payload = part.get_payload() if part.get_content_maintype() == "multipart" else None
    return (
        [one for one in payload if isinstance(one, EmailMessage)]
        if isinstance(payload, list)
        else []
    )


def _leaves_of_best(children: list[EmailMessage], depth: int, found: list[int]) -> Iterator[_Leaf]:
    """Of several forms of the same words the plain one, where it holds any; files stay."""
    forms = [list(_leaves(child, depth + 1, found)) for child in children]
    with_words = [
        form for form in forms if any(leaf.is_words and _words(leaf.part).strip() for leaf in form)
    ]
    plain = [
        form
        for form in with_words
        if all(leaf.part.get_content_subtype() != "html" for leaf in form if leaf.is_words)
    ]
    best = next(iter(plain or with_words), None)
    for form in forms:
        yield from (leaf for leaf in form if form is best or not leaf.is_words)


def _is_words(part: EmailMessage) -> bool:
    is_text = part.get_content_type() in {"text/plain", "text/html"}
    # A multipart without its parts is the text it holds.
    return (
        (is_text or part.get_content_maintype() == "multipart")
        and _disposition(part) != "attachment"
        and not _file_name(part)
    )


def _disposition(part: EmailMessage) -> str:
    try:
        return part.get_content_disposition() or ""
    except _PARSER_BUGS:
        return ""


# Content


def _words(part: EmailMessage) -> str:
    try:
        charset = part.get_content_charset()
    except _PARSER_BUGS:
        charset = None
    text = decoded(_bytes(part), charset)
    return from_html(text) if part.get_content_subtype() == "html" else text.strip("\n")


def _bytes(part: EmailMessage) -> bytes:
    """Unpacked from base64 and its like; a broken encoding gives what can be had."""
    try:
        if part.get_content_maintype() == "message":
            return b"".join(one.as_bytes() for one in part.iter_parts())
        payload = part.get_payload(decode=True)
    except _PARSER_BUGS:
        return b""
    return payload if isinstance(payload, bytes) else b""


_MEDIA_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]{1,127}/[a-z0-9!#$&^_.+-]{1,127}")
"""RFC 6838, 4.2. It becomes a header of the stored file, which takes no other characters."""


def _file(part: EmailMessage) -> Part:
    stated = part.get_content_type()
    content_type = stated if _MEDIA_TYPE.fullmatch(stated) else "application/octet-stream"
    return Part(_file_name(part), content_type, _bytes(part))


def _file_name(part: EmailMessage) -> str:
    """Without folders; empty where it has none."""
    try:
        name = part.get_filename() or ""
    except _PARSER_BUGS:
        return ""
    return re.split(r"[/\\]", one_line(name))[-1][:255]


# Headers


def _headers(message: EmailMessage) -> dict[str, list[str]]:
    headers: dict[str, list[str]] = {}
    for name, value in islice(message.raw_items(), MOST_HEADERS):
        decoded_header = _decoded_header(name, str(value)[:LONGEST_HEADER])
        headers.setdefault(name.lower(), []).append(decoded_header)
    return headers


def _decoded_header(name: str, value: str) -> str:
    """On one line. Bytes that are no ASCII, which no header should hold, are read as text is."""
    try:
        value.encode()
    except UnicodeEncodeError:
        value = decoded(value.encode("utf-8", "surrogateescape"), None)
    unfolded = one_line(value)
    if name.lower() in _ADDRESSED:
        return unfolded  # decoded after it is taken apart: a decoded name could hold an address
    header = _parsed("subject", unfolded)
    return one_line(str(header)) if header is not None else unfolded


_ADDRESSED = {"from", "reply-to", "sender", "to", "cc", "return-path", "delivered-to"}


def _parsed(name: str, value: str) -> object:
    """The header as Python's mail library understands it, or None where it does not."""
    try:
        return _POLICY.header_factory(name, value)
    except _PARSER_BUGS:
        return None


def _mailboxes(value: str) -> list[Mailbox]:
    header = _parsed("to", value)
    found: list[Mailbox] = []
    if not isinstance(header, AddressHeader):
        return found
    try:
        for one in header.addresses:
            address = clean(one.addr_spec).strip()
            if re.fullmatch(r"[^\s<>@,;]{1,64}@[^\s<>@,;]{1,255}", address):
                found.append(Mailbox(one_line(one.display_name)[:200], address))
    except _PARSER_BUGS:
        return found
    return found


def header_pairs(content: bytes) -> list[tuple[str, str]]:
    """Name and value of each header from the top, each on one line, as they stand."""
    message = message_from_bytes(content.partition(b"\n\n")[0].partition(b"\r\n\r\n")[0] + b"\n\n")
    pairs = islice(message.raw_items(), MOST_HEADERS)
    return [(name, one_line(str(value)[:LONGEST_HEADER])) for name, value in pairs]
