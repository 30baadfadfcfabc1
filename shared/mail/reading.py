"""A mail as it really comes: no From or two, wrong charsets, files without names, nested parts."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import NamedTuple

from shared.mail.calendar import words_of_invitation
from shared.mail.flowed import unflowed
from shared.mail.headers import (
    LONGEST_ADDRESSES,
    Mailbox,
    headers_of,
    mailboxes,
    moment_of,
    without_encoded_words,
)
from shared.mail.structure import (
    LONGEST_STRUCTURE,
    MEDIA_TYPE,
    PARSER_BUGS,
    Section,
    encoding_of,
    has_one_author,
    take_apart,
    unpacked,
)
from shared.mail.text import decoded, from_html, one_line
from shared.mail.uuencoded import without_files

LONGEST_WORDS = 100_000
"""Bytes of a text that are read: forty pages. What stands below them stays in the raw mail."""


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
    has_one_author: bool
    """Whether every program finds the same From in it."""
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
            found += mailboxes(value[:left])
            left = max(0, left - len(value))
        self.known[name] = tuple(found)
        return found

    def message_ids(self, name: str) -> tuple[str, ...]:
        """`<…>` each, in order."""
        return tuple(MESSAGE_ID.findall(" ".join(self.headers.get(name, ()))))

    @property
    def date(self) -> datetime | None:
        """When it says it was written, in UTC; without a zone it is taken as UTC."""
        return moment_of(self.header("date"))

    def taken_in(self, server: re.Pattern[str]) -> datetime | None:
        """When `server` says it took the mail in; None where another wrote the topmost Received.

        Each server writes its own above those that are there (RFC 5321, 4.4).
        """
        told, _, at = self.header("received").rpartition(";")
        return moment_of(at) if server.search(told) else None


_MOST_OF_A_NAME = 10
"""Headers of one name that are looked at; a sound mail has one."""

MESSAGE_ID = re.compile(r"<[^<>\s]{1,250}>")


def read_mail(content: bytes) -> Mail:
    """Read one message. Raises MalformedPayload for what no mail client would send."""
    mail = take_apart(content)
    leaves = list(_leaves(mail))
    return Mail(
        headers=headers_of(mail.head),
        content_type=mail.content_type,
        text=_text(leaves) or _text_within(leaves),
        parts=tuple(file for leaf in leaves for file in leaf.files),
        has_one_author=has_one_author(content),
        known={},
    )


def _text(leaves: "list[_Leaf]") -> str:
    return "\n\n".join(leaf.words for leaf in leaves if leaf.words.strip())


_DEEPEST_HANDED_ON = 3


def _text_within(leaves: "list[_Leaf]", depth: int = 0) -> str:
    """Of a mail without words of its own: those of the mail or the invitation it hands on."""
    for leaf in leaves:
        words = ""
        match leaf.section.content_type:
            case "text/calendar":
                content = unpacked(leaf.section, LONGEST_WORDS)
                words = words_of_invitation(decoded(content, _charset(leaf.section)))
            case "message/rfc822" if depth < _DEEPEST_HANDED_ON:
                inner = list(_leaves(take_apart(unpacked(leaf.section))))
                words = _text(inner) or _text_within(inner, depth + 1)
        if words.strip():
            return words
    return ""


# What is shown, and what is kept


@dataclass(frozen=True, eq=False)
class _Leaf:
    """A part that is not taken apart any further."""

    section: Section

    @cached_property
    def is_html(self) -> bool:
        return self.section.head.get_content_subtype() == "html"

    @cached_property
    def is_words(self) -> bool:
        section = self.section
        is_text = section.content_type in {"text/plain", "text/html"}
        # A multipart without its parts is the text it holds.
        return (
            (is_text or section.head.get_content_maintype() == "multipart")
            and _disposition(section) != "attachment"
            and not _file_name(section)
        )

    @cached_property
    def words(self) -> str:
        return self._words_and_files[0] if self.is_words else ""

    @property
    def files(self) -> tuple[Part, ...]:
        return self._words_and_files[1] if self.is_words else (_file(self.section),)

    @cached_property
    def _words_and_files(self) -> tuple[str, tuple[Part, ...]]:
        if self.is_html:
            return _words_of_html(self.section), ()
        if encoding_of(self.section):
            return _words(self.section, unpacked(self.section, LONGEST_WORDS)), ()
        words, files = without_files(self.section.content)
        parts = (
            Part(_base_name(decoded(name, None)), "application/octet-stream", content)
            for name, content in files
        )
        return _words(self.section, words[:LONGEST_WORDS]), tuple(parts)


def _leaves(section: Section) -> Iterator[_Leaf]:
    """The parts that are shown or kept, in order. A forwarded message is one file."""
    if section.parts is None:
        yield _Leaf(section)
    elif section.head.get_content_subtype() == "alternative":
        yield from _leaves_of_best(section.parts)
    else:
        for part in section.parts:
            yield from _leaves(part)


def _leaves_of_best(parts: tuple[Section, ...]) -> Iterator[_Leaf]:
    """Of several forms of the same words the plain one, where it holds any; files stay."""
    forms = [list(_leaves(part)) for part in parts]
    plain = [form for form in forms if not any(leaf.is_words and leaf.is_html for leaf in form)]
    best = next((form for form in (*plain, *forms) if _text(form)), None)
    for form in forms:
        yield from (leaf for leaf in form if form is best or not leaf.is_words)


def _disposition(section: Section) -> str:
    try:
        return section.head.get_content_disposition() or ""
    except PARSER_BUGS:
        return ""


# Content


def _words_of_html(section: Section) -> str:
    content = unpacked(section, LONGEST_WORDS)
    if len(content) == LONGEST_WORDS and _PICTURE in content:
        content = _without_pictures(unpacked(section))[:LONGEST_WORDS]
    html = _decoded(content, _charset(section) or _charset_of_html(content))
    if html.rfind("<") > html.rfind(">"):
        html = html[: html.rfind("<")]
    return from_html(html)


_PICTURE = b"data:"
_LONGEST_LINK = 2_000
_MOST_PICTURES = 1_000


def _without_pictures(html: bytes) -> bytes:
    """Without what stands in `src="data:…"`, megabytes of which may be above the words."""
    kept: list[bytes] = []
    begins = 0
    at = html.find(_PICTURE)
    for _ in range(_MOST_PICTURES):
        ends = min((end for mark in b"\"'>" if (end := html.find(mark, at)) >= 0), default=-1)
        if at < 0 or ends < 0:
            break
        if ends - at > _LONGEST_LINK:
            kept.append(html[begins:at])
            begins = ends
        at = html.find(_PICTURE, ends)
    return b"".join([*kept, html[begins:]]) if kept else html


def _words(section: Section, content: bytes) -> str:
    text = _decoded(content, _charset(section))
    if _FLOWED.search(stated := _structure(section)):
        text = unflowed(text, drops_space=_DROPS_SPACE.search(stated) is not None)
    return _without_armour(text).strip("\n")


def _decoded(content: bytes, charset: str | None) -> str:
    return decoded(content, charset, is_cut=len(content) == LONGEST_WORDS)


def _charset(section: Section) -> str | None:
    try:
        return section.head.get_content_charset()
    except PARSER_BUGS:
        return None


_META_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?([\w.:-]{1,40})", re.IGNORECASE)


def _charset_of_html(content: bytes) -> str | None:
    found = _META_CHARSET.search(content[:2_000])
    return found[1].decode("ascii", "replace") if found else None


_FLOWED = re.compile(r";\s*format\s*=\s*\"?flowed\b", re.IGNORECASE)
_DROPS_SPACE = re.compile(r";\s*delsp\s*=\s*\"?yes\b", re.IGNORECASE)


def _structure(section: Section) -> str:
    """The type as it stands: Python's parser is dear, and loses what is broken."""
    return section.raw_header("content-type")[:LONGEST_STRUCTURE]


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


def _file(section: Section) -> Part:
    stated = section.content_type
    content_type = stated if MEDIA_TYPE.fullmatch(stated) else "application/octet-stream"
    name = _file_name(section) or NAMES.get(content_type, "")
    return Part(name, content_type, unpacked(section))


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


def _file_name(section: Section) -> str:
    """Empty where it has none."""
    try:
        name = section.head.get_filename() or ""
    except PARSER_BUGS:
        return ""
    # RFC 2047 has no place in a parameter, and many use it there.
    return _base_name(without_encoded_words(one_line(name)))


def _base_name(name: str) -> str:
    """Without folders."""
    return re.split(r"[/\\]", one_line(name))[-1][:255]
