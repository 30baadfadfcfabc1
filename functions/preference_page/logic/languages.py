"""In which of its languages the page speaks, and with which words."""

from functools import cache
from pathlib import Path

from pydantic import Field

from shared.domain.model import Model
from shared.domain.touchpoint import Channel
from shared.policies.reader import PolicyFile


class Words(Model):
    """All the page says in one language, but for the purposes, which the company's policy names."""

    own_name: str
    """Of the language, in itself."""
    direction: str = Field(default="ltr", pattern=r"^(ltr|rtl)$")
    title: str
    intro: str
    language: str
    channel: str
    any_channel: str
    channels: dict[Channel, str]
    after_stop: str
    """What to do where they sent us STOP, which no page lifts."""
    save: str
    saved: str
    stop: str
    stop_explained: str
    stopped: str
    resume: str
    resumed: str
    unsubscribed: str
    invalid: str
    unavailable: str


@cache
def all_words() -> dict[str, Words]:
    """By language. Raises PolicyError where a language lacks a word."""
    words: dict[str, Words] = PolicyFile(Path(__file__).parent / "words.yaml").read(
        dict[str, Words]
    )
    return words


def accepted(header: str) -> list[str]:
    """The languages of an Accept-Language header, the most wanted first (RFC 9110, 12.5.4)."""
    wanted = []
    for place, part in enumerate(header[:1000].split(",")):
        tag, _, parameter = part.strip().partition(";")
        name, _, weight = parameter.strip().partition("=")
        try:
            quality = float(weight) if name.strip() == "q" else 1.0
        except ValueError:
            quality = 0.0
        if quality > 0:
            wanted.append((-quality, place, tag.split("-")[0].strip().lower()))
    return [language for _, _, language in sorted(wanted)]


def choose(*wishes: str | None, header: str, fallback: str) -> str:
    """The first wish there are words for, then what the browser accepts, then the fallback."""
    known = all_words()
    for wish in (*wishes, *accepted(header)):
        if wish in known:
            return wish
    return fallback
