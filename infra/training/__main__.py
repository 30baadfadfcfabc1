"""`python -m infra.training` rebuilds the embedded models and prints how they do on texts they have
never seen.

`--evaluate` only evaluates the models that are there, and `--with overrides.jsonl` also on what
people corrected (`python -m shared.operations overrides`): it is measured, never learned.
"""

import json
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from time import perf_counter

from infra.training import evaluation, languages
from infra.training.calibration import Calibration, fit
from infra.training.evaluation import Case, answers, cases, language_cases
from infra.training.grammar import OUT_OF_SCOPE, corpus_hash, examples
from infra.training.languages import language_examples
from infra.training.trainer import Written, train, write
from shared.adapters import language_detector
from shared.adapters.embedded_classifier import MODEL, EmbeddedClassifier
from shared.adapters.language_detector import LanguageDetector
from shared.adapters.linear_model import LinearModel
from shared.adapters.message_words import plain, words_of
from shared.domain.classification import IntentMeaning
from shared.policies.reader import read_policies

WRITTEN = date(2026, 11, 27)
"""When the corpus was last changed; part of the model's version. Not today's date: the same corpus
is the same model.
"""


def main() -> None:
    parser = ArgumentParser(prog="python -m infra.training", description=__doc__)
    parser.add_argument("--evaluate", action="store_true", help="train nothing")
    parser.add_argument("--part", choices=evaluation.PARTS, default="held_out")
    parser.add_argument("--with", dest="overrides", type=Path, help="overrides, as JSON lines")
    options = parser.parse_args()
    if not options.evaluate:
        _train()
    _evaluate(options.part, options.overrides)


def _train() -> None:
    started = perf_counter()
    found, hashed = examples(), corpus_hash()
    version = f"embedded-{WRITTEN}-{hashed}"

    pieces = language_examples(found)
    print(f"{len(pieces)} pieces of languages, training …", flush=True)
    model = train(pieces, ["language"], languages.ROWS, cost=languages.COST)
    path = language_detector.MODEL
    write(model, path, Written(version, hashed, {}), {})
    calibrations = {"language": _calibration(path, "language")}
    write(model, path, Written(version, hashed, {}), calibrations)
    write(model, path, Written(version, hashed, _language_scores()), calibrations)
    _tell(language_detector.MODEL, started)

    print(f"{len(found)} examples, training …", flush=True)
    model = train(found, ["intent", "sentiment"])
    write(model, MODEL, Written(version, hashed, {}), {})
    calibrations = {head: _calibration(MODEL, head) for head in model.heads}
    write(model, MODEL, Written(version, hashed, {}), calibrations)
    write(model, MODEL, Written(version, hashed, _scores()), calibrations)
    _tell(MODEL, started)


def _tell(path: Path, started: float) -> None:
    print(
        f"{path.name}: {path.stat().st_size:,} bytes, {perf_counter() - started:.0f} s", flush=True
    )


def _calibration(path: Path, head: str) -> Calibration:
    model = LinearModel(path)
    guesses = []
    for text, label in _labelled(head):
        read = model.read(words_of(plain(text)), explain=0)
        guesses.append((read[head].probabilities, label))
    return fit(guesses)


def _labelled(head: str) -> Iterator[tuple[str, str]]:
    """The texts a head is calibrated on, with the right answer."""
    if head == "language":
        yield from ((text, language) for language, text in language_cases("calibration"))
    for case in cases("calibration"):
        label = getattr(case, head)
        if label is not None:
            yield case.text, label


def _measured() -> EmbeddedClassifier:
    """The model by its own names, whatever the company calls an intent."""
    intents = LinearModel(MODEL).heads["intent"].classes
    meaning = IntentMeaning(description="", owes=True)
    policy = read_policies().understanding.model_copy(update={"fallback_intent": OUT_OF_SCOPE})
    return EmbeddedClassifier(policy, dict.fromkeys(intents, meaning))


def _language_scores() -> dict[str, dict[str, float]]:
    detector = LanguageDetector(read_policies().understanding.thresholds.language)
    given = language_cases("held_out")
    right = [language for language, text in given if detector.detect(text).language == language]
    number = Counter(language for language, _ in given)
    return {
        language: {"found": round(right.count(language) / number[language], 3)}
        for language in sorted(number)
    }


def _scores() -> dict[str, dict[str, float]]:
    answered = answers(cases("held_out"), _measured())
    return {
        language: {
            name: round(value, 3)
            for name, value in evaluation.score(
                [one for one in answered if one.case.language == language], OUT_OF_SCOPE
            )
            ._asdict()
            .items()
            if value == value
        }
        for language in sorted({one.case.language for one in answered})
    }


def _evaluate(part: str, overrides: Path | None) -> None:
    classifier = _measured()
    given = list(cases(part))
    classifier.classify(given[0].text)
    started = perf_counter()
    answered = answers(given, classifier)
    spent = (perf_counter() - started) / len(given) * 1e6
    print(f"\n{part}, {classifier.version}\n")
    print(evaluation.report(answered, OUT_OF_SCOPE))
    print(f"\n{spent:.0f} µs a message, with evidence\n")
    print(evaluation.language_report(language_cases(part), classifier.detect))
    if overrides is not None:
        policies = read_policies()
        theirs = EmbeddedClassifier(policies.understanding, policies.intents)
        corrected = answers(_overridden(overrides), theirs)
        print(f"\nwhat people corrected, {overrides.name}, in the company's names\n")
        print(evaluation.report(corrected, policies.understanding.fallback_intent))


def _overridden(path: Path) -> Iterator[Case]:
    """One override a line, as the operations write it."""
    for line in path.read_text(encoding="utf-8").splitlines():
        one = json.loads(line)
        person = one["person"]
        yield Case(one["language"], person.get("intent"), person.get("sentiment"), one["text"])


if __name__ == "__main__":
    main()
