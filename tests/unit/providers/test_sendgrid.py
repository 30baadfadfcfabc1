"""SendGrid: two webhooks at one URL, each with its own proof, and what its API takes."""

import json
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from sendgrid.helpers.eventwebhook import (
    EventWebhook,
)

from infra.local.clients import sendgrid as client
from infra.local.clients.base import Call
from shared.domain.errors import (
    MalformedPayload,
    SendDelayed,
    SendRefused,
    SendUnconfirmed,
    Unauthentic,
)
from shared.domain.identity import Proof
from shared.domain.model import derived_id
from shared.domain.sending import MessageClass, OutboundMessage
from shared.domain.touchpoint import (
    Channel,
    DeliveryStatus,
    Stop,
    Touchpoint,
    TrackedEvent,
    touchpoint_id,
)
from shared.providers._form import FormField, read_form
from shared.providers.base import HttpResponse, WebhookRequest
from shared.providers.sendgrid import EVENTS_OLDEST, NEWEST, PARSE_OLDEST, PROVIDER, SendGridSecret
from tests.unit.providers.fixtures import (
    FIXTURES,
    NOW,
    SECRETS,
    cases,
    fetch,
    other_secret,
    received,
)
from tests.unit.providers.hostile import assert_sound
from tests.unit.providers.sending import message_of, message_to, prepared, simulated

OURS, THEIRS = "support@boutique.example", "awa@example.org"
LOCAL = SECRETS["sendgrid"]
SECRET: SendGridSecret = PROVIDER.read_secret(LOCAL)
CASES = {case.name: case for case in cases() if case.provider == "sendgrid"}
EVENTS, MAIL = CASES["events_batch"].call, CASES["plain"].call
SIGNING = {**LOCAL, "parse_keys": other_secret("sendgrid")["event_keys"]}


def taken(request: WebhookRequest, secret: Mapping[str, Any] = LOCAL) -> None:
    PROVIDER.verify(request, PROVIDER.read_secret(secret), fetch)


def sent(call: Call, secret: Mapping[str, Any] = LOCAL, at: datetime = NOW) -> WebhookRequest:
    return received("sendgrid", client.sign(call, secret, at))


# Proof


def test_events_are_signed_as_the_official_library_verifies_them() -> None:
    request = sent(EVENTS)
    official = EventWebhook(LOCAL["event_keys"][0])
    assert official.verify_signature(
        request.body.decode(),
        request.header("X-Twilio-Email-Event-Webhook-Signature"),
        request.header("X-Twilio-Email-Event-Webhook-Timestamp"),
    )
    taken(request)


def test_a_changed_event_is_refused() -> None:
    request = sent(EVENTS)
    body = request.body.replace(b"delivered", b"delivereD", 1)
    with pytest.raises(Unauthentic):
        taken(replace(request, body=body))


def test_the_login_of_the_inbound_url_proves_no_event() -> None:
    """Trap: who knows the one must not be able to say the other."""
    login = b64encode(f"any:{LOCAL['webhook_secrets'][0]}".encode()).decode()
    call = replace(EVENTS, headers={**EVENTS.headers, "Authorization": f"Basic {login}"})
    with pytest.raises(Unauthentic):
        taken(received("sendgrid", call))


def test_the_signature_of_events_proves_no_mail() -> None:
    signed = client.sign(EVENTS, LOCAL, NOW).headers
    call = replace(MAIL, headers={**signed, **MAIL.headers})
    with pytest.raises(Unauthentic):
        taken(received("sendgrid", call))


def test_the_secret_may_stand_in_the_path_or_in_a_header() -> None:
    secret = LOCAL["webhook_secrets"][0]
    in_path = replace(MAIL, url=f"{MAIL.url}/{secret}")
    taken(received("sendgrid", in_path))
    taken(
        received("sendgrid", replace(MAIL, headers={**MAIL.headers, "x-passerelle-secret": secret}))
    )
    for wrong in (secret[:-1], f"{secret}x", secret.upper(), ""):
        with pytest.raises(Unauthentic):
            taken(received("sendgrid", replace(MAIL, url=f"{MAIL.url}/{wrong}")))


def test_quarantine_keeps_no_secret() -> None:
    secret = LOCAL["webhook_secrets"][0]
    request = received("sendgrid", replace(MAIL, url=f"{MAIL.url}/{secret}?a=b"))
    kept = PROVIDER.without_proof(request, SECRET)
    assert secret not in kept.url + kept.path
    assert kept.url.endswith("/webhooks/sendgrid?a=b")
    assert PROVIDER.parse(kept, SECRET, NOW) == PROVIDER.parse(request, SECRET, NOW)
    assert PROVIDER.without_proof(sent(MAIL), SECRET) == sent(MAIL)


@pytest.mark.parametrize("header", ["Basic", "Basic *", "Bearer abc", "Basic YWJj", "basic "])
def test_a_login_that_is_none_is_refused(header: str) -> None:
    call = replace(MAIL, headers={**MAIL.headers, "Authorization": header})
    with pytest.raises(Unauthentic):
        taken(received("sendgrid", call))


def test_with_a_security_policy_only_a_signed_mail_counts() -> None:
    taken(sent(MAIL, SIGNING), SIGNING)
    with pytest.raises(Unauthentic):
        taken(sent(MAIL, LOCAL), SIGNING)
    with pytest.raises(Unauthentic):  # signed, by the key of the events
        taken(sent(MAIL, {**LOCAL, "parse_keys": LOCAL["event_keys"]}), SIGNING)


@pytest.mark.parametrize(
    ("call", "secret", "oldest"), [(EVENTS, LOCAL, EVENTS_OLDEST), (MAIL, SIGNING, PARSE_OLDEST)]
)
def test_a_signature_is_good_for_as_long_as_sendgrid_tries(
    call: Call, secret: dict[str, Any], oldest: timedelta
) -> None:
    second = timedelta(seconds=1)
    for at in (NOW - oldest, NOW + NEWEST):
        taken(sent(call, secret, at), secret)
    for at in (NOW - oldest - second, NOW + NEWEST + second):
        with pytest.raises(Unauthentic):
            taken(sent(call, secret, at), secret)


@pytest.mark.parametrize("stamp", ["", "soon", "-5", "9" * 40, "1e9", "١٧٩٥٣٤٥٢٠٠"])
def test_a_time_that_is_none_is_refused(stamp: str) -> None:
    request = sent(EVENTS)
    headers = {**request.headers, "x-twilio-email-event-webhook-timestamp": stamp}
    with pytest.raises(Unauthentic):
        taken(replace(request, headers=headers))


@pytest.mark.parametrize("key", ["*", "YWJj", ""])
def test_a_key_that_is_none_verifies_nothing(key: str) -> None:
    with pytest.raises(Unauthentic):
        taken(sent(EVENTS), {**LOCAL, "event_keys": [key]})


# Mail


def parsed(name: str, *changes: tuple[bytes, bytes]) -> Touchpoint:
    body = CASES[name].call.body
    for before, after in changes:
        assert before in body
        body = body.replace(before, after)
    call = replace(CASES[name].call, body=body)
    return PROVIDER.parse(received("sendgrid", call), SECRET, NOW)[0].touchpoint


@pytest.mark.parametrize(
    ("dkim", "proof"),
    [
        ("{@example.org : pass}", Proof.DMARC),
        ("{@EXAMPLE.org : pass}", Proof.DMARC),
        ("{@mail.example.org : pass}", None),
        ("{@example.net : pass}", None),
        ("{@example.org : fail}", None),
        ("{@example.org : pass, @evil.example : fail}", None),
        ("{@example.org : pass, @x.evil.example : pass}", None),
        ("none", None),
        ("", None),
    ],
)
def test_only_one_good_signature_of_the_authors_own_domain_proves_them(
    dkim: str, proof: Proof | None
) -> None:
    assert parsed("plain", (b"{@example.org : pass}", dkim.encode())).proof == proof


def test_a_mail_that_writes_a_field_of_its_own_proves_nobody() -> None:
    """SendGrid separates its fields by `xYzZY`, and who knows that can write it into a mail."""
    good = b"{@example.org : pass}"
    field = b'\r\nContent-Disposition: form-data; name="dkim"\r\n\r\n'
    twice = good + b"\r\n--xYzZY" + field + good
    end = b"\r\n--xYzZY--"
    behind = end + b"\r\n--xYzZY" + field + b"none" + end
    assert parsed("plain", (good, twice)).proof is None
    assert parsed("plain", (end, behind)).proof is None


def test_two_authors_are_never_proven() -> None:
    two = b"From: Awa <awa@example.org>\nFrom: <x@evil.example>"
    assert parsed("plain", (b"From: Awa Ndiaye <awa@example.org>", two)).proof is None


def test_the_same_mail_again_with_another_boundary_is_the_same() -> None:
    call = CASES["no_message_id"].call
    again = replace(
        call,
        headers={"content-type": "multipart/form-data; boundary=other"},
        body=call.body.replace(b"--xYzZY", b"--other"),
    )
    first, second = (
        PROVIDER.parse(received("sendgrid", one), SECRET, NOW)[0].touchpoint
        for one in (call, again)
    )
    assert first.touchpoint_id == second.touchpoint_id


def test_a_form_of_line_feeds_alone_is_one() -> None:
    """SendGrid's own test of Inbound Parse sends it so (sendgrid-python, helpers/inbound)."""
    call = CASES["plain"].call
    again = replace(call, body=call.body.replace(b"\r\n", b"\n"))
    first, second = (
        PROVIDER.parse(received("sendgrid", one), SECRET, NOW)[0].touchpoint
        for one in (call, again)
    )
    assert first == second


def test_an_attached_mail_is_kept_as_it_came() -> None:
    [seen] = PROVIDER.parse(CASES["attachments"].request, SECRET, NOW)
    assert [file.attachment.name for file in seen.files] == ["box.png", "parcel.eml"]
    assert seen.files[0].content == b"\x89PNG\r\n\x1a\n\x00\xff"
    assert b"On its way." in seen.files[1].content


def test_the_raw_mail_is_the_evidence_where_there_is_one() -> None:
    [seen] = PROVIDER.parse(CASES["raw"].request, SECRET, NOW)
    assert seen.raw.startswith(b"Received: ")
    [form] = PROVIDER.parse(CASES["plain"].request, SECRET, NOW)
    assert form.raw == CASES["plain"].request.body


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        'multipart/form-data; boundary="a\nb"',
        "multipart/form-data; boundary=elsewhere",
    ],
)
def test_a_form_without_its_boundary_is_malformed(content_type: str) -> None:
    call = replace(MAIL, headers={"content-type": content_type})
    with pytest.raises(MalformedPayload):
        PROVIDER.parse(received("sendgrid", call), SECRET, NOW)


def test_a_form_of_too_many_parts_is_malformed() -> None:
    part = b'--xYzZY\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n'
    call = replace(MAIL, body=part * 1001 + b"--xYzZY--\r\n")
    with pytest.raises(MalformedPayload):
        PROVIDER.parse(received("sendgrid", call), SECRET, NOW)


NASTY = (
    *(b"", b"\x00", b"\xff\xfe", b"x" * 70_000, b"{", b"[]", b"null", b"-1", b"9" * 400, b"nan"),
    *(b'{"to":"x","from":3}', b'{"text":"undefined","html":7}', b'{"attachment1":null}'),
    *(b"\n\n", b"From: a@b.example\nFrom: c@d.example", b"A" * 300 + b": b", b"<" * 5_000),
)


@pytest.mark.parametrize("name", ["attachments", "charsets"])
def test_whatever_a_field_holds_it_is_read_or_malformed(name: str) -> None:
    fields = read_form(CASES[name].request)
    for place in range(len(fields)):
        for value in NASTY:
            changed = [*fields[:place], fields[place]._replace(content=value), *fields[place + 1 :]]
            call = replace(MAIL, body=written(changed))
            assert_sound(partial(PROVIDER.parse, received("sendgrid", call), SECRET, NOW))


def written(fields: list[FormField]) -> bytes:
    parts = b""
    for one in fields:
        file = f'; filename="{one.file_name}"' if one.file_name is not None else ""
        head = f'--xYzZY\r\nContent-Disposition: form-data; name="{one.name}"{file}\r\n\r\n'
        parts += head.encode() + one.content + b"\r\n"
    return parts + b"--xYzZY--\r\n"


# Events


def event(**fields: Any) -> Touchpoint:
    content = {"event": "delivered", "email": THEIRS, "sg_message_id": "id.recv-1", **fields}
    call = replace(EVENTS, body=json.dumps([content]).encode())
    return PROVIDER.parse(received("sendgrid", call), SECRET, NOW)[0].touchpoint


@pytest.mark.parametrize(
    ("told", "message_id"),
    [
        ("14c5d75ce93.dfd.64b469.filter0001.16648.5515E0B88.0", "14c5d75ce93.dfd.64b469"),
        ("v-3kZ0XRTKqF7rlfeOXH8A.recvd-5d9c7f-1-6921A0-63.0", "v-3kZ0XRTKqF7rlfeOXH8A"),
        ("X7-Kq.filterdrecv-p3mdw1-56c97568b5-k9cmd-18-5E4-5.0", "X7-Kq"),
        ("X7-Kq.other", "X7-Kq"),
        ("X7-Kq", "X7-Kq"),
    ],
)
def test_an_event_names_the_message_as_the_api_did(told: str, message_id: str) -> None:
    content = event(sg_message_id=told).content
    assert isinstance(content, DeliveryStatus)
    assert content.message_id == message_id


@pytest.mark.parametrize(
    ("fields", "stop"),
    [
        ({"event": "bounce", "type": "bounce"}, Stop(kind="bounce")),
        ({"event": "bounce", "type": "blocked"}, None),
        ({"event": "dropped", "reason": "Unsubscribed Address"}, Stop(kind="opt_out")),
        ({"event": "dropped", "reason": "Spam Reporting Address"}, Stop(kind="complaint")),
        ({"event": "dropped", "reason": "Spam Content"}, None),
        ({"event": "spamreport"}, Stop(kind="complaint")),
        ({"event": "unsubscribe"}, Stop(kind="opt_out")),
        ({"event": "group_unsubscribe"}, Stop(kind="opt_out", classes="marketing")),
        ({"event": "delivered", "reason": "bounce"}, None),
    ],
)
def test_what_stops_further_mail(fields: dict[str, str], stop: Stop | None) -> None:
    content = event(**fields).content
    assert isinstance(content, DeliveryStatus)
    assert content.stop == stop


def test_who_subscribes_again_is_written_to_again() -> None:
    content = event(event="group_resubscribe").content
    assert isinstance(content, TrackedEvent)
    assert content.lifts == PROVIDER.stops["group_unsubscribe"]


def test_a_reason_never_quotes_the_other_server() -> None:
    content = event(event="bounce", type="bounce", reason=f"550 <{THEIRS}> unknown").content
    assert THEIRS not in content.model_dump_json()


def test_of_one_mailbox_the_account_is_known_without_being_told() -> None:
    secret = PROVIDER.read_secret({**LOCAL, "addresses": [OURS]})
    call = replace(EVENTS, body=b'[{"event":"open","sg_message_id":"a","email":"b@example.org"}]')
    [seen] = PROVIDER.parse(received("sendgrid", call), secret, NOW)
    assert seen.touchpoint.account == OURS


# Sending


def message(**given: Any) -> OutboundMessage:
    return message_to(Channel.EMAIL, "sendgrid", OURS, THEIRS, subject="Your order", **given)


def content_of(message: OutboundMessage, **secret: Any) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(prepared(PROVIDER, message, **secret).body)
    return content


def test_sends_a_mail_that_an_answer_can_be_tied_to() -> None:
    request = prepared(PROVIDER, message(in_reply_to="<1@x.example>", thread=("<0@x.example>",)))
    assert request.url == "https://api.sendgrid.com/v3/mail/send"
    assert request.headers["authorization"] == f"Bearer {LOCAL['api_key']}"
    content = json.loads(request.body)
    assert content["personalizations"] == [{"to": [{"email": THEIRS}]}]
    assert content["from"] == {"email": OURS, "name": "Boutique"}
    assert content["subject"] == "Re: Your order"
    assert content["content"][0] == {"type": "text/plain", "value": "We are on it.\n"}
    assert content["custom_args"] == {"send_key": "send-key-1", "account": OURS}
    headers = content["headers"]
    assert headers["Message-ID"] == f"<{derived_id('mail', 'send-key-1')}@boutique.example>"
    assert headers["In-Reply-To"] == "<1@x.example>"
    assert headers["References"] == "<0@x.example> <1@x.example>"
    assert not {"From", "To", "Subject", "Content-Type", "MIME-Version"} & headers.keys()


def test_an_offer_can_be_refused_by_one_click() -> None:
    url = "https://passerelle.example/u/1"
    headers = content_of(message(message_class=MessageClass.MARKETING, unsubscribe_url=url))[
        "headers"
    ]
    assert headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert url in headers["List-Unsubscribe"]


def test_a_mail_without_a_subject_has_the_company_for_one() -> None:
    bare = message_to(Channel.EMAIL, "sendgrid", OURS, THEIRS)
    assert content_of(bare)["subject"] == "Boutique"
    assert content_of(bare, sender_name="")["subject"] == OURS
    assert content_of(bare, sender_name="")["from"] == {"email": OURS}


def test_a_status_is_tied_to_the_outbound_touchpoint() -> None:
    message_id = PROVIDER.receipt(simulated("sendgrid", prepared(PROVIDER, message())))
    told = event(sg_message_id=f"{message_id}.recvd-5d9c7f-1-6921A0-63.0", account=OURS)
    assert message_of(told) == touchpoint_id("sendgrid", OURS, message_id)


def test_a_subuser_of_the_eu_sends_there() -> None:
    request = prepared(PROVIDER, message(), region="eu")
    assert request.url == "https://api.eu.sendgrid.com/v3/mail/send"
    assert simulated("sendgrid", request).status == 202


def test_writes_from_no_address_but_ours() -> None:
    with pytest.raises(SendRefused) as refused:
        prepared(PROVIDER, message_to(Channel.EMAIL, "sendgrid", "ceo@boutique.example", THEIRS))
    assert (refused.value.code, refused.value.reason) == ("account", "unauthorized")


@pytest.mark.parametrize("address", ["nobody", "a@b", "a@x.example\r\nBcc: b@x.example"])
def test_writes_to_no_address_that_is_none(address: str) -> None:
    with pytest.raises(SendRefused):
        prepared(PROVIDER, message_to(Channel.EMAIL, "sendgrid", OURS, address))


def changed(**fields: Any) -> HttpResponse:
    """What SendGrid says to the request with some fields changed."""
    request = prepared(PROVIDER, message())
    return simulated(
        "sendgrid", replace(request, body=json.dumps(json.loads(request.body) | fields).encode())
    )


@pytest.mark.parametrize(
    ("response", "code", "reason"),
    [
        (
            changed(personalizations=[{"to": [{"email": "nobody"}]}]),
            "personalizations.0.to.0.email",
            "invalid_recipient",
        ),
        (changed(**{"from": {"email": "ceo@elsewhere.example"}}), "from", "unauthorized"),
        (changed(**{"from": {"email": "word"}}), "from.email", "unauthorized"),
        (changed(subject=""), "subject", "content"),
        (changed(content=[]), "content", "content"),
        (changed(content=[{"type": "text/plain", "value": ""}]), "content.0.value", "content"),
        (changed(headers={"Received": "x"}), "headers", "content"),
        (changed(custom_args={"a": "x" * 10_001}), "custom_args", "unknown"),
        (HttpResponse(status=401, headers={}, body=b"{}"), "401", "unauthorized"),
        (HttpResponse(status=413, headers={}, body=b"large"), "413", "content"),
        (HttpResponse(status=400, headers={}, body=b'{"errors":[3]}'), "400", "unknown"),
    ],
)
def test_a_refusal_says_why(response: HttpResponse, code: str, reason: str) -> None:
    with pytest.raises(SendRefused) as refused:
        PROVIDER.receipt(response)
    assert (refused.value.code, refused.value.reason) == (code, reason)


def test_a_wrong_key_is_refused() -> None:
    request = prepared(PROVIDER, message(), api_key="SG.another")
    with pytest.raises(SendRefused) as refused:
        PROVIDER.receipt(simulated("sendgrid", request))
    assert refused.value.reason == "unauthorized"


def test_too_fast_is_later() -> None:
    with pytest.raises(SendDelayed) as delayed:
        PROVIDER.receipt(HttpResponse(status=429, headers={"Retry-After": "30"}, body=b""))
    assert delayed.value.retry_after == timedelta(seconds=30)


@pytest.mark.parametrize(
    "response",
    [
        HttpResponse(status=202, headers={}, body=b""),
        HttpResponse(status=500, headers={}, body=b""),
        HttpResponse(status=504, headers={}, body=b""),
        HttpResponse(status=200, headers={"x-message-id": "a"}, body=b""),
    ],
)
def test_what_nobody_knows_is_never_sent_again(response: HttpResponse) -> None:
    with pytest.raises(SendUnconfirmed):
        PROVIDER.receipt(response)


def test_the_fixtures_of_the_other_company_have_other_proofs() -> None:
    assert (FIXTURES / "sendgrid/secrets/other.json").exists()
    assert not set(other_secret("sendgrid")["event_keys"]) & set(LOCAL["event_keys"])
