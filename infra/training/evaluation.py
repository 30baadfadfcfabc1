"""How good the classifiers are on texts written apart from the training text, in other words.

A line of `held_out/<language>.tsv`: intent, sentiment (`-`, `=`, `+`, or `~` where a reader could
say either), text.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

from infra.training.grammar import FEELINGS
from shared.adapters.classifier import build_classifier
from shared.adapters.embedded_classifier import MODEL
from shared.domain.classification import Classification
from shared.ports import Classifier

HELD_OUT = Path(__file__).parent / "held_out"


class Case(NamedTuple):
    source: str
    """The file's name: a language, and `later` for what was written once the corpus stood."""
    language: str
    intent: str
    sentiment: str | None
    text: str


class Scores(NamedTuple):
    texts: int
    intent: float
    """Macro-F1: the mean over the intents of each one's F1."""
    sentiment: float
    """Macro-F1 over the texts whose sentiment is beyond dispute."""
    language: float
    """Share of the texts of two words and more whose language was found."""


def cases(folder: Path = HELD_OUT) -> Iterator[Case]:
    for path in sorted(folder.glob("*.tsv")):
        for line in path.read_text(encoding="utf-8").splitlines():
            intent, feeling, text = line.split("\t")
            yield Case(path.stem, path.stem[:2], intent, FEELINGS[feeling], text)


def answers(given: Sequence[Case], classifier: Classifier) -> list[tuple[Case, Classification]]:
    return [(case, classifier.classify(case.text)) for case in given]


def score(answered: Sequence[tuple[Case, Classification]]) -> Scores:
    felt = [(case.sentiment, str(one.sentiment)) for case, one in answered if case.sentiment]
    spoken = [case.language == one.language for case, one in answered if " " in case.text]
    return Scores(
        len(answered),
        macro_f1([(case.intent, one.intent) for case, one in answered]),
        macro_f1(felt),
        sum(spoken) / len(spoken),
    )


def macro_f1(pairs: Sequence[tuple[str, str]]) -> float:
    """Over the classes that occur among the true ones; `pairs` are (true, found)."""
    true, found = Counter(one for one, _ in pairs), Counter(one for _, one in pairs)
    hits = Counter(one for one, other in pairs if one == other)
    each = [2 * hits[one] / (true[one] + found[one]) for one in true]
    return sum(each) / len(each)


def report() -> str:
    classifier = build_classifier(None, "")
    given = list(cases())
    classifier.classify(given[0].text)
    started = perf_counter()
    answered = answers(given, classifier)
    spent = (perf_counter() - started) / len(given) * 1e6
    lines = ["", "texts          number  intent F1  sentiment F1  language right"]
    for source in sorted({case.source for case in given}):
        lines.append(_row(source, [one for one in answered if one[0].source == source]))
    lines.append(_row("all", answered))
    lines += ["", "taken for (true → found, times):"]
    wrong = Counter(
        (case.intent, one.intent) for case, one in answered if case.intent != one.intent
    )
    lines += [f"  {true} → {taken}  {times}" for (true, taken), times in wrong.most_common(20)]
    lines += [
        "",
        f"{spent:.0f} µs a message with evidence; {MODEL.stat().st_size:,} bytes of model",
    ]
    return "\n".join(lines)


def _row(name: str, answered: Sequence[tuple[Case, Classification]]) -> str:
    found = score(answered)
    return (
        f"{name:13}  {found.texts:6}  {found.intent:9.3f}  {found.sentiment:12.3f}"
        f"  {found.language:14.3f}"
    )
