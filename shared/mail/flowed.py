"""Lines that a client broke, and says so: format=flowed (RFC 3676)."""

import re

_MARKS = re.compile(r">*")


def unflowed(text: str, *, drops_space: bool) -> str:
    """Paragraphs as they were written; quotes keep their marks.

    `drops_space` is `delsp=yes`: the space that ends a broken line is no part of the text.
    """
    paragraphs: list[list[str]] = []
    marks_above, goes_on = "", False
    for line in text.split("\n"):
        marks = _MARKS.match(line)
        depth = marks[0] if marks else ""
        words = line[len(depth) :]
        words = words[1:] if words.startswith(" ") else words
        is_signature = words == "-- "
        flows = words.endswith(" ") and not is_signature
        kept = words[:-1] if flows and drops_space else words
        if goes_on and depth == marks_above and not is_signature:
            paragraphs[-1].append(kept)
        else:
            paragraphs.append([f"{depth} {kept}" if depth else kept])
        marks_above, goes_on = depth, flows
    return "\n".join("".join(paragraph) for paragraph in paragraphs)
