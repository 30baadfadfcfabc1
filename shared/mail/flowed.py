"""Lines that a client broke, and says so: format=flowed (RFC 3676)."""

import re

_MARKS = re.compile(r">*")


def unflowed(text: str, *, drops_space: bool) -> str:
    """Paragraphs as they were written; quotes keep their marks.

    `drops_space` is `delsp=yes`: the space that ends a broken line is no part of the text.
    """
    paragraphs: list[str] = []
    marks_above, goes_on = "", False
    for line in text.split("\n"):
        marks = _MARKS.match(line)
        depth = marks[0] if marks else ""
        words = line[len(depth) :]
        words = words[1:] if words.startswith(" ") else words
        is_signature = words == "-- "
        if goes_on and depth == marks_above and not is_signature:
            paragraphs[-1] += words
        else:
            paragraphs.append(f"{depth} {words}" if depth else words)
        marks_above, goes_on = depth, words.endswith(" ") and not is_signature
        if goes_on and drops_space:
            paragraphs[-1] = paragraphs[-1][:-1]
    return "\n".join(paragraphs)
