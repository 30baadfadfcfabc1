"""The time zone of a country, where it keeps one time.

From IANA's own list in the `tzdata` package. libphonenumber has a list of its own, which is 115 KB
more to load and gives Morocco the Canaries' time.
"""

from functools import cache
from importlib.resources import files


def time_zone_of(region: str) -> str | None:
    """The IANA name for an ISO 3166 country; of several zones that keep the same time from now on
    the one IANA lists first. None where people of one country live by different clocks.
    """
    zones = _zones().get(region, [])
    kept = {_rule(zone) for zone in zones}
    return zones[0] if len(kept) == 1 else None


@cache
def _zones() -> dict[str, list[str]]:
    """By country, the most populous first as the list has it."""
    found: dict[str, list[str]] = {}
    for line in files("tzdata").joinpath("zoneinfo/zone.tab").read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            region, _, zone = line.split("\t")[:3]
            found.setdefault(region, []).append(zone)
    return found


@cache
def _rule(zone: str) -> bytes:
    """What holds from now on: a TZif file (RFC 8536) ends with it, between two line breaks."""
    return files("tzdata").joinpath("zoneinfo", *zone.split("/")).read_bytes().split(b"\n")[-2]
