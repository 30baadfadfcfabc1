"""The story the house was built for, on the synthesised template: from webhook to kept promise."""

import json
from datetime import datetime, timedelta

from infra.local.cloud import LocalCloud
from tests.journeys.agent import PHONE, Agent, outbox
from tests.journeys.webhooks import STORY, WHATSAPP_LINE, sms, whatsapp, whatsapp_status


def test_a_message_becomes_a_ticket_and_the_promise_is_kept(
    cloud: LocalCloud, agent: Agent
) -> None:
    wrote = whatsapp(cloud, STORY, phone=PHONE, key="story", at=cloud.clock.now())
    assert [cloud.receive(wrote).status for _ in range(3)] == [200, 200, 200]
    cloud.settle()

    (seen,) = agent.timeline()
    touchpoint = agent.get(f"/v1/touchpoints/{seen['touchpoint_id']}")
    assert touchpoint["state"] == "processed"
    understood = touchpoint["classification"]
    assert understood["language"] == "fr"
    assert {understood["intent"], understood["runner_up"]} == {"delivery_problem", "refund"}
    assert understood["sentiment"] == "negative"
    assert understood["urgency"] == "high"
    assert {one["aspect"] for one in understood["evidence"]} >= {"intent", "sentiment", "urgency"}

    (ticket,) = agent.tickets()
    assert (ticket["queue"], ticket["status"], ticket["priority"]) == ("orders", "new", "high")
    assert ticket["first_response"]["due_at"] < ticket["resolution"]["due_at"]
    follow_ups = agent.get(f"/v1/follow-ups?ticket={ticket['ticket_id']}")["items"]
    assert {one["name"]: one["state"] for one in follow_ups} == {
        "nobody_has_answered": "scheduled",
        "still_working_on_it": "scheduled",
        "window_closing_soon": "scheduled",
    }

    cloud.advance(timedelta(hours=1))
    again = sms(cloud, "Toujours rien reçu, vous en êtes où ?", phone=PHONE, key="7")
    assert cloud.receive(again).status == 200
    cloud.settle()
    assert [one["channel"] for one in agent.timeline()] == ["sms", "whatsapp"]
    (joined,) = agent.tickets()
    assert joined["ticket_id"] == ticket["ticket_id"]
    assert joined["last"]["at"] > joined["first"]["at"]

    cloud.advance(timedelta(hours=72))
    (sent,) = outbox(cloud, "whatsapp_cloud")
    assert sent["method"] == "POST"
    assert sent["url"].startswith("https://graph.facebook.com/v")
    assert sent["url"].endswith(f"/{WHATSAPP_LINE}/messages")
    token = cloud.secrets["whatsapp_cloud"]["access_token"]
    assert sent["headers"]["authorization"] == f"Bearer {token}"
    assert sent["parsed"]["to"] == PHONE.removeprefix("+")
    assert sent["parsed"]["type"] == "template"
    assert sent["parsed"]["template"]["name"] == "still_working_on_it"
    assert sent["parsed"]["template"]["language"] == {"code": "fr"}
    assert sent["response"]["status"] == 200

    ended = agent.get(f"/v1/follow-ups?ticket={ticket['ticket_id']}")["items"]
    done = {one["name"]: one for one in ended}
    assert {name: one["state"] for name, one in done.items()} == {
        "nobody_has_answered": "done",
        "still_working_on_it": "done",
        # They wrote by SMS since, where an answer may always go.
        "window_closing_soon": "cancelled",
    }
    gate = [step["name"] for step in done["still_working_on_it"]["gate"]]
    assert gate == [
        "suppression",
        "consent",
        "message_class",
        "quiet_hours",
        "frequency_cap",
        "reply_window",
        "budget",
    ]
    outbound = agent.timeline()[0]
    assert (outbound["direction"], outbound["channel"]) == ("outbound", "whatsapp")
    (escalated,) = agent.tickets()
    assert escalated["priority"] == "urgent"
    balance = json.loads(cloud.get("/_local/balance").body)
    assert (balance["received"], balance["duplicate"], balance["processed"]) == (4, 2, 2)
    assert balance["holds"]


def test_cw_15359_an_agents_reply_goes_to_its_sender_and_starts_the_next_promise(
    cloud: LocalCloud, agent: Agent
) -> None:
    wrote = whatsapp(cloud, STORY, phone=PHONE, key="story", at=cloud.clock.now())
    cloud.receive(wrote)
    other = "+33699999999"
    cloud.receive(whatsapp(cloud, STORY, phone=other, key="other", at=cloud.clock.now()))
    cloud.settle()
    (ticket,) = agent.tickets()
    path = f"/v1/tickets/{ticket['ticket_id']}"
    status, promised = agent.send("POST", f"{path}/replies", text="Elle part aujourd'hui.")
    assert (status, promised["state"]) == (202, "scheduled")
    status, same = agent.send("POST", f"{path}/replies", text="Elle part aujourd'hui.")
    assert (status, same["follow_up_id"]) == (202, promised["follow_up_id"])
    cloud.settle()

    (sent,) = outbox(cloud, "whatsapp_cloud")
    assert sent["parsed"]["to"] == PHONE.removeprefix("+")
    assert sent["parsed"]["text"]["body"] == "Elle part aujourd'hui."
    assert sent["parsed"]["context"] == {"message_id": "wamid.story"}
    answered = agent.get(path)
    assert answered["status"] == "waiting_customer"
    assert answered["first_response"]["met_at"] is not None
    names = {one["name"]: one["state"] for one in answered["follow_ups"]}
    assert names["did_that_help"] == "scheduled"

    cloud.advance(timedelta(days=3))
    names = {one["name"]: one["state"] for one in agent.get(path)["follow_ups"]}
    assert names == {
        "reply": "done",
        "nobody_has_answered": "cancelled",
        "still_working_on_it": "cancelled",
        "window_closing_soon": "cancelled",
        "did_that_help": "done",
    }


def test_cw_9516_an_agent_sees_the_window_close_and_opens_it_again_with_a_template(
    cloud: LocalCloud, agent: Agent
) -> None:
    cloud.receive(whatsapp(cloud, STORY, phone=PHONE, key="story", at=cloud.clock.now()))
    cloud.settle()
    (ticket,) = agent.tickets()
    path = f"/v1/tickets/{ticket['ticket_id']}"
    (window,) = agent.get(path)["way_back"]["windows"]
    assert (window["kind"], window["state"]) == ("free", "open")
    assert 0 < window["seconds_left"] <= 24 * 3600

    cloud.advance(timedelta(hours=22))
    told = agent.get(path)["log"][-1]
    assert told["what"] == "reply_window_closing_soon"
    closes_at = datetime.fromisoformat(told["detail"]["closes_at"])
    assert closes_at == datetime.fromisoformat(window["open_until"])

    cloud.advance(timedelta(hours=2))
    status, problem = agent.send("POST", f"{path}/replies", text="Elle part aujourd'hui.")
    assert (status, problem["reason"]) == (409, "window_closed")
    status, _ = agent.send("POST", f"{path}/replies", template=problem["templates"][0])
    assert status == 202
    cloud.settle()
    assert outbox(cloud, "whatsapp_cloud")[-1]["parsed"]["template"]["name"] == "answer_is_ready"
    assert agent.get(path)["status"] == "waiting_customer"


def test_a_reply_that_did_not_arrive_gives_its_ticket_back(cloud: LocalCloud, agent: Agent) -> None:
    cloud.receive(whatsapp(cloud, STORY, phone=PHONE, key="story", at=cloud.clock.now()))
    cloud.settle()
    (ticket,) = agent.tickets()
    path = f"/v1/tickets/{ticket['ticket_id']}"
    agent.send("POST", f"{path}/replies", text="Elle part aujourd'hui.")
    cloud.settle()
    assert agent.get(path)["status"] == "waiting_customer"
    (sent,) = outbox(cloud, "whatsapp_cloud")
    wamid = json.loads(sent["response"]["body"])["messages"][0]["id"]

    now = cloud.clock.now()
    for status, errors in (
        ("sent", []),
        ("failed", [{"code": 131047, "title": "Re-engagement message"}]),
    ):
        told = whatsapp_status(cloud, status, wamid, phone=PHONE, at=now, errors=errors)
        assert cloud.receive(told).status == 200
    cloud.settle()
    after = agent.get(path)
    assert after["status"] == "open"
    assert after["first_response"]["met_at"] is None
    assert after["log"][-1]["what"] == "delivery_failed"
    (reply,) = (one for one in after["follow_ups"] if one["name"] == "reply")
    assert (reply["state"], reply["provider_code"]) == ("refused", "131047")
    shown = agent.get(f"/v1/touchpoints/{reply['touchpoint_id']}")
    assert shown["delivery"]["status"] == "failed"
    assert set(shown["delivery_times"]) == {"sent", "failed"}
    assert not cloud.dead_letters


def test_who_said_stop_hears_no_more(cloud: LocalCloud, agent: Agent) -> None:
    cloud.receive(sms(cloud, STORY, phone=PHONE, key="1"))
    cloud.settle()
    cloud.receive(sms(cloud, "STOP", phone=PHONE, key="2"))
    cloud.settle()
    cloud.advance(timedelta(hours=72))
    (confirmed,) = outbox(cloud, "twilio")
    assert confirmed["parsed"]["Body"].startswith("C'est fait")
    (ticket,) = agent.tickets()
    states = {
        one["name"]: one for one in agent.get(f"/v1/tickets/{ticket['ticket_id']}")["follow_ups"]
    }
    refused = states["still_working_on_it"]
    assert refused["state"] == "refused"
    assert refused["result"].startswith("suppression: ")


def test_a_resolved_ticket_stays_and_the_next_word_opens_another(
    cloud: LocalCloud, agent: Agent
) -> None:
    cloud.receive(whatsapp(cloud, STORY, phone=PHONE, key="a", at=cloud.clock.now()))
    cloud.settle()
    (ticket,) = agent.tickets()
    path = f"/v1/tickets/{ticket['ticket_id']}"
    status, resolved = agent.send("PATCH", path, status="resolved", version=ticket["version"])
    assert (status, resolved["status"]) == (200, "resolved")
    status, stale = agent.send("PATCH", path, status="open", version=ticket["version"])
    assert (status, stale["status"]) == (409, 409)
    cloud.settle()
    later = cloud.advance(timedelta(hours=2))
    cloud.receive(whatsapp(cloud, STORY, phone=PHONE, key="b", at=later))
    cloud.receive(whatsapp(cloud, STORY, phone=PHONE, key="a", at=later))
    cloud.settle()
    assert [one["status"] for one in agent.tickets()] == ["new", "resolved"]
