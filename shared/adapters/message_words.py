"""A message as words: how it is folded, cut, and matched with the phrases of a policy."""

import re
import unicodedata
from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

LONGEST_TEXT = 6_000
"""Characters looked at. Of a longer text the beginning and the end are read: the request stands
there.
"""

MOST_WORDS = 400
"""Likewise, in words: the first three quarters and the last quarter of these."""

_INVISIBLE = re.compile(r"[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\ufe0f]")
_TAGS = re.compile(r"<(?:script|style)\b.*?</(?:script|style)>|<[^<>]{1,2000}>", re.S | re.I)
_STRETCHED = re.compile(r"([^\W\d_])\1{2,}")
_WORD = re.compile(
    r"(?P<link>https?://\S+|www\.\S+)"
    r"|(?P<mail>[\w.+-]{1,64}@[\w-]+\.[\w.]+)"
    r"|(?P<amount>[€$£]\s?\d[\d.,]*|\d[\d.,]*\s?(?:€|\$|£|euros?\b|eur\b|dollars?\b|usd\b|gbp\b|quid\b))"
    r"|(?P<number>[#+]?\d[\d.,:/\-]*\d|\d)"
    r"|(?P<word>[^\W\d_]+)"
    r"|(?P<mark>[!?]+)"
    r"|(?P<face>[:;=]-?[()DPp/|]|<3)"
    r"|(?P<symbol>[^\w\s.,:;'\"()\[\]{}<>/\\|@#%&*+=~^`´’‘“”«»…·•–—_!?¿¡°$€£-])"
)
_NOT = re.compile(r"\b([a-z]+n)'t\b", re.I)


class Word(NamedTuple):
    """`said` is what a person may be shown, `form` what a model counts. What could identify
    somebody has no `said`.
    """

    said: str
    form: str


def plain(text: str) -> str:
    """Without invisible characters and markup, cut to a bounded length."""
    # NFKC may write eighteen characters for one (U+FDFA).
    text = _cut(unicodedata.normalize("NFKC", _cut(text)))
    text = _INVISIBLE.sub("", text)
    return _TAGS.sub(" ", text) if "<" in text else text


def _cut(text: str) -> str:
    """The beginning and the end of what is too long."""
    if len(text) <= LONGEST_TEXT:
        return text
    return f"{text[: LONGEST_TEXT * 3 // 4]} {text[-LONGEST_TEXT // 4 :]}"


def fold(text: str) -> str:
    """Lower case, without accents, straight apostrophes: `N’est` and `n'est` are the same."""
    if text.isascii():
        return text.lower()
    folded = unicodedata.normalize("NFD", text.casefold().replace("’", "'"))
    return "".join(letter for letter in folded if not unicodedata.combining(letter))


def words_of(text: str) -> list[Word]:
    """The words of a `plain` text in order: links, addresses, amounts and numbers by their kind,
    emojis one by one.
    """
    words = []
    text = _NOT.sub(r"\1t", text.replace("’", "'"))
    for found in _WORD.finditer(text):
        kind, said = found.lastgroup, found.group()
        match kind:
            case "word":
                words.append(Word(said[:30], _STRETCHED.sub(r"\1\1", fold(said))))
            case "mark":
                words.append(Word(said[0], "!!" if said.count("!") > 1 else said[0]))
            case "face" | "symbol":
                words.append(Word(said, said))
            case _:
                words.append(Word("", f"<{kind}>"))
    if len(words) > MOST_WORDS:
        words = [*words[: MOST_WORDS * 3 // 4], *words[-MOST_WORDS // 4 :]]
    return words


def folded_words(text: str) -> str:
    """What phrases are matched on: folded words, one space between them."""
    return " ".join(re.findall(r"\w+", fold(text)))


@cache
def phrase_pattern(phrases: frozenset[str]) -> re.Pattern[str] | None:
    """One expression that finds any of the phrases in `folded_words`; None for no phrases."""
    if not phrases:
        return None
    return re.compile(rf"\b(?:{'|'.join(_expression(one) for one in sorted(phrases))})\b")


def find_phrase(phrases: Iterable[str], folded: str) -> str | None:
    """The first words of a `folded_words` text that one of the phrases matches."""
    pattern = phrase_pattern(frozenset(phrases))
    found = pattern.search(folded) if pattern else None
    return found.group() if found else None


def _expression(phrase: str) -> str:
    parts = re.findall(r"\.\.|\w+\*?", fold(phrase))
    expression = ""
    for at, part in enumerate(parts):
        if part == "..":
            expression += r"(?: \w+){0,4}?"
            continue
        word = rf"{part[:-1]}\w*" if part.endswith("*") else part
        expression += f"{' ' if at else ''}{word}"
    return expression
