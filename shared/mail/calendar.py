"""What an invitation says, for a mail that consists of nothing else (RFC 5545)."""

import re

_LONGEST = 50_000
_LINE = re.compile(r"(?P<name>[A-Za-z-]{1,40})(?:;[^:\"]*(?:\"[^\"]*\"[^:\"]*)*)?:(?P<value>.*)")
_ESCAPED = re.compile(r"\\([nN,;\\])")
_MOMENT = re.compile(r"(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)\d\d(Z?))?")
TOLD = ("SUMMARY", "DTSTART", "DTEND", "LOCATION", "DESCRIPTION")
"""The properties of the first event that are told, in this order, a line each."""


def words_of_invitation(text: str) -> str:
    """Title, times as they stand, place and description; empty where there is no event."""
    unfolded = re.sub(r"\n[ \t]", "", text[:_LONGEST])
    found: dict[str, str] = {}
    inside = False
    for line in unfolded.split("\n"):
        if line.strip().upper() == "BEGIN:VEVENT":
            inside = True
        elif line.strip().upper() in {"END:VEVENT", "BEGIN:VALARM"} and inside:
            break
        elif inside and (field := _LINE.fullmatch(line.strip())):
            found.setdefault(field["name"].upper(), _plain(field["value"]))
    return "\n".join(found[name] for name in TOLD if found.get(name))


def _plain(value: str) -> str:
    if moment := _MOMENT.fullmatch(value.strip()):
        year, month, day, hour, minute, zone = moment.groups()
        clock = f" {hour}:{minute}" if hour else ""
        return f"{year}-{month}-{day}{clock}{' UTC' if zone else ''}"
    return _ESCAPED.sub(lambda one: "\n" if one[1] in "nN" else one[1], value).strip()
