"""Whoever reads a machine's words is told so before them (Regulation (EU) 2024/1689, article 50).

What a model wrote is a machine's. A template is not: people wrote it, and a rule sends it.
"""

from typing import NamedTuple

from shared.domain.touchpoint import Writer

TEMPLATE = "machine_wrote_this"
"""The words that say so, in `policies/templates.yaml`."""
GAP = "\n\n"
"""Between them and the machine's: a paragraph of its own, which no mark of direction in what
follows reaches (Unicode UAX #9: embeddings and isolates end with their paragraph).
"""


class Written(NamedTuple):
    """Words, and who wrote them: nobody makes a message of one without saying the other."""

    text: str
    by: Writer

    @property
    def needs_disclosure(self) -> bool:
        return self.by is Writer.MACHINE


def disclosed(text: str, disclosure: str) -> str:
    """The disclosure, and only then the text, whatever stands in it."""
    return f"{disclosure}{GAP}{text}"


def is_disclosed(text: str, disclosure: str | None) -> bool:
    """Whether this text begins by saying that a machine wrote it, in words that can be read."""
    return (
        disclosure is not None
        and any(map(str.isalpha, disclosure))
        and text.startswith(f"{disclosure}{GAP}")
    )
