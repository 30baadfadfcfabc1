"""What a person newly wrote, without the history their mail client put below it.

Losing their words would be worse than keeping too much: where the cut is in doubt, nothing is cut.
"""

import re
from itertools import takewhile

LANGUAGES = ["en", "fr", "it", "es", "de", "nl", "pl", "sv", "da", "cs", "ja", "ko", "zh"]

_LONGEST_LINE = 200
_MOST_LINES = 400
"""The library's patterns cost the cube of a line's length; no line starting a quote is longer."""

_DIVIDERS = re.compile(
    r"^[ \t>]*(?:"
    r"-{2,}[ ]?(?:original message|forwarded message|message d'origine|message transféré"
    r"|messaggio originale|messaggio inoltrato|mensaje original|mensaje reenviado"
    r"|mensagem original|mensagem encaminhada|ursprüngliche nachricht"
    r"|weitergeleitete nachricht|oorspronkelijk bericht)[ ]?-{2,}"
    r"|(?:on|le|il|el|em|a|no dia|am|op)[ ][^\n]{5,180}\n?[^\n]{0,100}\s"
    r"(?:wrote|a\s+écrit|ha\s+scritto|escribió|escreveu|(?:schrieb|schreef)\s[^\n]{1,100})\s?:"
    r")[ \t]*$",
    re.IGNORECASE | re.MULTILINE,
)
"""Dividers the library does not know: Portuguese, and those that a client broke over two lines."""

_SENT_FROM = re.compile(
    r"^(?:sent from my |get outlook for |envoyé de(?:puis)? mon |envoyé à partir de |inviato da "
    r"|enviado desde mi |enviado do meu |gesendet von |von meinem |verstuurd vanaf mijn )"
    r"[^\n]{1,60}$",
    re.IGNORECASE,
)


def newly_written(text: str) -> str:
    """The newest part of a mail's text: no quoted history, no signature after its `-- ` line."""
    text = text.strip("\n")
    new = _without_signature(_above_the_history(text))
    return new or text.strip()


def _above_the_history(text: str) -> str:
    from mailparser_reply import EmailReplyParser  # type: ignore[import-untyped] # it has no types

    head, long_lines = _shortened(text)
    divider = next(filter(_is_a_quote, _DIVIDERS.finditer(head)), None)
    below = head[divider.end() :] if divider else ""
    if divider and not head[: divider.start()].strip() and not _answers_between_quotes(below):
        return text  # forwarded without a word: what was forwarded is what they wanted to say
    # A copy of the list: the library keeps and may change the one it is given.
    parser = EmailReplyParser(languages=list(LANGUAGES))
    replies = parser.read(head[: divider.start()] if divider else head).replies
    new = [one.content for one in takewhile(lambda one: _is_new(one.headers), replies)]
    history = [one.full_body for one in replies[len(new) :]] + [below]
    is_cut = divider is not None or len(new) < len(replies)
    beyond = [] if is_cut else text.split("\n")[_MOST_LINES:]
    answers = filter(None, map(_answers_between_quotes, history))
    written = "\n".join([_restored("\n".join([*new, *answers]), long_lines), *beyond])
    return "\n".join(line for line in written.split("\n") if not line.lstrip().startswith(">"))


def _is_a_quote(divider: re.Match[str]) -> bool:
    return divider[0].strip().startswith("-") or _names_a_date_or_an_address(divider[0])


def _is_new(header: str) -> bool:
    """Whether what the library took for a header is none: "On Monday you wrote:" is a sentence."""
    return not _names_a_date_or_an_address(header)


def _names_a_date_or_an_address(header: str) -> bool:
    return "@" in header or any(character.isdigit() for character in header)


def _shortened(text: str) -> tuple[str, dict[str, str]]:
    """The first lines, long ones exchanged for a token, and what each token stands for."""
    long_lines: dict[str, str] = {}
    lines = []
    blank = 0
    for number, line in enumerate(text.split("\n")[:_MOST_LINES]):
        blank = 0 if line.strip() else blank + 1
        if blank > 2:
            continue
        if len(line) > _LONGEST_LINE:
            token = f"{'>' if line.lstrip().startswith('>') else ''}\ue000{number}\ue001"
            long_lines[token.lstrip(">")] = line
            line = token
        lines.append(line)
    return "\n".join(lines), long_lines


def _restored(text: str, long_lines: dict[str, str]) -> str:
    return re.sub("\ue000[0-9]+\ue001", lambda found: long_lines.get(found[0], found[0]), text)


def _answers_between_quotes(quoted: str) -> str:
    """The paragraphs between the quoted ones, where the person's client marks quotes with `>`."""
    paragraphs = re.split(r"\n\s*\n", quoted)
    marked = [any(line.startswith(">") for line in one.split("\n")) for one in paragraphs]
    if not any(marked):
        return ""
    first = marked.index(True)
    return "\n" + "\n\n".join(
        one
        for one, is_quote in zip(paragraphs[first:], marked[first:], strict=True)
        if not is_quote
    )


def _without_signature(text: str) -> str:
    lines = text.strip().split("\n")
    if "--" in (stripped := [line.strip() for line in lines]):
        lines = lines[: stripped.index("--")]
    while lines and (not lines[-1].strip() or _SENT_FROM.match(lines[-1].strip())):
        lines.pop()
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
