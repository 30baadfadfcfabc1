"""Somebody who writes in the chat of a shop's page, in a real browser."""

import json
from time import monotonic
from typing import Any

import pytest

from infra.local.cloud import LocalCloud
from infra.npm import BUILD
from tests.journeys import chromium
from tests.journeys.agent import Agent
from tests.journeys.chromium import Page

AXE = BUILD / "axe-core" / "node_modules" / "axe-core" / "axe.min.js"
CHAT = "document.querySelector('#passerelle-chat').shadowRoot"


class Visitor:
    """Who looks at the shop and writes in its chat."""

    def __init__(self, page: Page, cloud: LocalCloud, query: str = "language=en") -> None:
        self.page, self.cloud = page, cloud
        self.url = f"{cloud.url}/_local/chat?{query}"

    def comes(self) -> None:
        self.page.go(self.url)
        self.page.until(CHAT)

    def opens(self) -> None:
        self.page.evaluate("passerelleChat.open()")

    def writes(self, text: str) -> None:
        self.page.evaluate(f"{CHAT}.querySelector('textarea').focus()")
        self.page.type(text)
        self.page.press("Enter")

    def asks(self, text: str) -> None:
        """The way of every story: until it is sent."""
        self.comes()
        self.opens()
        self.writes(text)
        self.sees("Sent")

    def sees(self, text: str) -> None:
        self.page.until(f"{CHAT}.querySelector('.panel').innerText.includes({json.dumps(text)})")

    def read(self) -> str:
        shown: str = self.page.evaluate(f"{CHAT}.querySelector('.log').innerText")
        return shown

    def kept(self) -> dict[str, Any]:
        """What the browser keeps of it."""
        text = self.page.evaluate("localStorage.getItem('passerelle-chat')")
        kept: dict[str, Any] = json.loads(text) if text else {}
        return kept


def arrived(cloud: LocalCloud, text: str) -> list[Any]:
    """The stories of all touchpoints with these words."""
    cloud.settle()
    return [
        story
        for story in cloud.stories.read(cloud.stories.received())
        if story.touchpoint.text == text
    ]


def answers(agent: Agent, cloud: LocalCloud, to: str, **said: Any) -> None:
    (story,) = arrived(cloud, to)
    path = f"/v1/tickets/{story.ticket.ticket_id}/replies"
    status, promised = agent.send(
        "POST", path, touchpoint_id=story.touchpoint.touchpoint_id, **said
    )
    assert status == 202, promised
    cloud.settle()


def looks_again(page: Page) -> None:
    """As when the person comes back to the window: what waits is fetched at once."""
    page.evaluate("dispatchEvent(new Event('focus'))")


def waited_for(cloud: LocalCloud, text: str) -> list[Any]:
    """`arrived`, once the browser has sent it: it tells nobody when."""
    until = monotonic() + chromium.PATIENCE
    while not (found := arrived(cloud, text)) and monotonic() < until:
        pass
    return found


def found_by_axe(page: Page) -> list[str]:
    """What Deque's checker holds against the page, the inside of the chat included."""
    if not AXE.exists():
        pytest.skip("NOT PROVEN HERE: `python -m infra.npm axe-core` has not been run")
    page.evaluate(f"{AXE.read_text('utf-8')}; 0")
    found: list[str] = page.evaluate(
        "axe.run(document).then((seen) => seen.violations.flatMap((one) =>"
        " one.nodes.map((node) => `${one.id}: ${JSON.stringify(node.target)} ${one.help}`)))"
    )
    return found
