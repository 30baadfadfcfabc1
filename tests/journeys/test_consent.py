"""STOP, START and the preference page on the whole house: one confirmation each, and a gate that
remembers.
"""

import json
import re
import shutil
import subprocess
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from infra.local.cloud import LocalCloud
from tests.journeys.agent import PHONE, Agent, outbox
from tests.journeys.webhooks import sms

FORM = {"content-type": "application/x-www-form-urlencoded"}


def text(cloud: LocalCloud, said: str, key: str) -> None:
    """An SMS that Twilio delivers three times."""
    call = sms(cloud, said, phone=PHONE, key=key)
    assert [cloud.receive(call).status for _ in range(3)] == [200, 200, 200]
    cloud.settle()
    cloud.advance(timedelta(minutes=1))


def texts_sent(cloud: LocalCloud) -> list[str]:
    return [one["parsed"]["Body"] for one in outbox(cloud, "twilio")]


def suppressions(agent: Agent) -> list[dict[str, Any]]:
    found = agent.get(f"/v1/profiles/{agent.profile()['profile_id']}/suppressions")["items"]
    assert isinstance(found, list)
    return found


def test_ma_6514_stop_is_confirmed_once_and_start_lifts_it(cloud: LocalCloud, agent: Agent) -> None:
    text(cloud, "Bonjour, où est ma commande 4512 ? Elle n'est pas arrivée.", "1")
    (ticket,) = agent.tickets()
    text(cloud, "STOP", "2")
    text(cloud, "Arrêt svp", "3")
    (confirmed,) = texts_sent(cloud)
    assert confirmed.startswith("C'est fait")
    assert [(one["kind"], one["on"], one["active"]) for one in suppressions(agent)] == [
        ("opt_out", "endpoint", True)
    ]

    text(cloud, "Et mon remboursement ?", "4")
    status, _ = agent.send(
        "POST", f"/v1/tickets/{ticket['ticket_id']}/replies", text="C'est en route."
    )
    assert status == 202
    cloud.settle()
    (reply,) = (
        one
        for one in agent.get(f"/v1/follow-ups?ticket={ticket['ticket_id']}")["items"]
        if one["name"] == "reply"
    )
    assert reply["state"] == "refused"
    assert reply["result"] == "suppression: the person opted out (opt_out_keyword)"
    assert len(texts_sent(cloud)) == 1

    text(cloud, "START", "5")
    assert [one["active"] for one in suppressions(agent)] == [False]
    assert len(texts_sent(cloud)) == 2
    agent.send("POST", f"/v1/tickets/{ticket['ticket_id']}/replies", text="C'est en route !")
    cloud.settle()
    assert texts_sent(cloud)[-1] == "C'est en route !"
    assert not cloud.dead_letters
    assert not cloud.failed_journeys


def test_help_is_answered_at_once_and_a_person_looks_as_well(
    cloud: LocalCloud, agent: Agent
) -> None:
    text(cloud, "AIDE", "1")
    (answer,) = texts_sent(cloud)
    assert "STOP" in answer
    (ticket,) = agent.tickets()
    assert ticket["queue"] == "care"


class Form(HTMLParser):
    """The boxes that are ticked, and the language of the page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.ticked: set[str] = set()
        self.language = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "html":
            self.language = str(given["lang"])
        if tag == "input" and "checked" in given:
            self.ticked.add(str(given["name"]))


def link(cloud: LocalCloud, agent: Agent) -> str:
    """The path of the person's page."""
    whose = agent.profile()["profile_id"]
    status, made = agent.send("POST", f"/v1/profiles/{whose}/preference-links")
    assert status == 201
    url = str(made["url"])
    assert url.startswith(f"{cloud.url}/preferences/")
    return url.removeprefix(cloud.url)


def test_the_preference_page_changes_what_the_gate_and_the_agents_see(
    cloud: LocalCloud, agent: Agent
) -> None:
    text(cloud, "Bonjour, où est ma commande 4512 ?", "1")
    path = link(cloud, agent)
    shown = cloud.get(path, {"accept-language": "de"})
    assert shown.status == 200
    assert Form(shown.body.decode()).ticked == set()

    form = {"action": "save", "marketing.sms": "on", "language": "it", "channel": "sms"}
    saved = cloud.post(path, urlencode(form), FORM)
    assert saved.status == 200
    assert Form(saved.body.decode()).language == "it"
    cloud.settle()
    profile = agent.profile()
    assert profile["language"] == {"value": "it", "origin": "stated"}
    assert profile["preferred_channel"] == {"value": "sms", "origin": "stated"}
    consents = agent.get(f"/v1/profiles/{profile['profile_id']}/consents")
    assert [one["channel"] for one in consents["standing"] if one["state"] == "granted"] == ["sms"]
    assert Form(cloud.get(path).body.decode()).ticked == {"marketing.sms"}

    one_click = cloud.post(path, "List-Unsubscribe=One-Click", FORM)
    assert one_click.status == 200
    assert cloud.post(path, urlencode({"action": "stop"}), FORM).status == 200
    assert [(one["on"], one["active"]) for one in suppressions(agent)] == [("person", True)]
    assert cloud.get(path[:-3] + "abc").status == 404
    assert not cloud.failed_journeys


CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "chrome"))), None)


@pytest.mark.skipif(CHROMIUM is None, reason="NOT PROVEN HERE: there is no chromium")
def test_a_browser_shows_the_page_with_its_style(
    cloud: LocalCloud, agent: Agent, tmp_path: Path
) -> None:
    assert CHROMIUM is not None
    text(cloud, "Bonjour, où est ma commande 4512 ?", "1")
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]
    command += [f"--user-data-dir={tmp_path}", "--virtual-time-budget=2000"]
    url = cloud.url + link(cloud, agent)
    dumped = subprocess.run([*command, url], capture_output=True, text=True, timeout=60, check=True)
    assert re.search(r'<html lang="fr" dir="ltr">', dumped.stdout)
    assert dumped.stdout.count('type="checkbox"') == 8
    assert "Content Security Policy" not in dumped.stderr
    assert json.dumps(PHONE) not in dumped.stdout
