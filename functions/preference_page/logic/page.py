"""The page as HTML: no script, nothing loaded from anywhere, a few KB for a modest phone."""

from base64 import b64encode
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from http import HTTPStatus
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, StrictUndefined, Template

from functions.preference_page.logic.languages import Words, all_words
from functions.preference_page.logic.preferences import Preferences
from shared.domain.opting import ConsentPolicy
from shared.domain.touchpoint import Channel

HERE = Path(__file__).parent


class Page(NamedTuple):
    status: HTTPStatus
    html: str
    headers: Mapping[str, str]

    def response(self) -> dict[str, Any]:
        """As API Gateway wants it."""
        return {
            "statusCode": self.status.value,
            "headers": dict(self.headers),
            "body": self.html,
        }


class Row(NamedTuple):
    """One purpose, and on which channels it is allowed."""

    name: str
    description: str
    boxes: tuple[tuple[str, str, bool], ...]
    """Of each channel: the field's name, what it is called, whether it is ticked."""


def preferences_page(
    preferences: Preferences, policy: ConsentPolicy, language: str, said: str = ""
) -> Page:
    """`said` names the words that answer what was sent: `saved`, `stopped`, `resumed`."""
    words = all_words()[language]
    rows = tuple(
        Row(
            name=_in(purpose.name, language, policy),
            description=_in(purpose.description, language, policy),
            boxes=tuple(
                (
                    f"{name}.{channel}",
                    _marked(channel, preferences, words),
                    (name, channel) in preferences.granted,
                )
                for channel in policy.channels
            ),
        )
        for name, purpose in policy.purposes.items()
    )
    return _page(
        HTTPStatus.OK,
        language,
        rows=rows,
        said=getattr(words, said) if said else "",
        stopped=preferences.stopped,
        silenced=preferences.silenced,
        languages=[(code, one.own_name) for code, one in all_words().items()],
        chosen=language,
        channels=[(channel, words.channels[channel]) for channel in policy.channels],
        preferred=preferences.preferred_channel,
    )


def _marked(channel: Channel, preferences: Preferences, words: Words) -> str:
    """What the channel is called, and that a word stopped it: the same in every language."""
    name = words.channels[channel]
    return f"{name} (STOP)" if channel in preferences.silenced else name


def message_page(status: HTTPStatus, language: str, said: str) -> Page:
    """Nothing but one sentence."""
    return _page(status, language, rows=(), said=getattr(all_words()[language], said))


def _in(texts: Mapping[str, str], language: str, policy: ConsentPolicy) -> str:
    return texts.get(language, texts[policy.fallback_language])


def _page(status: HTTPStatus, language: str, **values: Any) -> Page:
    words: Words = all_words()[language]
    html = _template().render(language=language, words=words, css=_css(), **values)
    return Page(status, html, _headers())


@cache
def _template() -> Template:
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string((HERE / "page.html.j2").read_text(encoding="utf-8"))


@cache
def _css() -> str:
    return (HERE / "page.css").read_text(encoding="utf-8")


@cache
def _headers() -> dict[str, str]:
    """Nothing is kept, framed, loaded or sent anywhere else, and the link is told to nobody."""
    style = b64encode(sha256(_css().encode()).digest()).decode()
    return {
        "content-type": "text/html; charset=utf-8",
        "cache-control": "no-store",
        "content-security-policy": (
            f"default-src 'none'; style-src 'sha256-{style}'; form-action 'self'; "
            "base-uri 'none'; frame-ancestors 'none'"
        ),
        "referrer-policy": "no-referrer",
        "strict-transport-security": "max-age=31536000",
        "x-content-type-options": "nosniff",
        "x-robots-tag": "noindex, nofollow",
    }
