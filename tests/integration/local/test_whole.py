"""The real template: the sample day, and the page that shows it."""

import gzip
import json
import re
import socket
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
import urllib3

from infra.local import __main__ as command
from infra.local.cloud import LocalCloud
from infra.local.sample_day import samples
from infra.local.synthesis import synthesised_template
from infra.local.telling import Teller

HOSTILE = """<script>alert(1)</script>"'><img src=x onerror=alert(2)>{{7*7}}‮"""


@pytest.fixture(scope="module")
def template() -> dict[str, Any]:
    return synthesised_template(print)


@pytest.fixture
def cloud(template: dict[str, Any]) -> Iterator[LocalCloud]:
    with LocalCloud(template, pace=0.01) as alive:
        yield alive


def _whatsapp(text: str, *, name: str = "Léa", message_id: str = "wamid.1") -> str:
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "33170000000", "phone_number_id": "106540352242922"},
        "contacts": [{"profile": {"name": name}, "wa_id": "33612345678"}],
        "messages": [
            {
                "from": "33612345678",
                "id": message_id,
                "timestamp": "1795300000",
                "type": "text",
                "text": {"body": text},
            }
        ],
    }
    changes = [{"field": "messages", "value": value}]
    return json.dumps(
        {"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": changes}]}
    )


def test_the_day_is_as_it_was_promised() -> None:
    day = samples()
    assert len(day) >= 30
    assert len({one.provider for one in day}) == 11
    assert len({one.person for one in day}) >= 12
    assert sum(one.again is not None for one in day) >= 3
    assert [one.id for one in day if one.is_forged] == ["forged"]
    assert len({one.id for one in day}) == len(day)


def test_the_day_is_played_told_and_balanced(cloud: LocalCloud) -> None:
    told = StringIO()
    command.play(cloud, Teller(told))
    lines = told.getvalue()
    for sample in samples():
        pattern = rf"{sample.provider} +{sample.person} +{sample.status}  {re.escape(sample.about)}"
        assert re.search(pattern, lines), sample.id
    balance = cloud.stories.balance()
    assert balance["holds"]
    assert (balance["in_flight"], balance["failed"], balance["quarantined"]) == (0, 0, 1)
    assert cloud.lambdas.errors == []
    assert "33612345678" not in lines, "people are named by their alias"
    stories = cloud.stories.read(cloud.stories.received())
    steps = [one.journey.ai_classification for one in stories if one.journey]
    languages = Counter(step.classification.language for step in steps if step)
    assert {"fr", "en", "it", "es"} <= set(languages)
    lea = [one for one in stories if one.profile and one.touchpoint.name == "Léa Moreau"]
    by_sms = [one for one in stories if one.touchpoint.provider_event_id.endswith("a1")]
    assert by_sms[0].profile == lea[0].profile
    assert by_sms[0].ticket == lea[0].ticket
    sent = [one for one in cloud.outbox.all() if one.provider == "twilio"]
    assert sent, "the follow-up of the next morning has left"
    assert all(one.status < 300 for one in cloud.outbox.all())
    assert all(one.url.startswith("https://") for one in cloud.outbox.all())
    assert cloud.get("/_local").status == 200


def test_a_customer_cannot_write_into_the_page(cloud: LocalCloud) -> None:
    body = _whatsapp(HOSTILE, name=HOSTILE)
    call = cloud.signed("whatsapp_cloud", body, {"content-type": "application/json"})
    assert cloud.receive(call).status == 200
    cloud.settle()
    page = cloud.get("/_local?played=<script>&answer=<b>&show=bad")
    html = page.body.decode()
    assert "&lt;script&gt;alert(1)" in html
    assert "<script>alert" not in html
    assert "<img" not in html
    assert "49" not in re.findall(r"<blockquote[^>]*>(.*?)</blockquote>", html, re.S)[0]
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert not re.search(r"<[^>]+\son\w+=", html), "no handler in the markup"
    assert not re.search(r"<(style|script)(?![^>]* src=)[^>]*>", html), "nothing inline"


def test_the_page_plays_a_sample_and_moves_the_clock(cloud: LocalCloud) -> None:
    with urllib3.PoolManager() as pool:
        played = pool.request(
            "POST",
            f"{cloud.url}/_local/page/play",
            fields={"sample": "lea-whatsapp"},
            encode_multipart=False,
        )
        assert b"answer was 200" in played.data
        assert "inadmissible" in played.data.decode()
        again = pool.request(
            "POST",
            f"{cloud.url}/_local/page/play",
            fields={"sample": "lea-whatsapp"},
            encode_multipart=False,
        )
        assert b"answer was 200" in again.data
        before = cloud.clock.now()
        pool.request(
            "POST",
            f"{cloud.url}/_local/page/clock",
            fields={"advance": "PT72H"},
            encode_multipart=False,
        )
    assert cloud.clock.now() - before >= timedelta(hours=72)
    assert cloud.stories.balance()["duplicate"] == 1
    assert [one.provider for one in cloud.outbox.all()] == ["whatsapp_cloud"]
    unknown = cloud.post("/_local/page/play", "sample=nothing")
    assert json.loads(unknown.body)["errors"][0]["field"] == "sample"


def test_what_a_provider_gets_is_what_it_would_get(cloud: LocalCloud) -> None:
    call = cloud.signed(
        "whatsapp_cloud", _whatsapp("Où est mon colis ?"), {"content-type": "application/json"}
    )
    cloud.receive(call)
    cloud.advance(timedelta(hours=72))
    (sent,) = json.loads(cloud.get("/_local/outbox").body)
    assert sent["url"].startswith("https://graph.facebook.com/")
    assert sent["headers"]["authorization"].startswith("Bearer ")
    assert sent["headers"]["host"] == "graph.facebook.com"
    assert sent["parsed"]["to"] == "33612345678"
    assert sent["response"]["status"] == 200


def test_a_failed_journey_is_seen_and_redriven(cloud: LocalCloud) -> None:
    def interfere(service: str, operation: str, when: str) -> None:
        if (service, operation, when) == ("dynamodb", "Query", "before"):
            raise ConnectionError

    cloud.wire.interfere = interfere
    call = cloud.signed(
        "whatsapp_cloud", _whatsapp("Où est mon colis ?"), {"content-type": "application/json"}
    )
    cloud.receive(call)
    cloud.settle()
    cloud.wire.interfere = None
    (trouble,) = cloud.stories.troubles()
    assert trouble.what == "ticket_creation: ConnectionError"
    assert "Needs a person" in cloud.get("/_local").body.decode()
    answer = cloud.post("/_local/redrive", json.dumps({"touchpoint_id": trouble.touchpoint_id}))
    assert json.loads(answer.body) == {"sent_again": True}
    settled = json.loads(cloud.post("/_local/settle").body)
    assert settled["settled"] is True
    assert set(settled["waited_for"]) <= {"changes", "journeys"}
    assert cloud.stories.troubles() == []
    balance = json.loads(cloud.get("/_local/balance").body)
    assert (balance["processed"], balance["failed"], balance["holds"]) == (1, 0, True)


def test_a_taken_port_is_an_error_of_one_line(
    cloud: LocalCloud, capsys: pytest.CaptureFixture[str]
) -> None:
    port = cloud.url.rpartition(":")[2]
    cloud.__exit__(None, None, None)
    with socket.create_server(("127.0.0.1", int(port))):
        assert command.main(["--port", port, "--empty"]) == 1
    assert re.fullmatch(rf"error: port {port} .*PORT=.*\n", capsys.readouterr().err)


def test_a_page_of_another_site_may_chat(cloud: LocalCloud) -> None:
    """Its browser asks before it sends: the gateway answers that, and no function does."""
    asking = {
        "origin": "https://boutique.example",
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type",
    }
    for path in ("/webhooks/web_chat/sessions", "/webhooks/web_chat/messages"):
        answer = cloud.post(path, headers=asking, method="OPTIONS")
        assert answer.status == 204
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "POST" in answer.headers["access-control-allow-methods"]
        assert {"authorization", "content-type"} <= {
            *answer.headers["access-control-allow-headers"].split(",")
        }
    opened = cloud.post("/webhooks/web_chat/sessions", "{}", {"origin": "https://boutique.example"})
    assert opened.headers["access-control-allow-origin"] == "*"
    script = cloud.get("/webhooks/web_chat/widget.js", {"accept-encoding": "gzip"})
    assert script.headers["content-encoding"] == "gzip"
    assert b"passerelle" in gzip.decompress(script.body)


@pytest.mark.parametrize("language", ["en", "fr", "it", "es", "sw", "xx", "<script>"])
def test_the_shop_has_the_chat_in_it(cloud: LocalCloud, language: str) -> None:
    page = cloud.get(f"/_local/chat?language={language}&customer=%22%3E%3Cimg%3E").body.decode()
    spoken = language if len(language) == 2 and language != "xx" else "en"
    assert f'<html lang="{spoken}">' in page
    assert "/webhooks/web_chat/widget.js" in page
    assert "<img>" not in page
    assert 'data-user-id=""' in cloud.get("/_local/chat").body.decode()


def test_who_asks_for_messages_in_vain_costs_one_query(cloud: LocalCloud) -> None:
    """The chat asks again and again (docs/web-chat.md)."""
    session = json.loads(cloud.post("/webhooks/web_chat/sessions", "{}").body)
    headers = {"authorization": f"Bearer {session['token']}"}
    cloud.wire.meter.reset()
    since = "/webhooks/web_chat/messages?since=2026-11-22T12:00:00Z"
    assert json.loads(cloud.get(since, headers).body) == {"messages": []}
    assert cloud.wire.meter.calls == {("passerelle-webhook_intake", "dynamodb", "Query"): 1}
    assert (cloud.wire.meter.read_units, cloud.wire.meter.write_units) == (0.5, 0)
