"""The page at /_local: plain HTML from the server, escaped by default, usable without a script."""

import json
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import urllib3
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from infra.local.gateway import Request, Response
from infra.local.outbox import Sent, last_sent
from infra.local.sample_day import SHOP_TIME, Player, find_sample, samples
from shared.domain.errors import InvalidInput

if TYPE_CHECKING:
    from infra.local.cloud import LocalCloud

FILES = Path(__file__).parent / "page"
SHOWN = 40
_SHOWN_AT_MOST = 1000
_SHOWN_SENT = 30
_ASSETS = {"page.css": "text/css; charset=utf-8", "page.js": "text/javascript; charset=utf-8"}
SECURITY = {
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src data:; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}
MOVES = {"PT1H": "+1 hour", "PT4H": "+4 hours", "PT24H": "+1 day", "PT72H": "+3 days"}


class Page:
    def __init__(self, cloud: "LocalCloud") -> None:
        self._cloud = cloud
        self._player = Player(cloud.url, cloud.secrets)

    def show(self, request: Request) -> Response:
        asked = dict(parse_qsl(request.query))
        number = int(asked["show"]) if asked.get("show", "").isdecimal() else SHOWN
        received = self._cloud.stories.received()
        stories = self._cloud.stories.newest(min(number, _SHOWN_AT_MOST))
        sent = self._cloud.outbox.all()
        html = _template().render(
            now=self._cloud.clock.now(),
            moves=MOVES,
            balance=self._cloud.stories.balance(),
            stories=stories,
            hidden=len(received) - len(stories),
            show_more=number + SHOWN,
            waiting=self._waiting(),
            sent=list(reversed(sent))[:_SHOWN_SENT],
            sent_in_all=len(sent),
            troubles=self._cloud.stories.troubles(),
            dead_letters=self._cloud.dead_letters,
            samples=[one for one in samples() if one.again is None],
            played=asked.get("played", ""),
            answer=asked.get("answer", ""),
        )
        headers = {"content-type": "text/html; charset=utf-8", **SECURITY}
        return Response(200, headers, html.encode())

    def _waiting(self) -> list[Mapping[str, Any]]:
        """What is scheduled: when, which follow-up, of which ticket."""
        names = {
            event["detail"]["data"]["follow_up_id"]: event["detail"]["data"]["name"]
            for event in list(self._cloud.events)
            if event["detail-type"] == "FollowUpScheduled"
        }
        return [
            {
                "at": due.at,
                "what": names.get(due.input.get("follow_up_id"), due.name),
                "ticket": str(due.input.get("ticket_id", ""))[:8].upper(),
            }
            for due in self._cloud.timers.waiting()
        ]

    def asset(self, name: str) -> Response | None:
        """A file of the page; None for any other name."""
        if name not in _ASSETS:
            return None
        headers = {"content-type": _ASSETS[name], **SECURITY}
        return Response(200, headers, (FILES / name).read_bytes())

    def play(self, request: Request) -> Response:
        """Send one sample as its provider would, over HTTP; once more is a duplicate."""
        form = dict(parse_qsl(request.body.decode("utf-8", "replace")))
        sample = find_sample(form.get("sample", ""))
        if sample is None or sample.again is not None:
            raise InvalidInput("there is no such sample", field="sample")
        moment = self._cloud.clock.now()
        call = self._player.call(sample, moment, last_sent(self._cloud.outbox.all()))
        with urllib3.PoolManager() as pool:
            answer = pool.request(call.method, call.url, body=call.body, headers=call.headers)
        self._cloud.settle()
        return _back(f"?played={sample.id}&answer={answer.status}")


def back_to_page() -> Response:
    return _back("")


def _back(query: str) -> Response:
    return Response(303, {"location": f"/_local{query}", **SECURITY}, b"")


@cache
def _template() -> Any:
    environment = Environment(
        loader=FileSystemLoader(FILES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "clock": _clock,
        "day": _day,
        "words": _words,
        "sent": _sent,
    }
    return environment.get_template("page.html")


def _clock(moment: datetime) -> str:
    return f"{moment.astimezone(SHOP_TIME):%H:%M}"


def _day(moment: datetime) -> str:
    return f"{moment.astimezone(SHOP_TIME):%a %d %b, %H:%M}"


def _words(name: str) -> str:
    return name.replace("_", " ")


def _sent(sent: Sent) -> Mapping[str, str]:
    """A request as its lines, with the body readable."""
    shown = sent.as_json()
    parsed = shown["parsed"]
    body = shown["body"] if parsed is None else json.dumps(parsed, ensure_ascii=False, indent=2)
    head = "\n".join(f"{name}: {value}" for name, value in shown["headers"].items())
    return {
        "at": _day(datetime.fromisoformat(sent.at)),
        "head": f"{sent.method} {sent.url}\n{head}",
        "body": body,
        "answer": shown["response"]["body"],
    }
