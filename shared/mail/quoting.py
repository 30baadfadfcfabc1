"""What a person newly wrote, without the history their mail client put below it.

Losing their words would be worse than keeping too much: where the cut is in doubt, nothing is cut.
Read line by line, each at most a few times over, so that no mail costs more than its length.
What each client writes above a quote was collected from the test mails of talon, quotequail,
email-reply-parser and email-forward-parser; `tests/fixtures/mail/quoting` has one of each.
"""

import re
from typing import Literal, NamedTuple

from shared.mail.quote_words import (
    DIVIDERS,
    FIELDS,
    FORWARD_DIVIDERS,
    FORWARD_SUBJECT,
    OPENINGS,
    SENT_FROM,
    WROTE,
)

_MOST_LINES = 1_000
"""Below which nobody's client begins to quote; what a bomb costs ends here."""
_LONGEST_ATTRIBUTION = 400
_MOST_LINES_OF_ATTRIBUTION = 4
_MOST_LINES_OF_A_FIELD = 3
_WIDTH = 66
"""A quoted line at least this wide whose next word would not have fitted was broken by a client."""

_QUOTED = re.compile(r"[ \t]*>")
_ADDRESS = re.compile(r"[^\s<>()\[\]\"',;:@]{1,64}@[^\s<>()\[\]\"',;:@]{1,255}")
_CLOCK = re.compile(r"\b\d{1,2}\s?(?:[:.]|h|時|시|点)\s?\d{0,2}")
_DATE = re.compile(r"\b(?:19|20)\d\d\b|\d{4}[年년]|\b\d{1,2}[/.-]\d{1,2}[/.-]\d{2}\b")
_FIELD = re.compile(
    r"[ \t*]*(?P<name>[^\W\d_][^:：\n]{0,29}?)[ \t*\xa0]*[:：][ \t*\xa0]*(?P<value>.*)"
)
_LONGEST_LINK = 2_000
_OPEN_LINK = re.compile(r"<\s?(?:https?:|mailto:|[\w.+-]{1,64}@)[^\s<>]{0,1000}\s*")
_LINK = re.compile(r"<[^<>]*>|[\[(]?https?://\S+|[\[\]]")
_RULE = re.compile(r"[ \t]*(?:[_─━]{10,}|-{10,}|\*[ ]\*[ ]\*)[ \t]*")


class _History(NamedTuple):
    """Where it begins, which line is the first below its header, and what it is."""

    begins: int
    below: int
    kind: Literal["reply", "forward"]


class Newest(NamedTuple):
    text: str
    is_forwarded: bool
    """Whether the mail hands on another one."""


def newest_of(text: str, subject: str = "") -> Newest:
    """The newest part of a mail's text: no quoted history, no signature after its `-- ` line.

    What somebody forwarded is what they want to say, and stays whole.
    """
    text = text.strip("\n")
    lines = _lines(text)
    history = _history(lines, 0, is_forward=_says_forward(subject))
    if history is not None and history.kind == "forward":
        return Newest(_unquoted(lines, history), is_forwarded=True)
    return Newest(_own_words(lines, history) or text.strip(), is_forwarded=False)


def _lines(text: str) -> list[str]:
    """A `>` that only closes a link of the line before is no mark of a quote."""
    lines: list[str] = []
    for line in text.split("\n"):
        above = lines[-1] if lines and line.lstrip().startswith(">") else ""
        opens = above.rfind("<")
        if opens >= 0 and len(above) < _LONGEST_LINK and _OPEN_LINK.fullmatch(above, opens):
            lines[-1] += line.lstrip()
        else:
            lines.append(line)
    return lines


def _says_forward(subject: str) -> bool:
    """`Re: Fwd: …` is an answer to what was forwarded."""
    return FORWARD_SUBJECT.match(subject) is not None


def _own_words(lines: list[str], history: _History | None) -> str:
    """Section by section: above the first quote, then whatever stands between marked ones."""
    sections: list[list[str]] = []
    at = 0
    while True:
        end = history.begins if history else len(lines)
        sections.append(_without_signature(_unmarked(lines[at:end])))
        if history is None:
            break
        if not _is_marked(lines, history.below):
            if not any(line.strip() for section in sections for line in section):
                return ""  # nothing but what looks like history: they may have written it
            break
        at = _end_of_quote(lines, history.below)
        history = _history(lines, at, is_forward=False)
    text = "\n\n".join(part for section in sections if (part := "\n".join(section).strip()))
    return re.sub(r"\n{3,}", "\n\n", text)


def _unquoted(lines: list[str], history: _History) -> str:
    """All of it, without the marks and rules that Apple Mail, Proton and Outlook add."""
    above = lines[: history.begins]
    while above and (not above[-1].strip() or _RULE.fullmatch(above[-1])):
        above.pop()
    text = "\n".join([*above, "", *_without_marks(lines[history.begins :])])
    return re.sub(r"\n{3,}", "\n\n", text).strip()


def _without_marks(lines: list[str]) -> list[str]:
    """One level of `>` less, from where every line has one."""
    unmarked = [at for at, line in enumerate(lines) if line.strip() and not _QUOTED.match(line)]
    start = unmarked[-1] + 1 if unmarked else 0
    marked = (re.sub(r"^[ \t]*>[ ]?", "", line) for line in lines[start:])
    kept = lines[:start]
    while kept and _RULE.fullmatch(kept[0]):
        kept.pop(0)
    return [*kept, *marked]


# Where history begins


def _history(lines: list[str], start: int, *, is_forward: bool) -> _History | None:
    for at in range(start, min(len(lines), _MOST_LINES)):
        line = lines[at]
        if not line.strip() or len(line) > _LONGEST_ATTRIBUTION:
            continue
        bare = _bare(line)
        if FORWARD_DIVIDERS.fullmatch(bare):
            return _History(at, at + 1, "forward")
        if _QUOTED.match(line):
            continue
        found = _divided(lines, at, bare) or _headed(lines, at) or _attributed(lines, at)
        if found is not None:
            return found._replace(kind="forward") if is_forward else found
    return None


def _bare(line: str) -> str:
    """Without the marks of quotes and of bold."""
    return line.strip(" \t\xa0>*").casefold()


def _divided(lines: list[str], at: int, bare: str) -> _History | None:
    """`-----Original Message-----`, or a rule with headers of any language below it."""
    if DIVIDERS.fullmatch(bare):
        headed = _headed(lines, _next_with_words(lines, at + 1), is_below_a_rule=True)
        return _History(at, headed.below if headed else at + 1, "reply")
    if _RULE.fullmatch(lines[at]):
        first = _next_with_words(lines, at + 1)
        if first - at > 3:
            return None
        headed = _headed(lines, first, is_below_a_rule=True)
        if headed is None and first < len(lines):
            headed = _attributed(lines, first)
        if headed is not None:
            return headed._replace(begins=at)
        if lines[at].strip().startswith("_"):
            end = _end_of_fields(lines, first)
            block = "\n".join(lines[first:end])
            if end - first >= 3 and _ADDRESS.search(block) and _CLOCK.search(block):
                return _History(at, end, "reply")
    return None


def _next_with_words(lines: list[str], at: int) -> int:
    while at < len(lines) and not lines[at].strip():
        at += 1
    return at


def _end_of_fields(lines: list[str], at: int) -> int:
    """The line after the last of consecutive `Name: value` lines, whatever the names."""
    while at < len(lines) and _FIELD.fullmatch(lines[at]):
        at += 1
    return at


def _headed(lines: list[str], at: int, *, is_below_a_rule: bool = False) -> _History | None:
    """From, date, and to or subject, one below the other, as Outlook and others write them."""
    roles: set[str] = set()
    has_digit = has_address = False
    line, unnamed = at, 0
    while line < len(lines) and len(roles) < 8:
        field = _FIELD.fullmatch(lines[line]) if not _QUOTED.match(lines[line]) else None
        role = FIELDS.get(field["name"].casefold()) if field else None
        if field and role and role not in roles:
            roles.add(role)
            unnamed = 0
            has_digit = has_digit or (role == "date" and any(map(str.isdigit, field["value"])))
        elif not roles:
            return None
        elif lines[line].strip() and unnamed < _MOST_LINES_OF_A_FIELD:
            unnamed += 1  # a long list of recipients goes on below
            if role is None and field is None and unnamed == 1 and len(roles) == 1:
                has_digit = has_digit or ("date" in roles and any(map(str.isdigit, lines[line])))
        else:
            break
        has_address = has_address or bool(_ADDRESS.search(lines[line]))
        line += 1
    # `From: Paris`, `To: Rome` and a date are a journey.
    is_told = "subject" in roles or ("to" in roles and (has_address or is_below_a_rule))
    if {"from", "date"} <= roles and is_told and has_digit:
        return _History(at, line, "reply")
    return None


def _attributed(lines: list[str], at: int) -> _History | None:
    """`On … wrote:` and its like, which clients break over several lines."""
    found: _History | None = None
    for first in range(at, min(at + _MOST_LINES_OF_ATTRIBUTION, len(lines))):
        if first > at and (found is None or not OPENINGS.match(_bare(lines[first]))):
            continue
        if found is not None and first >= found.below:
            break
        end = _end_of_attribution(lines, first, starts_a_paragraph=not _has_words(lines, at - 1))
        if end:
            found = _History(first, end, "reply")
    return found


def _has_words(lines: list[str], at: int) -> bool:
    return at >= 0 and bool(lines[at].strip())


def _end_of_attribution(lines: list[str], first: int, *, starts_a_paragraph: bool) -> int | None:
    opens = OPENINGS.match(_bare(lines[first])) is not None
    is_apart = starts_a_paragraph or lines[first].lstrip()[:1].isdigit()
    joined = ""
    for end in range(first + 1, min(first + _MOST_LINES_OF_ATTRIBUTION, len(lines)) + 1):
        line = lines[end - 1].strip()
        joined = f"{joined} {line}".strip()
        if (
            not line
            or len(joined) > _LONGEST_ATTRIBUTION
            or (end > first + 1 and _QUOTED.match(line))
        ):
            return None
        if not opens and end > first + 1 and not (is_apart and _tells(lines[first])):
            return None
        if _is_attribution(joined, opens=opens, is_quoted_below=_is_marked(lines, end)):
            return end
    return None


def _tells(line: str) -> bool:
    return bool(_ADDRESS.search(line) or (_DATE.search(line) and _CLOCK.search(line)))


def _is_attribution(line: str, *, opens: bool, is_quoted_below: bool) -> bool:
    bare = line.lstrip(" \t\xa0*>").rstrip(" \t\xa0*")
    told = bare.rstrip("- ")
    is_fenced = told != bare.rstrip() and bare.startswith("--")
    ends = told.endswith((":", "：")) or is_fenced
    if not ends and not told.endswith(">"):
        return False
    address, clock, date = (one.search(line) for one in (_ADDRESS, _CLOCK, _DATE))
    if ends and WROTE.search(told.casefold()):
        if address and (clock or date or opens):
            return True
        if (opens or is_fenced) and any(map(str.isdigit, line)) and (clock or is_quoted_below):
            return True
        if is_fenced:
            return True
    if address and date and re.search(r">[:：]?$", told):
        # `2026年11月20日(金) 10:00 Shop <a@b.example>:`, which some clients end without a colon.
        return bool(clock or is_quoted_below) and (ends or is_quoted_below)
    # In whatever language: a date, a time or an address, a colon, and then a marked quote.
    return ends and is_quoted_below and bool(date and (address or clock))


# What is quoted


def _is_marked(lines: list[str], at: int) -> bool:
    """Whether the first words from here are marked as a quote."""
    at = _next_with_words(lines, at)
    return at < len(lines) and _QUOTED.match(lines[at]) is not None


def _end_of_quote(lines: list[str], at: int) -> int:
    """The first line that is neither marked nor the broken rest of a marked one."""
    at = _next_with_words(lines, at)
    width = 0
    while at < len(lines):
        line = lines[at]
        if _QUOTED.match(line):
            width = len(line.rstrip())
        elif line.strip() and width >= _WIDTH - len(line.split()[0]):
            width = len(line.rstrip()) if len(line.rstrip()) >= _WIDTH else 0
        else:
            return at
        at += 1
    return at


def _unmarked(lines: list[str]) -> list[str]:
    kept: list[str] = []
    at = 0
    while at < len(lines):
        if _QUOTED.match(lines[at]):
            at = _end_of_quote(lines, at)
            kept.append("")
        else:
            kept.append(lines[at])
            at += 1
    return kept


# Signatures


def _without_signature(lines: list[str]) -> list[str]:
    stripped = [line.strip() for line in lines]
    if "--" in stripped:
        lines = lines[: stripped.index("--")]
    lines = list(lines)
    while lines and (not lines[-1].strip() or _is_a_footer(lines[-1])):
        lines.pop()
    return lines


def _is_a_footer(line: str) -> bool:
    if len(line) > _LONGEST_ATTRIBUTION:
        return False
    words = _LINK.sub("", _bare(line)).strip(" .*")
    return SENT_FROM.fullmatch(words) is not None or _RULE.fullmatch(line) is not None
