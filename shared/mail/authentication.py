"""What the mail server that took a mail in says about who wrote it (RFC 8601)."""

import re
from collections.abc import Sequence
from typing import Literal, NamedTuple

_QUOTED = re.compile(r'"(?:\\.|[^"\\])*"')
_COMMENT = re.compile(r"\([^()]*\)")
_DMARC = re.compile(r";\s*dmarc\s*=\s*([a-z]+)([^;]*)")
_LONGEST = 2_000
"""Characters of a sound one, several times over. Comments within comments cost their square."""
_HEADER_FROM = re.compile(r"\bheader\.from\s*=\s*([a-z0-9.-]+)(?=\s|$)")


class Stated(NamedTuple):
    """`domain` is the author's, of which the server says it."""

    dmarc: Literal["pass", "fail"]
    domain: str


def stated_dmarc(headers: Sequence[tuple[str, str]], server: re.Pattern[str]) -> Stated | None:
    """What `server` found, or None where it says nothing that is certain.

    `headers` are those of the mail from the top. Anybody may write such a header into a mail. So
    only the topmost one counts, above whatever came before the last server, where it is the only
    one of that server and names DMARC once: what somebody smuggled into an address is one too many.
    """
    results = [
        (place, value.lower())
        for place, (name, value) in enumerate(headers)
        if name.lower() == "authentication-results"
    ]
    of_server = [value for _, value in results if server.fullmatch(value.partition(";")[0].strip())]
    received = [place for place, (name, _) in enumerate(headers) if name.lower() == "received"]
    if len(of_server) != 1 or results[0][1] is not of_server[0] or len(of_server[0]) > _LONGEST:
        return None
    if len(received) > 1 and results[0][0] > received[1]:
        return None
    return _read(of_server[0])


def _read(value: str) -> Stated | None:
    plain = _QUOTED.sub('""', value)
    while (shorter := _COMMENT.sub(" ", plain)) != plain:
        plain = shorter
    found = _DMARC.search(plain)
    domain = _HEADER_FROM.search(found[2]) if found else None
    if found is None or domain is None or len(re.findall(r"\bdmarc\s*=", value)) != 1:
        return None
    match found[1]:
        case "pass":
            return Stated("pass", domain[1])
        case "fail":
            return Stated("fail", domain[1])
    return None
