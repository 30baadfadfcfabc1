"""How good the embedded model is on texts written apart from the training text, by others.

A line of `measuring/<part>/<language>.tsv`: intent, sentiment (`-`, `=`, `+`), text; `~` is a label
left open, where a reader could say either, or where the language teaches feelings only. `\\n` is a
line break. A line of `measuring/<part>/languages.tsv`: language, text.

The part `calibration` is looked at while the model is made; `held_out` only when it is done.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from infra.training.grammar import FEELINGS
from shared.domain.classification import Classification
from shared.ports.understanding import Classifier

MEASURING = Path(__file__).parent / "measuring"
PARTS = ("calibration", "held_out")
LANGUAGES = "languages"
BINS = 10
"""Of equal width, for the expected calibration error."""


class Case(NamedTuple):
    language: str
    intent: str | None
    sentiment: str | None
    text: str


class Answered(NamedTuple):
    case: Case
    found: Classification


class Guess(NamedTuple):
    confidence: float
    right: bool


class Scores(NamedTuple):
    """Macro-F1 is the mean over the classes of each one's F1."""

    texts: int
    intent: float
    sentiment: float
    language: float
    """Share of the texts of two words and more whose language was found."""
    out_of_scope: float
    """Share of the texts about nothing on the list that were called so."""
    confident: float
    """Share of those that were taken for something else with the confidence that is believed."""
    intent_error: float
    """Expected calibration error."""
    sentiment_error: float


def cases(part: str, folder: Path = MEASURING) -> Iterator[Case]:
    for path in sorted((folder / part).glob("*.tsv")):
        if path.stem == LANGUAGES:
            continue
        for line in path.read_text(encoding="utf-8").splitlines():
            intent, feeling, text = line.split("\t")
            yield Case(
                path.stem[:3].rstrip("_"),
                intent if intent != "~" else None,
                FEELINGS[feeling],
                text.replace("\\n", "\n"),
            )


def language_cases(part: str, folder: Path = MEASURING) -> list[tuple[str, str]]:
    """(language, text) of short messages in many languages."""
    lines = (folder / part / f"{LANGUAGES}.tsv").read_text(encoding="utf-8").splitlines()
    return [(language, text) for language, text in (line.split("\t") for line in lines)]


def answers(given: Iterable[Case], classifier: Classifier) -> list[Answered]:
    return [Answered(case, classifier.classify(case.text)) for case in given]


def score(answered: Sequence[Answered], fallback: str) -> Scores:
    """`fallback` is the intent of what is about nothing on the list."""
    meant = [one for one in answered if one.case.intent]
    felt = [one for one in answered if one.case.sentiment]
    spoken = [one for one in answered if " " in one.case.text]
    nothing = [one.found for one in meant if one.case.intent == fallback]
    return Scores(
        len(answered),
        macro_f1([(str(case.intent), found.intent) for case, found in meant]),
        macro_f1([(str(case.sentiment), str(found.sentiment)) for case, found in felt]),
        _share(case.language == found.language for case, found in spoken),
        _share(one.intent == fallback for one in nothing),
        _share(
            one.intent != fallback and one.intent_confidence >= (one.threshold or 0)
            for one in nothing
        ),
        calibration_error(intent_guesses(answered)),
        calibration_error(sentiment_guesses(answered)),
    )


def _share(true: Iterable[bool]) -> float:
    counted = list(true)
    return sum(counted) / len(counted) if counted else float("nan")


def macro_f1(pairs: Sequence[tuple[str, str]]) -> float:
    """Over the classes that occur among the true ones; `pairs` are (true, found)."""
    if not pairs:
        return float("nan")
    true, found = Counter(one for one, _ in pairs), Counter(one for _, one in pairs)
    hits = Counter(one for one, other in pairs if one == other)
    each = [2 * hits[one] / (true[one] + found[one]) for one in true]
    return sum(each) / len(each)


def intent_guesses(answered: Iterable[Answered]) -> list[Guess]:
    return [
        Guess(found.intent_confidence, found.intent == case.intent)
        for case, found in answered
        if case.intent
    ]


def sentiment_guesses(answered: Iterable[Answered]) -> list[Guess]:
    return [
        Guess(found.sentiment_confidence, str(found.sentiment) == case.sentiment)
        for case, found in answered
        if case.sentiment
    ]


def calibration_error(guesses: Sequence[Guess]) -> float:
    """Expected calibration error: how far, on average, the confidence is from the share of right
    answers among those of about that confidence (Guo et al., 2017, arXiv:1706.04599).
    """
    if not guesses:
        return float("nan")
    bins: dict[int, list[Guess]] = {}
    for one in guesses:
        bins.setdefault(min(int(one.confidence * BINS), BINS - 1), []).append(one)
    return sum(
        abs(sum(one.confidence for one in each) - sum(one.right for one in each))
        for each in bins.values()
    ) / len(guesses)


def report(answered: Sequence[Answered], fallback: str) -> str:
    """A table by language, and what was taken for what."""
    rows: dict[str, list[Answered]] = {}
    for one in sorted(answered, key=lambda one: one.case.language):
        rows.setdefault(one.case.language, []).append(one)
    lines = [
        "texts   number  intent F1  sentiment F1  language  out of scope  confident"
        "  intent ECE  sentiment ECE"
    ]
    for name, theirs in (rows | {"all": list(answered)}).items():
        found = score(theirs, fallback)
        lines.append(
            f"{name:6}  {found.texts:6}  {found.intent:9.3f}  {found.sentiment:12.3f}"
            f"  {found.language:8.3f}  {found.out_of_scope:12.3f}  {found.confident:9.3f}"
            f"  {found.intent_error:10.3f}  {found.sentiment_error:13.3f}"
        )
    wrong = Counter(
        (case.intent, found.intent)
        for case, found in answered
        if case.intent and case.intent != found.intent
    )
    lines += ["", "taken for (true → found, times):"]
    lines += [f"  {true} → {taken}  {times}" for (true, taken), times in wrong.most_common(20)]
    return "\n".join(lines)


def language_report(
    given: Sequence[tuple[str, str]], detect: Callable[[str], str], name: str = "languages"
) -> str:
    """The share of short messages whose language was found, in all and in each language."""
    found = [(language, detect(text) == language) for language, text in given]
    lines = [f"{name}: {_share(right for _, right in found):.3f} of {len(found)} short messages"]
    lines += [
        f"  {language}  {_share(right for other, right in found if other == language):.2f}"
        for language in sorted({language for language, _ in found})
    ]
    return "\n".join(lines)
