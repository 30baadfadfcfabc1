"""The words of HTML, and where mail clients say in their markup that somebody is quoted."""

import re
from html import unescape
from itertools import islice

from html2text import HTML2Text

RULE = "________________________________"
"""What Outlook itself writes in plain text above the mail it answers."""

_QUOTING_ELEMENTS = re.compile(
    r"(?:class|id):[^:]*(?:yahoo_quoted|zmail_extra|tutanota_quote|olk_src_body_section)"
    r"|id:(?:origbody|isreplycontent|reply139content)\Z|name:quote\Z"
)
"""Whose whole content is history: Yahoo, Zoho, Tuta, Outlook for Mac, NetEase, GMX and WEB.DE."""

_BEGINNINGS = re.compile(
    r"id:[^:]*divrplyfwdmsg|class:[^:]*outlookmessageheader|id:[^:]*stopspelling"
    r"|data-marker:__divider__"
    r"|style:.*border-top:solid #(?:e1e1e1|b5c4df) 1\.0pt;padding:3\.0pt 0"
    r"|style:.*border-top-color:rgb\(229,229,229\);border-top-width:1px"
)
"""After which the history goes on to the end: Outlook and Hotmail in all their ages, Zimbra."""

_VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "wbr"}


class _Reader(HTML2Text):
    """Quotes are marked as in plain text, whichever way the client says that it is one."""

    def __init__(self) -> None:
        super().__init__(bodywidth=0)
        self.ignore_links = True
        self.ignore_images = True
        self.ignore_emphasis = True
        self.unicode_snob = True
        self.ignore_tables = True  # mails are laid out with them
        self._quoting: str | None = None
        """The element within which all is history, and how deep we are in others of its name."""
        self._depth = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = _told(attrs) if attrs else []
        if self._quoting is None and tag not in _VOID and _matches(_QUOTING_ELEMENTS, told):
            self._quoting, self._depth = tag, 0
            super().handle_starttag("blockquote", [])
        elif tag == self._quoting:
            self._depth += 1
        if self._quoting is None and _matches(_BEGINNINGS, told):
            super().handle_starttag("p", [])
            self.handle_data(RULE)
            super().handle_endtag("p")
        super().handle_starttag(tag, attrs)
        if tag == "table":
            self.p()
        if tag in {"td", "th"}:
            self.handle_data(" ")

    def handle_endtag(self, tag: str) -> None:
        super().handle_endtag(tag)
        if tag == self._quoting:
            self._depth -= 1
            if self._depth < 0:
                self._quoting = None
                super().handle_endtag("blockquote")


def _told(attrs: list[tuple[str, str | None]]) -> list[str]:
    return [
        f"{name}:{_AFTER_PUNCTUATION.sub('', (value or '')[:300].lower())}"
        for name, value in attrs[:20]
        if name in {"class", "id", "name", "style", "data-marker"}
    ]


_AFTER_PUNCTUATION = re.compile(r"(?<=[;:,])\s+")


def _matches(pattern: re.Pattern[str], told: list[str]) -> bool:
    return any(map(pattern.match, told))


MOST_TAGS = 1_000
"""Tags and entities that are read as such; below those only history goes on."""
_TAG_OR_ENTITY = re.compile(r"[<&]")
_TAG = re.compile(r"<[^<>]*>")
_LINE_BREAK = re.compile(r"</?(?:br|p|div|tr|li)\b[^<>]*>", re.IGNORECASE)


def words_of(html: str) -> str:
    """Raises what Python's parser raises on some markup."""
    marks = islice(_TAG_OR_ENTITY.finditer(html), MOST_TAGS, None)
    cut = next((mark.start() for mark in marks), len(html))
    reader = _Reader()
    reader.feed(html[:cut])
    is_quoting = reader.blockquote > 0
    words = reader.handle("")
    if cut == len(html):
        return words
    rest = bare_words(html[cut:])
    return "\n".join([words, *(f"> {line}" if is_quoting else line for line in rest.split("\n"))])


def bare_words(html: str) -> str:
    """Without its tags, whatever they mean."""
    return unescape(_TAG.sub(" ", _LINE_BREAK.sub("\n", html)))
