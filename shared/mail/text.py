"""Bytes of a mail as text, whatever they say of themselves."""

import codecs
import re
from itertools import islice

from shared.domain.errors import MalformedPayload

_SINGLE_BYTE = {"iso8859-1", "cp1252", "ascii", "iso8859-15"}
"""What clients claim by default: UTF-8 that claims to be one of these is UTF-8 all the same."""

_SUPERSETS = {
    "iso8859-1": "cp1252",
    "ascii": "utf-8",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "iso2022_jp": "iso2022_jp_2004",
}
"""What is claimed, and the wider one that real mails of that claim need."""

_NO_TEXT = {"unicode_escape", "raw_unicode_escape", "idna", "punycode", "undefined"}
"""Python codecs that no mail has a use for, or that cost too much on hostile input."""

_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufeff]")
_JAPANESE_ESCAPE = re.compile(rb"\x1b[$(][@BJI]")


_BEYOND_ASCII = re.compile(rb"[\xc2-\xf4][\x80-\xbf]{1,3}")


_OF_SEVERAL_BYTES = ("utf-16", "utf-32")
"""Each sign has several, and some clients send half of the last one."""


def decoded(content: bytes, claimed: str | None, *, is_cut: bool = False) -> str:
    """Text, from a charset that may be missing, unknown or wrong.

    Never fails: what cannot be read becomes U+FFFD. `is_cut` says that it may end within a
    character, which is then left out.
    """
    codec = _codec(claimed)
    for candidate in _candidates(content, codec):
        try:
            if is_cut or candidate.startswith(_OF_SEVERAL_BYTES):
                return clean(codecs.getincrementaldecoder(candidate)().decode(content))
            return clean(content.decode(candidate))
        except (UnicodeError, LookupError):
            continue
    if _JAPANESE_ESCAPE.search(content):
        # Signs such as ① are of JIS X 0213, and clients announce the older JIS X 0208.
        content = content.replace(b"\x1b$B", b"\x1b$(Q")
        return clean(content.decode("iso2022_jp_2004", "replace"))
    if _is_nearly_utf_8(content):
        return clean(content.decode("utf-8", "replace"))
    return clean(_guessed(content))


def _codec(claimed: str | None) -> str | None:
    """Python's name of a text codec, or None where there is none by that name."""
    try:
        name = codecs.lookup((claimed or "").strip().strip("'\"")).name
    except (LookupError, ValueError):
        return None
    return None if name.replace("-", "_") in _NO_TEXT else name


def _candidates(content: bytes, codec: str | None) -> list[str]:
    """The codecs to try, best first."""
    if codec in (None, "ascii") and _JAPANESE_ESCAPE.search(content):
        codec = "iso2022_jp"
    if codec is None:
        return ["utf-8"]
    wider = _SUPERSETS.get(codec, codec)
    is_utf_8 = codec in _SINGLE_BYTE or _is_certainly_utf_8(content)
    if codec.startswith("iso2022"):
        return [codec, wider]  # its escapes are no error in UTF-8
    return ["utf-8", wider] if is_utf_8 else [codec, wider, "utf-8"]


_FEW = 4


def _is_certainly_utf_8(content: bytes) -> bool:
    """Whatever it claims: two letters of Big5 or GBK may look like UTF-8 by chance, many do not."""
    found = islice(_BEYOND_ASCII.finditer(content), _FEW)
    try:
        content.decode()
    except UnicodeDecodeError as error:
        if error.end < len(content):
            return False
    return len(list(found)) == _FEW


def _is_nearly_utf_8(content: bytes) -> bool:
    """Some clients cut a text in the middle of a character, or put one of another charset in."""
    sound = sum(1 for _ in _BEYOND_ASCII.finditer(content))
    broken = content.decode("utf-8", "replace").count("\ufffd")
    return sound >= _FEW * max(broken, 1)


_TOLD_APART = {
    "big5",
    "cp1251",
    "cp1253",
    "cp1255",
    "cp1256",
    "cp874",
    "cp932",
    "cp949",
    "euc_jis_2004",
    "euc_jp",
    "euc_kr",
    "gb18030",
    "iso8859_7",
    "koi8_r",
    "shift_jis",
    "utf_16",
    "utf_32",
}
"""Charsets a detector knows by their bytes. The Latin ones it confuses: windows-1252 it is."""


def _guessed(content: bytes) -> str:
    from charset_normalizer import from_bytes

    best = from_bytes(content[:20_000]).best()
    codec = best.encoding if best is not None and best.encoding in _TOLD_APART else "cp1252"
    return content.decode(codec, "replace")


def clean(text: str) -> str:
    """Newlines as one character; no NUL, no control characters, nothing that UTF-8 cannot hold."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _CONTROLS.sub("", text).encode("utf-8", "replace").decode()


def one_line(text: str) -> str:
    """For a header: whatever breaks a line becomes a space."""
    return " ".join(clean(text).split())


def from_html(html: str) -> str:
    """The words of an HTML mail, quotes marked with `>` as in plain text."""
    from shared.mail.markup import bare_words, words_of

    html = _LONG_BLANK.sub("\n", html)
    if _is_hostile(html):
        return clean(bare_words(html)).strip()
    try:
        text = words_of(html)
    except (AssertionError, RecursionError, ValueError, IndexError) as error:
        # Python's own parser gives up on some markup this way.
        raise MalformedPayload("the HTML of the mail cannot be read") from error
    unescaped = _MARKDOWN_ESCAPE.sub(r"\1\2", clean(text))
    return "\n".join(map(str.rstrip, unescaped.split("\n"))).strip()


_LONG_BLANK = re.compile(r"\s{50,}")
"""A browser shows one space for it; the library's patterns cost the square of its length."""

_UNCLOSED = re.compile(r"<[^<>]*(?=<|$)")
_NESTING = re.compile(r"<(/?)(?:blockquote|ul|ol|dl|table|pre)\b", re.IGNORECASE)
_MOST_UNCLOSED = 50
_DEEPEST = 60


def _is_hostile(html: str) -> bool:
    """Whether the usual parsers would take minutes: they cost the square of what is not closed."""
    if sum(1 for _ in _UNCLOSED.finditer(html)) > _MOST_UNCLOSED:
        return True
    if html.count("<!--") > html.count("-->") + _MOST_UNCLOSED:
        return True
    depth = 0
    for tag in _NESTING.finditer(html):
        depth += -1 if tag[1] else 1
        if depth > _DEEPEST:
            return True
    return False


_MARKDOWN_ESCAPE = re.compile(r"^([ \t\xa0>]*\d*)\\([-+.])", re.MULTILINE)
