"""Files that stand within the text itself, as was done before MIME and Lotus Notes still does."""

import re

from shared.mail.structure import from_uuencoded

_BEGINS = re.compile(rb"begin [0-7]{3,4} ([^\r\n]{0,255})\r?\n(?=[ -`])")
_MOST = 100


def without_files(content: bytes) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    """The words around them, and name and content of each file."""
    kept: list[bytes] = []
    files: list[tuple[bytes, bytes]] = []
    begins = 0
    at = content.find(b"begin ")
    for _ in range(_MOST):
        if at < 0:
            break
        is_line = at == 0 or content[at - 1] in b"\r\n"
        head = _BEGINS.match(content, at) if is_line else None
        ends = content.find(b"\nend", at) if head else 0
        if ends < 0:
            break
        if head and (file := from_uuencoded(content[at:ends])):
            kept.append(content[begins:at])
            files.append((head[1].strip(), file))
            below = content.find(b"\n", ends + 1)
            begins = below + 1 if below >= 0 else len(content)
        at = content.find(b"begin ", max(begins, at + 1))
    return (b"".join([*kept, content[begins:]]), files) if files else (content, files)
