"""The report on AI uses from a laptop's ledger, and how a browser shows it."""

import json
import re
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest

from infra.local.cloud import LocalCloud
from tests.journeys.agent import PHONE, Agent
from tests.journeys.webhooks import STORY, whatsapp

PATH = "/_local/ai_report"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "chrome"))), None)


def write(cloud: LocalCloud, key: str, text: str) -> None:
    call = whatsapp(cloud, text, phone=PHONE, key=key, at=cloud.clock.now())
    assert cloud.receive(call).status == 200
    cloud.settle()


def test_what_was_said_and_what_a_person_made_of_it(cloud: LocalCloud, agent: Agent) -> None:
    write(cloud, "story", STORY)
    (seen,) = agent.timeline()
    path = f"/v1/touchpoints/{seen['touchpoint_id']}"
    status, _ = agent.send("POST", f"{path}/overrides", intent="refund", reason="I read it")
    assert status == 201
    cloud.settle()
    machine = agent.get(path)["machine_classification"]
    status, _ = agent.send(
        "PUT", "/v1/ai-uses/embedded_classification/switch", on=False, reason="a try"
    )
    assert status == 200
    write(cloud, "thanks", "Merci beaucoup, vous êtes adorables !")

    told = json.loads(cloud.get(f"{PATH}?json=true").body)
    assert told["volume"]["understood"] == 2
    assert told["volume"]["decided_by"] == {"rules": 1, "embedded": 1, "bedrock": 0}
    assert (told["volume"]["person"], told["volume"]["waiting"]) == (1, 0)
    assert told["overrides"]["corrections"] == [
        {"aspect": "intent", "machine": machine["intent"], "person": "refund", "count": 1}
    ]
    embedded = told["uses"][0]
    assert (embedded["ai_use"], embedded["standing"]["on"]) == ("embedded_classification", False)
    assert embedded["answers"]["fell_back_because"] == {"switched off": 1}
    assert embedded["kpi"]["verdict"] == "too_few"

    cloud.advance(timedelta(days=7, hours=1))
    later = json.loads(cloud.get(f"{PATH}?json=true").body)
    assert (later["volume"]["understood"], later["volume_before"]["understood"]) == (0, 2)

    page = cloud.get(PATH)
    assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert f'href="{PATH}"' in cloud.get("/_local").body.decode()


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("since=yesterday", "since"),
        ("until=2026-11-01T10:00", "until"),
        ("since=2026-11-02&until=2026-11-01", "since"),
        ("colour=red", "colour"),
    ],
)
def test_a_report_that_cannot_be_says_what_is_wrong(
    cloud: LocalCloud, query: str, field: str
) -> None:
    answer = cloud.get(f"{PATH}?{query}")
    assert answer.status == 400
    assert [one["field"] for one in json.loads(answer.body)["errors"]] == [field]


@pytest.mark.skipif(CHROMIUM is None, reason="NOT PROVEN HERE: there is no chromium")
def test_a_browser_shows_it_with_its_style_and_asks_nobody_for_more(
    cloud: LocalCloud, tmp_path: Path
) -> None:
    assert CHROMIUM is not None
    write(cloud, "story", STORY)
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]
    command += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    command += ["--enable-logging=stderr", f"--user-data-dir={tmp_path}"]
    url = cloud.url + PATH
    dumped = subprocess.run([*command, url], capture_output=True, text=True, timeout=60, check=True)
    assert re.search(r"<h1>The report on AI uses</h1>", dumped.stdout)
    assert "Content Security Policy" not in dumped.stderr
    assert PHONE not in dumped.stdout
