"""A person corrects what the machine understood, on the synthesised template; and a replay."""

import json
from datetime import timedelta
from pathlib import Path

import yaml

from infra.local.cloud import LocalCloud
from shared.policies.reader import FOLDER
from tests.journeys.agent import PHONE, Agent
from tests.journeys.webhooks import STORY, whatsapp


def test_what_a_person_says_wins_and_its_ticket_follows(cloud: LocalCloud, agent: Agent) -> None:
    wrote = whatsapp(cloud, STORY, phone=PHONE, key="story", at=cloud.clock.now())
    assert cloud.receive(wrote).status == 200
    cloud.settle()
    (seen,) = agent.timeline()
    path = f"/v1/touchpoints/{seen['touchpoint_id']}"
    machine = agent.get(path)["classification"]
    before, profile = agent.tickets(), agent.profile()

    status, made = agent.send(
        "POST",
        f"{path}/overrides",
        intent="billing_or_payment",
        urgency="critical",
        sentiment="neutral",
        reason="the invoice is wrong, and the heating is off",
    )
    assert status == 201
    cloud.settle()
    touchpoint = agent.get(path)
    assert (touchpoint["state"], touchpoint["attempt"]) == ("processed", 2)
    meant = touchpoint["classification"]
    assert (meant["intent"], meant["urgency"]) == ("billing_or_payment", "critical")
    assert (meant["decided_by"], meant["version"]) == ("person", made["by"])
    assert touchpoint["machine_classification"] == machine
    (ticket,) = agent.tickets()
    assert ticket["ticket_id"] == before[0]["ticket_id"]
    assert (ticket["queue"], ticket["priority"]) == ("billing", "urgent")
    log = agent.get(f"/v1/tickets/{ticket['ticket_id']}")["log"]
    assert [one["what"] for one in log] == ["opened", "overridden"]
    assert log[1]["detail"]["queue"] == {"from": "orders", "to": "billing"}
    told = [one["detail-type"] for one in cloud.events]
    assert told.count("ClassificationOverridden") == 1
    assert told.count("TicketOpened") == 1
    assert told.count("FollowUpScheduled") == 3
    changes = [
        one["detail"]["data"]["change"]
        for one in cloud.events
        if one["detail-type"] == "ProfileUpdated"
    ]
    assert changes.count("corrected") == 1

    assert cloud.receive(wrote).status == 200
    cloud.settle()
    assert agent.get(path)["classification"] == meant
    balance = json.loads(cloud.get("/_local/balance").body)
    assert (balance["received"], balance["processed"], balance["holds"]) == (2, 1, True)
    assert agent.profile()["contacts"] == profile["contacts"]

    status, gone = agent.send("DELETE", f"{path}/overrides/{made['override_id']}")
    assert (status, gone["released"]["by"]) == (200, made["by"])
    cloud.settle()
    touchpoint = agent.get(path)
    assert touchpoint["classification"] == machine
    assert touchpoint["machine_classification"] is None
    (ticket,) = agent.tickets()
    assert (ticket["queue"], ticket["priority"]) == ("orders", before[0]["priority"])
    cloud.advance(timedelta(hours=72))
    ended = agent.get(f"/v1/follow-ups?ticket={ticket['ticket_id']}")["items"]
    assert [one["state"] for one in ended] == ["done"] * 3


def test_a_policy_is_tried_on_what_was_and_the_difference_read(
    cloud: LocalCloud, agent: Agent, tmp_path: Path
) -> None:
    for key, text in (("story", STORY), ("thanks", "Merci beaucoup, vous êtes adorables !")):
        call = whatsapp(cloud, text, phone=PHONE, key=key, at=cloud.clock.now())
        assert cloud.receive(call).status == 200
    cloud.settle()
    before = agent.timeline()
    routing = yaml.safe_load((FOLDER / "routing.yaml").read_text(encoding="utf-8"))
    routing["queues"]["care"].append("delivery_problem")
    routing["queues"]["orders"].remove("delivery_problem")
    (tmp_path / "routing.yaml").write_text(yaml.safe_dump(routing), encoding="utf-8")

    answer = cloud.post("/_local/replay", json.dumps({"with": str(tmp_path)}))
    text = answer.body.decode()
    assert (answer.status, answer.headers["content-type"]) == (200, "text/plain; charset=utf-8")
    assert "       2  touchpoints looked at" in text
    assert "       1  changed" in text
    assert "       1  queue      orders → care" in text
    asked = {"with": str(FOLDER), "since": "2020-01-01", "json": True}
    same = json.loads(cloud.post("/_local/replay", json.dumps(asked)).body)
    assert (same["looked_at"], same["unchanged"], same["changed"]) == (2, 2, 0)
    assert agent.timeline() == before


def test_a_replay_that_cannot_be_says_what_is_wrong(cloud: LocalCloud, tmp_path: Path) -> None:
    (tmp_path / "routing.yaml").write_text("queues: {}\nfallback: care\n", encoding="utf-8")
    for asked, field in (
        ({"with": str(tmp_path)}, "with"),
        ({}, "with"),
        ({"with": str(FOLDER), "since": "yesterday"}, "since"),
        ({"with": str(FOLDER), "colour": "red"}, "colour"),
    ):
        answer = cloud.post("/_local/replay", json.dumps(asked))
        assert answer.status == 400
        assert [one["field"] for one in json.loads(answer.body)["errors"]] == [field]
