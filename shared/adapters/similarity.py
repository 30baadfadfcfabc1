"""How alike two texts are, by jellyfish.

It compares letters, DuckDB (where `infra.matching` compares the same profiles) the bytes of their
UTF-8. Names hold few letters beyond ASCII once accents are off, but both must agree on every pair,
so each byte is handed over as one letter.
"""

import jellyfish


class JellyfishSimilarity:
    def jaro_winkler(self, one: str, other: str) -> float:
        return jellyfish.jaro_winkler_similarity(_bytes(one), _bytes(other))

    def edits(self, one: str, other: str) -> int:
        return jellyfish.damerau_levenshtein_distance(_bytes(one), _bytes(other))


def _bytes(text: str) -> str:
    return text.encode().decode("latin-1")
