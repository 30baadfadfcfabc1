"""Training text from the corpus: what was written by hand, unfolded by its grammar and roughened
as people write.

A corpus file (`corpus/<language>.txt`) has sections `# name`, and in them one line per way of
saying something:
`[a|b|]` is a choice, `{name}` one of the words of `@name = a | b`. A line begins with its
sentiment: `-` negative,
`=` neutral, `+` positive, `~` left open. `%` lines give short forms: `% you u`.
The sections `greeting`, `closing`, `context`, `negative`, `positive` and `neutral` are put around
and between the others. `# praise, alone` is one that no complaint is put beside; `# negative, for
complaint` is a feeling that speaks for that intent in every second example.
A corpus without intents teaches feelings only. `mixed.txt` is in no language of its own.

`corpus/natural/<language>.tsv` holds whole messages, as people write them: intent, sentiment, text,
with `\\n` for a line break.
"""

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from shared.adapters.linear_model import pairs_of, rows_of
from shared.adapters.message_words import plain, words_of

CORPUS = Path(__file__).parent / "corpus"
NATURAL = CORPUS / "natural"
SEED = 20261122
PER_INTENT = 350
"""Examples of one intent in one language."""
PER_FEELING = 900
"""Examples of one sentiment in one language that say nothing about the intent."""
PER_NATURAL = 4
"""Examples made of one text that was written whole."""
FEELINGS = {"-": "negative", "=": "neutral", "+": "positive", "~": None}
MIXED = "mixed"
OUT_OF_SCOPE = "other"
"""What the corpus calls a message about nothing on its list."""
AROUND = frozenset({"greeting", "closing", "context", "negative", "positive", "neutral"})
_CHOICE = re.compile(r"\[([^\[\]]*)\]")
_SLOT = re.compile(r"\{(\w+)\}")


class Example(NamedTuple):
    """`labels` by head; a head that is not there learns nothing from it."""

    text: str
    labels: dict[str, str]


class Line(NamedTuple):
    pattern: str
    sentiment: str | None


@dataclass
class Corpus:
    language: str
    slots: dict[str, list[str]] = field(default_factory=dict)
    short_forms: dict[str, str] = field(default_factory=dict)
    sections: dict[str, list[Line]] = field(default_factory=dict)
    natural: list[tuple[str, Line]] = field(default_factory=list)
    """Intent and text."""
    alone: set[str] = field(default_factory=set)
    speaks_for: dict[str, str] = field(default_factory=dict)

    @property
    def intents(self) -> list[str]:
        return sorted(set(self.sections) - AROUND)


def read_corpora() -> list[Corpus]:
    return [_read(path) for path in sorted(CORPUS.glob("*.txt"))]


def corpus_hash() -> str:
    """Of what the models follow from: the corpus, the texts they are calibrated on, the code that
    unfolds and learns them, and what the function will see of a text.
    """
    digest = sha256()
    here = Path(__file__).parent
    code = [here / f"{name}.py" for name in ("calibration", "grammar", "languages", "trainer")]
    texts = [*CORPUS.rglob("*.t?[tv]"), *(here / "measuring" / "calibration").glob("*.tsv")]
    for path in sorted((*texts, *code)):
        name = path.relative_to(here).as_posix()
        digest.update(name.encode() + b"\0" + path.read_bytes() + b"\0")
    for path in sorted(NATURAL.glob("*.tsv")):
        words = words_of(plain(path.read_text(encoding="utf-8")))
        rows = [rows_of(word.form, 2**20) for word in words]
        digest.update(repr((rows, pairs_of(words, 2**20))).encode())
    return digest.hexdigest()[:12]


def examples() -> list[Example]:
    """All of them, shuffled: always the same ones, in the same order."""
    found = [
        example
        for corpus in read_corpora()
        for example in _examples(corpus, random.Random(f"{SEED} {corpus.language}"))
    ]
    random.Random(SEED).shuffle(found)
    return found


def _read(path: Path) -> Corpus:
    corpus, section = Corpus(path.stem), ""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        mark, _, rest = line.strip().partition(" ")
        match mark:
            case "":
                continue
            case "#":
                section, _, manner = rest.strip().partition(", ")
                corpus.sections.setdefault(section, [])
                if manner == "alone":
                    corpus.alone.add(section)
                elif manner:
                    corpus.speaks_for[section] = manner.removeprefix("for ")
            case "%":
                full, short = rest.split()
                corpus.short_forms[full] = short
            case "-" | "=" | "+" | "~":
                corpus.sections[section].append(Line(rest.strip(), FEELINGS[mark]))
            case _ if mark.startswith("@"):
                words = rest.removeprefix("=").split("|")
                corpus.slots[mark[1:]] = [word.strip() for word in words]
            case _:
                raise ValueError(f"{path.name}, line {number}: a line begins with -, =, + or ~")
    if (whole := NATURAL / f"{path.stem}.tsv").exists():
        for line in whole.read_text(encoding="utf-8").splitlines():
            intent, mark, text = line.split("\t")
            corpus.natural.append((intent, Line(text.replace("\\n", "\n"), FEELINGS[mark])))
    return corpus


def _examples(corpus: Corpus, draw: random.Random) -> Iterator[Example]:
    for intent in corpus.intents:
        lines = corpus.sections[intent]
        for at in range(PER_INTENT):
            line = lines[at % len(lines)]
            yield _surrounded(corpus, intent, line, draw)
    for feeling in ("negative", "positive", "neutral"):
        lines = corpus.sections.get(feeling, [])
        for at in range(PER_FEELING if lines else 0):
            text = _unfold(corpus, lines[at % len(lines)].pattern, draw)
            if draw.random() < 0.15:
                text = f"{text} {_unfold(corpus, draw.choice(lines).pattern, draw)}"
            about = corpus.speaks_for.get(feeling) if draw.random() < 0.5 else None
            yield _example(corpus, text, about, feeling, draw)
    for intent, line in corpus.natural:
        for _ in range(PER_NATURAL):
            yield _example(corpus, line.pattern, intent, line.sentiment, draw)


def _surrounded(corpus: Corpus, intent: str, line: Line, draw: random.Random) -> Example:
    """One line, now and then with a greeting, a circumstance, a feeling and a farewell."""
    sentiment = line.sentiment
    parts = [_unfold(corpus, line.pattern, draw)]

    def add(section: str, share: float, *, first: bool = False) -> bool:
        lines = corpus.sections.get(section)
        if not lines or draw.random() >= share:
            return False
        text = _unfold(corpus, draw.choice(lines).pattern, draw)
        parts.insert(0 if first else len(parts), text)
        return True

    if draw.random() < 0.12:
        other = draw.choice(corpus.sections[intent])
        parts.append(_unfold(corpus, other.pattern, draw))
        sentiment = "negative" if "negative" in (sentiment, other.sentiment) else sentiment
    add("context", 0.12, first=draw.random() < 0.5)
    if intent not in corpus.alone and add(
        "negative", 0.18 if sentiment != "positive" else 0.0, first=draw.random() < 0.3
    ):
        sentiment = "negative"
    if sentiment in ("neutral", None):
        add("neutral", 0.04)
    add("greeting", 0.3, first=True)
    add("closing", 0.22)
    joint = draw.choice([". ", ", ", " ", "! ", "\n"])
    return _example(corpus, joint.join(parts), intent, sentiment, draw)


def _example(
    corpus: Corpus, text: str, intent: str | None, sentiment: str | None, draw: random.Random
) -> Example:
    language = corpus.language if corpus.language != MIXED else None
    labels = {"intent": intent, "sentiment": sentiment, "language": language}
    known = {head: label for head, label in labels.items() if label is not None}
    return Example(_roughened(corpus, text, draw), known)


def _unfold(corpus: Corpus, pattern: str, draw: random.Random) -> str:
    """One of the texts a pattern stands for."""
    while True:
        slot, choice = _SLOT.search(pattern), _CHOICE.search(pattern)
        if choice and (not slot or choice.start() < slot.start()):
            taken = draw.choice(choice.group(1).split("|"))
            pattern = pattern[: choice.start()] + taken + pattern[choice.end() :]
        elif slot:
            taken = (
                _number(draw)
                if slot.group(1) == "num"
                else draw.choice(corpus.slots[slot.group(1)])
            )
            pattern = pattern[: slot.start()] + taken + pattern[slot.end() :]
        else:
            return re.sub(r"\s+", " ", pattern).strip()


def _number(draw: random.Random) -> str:
    number = str(draw.randrange(1000, 10**7))
    return draw.choice(["", "", "#", "n°", "FR-"]) + number


@cache
def _short_forms(short_forms: frozenset[tuple[str, str]]) -> re.Pattern[str]:
    return re.compile(rf"\b({'|'.join(sorted(full for full, _ in short_forms))})\b", re.I)


def _roughened(corpus: Corpus, text: str, draw: random.Random) -> str:
    """Short forms in one message of six, slips of the finger in one of seven."""
    if corpus.short_forms and draw.random() < 0.16:
        pattern = _short_forms(frozenset(corpus.short_forms.items()))
        text = pattern.sub(lambda one: corpus.short_forms[one.group().lower()], text)
    if draw.random() < 0.15:
        text = " ".join(
            _slip(word, draw) if draw.random() < 0.25 else word for word in text.split()
        )
    if draw.random() < 0.1:
        text = text.rstrip(".!?") + draw.choice(["!!!", "...", "??", ""])
    return text


def _slip(word: str, draw: random.Random) -> str:
    """A letter lost, doubled or swapped."""
    if len(word) < 5:
        return word
    at = draw.randrange(1, len(word) - 2)
    match draw.randrange(3):
        case 0:
            return word[:at] + word[at + 1 :]
        case 1:
            return word[:at] + word[at] + word[at:]
        case _:
            return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
