"""An agent sends a file: put it, name it in a reply, and it is in the mail and in the record."""

import json
from email import message_from_bytes, policy
from typing import Any
from urllib.parse import urlsplit

import pytest
from urllib3 import encode_multipart_formdata

from infra.local.clients.base import Call
from infra.local.cloud import LocalCloud
from infra.local.gateway import Response
from infra.local.provision import client
from infra.local.simulators._media import PDF, PNG
from tests.journeys.agent import Agent, outbox
from tests.journeys.test_media import IMAGE, whatsapp

NAME = "facture é.pdf"
MAIL = (
    "From: Awa <awa@example.org>\r\nTo: support@boutique.example\r\nSubject: Ma facture\r\n"
    "Message-ID: <facture-1@example.org>\r\nDate: Mon, 23 Nov 2026 12:00:00 +0000\r\n\r\n"
    "Bonjour, ma facture manque.\r\n"
)


def offered(agent: Agent, content: bytes = PDF, **said: Any) -> dict[str, Any]:
    body = {"name": NAME, "content_type": "application/pdf", "size": len(content), **said}
    status, form = agent.send("POST", "/v1/uploads", **body)
    assert status == 201, form
    return form


def put(cloud: LocalCloud, form: dict[str, Any], content: bytes, **instead: str) -> Response:
    """As a browser or curl does."""
    fields = {**form["fields"], **instead}
    body, kind = encode_multipart_formdata([*fields.items(), ("file", ("f", content))])
    return cloud.post(urlsplit(form["url"]).path, body, {"content-type": kind})


def saved(cloud: LocalCloud, url: str) -> Response:
    parts = urlsplit(url)
    return cloud.get(f"{parts.path}?{parts.query}")


def written_to(cloud: LocalCloud, call: Call) -> None:
    assert cloud.receive(call).status == 200
    cloud.settle()


def ticket_of(cloud: LocalCloud, agent: Agent) -> dict[str, Any]:
    received = [one for one in cloud.events if one["detail-type"] == "TicketOpened"]
    return agent.get(f"/v1/tickets/{received[-1]['detail']['data']['ticket_id']}")


def replied(cloud: LocalCloud, agent: Agent, ticket: dict[str, Any], upload: str) -> dict[str, Any]:
    """The follow-up, and the touchpoint that it became."""
    status, promised = agent.send(
        "POST",
        f"/v1/tickets/{ticket['ticket_id']}/replies",
        text="La voici.",
        files=[{"upload_id": upload}],
    )
    assert status == 202, promised
    cloud.settle()
    ended = agent.get(f"/v1/tickets/{ticket['ticket_id']}")["follow_ups"]
    (done,) = (one for one in ended if one["follow_up_id"] == promised["follow_up_id"])
    assert (done["state"], done["result"]) == ("done", "sent")
    return agent.get(f"/v1/touchpoints/{done['touchpoint_id']}")


def by_mail(cloud: LocalCloud, agent: Agent) -> dict[str, Any]:
    (topic, *_) = cloud.secrets["email_ses"]["topic_arns"]
    at = f"{cloud.clock.now():%Y-%m-%dT%H:%M:%S}.000Z"
    received = {
        "notificationType": "Received",
        "mail": {
            "messageId": "ses-1",
            "timestamp": at,
            "source": "awa@example.org",
            "destination": ["support@boutique.example"],
            "headers": [],
        },
        "receipt": {
            "recipients": ["support@boutique.example"],
            "dmarcVerdict": {"status": "PASS"},
            "action": {"type": "SNS", "encoding": "UTF-8"},
        },
        "content": MAIL,
    }
    body = {
        "Type": "Notification",
        "MessageId": "5f0d8a1e-0000-4000-8000-000000000001",
        "TopicArn": topic,
        "Message": json.dumps(received),
        "Timestamp": at,
    }
    headers = {"content-type": "text/plain; charset=UTF-8"}
    written_to(cloud, cloud.signed("email_ses", json.dumps(body), headers))
    return ticket_of(cloud, agent)


def test_a_mail_has_the_file_in_it_and_the_agent_can_open_it_later(
    cloud: LocalCloud, agent: Agent
) -> None:
    ticket = by_mail(cloud, agent)
    form = offered(agent)
    assert put(cloud, form, PDF).status == 204
    sent = replied(cloud, agent, ticket, form["upload_id"])

    (left,) = (one for one in cloud.outbox.all() if one.provider == "email_ses")
    mail = message_from_bytes(left.body, policy=policy.default)
    (part,) = mail.iter_attachments()
    assert (part.get_filename(), part.get_content()) == (NAME, PDF)

    (medium,) = sent["media"]
    assert (medium["state"], medium["name"], medium["size"]) == ("stored", NAME, len(PDF))
    file = saved(cloud, medium["url"])
    assert (file.status, file.body) == (200, PDF)
    assert file.headers["content-type"] == "application/pdf"
    assert file.headers["content-disposition"].startswith("attachment; filename*=UTF-8''facture")

    status, asked = agent.send(
        "POST",
        f"/v1/profiles/{ticket['profile_id']}/erasures",
        reason="objection",
        confirm=ticket["profile_id"],
    )
    assert status == 202, asked
    cloud.settle()
    assert agent.get(f"/v1/erasures/{asked['erasure_id']}")["state"] == "done"
    gone = saved(cloud, medium["url"])
    assert gone.status in {403, 404} and PDF not in gone.body


def test_whatsapp_fetches_it_by_a_link_that_opens(cloud: LocalCloud, agent: Agent) -> None:
    written_to(cloud, whatsapp(cloud, IMAGE))
    form = offered(agent, PNG, content_type="image/png", name="plan.png")
    assert put(cloud, form, PNG).status == 204
    replied(cloud, agent, ticket_of(cloud, agent), form["upload_id"])
    (left,) = outbox(cloud, "whatsapp_cloud")
    image = left["parsed"]["image"]
    assert image["caption"] == "La voici."
    assert saved(cloud, image["link"]).body == PNG


def test_the_bucket_takes_what_was_offered_and_nothing_else(
    cloud: LocalCloud, agent: Agent
) -> None:
    form = offered(agent)
    for content, instead, code in (
        (PDF + b"x", {}, "EntityTooLarge"),
        (b"", {}, "EntityTooSmall"),
        (PDF, {"key": "attachments/1/0"}, "AccessDenied"),
        (PDF, {"Content-Type": "text/html"}, "AccessDenied"),
        (PDF, {"acl": "public-read"}, "AccessDenied"),
        (PDF, {"x-amz-signature": "0" * 64}, "SignatureDoesNotMatch"),
        (PDF, {"policy": "e30="}, "SignatureDoesNotMatch"),
    ):
        refused = put(cloud, form, content, **instead)
        assert 400 <= refused.status < 500, code
        assert f"<Code>{code}</Code>".encode() in refused.body
    path = urlsplit(form["url"]).path
    assert cloud.post(path, "{}").status == 412
    body, kind = encode_multipart_formdata(list(form["fields"].items()))
    assert cloud.post(path, body, {"content-type": kind}).status == 400
    assert put(cloud, form, PDF).status == 204


@pytest.mark.parametrize("odd", [bytes(range(256)) * 2, b"\r\n\r\n--\x0b\x1c\x85\n"])
def test_what_is_put_is_kept_byte_for_byte_and_what_it_is_decides(
    cloud: LocalCloud, agent: Agent, odd: bytes
) -> None:
    form = offered(agent, odd)
    assert put(cloud, form, odd).status == 204
    (bucket,) = cloud.made.expiry.buckets
    key = f"uploads/{form['upload_id']}"
    assert client("s3").get_object(Bucket=bucket, Key=key)["Body"].read() == odd
