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
from shared.mail.calendar import words_of_invitation
from shared.mail.flowed import unflowed
from shared.mail.text import clean, decoded, from_html, one_line

MOST_PARTS = 200
DEEPEST_PART = 20
MOST_HEADERS = 500
LONGEST_HEADER = 5_000
LONGEST_ADDRESSES = 4_000
LONGEST_HEAD = 64_000
"""Bytes of all headers together that are looked at."""
LONGEST_STRUCTURE = 1_000
"""Characters of a header that are looked at, of those with addresses, and of one that says how the
mail is built: Python's parser grows with their square."""
_OPENS_A_PART = re.compile(rb"boundary\s*=|message/(?:rfc822|global)", re.IGNORECASE)
_BOUNDARY = re.compile(rb"boundary\s*=\s*\"?([^\";\r\n]{1,200})", re.IGNORECASE)
_END_OF_HEAD = re.compile(rb"\r?\n\r?\n|\r\r")

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
    """Python's own reading of headers, of no more than is reasonable, and of each once: it is asked
    thirty times a mail what type a part has, and would take the header apart each time.
    """

    def header_fetch_parse(self, name: str, value: str) -> str:
        known: dict[tuple[str, str], str] = self.__dict__.setdefault("known", {})
        if (parsed := known.get((name, value))) is None:
            most = LONGEST_STRUCTURE if name.lower().startswith("content-") else LONGEST_HEADER
            parsed = known[name, value] = super().header_fetch_parse(name, value[:most])
        return parsed


_POLICY = _Bounded(refold_source="none")
"""A mail within a mail is kept as it came."""


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
    known: dict[str, tuple[Mailbox, ...]]
    """The mailboxes that were asked for: Python's parser takes milliseconds for a long list."""

    def header(self, name: str) -> str:
        """The first of that name, or an empty string."""
        return next(iter(self.headers.get(name, ())), "")

    def mailboxes(self, name: str) -> list[Mailbox]:
        """Those of every header of that name; what is no address is left out."""
        if name in self.known:
            return list(self.known[name])
        found: list[Mailbox] = []
        left = LONGEST_ADDRESSES
        for value in self.headers.get(name, [])[:_MOST_OF_A_NAME]:
            found += _mailboxes(value[:left])
            left = max(0, left - len(value))
        self.known[name] = tuple(found)
        return found

    def message_ids(self, name: str) -> tuple[str, ...]:
        """`<…>` each, in order."""
        return tuple(MESSAGE_ID.findall(" ".join(self.headers.get(name, ()))))

    @property
    def date(self) -> datetime | None:
        """When it says it was written, in UTC; without a zone it is taken as UTC."""
        return _moment(self.header("date"))

    def taken_in(self, server: re.Pattern[str]) -> datetime | None:
        """When `server` says it took the mail in; None where another wrote the topmost Received.

        Each server writes its own above those that are there (RFC 5321, 4.4).
        """
        told, _, at = self.header("received").rpartition(";")
        return _moment(at) if server.search(told) else None


_MOST_OF_A_NAME = 10
"""Headers of one name that are looked at; a sound mail has one."""

_FRACTION = re.compile(r"(:[0-9]{2})\.[0-9]{1,9}\b")
_ZONE = re.compile(r"( [+-][0-9]{2}):([0-9]{2})\b")


def _moment(stated: str) -> datetime | None:
    """Some servers write `04:43:24.518`, and some `-04:00`, as no mail should (RFC 5322, 3.3)."""
    sound = _ZONE.sub(r"\1\2", _FRACTION.sub(r"\1", stated.strip()))
    header = _parsed("date", sound)
    moment = header.datetime if isinstance(header, DateHeader) else None
    if moment is None:
        return None
    try:
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except OverflowError:
        return None


MESSAGE_ID = re.compile(r"<[^<>\s]{1,250}>")


def read_mail(content: bytes) -> Mail:
    """Read one message. Raises MalformedPayload for what no mail client would send."""
    _check_parts(content)
    content = _with_a_bounded_head(content)
    try:
        message = message_from_bytes(content, EmailMessage, policy=_POLICY.clone())
        assert isinstance(message, EmailMessage)
        leaves = list(_leaves(message))
    except RecursionError:
        raise MalformedPayload("the mail is nested too deeply") from None
    return Mail(
        headers=_headers(message),
        content_type=message.get_content_type(),
        text=_text(leaves) or _text_within(leaves),
        parts=tuple(_file(leaf.part) for leaf in leaves if not leaf.is_words),
        known={},
    )


def _check_parts(content: bytes) -> None:
    """Before Python's parser makes an object of each."""
    opened = sum(1 for _ in islice(_OPENS_A_PART.finditer(content), MOST_PARTS + 1))
    if opened > MOST_PARTS:
        raise MalformedPayload("the mail has too many parts")
    # All in one pass: a search for each would cost their number times the length of the mail.
    boundaries = {one.strip() for one in _BOUNDARY.findall(content)} - {b""}
    line = re.compile(b"--(?:" + b"|".join(map(re.escape, sorted(boundaries))) + b")")
    most = 2 * MOST_PARTS
    if boundaries and sum(1 for _ in islice(line.finditer(content), most + 1)) > most:
        raise MalformedPayload("the mail has too many parts")


def _with_a_bounded_head(content: bytes) -> bytes:
    end = _END_OF_HEAD.search(content)
    if (end.start() if end else len(content)) <= LONGEST_HEAD:
        return content
    return content[: content.rfind(b"\n", 0, LONGEST_HEAD)] + content[end.start() if end else -1 :]


def _text(leaves: "list[_Leaf]") -> str:
    texts = [_words(leaf.part) for leaf in leaves if leaf.is_words]
    return "\n\n".join(text for text in texts if text.strip())


def _text_within(leaves: "list[_Leaf]") -> str:
    """Of a mail without words of its own: those of the mail or the invitation it hands on."""
    for leaf in leaves:
        match leaf.part.get_content_type():
            case "text/calendar":
                words = words_of_invitation(decoded(_bytes(leaf.part), _charset(leaf.part)))
            case "message/rfc822":
                inner = next(iter(leaf.part.iter_parts()), None)
                words = _text(list(_leaves(inner))) if isinstance(inner, EmailMessage) else ""
            case _:
                continue
        if words.strip():
            return words
    return ""


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
    content = _bytes(part)
    charset = _charset(part)
    if part.get_content_subtype() == "html":
        return from_html(decoded(content, charset or _charset_of_html(content)))
    text = decoded(content, charset)
    if _FLOWED.search(stated := _structure(part)):
        text = unflowed(text, drops_space=_DROPS_SPACE.search(stated) is not None)
    return _without_armour(text).strip("\n")


def _charset(part: EmailMessage) -> str | None:
    try:
        return part.get_content_charset()
    except _PARSER_BUGS:
        return None


_META_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?([\w.:-]{1,40})", re.IGNORECASE)


def _charset_of_html(content: bytes) -> str | None:
    found = _META_CHARSET.search(content[:2_000])
    return found[1].decode("ascii", "replace") if found else None


_FLOWED = re.compile(r";\s*format\s*=\s*\"?flowed\b", re.IGNORECASE)
_DROPS_SPACE = re.compile(r";\s*delsp\s*=\s*\"?yes\b", re.IGNORECASE)


def _structure(part: EmailMessage) -> str:
    """Type and disposition as they stand: Python's parser is dear, and loses what is broken."""
    return ";".join(
        str(value)[:LONGEST_STRUCTURE]
        for name, value in islice(part.raw_items(), MOST_HEADERS)
        if name.lower() in {"content-disposition", "content-type"}
    )


_SIGNED_HEAD = re.compile(r"-----BEGIN PGP SIGNED MESSAGE-----\n(?:[A-Za-z-]+:[^\n]*\n)*\n")
_SIGNATURE_BEGINS = "\n-----BEGIN PGP SIGNATURE-----\n"
_SIGNATURE_ENDS = "-----END PGP SIGNATURE-----"


def _without_armour(text: str) -> str:
    """What somebody signed in line, without the marks of it (RFC 9580, 7)."""
    head = _SIGNED_HEAD.search(text)
    begins = text.find(_SIGNATURE_BEGINS, head.end()) if head else -1
    ends = text.find(_SIGNATURE_ENDS, begins)
    if head is None or begins < 0 or ends < 0:
        return text
    signed = text[head.end() : begins].replace("\n- -", "\n-")
    return text[: head.start()] + signed + text[ends + len(_SIGNATURE_ENDS) :]


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
    name = _file_name(part) or NAMES.get(content_type, "")
    return Part(name, content_type, _bytes(part))


NAMES = {
    "application/ms-tnef": "winmail.dat",
    "application/pgp-encrypted": "version.txt",
    "application/pgp-signature": "signature.asc",
    "application/pkcs7-mime": "smime.p7m",
    "application/x-pkcs7-mime": "smime.p7m",
    "application/pkcs7-signature": "smime.p7s",
    "text/calendar": "invite.ics",
}
"""What clients call these where they give no name, so that somebody sees what came along."""


def _file_name(part: EmailMessage) -> str:
    """Without folders; empty where it has none."""
    try:
        name = part.get_filename() or ""
    except _PARSER_BUGS:
        return ""
    name = name or _name_without_quotes(part)
    if "=?" in name and (decoded_name := _parsed("subject", one_line(name))) is not None:
        name = str(decoded_name)  # RFC 2047 has no place in a parameter, and many use it there
    return re.split(r"[/\\]", one_line(name))[-1][:255]


_ENCODED_NAME = re.compile(r"\b(?:file)?name\s*=\s*\"?(=\?[^;\"\s]{1,400}\?=)", re.IGNORECASE)


def _name_without_quotes(part: EmailMessage) -> str:
    """`filename==?utf-8?Q?…?=`, of which Python makes nothing."""
    found = _ENCODED_NAME.search(_structure(part))
    return found[1] if found else ""


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


MOST_WORDS = 30
"""And commas, to one address. Python's parser makes objects of each, and nobody has so many."""
_PLAIN_ADDRESS = re.compile(r"[^\s<>@,;]{1,64}@[^\s<>@,;]{1,255}")


def _mailboxes(value: str) -> list[Mailbox]:
    if sum(map(value.count, " ,;")) > MOST_WORDS * (value.count("@") + 1):
        return [Mailbox("", one) for one in _PLAIN_ADDRESS.findall(value)]
    header = _parsed("to", value)
    found: list[Mailbox] = []
    if not isinstance(header, AddressHeader):
        return found
    try:
        for one in header.addresses:
            address = clean(one.addr_spec).strip()
            if _PLAIN_ADDRESS.fullmatch(address):
                found.append(Mailbox(one_line(one.display_name)[:200], address))
    except _PARSER_BUGS:
        return found
    return found


def header_pairs(content: bytes) -> list[tuple[str, str]]:
    """Name and value of each header from the top, each on one line, as they stand."""
    head = content[:LONGEST_HEAD].partition(b"\n\n")[0].partition(b"\r\n\r\n")[0]
    message = message_from_bytes(head + b"\n\n")
    pairs = islice(message.raw_items(), MOST_HEADERS)
    return [(name, one_line(str(value)[:LONGEST_HEADER])) for name, value in pairs]
