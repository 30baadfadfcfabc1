"""What a machine wrote says so, in what each provider got; and one switch stops it."""

from typing import Any

import pytest

from infra.local.cloud import LocalCloud
from infra.local.sample_day import Player, find_sample
from shared.domain.disclosure import GAP, TEMPLATE
from shared.domain.ticket import TicketStatus
from shared.policies.reader import read_policies
from tests.journeys.agent import PHONE, Agent, outbox
from tests.journeys.webhooks import STORY, sms, whatsapp

QUEUES = read_policies().routing.queues
TEXT = "<b>Réponse</b> : votre dossier est traité."
SWITCH = "/v1/ai-uses/machine_written_messages/switch"


def first_words(text: str) -> str:
    return text.replace("\r\n", "\n").partition(GAP)[0]


def wordings() -> dict[str, str]:
    templates = read_policies().templates.templates[TEMPLATE]
    return {wording.text: language for language, wording in templates.items()}


def replied(cloud: LocalCloud, agent: Agent, ticket: dict[str, Any], **said: str) -> dict[str, Any]:
    """How the follow-up of a reply ended."""
    path = f"/v1/tickets/{ticket['ticket_id']}/replies"
    status, promised = agent.send("POST", path, **{"text": TEXT, "written_by": "machine", **said})
    assert status == 202, promised
    cloud.settle()
    found = agent.get(f"/v1/follow-ups?ticket={ticket['ticket_id']}")["items"]
    (one,) = (each for each in found if each["follow_up_id"] == promised["follow_up_id"])
    assert isinstance(one, dict)
    return one


def play(cloud: LocalCloud, sample_id: str) -> None:
    sample = find_sample(sample_id)
    assert sample is not None
    call = Player(cloud.url, cloud.secrets).call(sample, cloud.clock.now(), {})
    assert cloud.receive(call).status == 200
    cloud.settle()


def tickets(agent: Agent) -> list[dict[str, Any]]:
    return [one for queue in QUEUES for one in agent.get(f"/v1/tickets?queue={queue}")["items"]]


@pytest.mark.parametrize("way", ["whatsapp_cloud", "twilio", "email_ses", "web_chat"])
def test_what_the_provider_gets_begins_with_it(cloud: LocalCloud, agent: Agent, way: str) -> None:
    match way:
        case "whatsapp_cloud":
            at = cloud.clock.now()
            cloud.receive(whatsapp(cloud, STORY, phone=PHONE, key="story", at=at))
        case "twilio":
            cloud.receive(sms(cloud, STORY, phone=PHONE, key="1"))
        case "email_ses":
            play(cloud, "james-mail")
        case "web_chat":
            play(cloud, "omar-chat")
    cloud.settle()
    (ticket,) = tickets(agent)
    reply = replied(cloud, agent, ticket)
    assert (reply["state"], reply["result"]) == ("done", "sent")
    assert reply["action"]["written_by"] == "machine"

    texts = [
        one["parsed"]["text"]
        if way == "email_ses"
        else one["parsed"]["Body"]
        if way == "twilio"
        else one["parsed"]["text"]["body"]
        for one in outbox(cloud, way)
    ]
    assert len(texts) == (0 if way == "web_chat" else 1), "the widget comes for its own"
    kept = agent.get(f"/v1/touchpoints/{reply['touchpoint_id']}")
    assert kept["content"]["written_by"] == "machine"
    expected = "en" if way == "email_ses" else "fr"
    for text in (*texts, kept["content"]["text"]):
        assert wordings()[first_words(text)] == expected
        assert text.rstrip().endswith(TEXT)

    after = agent.get(f"/v1/tickets/{ticket['ticket_id']}")
    assert after["status"] == TicketStatus.NEW
    assert after["first_response"]["met_at"] is None
    assert [(one["what"], one["by"].partition(":")[0]) for one in after["log"]][-1] == (
        "machine_replied",
        "machine",
    )
    waiting = {one["name"]: one["state"] for one in after["follow_ups"] if one["name"] != "reply"}
    assert set(waiting) >= {"nobody_has_answered", "still_working_on_it"}
    assert set(waiting.values()) == {"scheduled"}
    assert not cloud.dead_letters
    assert not cloud.failed_journeys


def test_the_switch_stops_machines_and_nobody_else(cloud: LocalCloud, agent: Agent) -> None:
    cloud.receive(sms(cloud, STORY, phone=PHONE, key="1"))
    cloud.settle()
    (ticket,) = agent.tickets()
    status, _ = agent.send("PUT", SWITCH, on=False, reason="it promises what we cannot keep")
    assert status == 200
    refused = replied(cloud, agent, ticket)
    assert refused["state"] == "refused"
    assert refused["result"] == "ai_use: machine_written_messages is switched off"
    assert outbox(cloud, "twilio") == []
    sent = replied(cloud, agent, ticket, text="C'est parti !", written_by="person")
    assert sent["state"] == "done"
    (message,) = outbox(cloud, "twilio")
    assert message["parsed"]["Body"] == "C'est parti !"
    agent.send("PUT", SWITCH, on=True, reason="it was told")
    assert replied(cloud, agent, ticket, text="Merci de votre patience.")["state"] == "done"
