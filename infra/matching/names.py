"""Where invented people live and what they are called there (`names.yaml`)."""

from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml


class Place(NamedTuple):
    of_a_hundred: int
    """People who live there."""
    country_code: str
    mobile: str
    trunk: str
    postcodes: str
    domains: tuple[str, ...]
    women: tuple[str, ...]
    men: tuple[str, ...]
    families: tuple[str, ...]


@cache
def places() -> tuple[Place, ...]:
    text = Path(__file__).with_name("names.yaml").read_text(encoding="utf-8")
    return tuple(_place(**fields) for fields in yaml.safe_load(text).values())


def _place(**fields: Any) -> Place:
    for name in ("domains", "women", "men", "families"):
        fields[name] = tuple(one.replace("~", " ") for one in fields[name].split())
    return Place(**fields)
