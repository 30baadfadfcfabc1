"""Postmark: it signs nothing, says much, and numbers its errors."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.domain.errors import SendDelayed, SendRefused, SendUnconfirmed, Unauthentic
from shared.domain.model import derived_id
from shared.domain.sending import MessageClass, OutboundMessage
from shared.domain.touchpoint import (
    Channel,
    DeliveryStatus,
    Stop,
    Touchpoint,
    TrackedEvent,
    Unsupported,
    touchpoint_id,
)
from shared.providers.base import HttpResponse
from shared.providers.postmark import PROVIDER, PostmarkSecret
from tests.unit.providers.fixtures import NOW, SECRETS, cases, fetch, received
from tests.unit.providers.sending import message_of, message_to, prepared, simulated

OURS, THEIRS = "support@boutique.example", "awa@example.org"
LOCAL = SECRETS["postmark"]
SECRET: PostmarkSecret = PROVIDER.read_secret(LOCAL)
CASES = {case.name: case for case in cases() if case.provider == "postmark"}
MAIL = CASES["plain"].call


# Proof


def test_the_secret_may_stand_in_the_login_the_header_or_the_path() -> None:
    secret = LOCAL["webhook_secrets"][0]
    PROVIDER.verify(CASES["plain"].request, SECRET, fetch)
    header = {**MAIL.headers, "X-Passerelle-Secret": secret}
    PROVIDER.verify(received("postmark", replace(MAIL, headers=header)), SECRET, fetch)
    in_path = received("postmark", replace(MAIL, url=f"{MAIL.url}/{secret}"))
    PROVIDER.verify(in_path, SECRET, fetch)
    assert secret not in PROVIDER.without_proof(in_path, SECRET).url
    # The gateway tells the path decoded, and the URL as it was written.
    encoded = replace(in_path, url=in_path.url.replace(secret, f"%{ord(secret[0]):x}{secret[1:]}"))
    assert secret[1:] not in PROVIDER.without_proof(encoded, SECRET).url
    with pytest.raises(Unauthentic):
        PROVIDER.verify(received("postmark", MAIL), SECRET, fetch)


# Mail and what became of it


def read(name: str, **fields: Any) -> list[Touchpoint]:
    body = json.dumps(json.loads(CASES[name].call.body) | fields).encode()
    request = received("postmark", replace(CASES[name].call, body=body))
    return [one.touchpoint for one in PROVIDER.parse(request, SECRET, NOW)]


def test_a_result_in_the_mail_proves_no_author() -> None:
    headers = json.loads(MAIL.body)["Headers"]
    claim = "inbound.postmarkapp.com; dmarc=pass header.from=example.org"
    claimed = [{"Name": "Authentication-Results", "Value": claim}, *headers]
    assert read("plain", Headers=claimed)[0].proof is None


def test_a_name_cannot_hold_another_author() -> None:
    name = '"x" <victim@example.net>, '
    [seen] = read("plain", FromFull={"Email": THEIRS, "Name": name})
    assert [one.value for one in seen.identifiers] == [THEIRS]


def test_its_check_button_is_read_like_a_mail() -> None:
    """There, what is `Content` in a mail is `Data`."""
    file = {"Name": "test.txt", "Data": "dGVzdA==", "ContentType": "text/plain"}
    [seen] = read("attachments", Attachments=[file])
    assert [one.name for one in getattr(seen.content, "attachments", ())] == ["test.txt"]


@pytest.mark.parametrize(
    ("type_", "is_inactive", "status", "stop"),
    [
        ("HardBounce", True, "failed", Stop(kind="bounce")),
        ("BadEmailAddress", False, "failed", Stop(kind="bounce")),
        ("SpamNotification", False, "failed", Stop(kind="complaint")),
        ("Unsubscribe", False, "read", Stop(kind="opt_out")),
        ("ManuallyDeactivated", True, "failed", Stop(kind="provider_block")),
        ("SoftBounce", False, "failed", None),
        ("Blocked", False, "failed", None),
        ("Unknown", True, "failed", Stop(kind="provider_block")),
        ("Transient", False, "sent", None),
        ("DnsError", False, "sent", None),
        ("AutoResponder", False, "delivered", None),
        ("OfTomorrow", False, "failed", None),
    ],
)
def test_what_a_bounce_means(type_: str, is_inactive: bool, status: str, stop: Stop | None) -> None:
    [seen] = read("event_bounce", Type=type_, Inactive=is_inactive)
    assert isinstance(seen.content, DeliveryStatus)
    assert (seen.content.status, seen.content.stop) == (status, stop)


@pytest.mark.parametrize(
    ("name", "status"),
    [("event_delivery", "delivered"), ("event_open", "read"), ("event_click", "read")],
)
@pytest.mark.parametrize("unsaid", [None, ""])
def test_an_event_need_not_say_what_it_is(name: str, status: str, unsaid: str | None) -> None:
    [seen] = read(name, RecordType=unsaid)
    assert isinstance(seen.content, DeliveryStatus)
    assert seen.content.status == status


def test_a_stop_holds_whatever_mail_led_to_it() -> None:
    [seen] = read("event_bounce", Type="HardBounce", MessageID=None, Metadata={}, From=OURS)
    assert isinstance(seen.content, DeliveryStatus)
    assert (seen.account, seen.content.stop) == (OURS, Stop(kind="bounce"))
    seen_by_all = read("event_bounce", Type="HardBounce", MessageID="", Metadata={}, From="")
    assert [one.account for one in seen_by_all] == LOCAL["addresses"]
    [of_nobody] = read("event_bounce", Type="HardBounce", MessageID="", Email="")
    assert isinstance(of_nobody.content, Unsupported)


@pytest.mark.parametrize(
    ("why", "origin", "stop"),
    [
        ("HardBounce", "Recipient", Stop(kind="bounce")),
        ("SpamComplaint", "Recipient", Stop(kind="complaint")),
        ("ManualSuppression", "Recipient", Stop(kind="opt_out")),
        ("ManualSuppression", "Customer", Stop(kind="provider_block")),
        ("ManualSuppression", "Admin", Stop(kind="provider_block")),
    ],
)
def test_why_an_address_is_suppressed(why: str, origin: str, stop: Stop) -> None:
    [seen] = read("event_unsubscribed", SuppressionReason=why, Origin=origin)
    assert isinstance(seen.content, DeliveryStatus)
    assert seen.content.stop == stop


@pytest.mark.parametrize(
    ("why", "origin", "stop"),
    [
        ("HardBounce", "Customer", Stop(kind="bounce")),
        ("ManualSuppression", "Recipient", Stop(kind="opt_out")),
        (None, "Customer", Stop(kind="provider_block")),
    ],
)
def test_a_suppression_that_is_lifted_holds_no_longer(
    why: str | None, origin: str, stop: Stop
) -> None:
    [seen] = read("event_suppression_lifted", SuppressionReason=why, Origin=origin)
    assert isinstance(seen.content, TrackedEvent)
    assert seen.content.lifts == stop


def test_a_suppression_without_a_mail_holds_for_each_of_our_mailboxes() -> None:
    seen = read("event_suppressed_by_hand")
    assert [one.account for one in seen] == LOCAL["addresses"]
    assert len({one.touchpoint_id for one in seen}) == 2


# Sending


def message(**given: Any) -> OutboundMessage:
    return message_to(Channel.EMAIL, "postmark", OURS, THEIRS, subject="Your order", **given)


def content_of(message: OutboundMessage, **secret: Any) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(prepared(PROVIDER, message, **secret).body)
    return content


def headers_of(content: dict[str, Any]) -> dict[str, str]:
    return {header["Name"]: header["Value"] for header in content["Headers"]}


def test_sends_a_mail_that_an_answer_can_be_tied_to() -> None:
    content = content_of(message(in_reply_to="<1@x.example>", thread=("<0@x.example>",)))
    assert content["From"] == f"Boutique <{OURS}>"
    assert (content["To"], content["Subject"]) == (THEIRS, "Re: Your order")
    assert content["TextBody"] == "We are on it.\n"
    assert content["Metadata"] == {"send_key": "send-key-1", "account": OURS}
    assert content["MessageStream"] == "outbound"
    headers = headers_of(content)
    assert headers["Message-ID"] == f"<{derived_id('mail', 'send-key-1')}@boutique.example>"
    assert headers["X-PM-KeepID"] == "true"
    assert headers["References"] == "<0@x.example> <1@x.example>"


def test_offers_leave_by_a_stream_of_their_own() -> None:
    url = "https://passerelle.example/u/1"
    offer = message(message_class=MessageClass.MARKETING, unsubscribe_url=url)
    content = content_of(offer)
    assert content["MessageStream"] == "broadcast"
    assert headers_of(content)["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert content_of(offer, marketing_stream="")["MessageStream"] == "outbound"


def test_a_status_is_tied_to_the_outbound_touchpoint() -> None:
    message_id = PROVIDER.receipt(simulated("postmark", prepared(PROVIDER, message())))
    [told] = read("event_delivery", MessageID=message_id)
    assert message_of(told) == touchpoint_id("postmark", OURS, message_id)


def test_a_mailbox_too_long_for_metadata_is_left_out() -> None:
    account = f"{'a' * 60}@{'b' * 20}.example"
    long = message_to(Channel.EMAIL, "postmark", account, THEIRS)
    content = content_of(long, addresses=[account])
    assert content["Metadata"] == {"send_key": "send-key-1"}


def changed(**fields: Any) -> HttpResponse:
    """What Postmark says to the request with some fields changed."""
    request = prepared(PROVIDER, message())
    return simulated(
        "postmark", replace(request, body=json.dumps(json.loads(request.body) | fields).encode())
    )


@pytest.mark.parametrize(
    ("response", "code", "reason"),
    [
        (changed(To="no body"), "300", "invalid_recipient"),
        (changed(To="inactive@example.com"), "406", "blocked"),
        (changed(From="ceo@elsewhere.example"), "400", "unauthorized"),
        (changed(TextBody=""), "300", "invalid_recipient"),
        (changed(MessageStream="none"), "1235", "unauthorized"),
        (changed(Metadata={"a": "x" * 81}), "300", "invalid_recipient"),
        (HttpResponse(status=422, headers={}, body=b'{"ErrorCode":405}'), "405", "limit"),
        (HttpResponse(status=422, headers={}, body=b'{"ErrorCode":999}'), "999", "unknown"),
        # From the network in front of the API: it is no code of Postmark's.
        (HttpResponse(status=403, headers={}, body=b"<html>"), "403", "unknown"),
    ],
)
def test_a_refusal_says_why(response: HttpResponse, code: str, reason: str) -> None:
    with pytest.raises(SendRefused) as refused:
        PROVIDER.receipt(response)
    assert (refused.value.code, refused.value.reason) == (code, reason)


def test_an_inactive_address_is_written_to_no_more() -> None:
    assert PROVIDER.stops["406"] == Stop(kind="provider_block")


def test_a_wrong_token_is_refused() -> None:
    with pytest.raises(SendRefused) as refused:
        PROVIDER.receipt(
            simulated("postmark", prepared(PROVIDER, message(), server_token="another"))
        )
    assert (refused.value.code, refused.value.reason) == ("10", "unauthorized")


@pytest.mark.parametrize(
    "response",
    [
        HttpResponse(status=429, headers={"Retry-After": "30"}, body=b""),
        HttpResponse(status=503, headers={"Retry-After": "30"}, body=b'{"ErrorCode":100}'),
    ],
)
def test_too_fast_is_later(response: HttpResponse) -> None:
    with pytest.raises(SendDelayed) as delayed:
        PROVIDER.receipt(response)
    assert delayed.value.retry_after == timedelta(seconds=30)


@pytest.mark.parametrize(
    "response",
    [
        HttpResponse(status=200, headers={}, body=b"{}"),
        HttpResponse(status=200, headers={}, body=b'{"ErrorCode":0}'),
        HttpResponse(status=500, headers={}, body=b""),
    ],
)
def test_what_nobody_knows_is_never_sent_again(response: HttpResponse) -> None:
    with pytest.raises(SendUnconfirmed):
        PROVIDER.receipt(response)
