"""One line for the person who takes over: the sentence that says most, in the message's own words.

Extractive, so it can be held against the message and is in its language. What is personal is
hidden in it.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from shared.adapters.message_words import fold
from shared.adapters.personal_data_finder import MASKS
from shared.adapters.personal_words import CLOSINGS
from shared.domain.classification import Evidence

LONGEST = 160
_SHORT_SUBJECT = 90

_GREETINGS = (
    "hello", "hi", "hey", "dear", "good morning", "good afternoon", "good evening", "greetings",
    "to whom it may concern", "bonjour", "bonsoir", "salut", "coucou", "madame", "monsieur",
    "messieurs", "cher", "chère", "chers", "buongiorno", "buonasera", "salve", "ciao", "gentile",
    "gentili", "spett", "spettabile", "hola", "buenos días", "buenas", "buenas tardes", "estimado",
    "estimada", "estimados", "olá", "oi", "bom dia", "boa tarde", "boa noite", "caro", "cara",
    "caros", "prezado", "prezada", "prezados", "hallo", "guten tag", "guten morgen", "guten abend",
    "sehr geehrte", "sehr geehrter", "liebe", "lieber", "liebes", "moin", "habari", "jambo",
    "مرحبا", "السلام عليكم",
)  # fmt: skip
_GREETING = rf"(?i)(?:{'|'.join(map(re.escape, _GREETINGS))})(?!\w)[^,.!:;\n]{{0,40}}[,.!:;\n]\s*"
_CLOSING = (
    rf"(?i)(?:(?:with|best|kind|warm|many|bien|très|cordiali|distinti|un|mit|viele|liebe|freundlichen|"
    rf"com os melhores) )*(?:{'|'.join(map(re.escape, CLOSINGS))})"
    r"[^.!?\n]{0,30}[.!,]?$"
)
_SENTENCE_END = re.compile(r"(?<=[.!?…؟])[\"»”)]?\s+|\n+")
_SIGNATURE = re.compile(r"^(?:-- ?|_{3,}|-{3,})$")

_WEIGHTS = {"intent": 3.0, "urgency": 2.0, "weak_signal": 2.0, "sentiment": 1.0}


class _Parts(NamedTuple):
    subject: str
    sentences: list[str]


def summarise(text: str, evidence: Sequence[Evidence] = (), *, has_subject: bool = False) -> str:
    """At most `LONGEST` characters of a text in which nothing personal stands any more.

    A short message is its own summary; of a longer one the sentence that holds most of what the
    `evidence` names, and what follows as far as there is room. `has_subject`: the first line may
    be a mail's subject.
    """
    whole = _one_line(text)
    if len(whole) <= LONGEST and "\n" not in text.strip():
        return whole
    subject, sentences = _parts(text, has_subject)
    if not sentences:
        return cut(subject or whole)
    room = LONGEST - len(subject) - 2 if subject else LONGEST
    together = " ".join(sentences)
    said = together if len(together) <= room else _most_telling(sentences, evidence, room)
    if not subject or fold(subject) in fold(said):
        return cut(said)
    return cut(f"{subject}: {said}")


def cut(text: str) -> str:
    """At a word's end, with an ellipsis, and never within a mask."""
    if len(text) <= LONGEST:
        return text
    short = text[: LONGEST - 1]
    if not text[LONGEST - 1].isspace() and " " in short[LONGEST // 2 :]:
        short = short[: short.rindex(" ")]
    for mask in MASKS.values():
        for length in range(1, len(mask)):
            if short.endswith(mask[:length]) and text[len(short) - length :].startswith(mask):
                short = short[:-length]
    return short.rstrip(" ,;:–-") + "…"


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _parts(text: str, has_subject: bool) -> _Parts:
    """Without greetings, closings, signature and quoted lines; what stands below a closing is a
    signature.
    """
    lines = [line.strip() for line in text.strip().split("\n")]
    lines = [line for line in lines if line and not line.startswith(">")]
    subject = ""
    if has_subject and len(lines) > 1 and len(lines[0]) <= _SHORT_SUBJECT:
        first = lines[0]
        if first[-1] not in ".!?," and not re.match(_GREETING, f"{first}\n"):
            subject, lines = lines[0], lines[1:]
    kept: list[str] = []
    for line in lines:
        if _SIGNATURE.match(line):
            break
        greeting = re.match(_GREETING, f"{line}\n")
        spoken = line[greeting.end() :] if greeting else line
        if kept and len(spoken) <= 60 and re.match(_CLOSING, spoken):
            break
        if spoken.strip():
            kept.append(spoken.strip())
    sentences = [_one_line(one) for one in _SENTENCE_END.split("\n".join(kept))]
    spoken_ones = [one for one in sentences if len(one) > 1 and not re.fullmatch(_CLOSING, one)]
    return _Parts(subject, spoken_ones or [one for one in sentences if one])


def _most_telling(sentences: list[str], evidence: Sequence[Evidence], room: int) -> str:
    scores = [_score(fold(sentence), at, evidence) for at, sentence in enumerate(sentences)]
    best = scores.index(max(scores))
    said = sentences[best]
    for following in sentences[best + 1 :]:
        if len(said) + 1 + len(following) > room:
            break
        said = f"{said} {following}"
    return said


def _score(sentence: str, at: int, evidence: Sequence[Evidence]) -> float:
    """How much of the evidence the sentence holds. Of equals the earlier one says more."""
    held = sum(
        _WEIGHTS.get(one.aspect, 0.0) / (rank + 1)
        for one in evidence
        for rank, word in enumerate(one.words)
        if len(word) > 1 and fold(word) in sentence
    )
    return held + 0.5 * ("?" in sentence) + 0.3 * ("[" in sentence) - 0.01 * at
