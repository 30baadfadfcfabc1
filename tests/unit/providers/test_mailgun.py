"""Mailgun: a signature that covers a time and a token, and nothing of what it stands beside."""

import json
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode

import pytest

from infra.local.clients import mailgun as client
from infra.local.clients.base import Call
from shared.domain.errors import (
    SendDelayed,
    SendRefused,
    SendUnconfirmed,
    Unauthentic,
)
from shared.domain.identity import Proof
from shared.domain.model import derived_id
from shared.domain.sending import MessageClass, OutboundMessage
from shared.domain.touchpoint import (
    Attachment,
    Channel,
    DeliveryStatus,
    Message,
    Stop,
    Touchpoint,
    Unsupported,
    touchpoint_id,
)
from shared.providers.base import HttpResponse, WebhookRequest
from shared.providers.mailgun import NEWEST, OLDEST, PROVIDER, MailgunSecret
from tests.unit.providers.fixtures import NOW, SECRETS, cases, fetch, other_secret, received
from tests.unit.providers.hostile import assert_sound
from tests.unit.providers.sending import message_of, message_to, prepared, simulated

OURS, THEIRS = "support@boutique.example", "awa@example.org"
LOCAL = SECRETS["mailgun"]
SECRET: MailgunSecret = PROVIDER.read_secret(LOCAL)
CASES = {case.name: case for case in cases() if case.provider == "mailgun"}
MAIL, FILES, EVENT = CASES["plain"].call, CASES["attachments"].call, CASES["event_opened"].call
KINDS = [MAIL, FILES, EVENT]


def sent(call: Call, secret: Mapping[str, Any] = LOCAL, at: datetime = NOW) -> WebhookRequest:
    return received("mailgun", client.sign(call, secret, at))


def taken(request: WebhookRequest) -> None:
    PROVIDER.verify(request, SECRET, fetch)


# Proof


@pytest.mark.parametrize("call", KINDS)
def test_a_signature_is_good_for_as_long_as_mailgun_tries(call: Call) -> None:
    second = timedelta(seconds=1)
    for at in (NOW - OLDEST, NOW + NEWEST):
        taken(sent(call, at=at))
    for at in (NOW - OLDEST - second, NOW + NEWEST + second):
        with pytest.raises(Unauthentic):
            taken(sent(call, at=at))


def test_an_event_of_a_subaccount_is_signed_by_the_account_above_it() -> None:
    signed = json.loads(sent(EVENT).body)
    signed["signature"]["parent-signature"] = signed["signature"]["signature"]
    signed["signature"]["signature"] = "0" * 64
    taken(replace(sent(EVENT), body=json.dumps(signed).encode()))
    signed["signature"]["parent-signature"] = "0" * 64
    with pytest.raises(Unauthentic):
        taken(replace(sent(EVENT), body=json.dumps(signed).encode()))


@pytest.mark.parametrize("first", [True, False])
def test_a_mail_header_of_that_name_disturbs_no_proof(first: bool) -> None:
    """The form has the headers of the mail among its fields."""
    request = sent(MAIL)
    theirs = urlencode({"token": "x", "timestamp": "1", "signature": "0" * 64}).encode()
    pair = [theirs, request.body] if first else [request.body, theirs]
    taken(replace(request, body=b"&".join(pair)))


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", ""])
def test_another_content_type_is_not_taken(content_type: str) -> None:
    request = replace(sent(MAIL), headers={"content-type": content_type})
    with pytest.raises(Unauthentic):
        taken(request)


def test_each_try_of_one_webhook_comes_with_the_same() -> None:
    """The boundary of a form, and the token itself, may be new each time."""
    again = replace(
        FILES,
        headers={"content-type": "multipart/form-data; boundary=other"},
        body=FILES.body.replace(b"--xYzZY", b"--other"),
    )
    first = PROVIDER.one_time_proof(sent(FILES), SECRET)
    second = PROVIDER.one_time_proof(sent(again, at=NOW - timedelta(minutes=10)), SECRET)
    assert first.content == second.content
    assert first.token != second.token


@pytest.mark.parametrize("call", KINDS)
def test_another_content_is_seen(call: Call) -> None:
    request = sent(call)
    changed = replace(request, body=request.body.replace(b"Awa", b"Eve").replace(b"awa", b"eve"))
    assert changed.body != request.body
    one, other = (PROVIDER.one_time_proof(each, SECRET) for each in (request, changed))
    assert one.token == other.token
    assert one.content != other.content
    assert one.valid_for >= OLDEST


# Mail

RESULT = (
    "mxa.mailgun.org; dkim=pass header.d=example.org; "
    'spf=pass smtp.mailfrom="awa@example.org"; dmarc={} header.from={}'
)
RECEIVED = ["Received", "by mxa.mailgun.org with SMTP id 1; Sun, 22 Nov 2026 11:55:02 +0000"]
REST = [
    ["Received", "from mail.example.org by smtp.example.org; Sun, 22 Nov 2026 11:55:01 +0000"],
    ["From", f"Awa <{THEIRS}>"],
    ["Reply-To", "other@elsewhere.example"],
    ["Message-Id", "<1@example.org>"],
    ["To", OURS],
]


def result(value: str) -> list[str]:
    return ["Authentication-Results", value]


def mail(headers: list[list[str]], **fields: str) -> Touchpoint:
    form = {
        "recipient": OURS,
        "sender": THEIRS,
        "message-headers": json.dumps(headers),
        "body-plain": "Hello",
        **fields,
    }
    call = replace(MAIL, body=urlencode(form).encode())
    return PROVIDER.parse(sent(call), SECRET, NOW)[0].touchpoint


def address_of(seen: Touchpoint) -> str:
    assert seen.endpoint is not None
    return seen.endpoint.address


def test_what_mailguns_own_server_says_proves_the_author() -> None:
    seen = mail([RECEIVED, result(RESULT.format("pass", "example.org")), *REST])
    assert seen.proof is Proof.DMARC
    assert address_of(seen) == "other@elsewhere.example"


@pytest.mark.parametrize(
    "results",
    [
        [],
        [result(RESULT.format("fail", "example.org"))],
        [result(RESULT.format("none", "example.org"))],
        [result(RESULT.format("pass", "elsewhere.example"))],
        [
            result(
                RESULT.format("pass", "example.org").replace("mxa.mailgun.org", "mx.evil.example")
            )
        ],
        [
            result(
                RESULT.format("pass", "example.org").replace(
                    "mailgun.org", "mailgun.org.evil.example"
                )
            )
        ],
        # Mailgun's own stands on top, whatever the sender wrote below it.
        [
            result(RESULT.format("fail", "example.org")),
            result(RESULT.format("pass", "example.org")),
        ],
        [result("mx.other.example; dmarc=none"), result(RESULT.format("pass", "example.org"))],
        # What an address holds is no result.
        [
            result(
                "mxa.mailgun.org; spf=pass smtp.mailfrom="
                '"; dmarc=pass header.from=example.org; x"@evil.example; dmarc=none'
            )
        ],
        [result("mxa.mailgun.org; spf=none (; dmarc=pass header.from=example.org)")],
        [result("mxa.mailgun.org; dmarc=pass (header.from=example.org)")],
    ],
)
def test_nothing_else_proves_the_author(results: list[list[str]]) -> None:
    seen = mail([RECEIVED, *results, *REST])
    assert seen.proof is None
    assert address_of(seen) == THEIRS


def test_a_result_from_before_the_last_server_proves_nothing() -> None:
    below = [RECEIVED, REST[0], result(RESULT.format("pass", "example.org")), *REST[1:]]
    assert mail(below).proof is None


def test_headers_that_stand_twice_in_the_form_prove_nothing() -> None:
    """One of them is a header of the mail, named so by its sender."""
    good = json.dumps([RECEIVED, result(RESULT.format("pass", "example.org")), *REST])
    form = [("recipient", OURS), ("body-plain", "x"), *[("message-headers", good)] * 2]
    call = replace(MAIL, body=urlencode(form).encode())
    assert PROVIDER.parse(sent(call), SECRET, NOW)[0].touchpoint.proof is None


def test_a_whole_mail_beside_the_parts_of_one_proves_nothing() -> None:
    """A header of the mail, `body-mime`, would else hold a mail of its sender's making."""
    head = (
        f"{RECEIVED[0]}: {RECEIVED[1]}\r\n{': '.join(result(RESULT.format('pass', 'example.org')))}"
    )
    whole = f"{head}\r\nFrom: {THEIRS}\r\n\r\nHello"
    proofs = []
    for beside in ([], [("body-plain", "x")]):
        form = [("recipient", OURS), ("body-mime", whole), *beside]
        call = replace(MAIL, body=urlencode(form).encode())
        proofs.append(PROVIDER.parse(sent(call), SECRET, NOW)[0].touchpoint.proof)
    assert proofs == [Proof.DMARC, None]


def test_a_mail_as_it_came_is_the_evidence() -> None:
    [seen] = PROVIDER.parse(CASES["mime"].request, SECRET, NOW)
    assert seen.raw.startswith(b"Received: ")
    assert "déjà payé".encode("latin-1") in seen.raw


def test_files_come_in_their_order() -> None:
    [seen] = PROVIDER.parse(sent(FILES), SECRET, NOW)
    assert [file.attachment.name for file in seen.files] == ["box.png", "facture é.pdf"]
    assert seen.files[0].content == b"\x89PNG\r\n\x1a\n\x00\xff"


def test_what_mailgun_stores_is_fetched_with_the_login_and_only_from_there() -> None:
    [seen] = PROVIDER.parse(sent(CASES["stored"].call), SECRET, NOW)
    content = seen.touchpoint.content
    assert isinstance(content, Message)
    request = PROVIDER.media(content.attachments[0], SECRET)
    assert request is not None
    assert request.url == content.attachments[0].provider_reference
    login = b64encode(f"api:{SECRET.api_key}".encode()).decode()
    assert request.headers == {"authorization": f"Basic {login}"}
    for elsewhere in ("https://mailgun.net.example/a", "http://storage.mailgun.net/a", None):
        assert PROVIDER.media(Attachment(provider_reference=elsewhere), SECRET) is None


@pytest.mark.parametrize(
    "listed",
    ["", "none", "{}", "[1]", '[{"name": "a"}]', '[{"url": "https://elsewhere.example/a"}]'],
)
def test_files_that_lie_nowhere_are_left_out(listed: str) -> None:
    content = mail([["From", "ann@example.org"]], attachments=listed).content
    assert isinstance(content, Message)
    assert content.attachments == ()


def test_a_form_of_too_many_fields_is_refused() -> None:
    with pytest.raises(Unauthentic):
        taken(replace(sent(MAIL), body=b"a=b&" * 1001 + sent(MAIL).body))


NASTY = (
    *("", "\x00", "x" * 70_000, "{", "[]", "null", "-1", "9" * 400, "nan", "\udcff", "a@b"),
    *('[["From"]]', '[["From",3]]', "[[[]]]", '{"<x>":{}}', "From: a@b.example\n\nb", "<" * 5_000),
)


@pytest.mark.parametrize("name", ["plain", "event_legacy"])
def test_whatever_a_field_holds_it_is_read_or_malformed(name: str) -> None:
    fields = dict(parse_qsl(CASES[name].call.body.decode("latin-1")))
    for field in fields:
        for value in NASTY:
            form = urlencode({**fields, field: value}, errors="surrogateescape")
            call = replace(MAIL, body=form.encode())
            assert_sound(partial(PROVIDER.parse, received("mailgun", call), SECRET, NOW))


# Events


def event(name: str, **fields: Any) -> Touchpoint:
    content = {**json.loads(EVENT.body)["event-data"], "event": name, **fields}
    call = replace(EVENT, body=json.dumps({"event-data": content}).encode())
    return PROVIDER.parse(sent(call), SECRET, NOW)[0].touchpoint


@pytest.mark.parametrize(
    ("name", "severity", "reason", "status", "stop"),
    [
        ("failed", "permanent", "bounce", "failed", Stop(kind="bounce")),
        ("failed", "permanent", "suppress-bounce", "failed", Stop(kind="bounce")),
        ("failed", "permanent", "suppress-complaint", "failed", Stop(kind="complaint")),
        ("failed", "permanent", "suppress-unsubscribe", "failed", Stop(kind="opt_out")),
        ("failed", "permanent", "generic", "failed", None),
        ("failed", "temporary", "bounce", "sent", None),
        ("rejected", "", "", "failed", None),
        ("complained", "", "", "failed", Stop(kind="complaint")),
        ("unsubscribed", "", "", "read", Stop(kind="opt_out")),
        ("clicked", "", "", "read", None),
    ],
)
def test_what_an_event_means(
    name: str, severity: str, reason: str, status: str, stop: Stop | None
) -> None:
    content = event(name, severity=severity, reason=reason).content
    assert isinstance(content, DeliveryStatus)
    assert (content.status, content.stop) == (status, stop)


@pytest.mark.parametrize(
    ("code", "stop"),
    [
        (605, Stop(kind="bounce")),
        (606, Stop(kind="opt_out")),
        ("607", Stop(kind="complaint")),
        (602, None),
    ],
)
def test_a_code_says_why_nothing_was_tried(code: object, stop: Stop | None) -> None:
    status = {"code": code}
    seen = event("failed", severity="permanent", reason="old", **{"delivery-status": status})
    assert isinstance(seen.content, DeliveryStatus)
    assert seen.content.stop == stop


@pytest.mark.parametrize(
    ("name", "bot", "status"),
    [
        ("opened", "apple", "delivered"),
        ("clicked", "generic", "delivered"),
        ("opened", "", "read"),
        ("unsubscribed", "generic", "read"),
    ],
)
def test_what_a_machine_opens_nobody_has_read(name: str, bot: str, status: str) -> None:
    content = event(name, **{"client-info": {"bot": bot}}).content
    assert isinstance(content, DeliveryStatus)
    assert content.status == status


def test_of_a_mail_that_a_route_takes_in_nobody_is_stopped() -> None:
    seen = event("failed", severity="permanent", reason="bounce", flags={"is-routed": True})
    assert isinstance(seen.content, Unsupported)
    assert seen.endpoint is None


def test_a_rejection_of_a_mail_to_two_is_about_nobody() -> None:
    headers = {"message-id": "a@boutique.example", "to": f"{THEIRS}, ann@example.org"}
    assert event("rejected", recipient="", message={"headers": headers}).endpoint is None


def test_a_mail_with_a_header_named_event_is_no_event() -> None:
    fields = dict(parse_qsl(MAIL.body.decode())) | {"event": "complained", "body-plain": ""}
    [seen] = PROVIDER.parse(sent(replace(MAIL, body=urlencode(fields).encode())), SECRET, NOW)
    assert isinstance(seen.touchpoint.content, Message)


def test_a_reason_never_quotes_the_other_server() -> None:
    status = {"code": 550, "message": f"5.1.1 <{THEIRS}> unknown"}
    content = event("failed", severity="permanent", reason="bounce", **{"delivery-status": status})
    assert isinstance(content.content, DeliveryStatus)
    assert content.content.reason == "failed:permanent:bounce:550"


def test_a_message_id_is_the_same_with_and_without_its_brackets() -> None:
    ids = {
        event("opened", message={"headers": {"message-id": one}}).provider_event_id
        for one in ("a@boutique.example", "<a@boutique.example>", " <a@boutique.example> ")
    }
    assert len(ids) == 1


# Sending


def message(**given: Any) -> OutboundMessage:
    return message_to(Channel.EMAIL, "mailgun", OURS, THEIRS, subject="Your order", **given)


def form_of(message: OutboundMessage, **secret: Any) -> dict[str, str]:
    return dict(parse_qsl(prepared(PROVIDER, message, **secret).body.decode()))


def test_sends_a_mail_that_an_answer_can_be_tied_to() -> None:
    form = form_of(message(in_reply_to="<1@x.example>", thread=("<0@x.example>",)))
    assert form["from"] == f"Boutique <{OURS}>"
    assert form["to"] == THEIRS
    assert form["subject"] == "Re: Your order"
    assert form["text"] == "We are on it.\n"
    assert form["h:Message-ID"] == f"<{derived_id('mail', 'send-key-1')}@boutique.example>"
    assert form["h:In-Reply-To"] == "<1@x.example>"
    assert form["h:References"] == "<0@x.example> <1@x.example>"
    assert (form["v:send_key"], form["v:account"]) == ("send-key-1", OURS)


def test_a_status_is_tied_to_the_outbound_touchpoint() -> None:
    message_id = PROVIDER.receipt(simulated("mailgun", prepared(PROVIDER, message())))
    told = event("delivered", message={"headers": {"message-id": message_id.strip("<>")}})
    assert message_of(told) == touchpoint_id("mailgun", OURS, message_id)


def test_an_offer_can_be_refused_by_one_click() -> None:
    url = "https://passerelle.example/u/1"
    form = form_of(message(message_class=MessageClass.MARKETING, unsubscribe_url=url))
    assert form["h:List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert url in form["h:List-Unsubscribe"]


def test_a_domain_of_the_eu_is_found_there_only() -> None:
    there = prepared(PROVIDER, message(), region="eu")
    assert there.url == "https://api.eu.mailgun.net/v3/boutique.example/messages"
    # The local domain lies in the US.
    with pytest.raises(SendRefused) as refused:
        PROVIDER.receipt(simulated("mailgun", there))
    assert (refused.value.code, refused.value.reason) == ("404", "unauthorized")
    assert simulated("mailgun", prepared(PROVIDER, message())).status == 200


def test_writes_from_no_address_but_ours() -> None:
    with pytest.raises(SendRefused):
        prepared(PROVIDER, message_to(Channel.EMAIL, "mailgun", "ceo@boutique.example", THEIRS))


def changed(**fields: str) -> HttpResponse:
    """What Mailgun says to the request with some fields changed."""
    request = prepared(PROVIDER, message())
    form = {**dict(parse_qsl(request.body.decode())), **fields}
    return simulated("mailgun", replace(request, body=urlencode(form).encode()))


@pytest.mark.parametrize(
    ("response", "code", "reason"),
    [
        (changed(to=""), "400", "unknown"),
        (changed(to="nobody"), "400", "unknown"),
        (changed(text=""), "400", "unknown"),
        (HttpResponse(status=401, headers={}, body=b"Forbidden"), "401", "unauthorized"),
        (HttpResponse(status=402, headers={}, body=b"{}"), "402", "limit"),
    ],
)
def test_a_refusal_says_why(response: HttpResponse, code: str, reason: str) -> None:
    with pytest.raises(SendRefused) as refused:
        PROVIDER.receipt(response)
    assert (refused.value.code, refused.value.reason) == (code, reason)


def test_a_wrong_key_is_refused() -> None:
    with pytest.raises(SendRefused):
        PROVIDER.receipt(simulated("mailgun", prepared(PROVIDER, message(), api_key="another")))


def test_too_fast_is_later() -> None:
    with pytest.raises(SendDelayed) as delayed:
        PROVIDER.receipt(HttpResponse(status=429, headers={"retry-after": "30"}, body=b""))
    assert delayed.value.retry_after == timedelta(seconds=30)


@pytest.mark.parametrize(
    "response",
    [
        HttpResponse(status=200, headers={}, body=b"{}"),
        HttpResponse(status=200, headers={}, body=b"queued"),
        HttpResponse(status=500, headers={}, body=b""),
        HttpResponse(status=504, headers={}, body=b""),
    ],
)
def test_what_nobody_knows_is_never_sent_again(response: HttpResponse) -> None:
    with pytest.raises(SendUnconfirmed):
        PROVIDER.receipt(response)


def test_the_client_adds_its_proof_once() -> None:
    fields = parse_qs(sent(MAIL).body.decode())
    assert all(len(fields[name]) == 1 for name in ("timestamp", "token", "signature"))
    assert other_secret("mailgun")["signing_keys"] != LOCAL["signing_keys"]
