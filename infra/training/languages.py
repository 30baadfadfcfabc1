"""Training text of the language model: pieces of the corpora, and everyday lines
(`corpus/languages/<language>.txt`, one a line), half of each where a language has both.
"""

import random
from collections.abc import Iterator

from infra.training.grammar import CORPUS, SEED, Example

LINES = CORPUS / "languages"
ROWS = 2**16
COST = 0.5
PER_LANGUAGE = 1500
LONGEST_PIECE = 8
"""Words of a piece: what is long is told by every identifier."""


def language_examples(corpus: list[Example]) -> list[Example]:
    """Equally many of each language, shuffled; `corpus` are the examples of all heads."""
    texts: dict[str, list[str]] = {}
    for one in corpus:
        if "language" in one.labels:
            texts.setdefault(one.labels["language"], []).append(one.text)
    lines = {
        path.stem: path.read_text(encoding="utf-8").splitlines() for path in LINES.glob("*.txt")
    }
    found: list[Example] = []
    for language in sorted(texts.keys() | lines):
        draw = random.Random(f"{SEED} {language}")
        sources = [one[language] for one in (texts, lines) if language in one]
        for source in sources:
            found += _pieces(language, source, PER_LANGUAGE // len(sources), draw)
    random.Random(SEED).shuffle(found)
    return found


def _pieces(language: str, texts: list[str], number: int, draw: random.Random) -> Iterator[Example]:
    shuffled = draw.sample(texts, len(texts))
    for at in range(number):
        words = shuffled[at % len(shuffled)].split()
        if len(words) > 2 and draw.random() < 0.6:
            size = draw.randint(1, min(LONGEST_PIECE, len(words)))
            first = draw.randrange(len(words) - size + 1)
            words = words[first : first + size]
        yield Example(" ".join(words), {"language": language})
