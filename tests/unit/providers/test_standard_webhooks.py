"""Standard Webhooks: what only this provider does. The contract suite has the rest."""

import json
import re
from base64 import b64encode
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from standardwebhooks import Webhook

from infra.local.clients.base import Call
from infra.local.clients.standard_webhooks import sign
from shared.domain.errors import MalformedPayload, MissingSecret, Unauthentic
from shared.domain.identity import IdentifierType
from shared.domain.touchpoint import (
    Channel,
    Content,
    DeliveryWatermark,
    Direction,
    Endpoint,
    Order,
    Stop,
    TrackedEvent,
)
from shared.providers._standard_webhooks import TYPES
from shared.providers.base import WebhookRequest
from shared.providers.standard_webhooks import PROVIDER, TOLERANCE
from tests.unit.providers.fixtures import ROOT, SECRETS, read_case, received
from tests.unit.providers.hostile import FIXTURES, JSON_VALUES, NOON, assert_sound, broken


def key(name: str) -> str:
    return "whsec_" + b64encode(name.encode().ljust(32, b"-")).decode()


NEW, OLD, FORM = key("new"), key("old"), key("form")
SMS_LINE = {"channel": "sms", "provider": "twilio", "account": "+33700000000"}
MAIL_LINE = {"channel": "email", "provider": "email_ses", "account": "support@boutique.example"}
PUSH_LINE = {
    "channel": "push",
    "provider": "push_sns",
    "account": "arn:aws:sns:eu-west-1:123456789012:app/GCM/Boutique",
}
DEVICE = "arn:aws:sns:eu-west-1:123456789012:endpoint/GCM/Boutique/ce14083e-402f"
CONTENT: dict[str, Any] = {
    "sources": [
        {"name": "till", "signing_secrets": [NEW, OLD]},
        {
            "name": "form",
            "signing_secrets": [FORM],
            "reply_lines": [SMS_LINE, MAIL_LINE, PUSH_LINE],
        },
    ]
}
SECRET = PROVIDER.read_secret(CONTENT)
PURCHASE = {"number": "R-1", "total": "64.80", "currency": "EUR"}


def event(type_: str = "purchase.completed", **data: Any) -> bytes:
    told = {"type": type_, "timestamp": "2026-11-22T11:59:00Z", "data": PURCHASE | data}
    return json.dumps(told, ensure_ascii=False).encode()


def request(body: bytes, source: str = "till", **headers: str) -> WebhookRequest:
    call = Call(
        method="POST",
        url=f"https://example.com/webhooks/standard_webhooks/{source}",
        headers={"webhook-id": "msg_1"}
        | {name.replace("_", "-"): value for name, value in headers.items()},
        body=body,
    )
    return received("standard_webhooks", call)


def by_library(
    body: bytes, secret: str = NEW, at: datetime = NOON, source: str = "till"
) -> WebhookRequest:
    """Signed by the official library."""
    return request(
        body,
        source,
        webhook_timestamp=str(int(at.timestamp())),
        webhook_signature=Webhook(secret).sign("msg_1", at, body.decode()),
    )


def no_network(url: str) -> bytes:
    raise AssertionError(f"nothing is to be fetched, least of all {url}")


def verify(sent: WebhookRequest) -> None:
    PROVIDER.verify(sent, SECRET, no_network)


def with_signatures(*signatures: str) -> WebhookRequest:
    sent = by_library(event())
    return replace(sent, headers={**sent.headers, "webhook-signature": " ".join(signatures)})


GENUINE = by_library(event()).header("webhook-signature")


# Proof


@pytest.mark.parametrize(
    "body", [event(), event(store="Épicerie 😀 \u2028"), b"{}", b"", b"\n{ }\n"]
)
@pytest.mark.parametrize("secret", [NEW, OLD, NEW.removeprefix("whsec_"), NEW.rstrip("=")])
def test_what_the_official_library_signs_is_accepted(body: bytes, secret: str) -> None:
    verify(by_library(body, secret))


def test_our_client_signs_as_the_official_library_does() -> None:
    call = Call(
        method="POST",
        url="https://example.com/webhooks/standard_webhooks/till",
        headers={},
        body=event(store="Épicerie"),
    )
    headers = sign(call, CONTENT, NOON).headers
    official = Webhook(NEW).sign(headers["webhook-id"], NOON, call.body.decode())
    assert headers["webhook-signature"] == official
    assert headers["webhook-timestamp"] == str(int(NOON.timestamp()))


@pytest.mark.parametrize(
    "signatures",
    [
        ("v1,d3Jvbmc=", GENUINE),
        (GENUINE, "v1,d3Jvbmc="),
        ("v2,unheard-of", GENUINE),
        ("v1a," + b64encode(b"an ed25519 signature".ljust(64)).decode(), GENUINE),
        ("", "", GENUINE, ""),
        ("nonsense", GENUINE),
    ],
)  # fmt: skip
def test_one_fitting_signature_among_others_is_enough(signatures: tuple[str, ...]) -> None:
    verify(with_signatures(*signatures))


@pytest.mark.parametrize(
    "signatures",
    [
        (),
        ("v1",),
        ("v1,",),
        (GENUINE.removeprefix("v1,"),),
        (GENUINE.replace("v1,", "v2,"),),
        (GENUINE.replace("v1,", "v1a,"),),
        (GENUINE.replace("v1,", "V1,"),),
        (GENUINE + "=",),
        (GENUINE[:-2],),
        ("v1,é",),
        ("v1,\udcff",),
    ],
)
def test_no_fitting_signature_is_refused(signatures: tuple[str, ...]) -> None:
    with pytest.raises(Unauthentic):
        verify(with_signatures(*signatures))


@pytest.mark.parametrize("age", [timedelta(0), TOLERANCE, -TOLERANCE])
def test_five_minutes_either_way_are_fresh(age: timedelta) -> None:
    verify(by_library(event(), at=NOON - age))


@pytest.mark.parametrize(
    "age", [TOLERANCE + timedelta(seconds=1), -TOLERANCE - timedelta(seconds=1)]
)
def test_more_is_refused(age: timedelta) -> None:
    with pytest.raises(Unauthentic, match="five minutes"):
        verify(by_library(event(), at=NOON - age))


@pytest.mark.parametrize(
    "stamp", ["", "now", "-1", "1.5", "1e9", " 1", "٣", "²", "9" * 12, "9" * 5_000, "nan", "inf"]
)
def test_an_odd_timestamp_is_refused(stamp: str) -> None:
    sent = by_library(event())
    with pytest.raises(Unauthentic, match="webhook-timestamp"):
        verify(replace(sent, headers={**sent.headers, "webhook-timestamp": stamp}))


@pytest.mark.parametrize("header", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_each_header_is_needed_and_signed(header: str) -> None:
    sent = by_library(event())
    without = {name: value for name, value in sent.headers.items() if name != header}
    for headers in (without, {**sent.headers, header: sent.headers[header] + "1"}):
        with pytest.raises(Unauthentic):
            verify(replace(sent, headers=headers))


def by_svix(sent: WebhookRequest) -> WebhookRequest:
    named = {name.replace("webhook-", "svix-"): value for name, value in sent.headers.items()}
    return replace(sent, headers=named)


def test_what_svix_calls_after_itself_is_the_same() -> None:
    sent = by_library(event())
    verify(by_svix(sent))
    (plain,) = PROVIDER.parse(sent, SECRET, NOON)
    (named,) = PROVIDER.parse(by_svix(sent), SECRET, NOON)
    assert plain.touchpoint == named.touchpoint


@pytest.mark.parametrize("header", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_no_header_of_one_name_stands_in_for_one_of_the_other(header: str) -> None:
    sent = by_library(event())
    other = header.replace("webhook-", "svix-")
    mixed = {name: value for name, value in sent.headers.items() if name != header}
    with pytest.raises(Unauthentic):
        verify(replace(sent, headers=mixed | {other: sent.headers[header]}))


@pytest.mark.parametrize("source", ["form", "unknown", "till/x", "TILL"])
def test_a_source_cannot_speak_for_another(source: str) -> None:
    with pytest.raises(Unauthentic):
        verify(by_library(event(), NEW, source=source))


def test_without_a_name_the_secret_tells_the_source() -> None:
    sent = by_library(event(), NEW, source="")
    verify(sent)
    (observed,) = PROVIDER.parse(sent, SECRET, NOON)
    assert observed.touchpoint.account == "till"
    unsigned = replace(sent, headers={"webhook-id": "msg_1"})
    with pytest.raises(MalformedPayload, match="source"):
        PROVIDER.parse(unsigned, SECRET, NOON)


@pytest.mark.parametrize(
    "change",
    [
        {"signing_secrets": []},
        {"signing_secrets": ["whsec_"]},
        {"signing_secrets": ["whsec_" + b64encode(b"x" * 23).decode()]},
        {"signing_secrets": ["whsec_not base64"]},
        {"signing_secrets": ["é" * 40]},
        {"name": "../till"},
        {"name": ""},
        {"reply_lines": [SMS_LINE | {"channel": "whatsapp"}]},
    ],
)
def test_a_weak_or_wrong_secret_is_not_used(change: dict[str, Any]) -> None:
    wrong = {"sources": [CONTENT["sources"][0] | change]}
    with pytest.raises(MissingSecret, match=r"sources\.0\."):
        PROVIDER.read_secret(wrong)


# Meaning


def test_the_way_back_is_a_line_of_the_source() -> None:
    customer = {
        "email": "Ann@example.org",
        "phone": "+33 6 12 34 56 78",
        "push_device": DEVICE,
    }
    for reply_by, line, address in (
        ("sms", SMS_LINE, "+33612345678"),
        ("email", MAIL_LINE, "Ann@example.org"),
        ("push", PUSH_LINE, DEVICE),
    ):
        body = event("message.received", text="hello", reply_by=reply_by, customer=customer)
        seen = PROVIDER.parse(request(body, "form"), SECRET, NOON)[0].touchpoint
        assert seen.account == "form"
        assert seen.endpoint == Endpoint.model_validate({**line, "address": address})


@pytest.mark.parametrize(
    ("source", "data"),
    [
        ("till", {"reply_by": "sms", "customer": {"phone": "+33612345678"}}),
        ("form", {"reply_by": "sms", "customer": {"phone": "0612345678"}}),
        ("form", {"reply_by": "sms"}),
        ("form", {"reply_by": "email", "customer": {"phone": "+33612345678"}}),
        ("form", {"reply_by": "push", "customer": {"phone": "+33612345678"}}),
        ("form", {"reply_by": "whatsapp", "customer": {"phone": "+33612345678"}}),
    ],
)
def test_a_way_back_that_leads_nowhere_is_malformed(source: str, data: dict[str, Any]) -> None:
    with pytest.raises(MalformedPayload, match=r"^data\.(reply_by|customer): "):
        PROVIDER.parse(request(event(**data), source), SECRET, NOON)


GONE = Stop(kind="bounce")


@pytest.mark.parametrize(
    ("what", "content"),
    [
        ("registered", TrackedEvent(name="push_registered", lifts=GONE)),
        ("unregistered", TrackedEvent(name="push_unregistered", stop=GONE)),
        ("opened", DeliveryWatermark(status="read", until=NOON - timedelta(minutes=1))),
        ("dismissed", DeliveryWatermark(status="delivered", until=NOON - timedelta(minutes=1))),
    ],
)
def test_an_app_tells_of_a_device_and_of_what_was_sent_to_it(what: str, content: Content) -> None:
    body = event(f"push.{what}", customer={"customer_number": "C-1", "push_device": DEVICE})
    [seen] = [one.touchpoint for one in PROVIDER.parse(request(body, "form"), SECRET, NOON)]
    assert seen.content == content
    assert (seen.channel, seen.direction) == (Channel.PUSH, Direction.PASSIVE)
    assert seen.endpoint == Endpoint.model_validate({**PUSH_LINE, "address": DEVICE})
    assert [(one.type, one.value) for one in seen.identifiers] == [
        (IdentifierType.CUSTOMER_NUMBER, "C-1"),
        (IdentifierType.PUSH_DEVICE, DEVICE),
    ]


@pytest.mark.parametrize(
    ("source", "customer", "field"),
    [
        ("till", {"push_device": DEVICE}, "reply_by"),
        ("form", {"customer_number": "C-1"}, "customer"),
    ],
)
def test_of_no_device_and_on_no_line_an_app_tells_nothing(
    source: str, customer: dict[str, str], field: str
) -> None:
    body = event("push.opened", customer=customer)
    with pytest.raises(MalformedPayload, match=rf"^data\.{field}: "):
        PROVIDER.parse(request(body, source), SECRET, NOON)


@pytest.mark.parametrize(
    ("field", "body"),
    [
        ("timestamp", b'{"type": "message.received", "data": {"text": "x"}}'),
        ("type", b'{"timestamp": "2026-11-22T12:00:00Z"}'),
        ("data.total", event(total="a lot")),
        ("data.currency", event(currency="euro")),
        ("data.lines.0.sku", event(lines=[{}])),
        ("data.lines.1.quantity", event(lines=[{"sku": "1"}, {"sku": "1", "quantity": 0}])),
        ("data.channel", event(channel="pigeon")),
        ("data.customer.email", event(customer={"email": "a" * 321})),
        ("data.customer.language", event(customer={"language": "français"})),
        ("data.starts_at", event("appointment.booked")),
        ("data.starts_at", event("appointment.booked", starts_at="2226-01-01T00:00:00Z")),
        ("data.rating", event("review.posted", rating=6)),
        ("data.score", event("survey.answered", survey="s", metric="ces", score=0)),
        ("data.text", event("message.received", text="")),
        ("data", b'{"type": "order.placed", "timestamp": "2026-11-22T12:00:00Z"}'),
    ],
)
def test_an_error_names_the_field(field: str, body: bytes) -> None:
    with pytest.raises(MalformedPayload, match=f"^{re.escape(field)}[:.]"):
        PROVIDER.parse(request(body), SECRET, NOON)


@pytest.mark.parametrize(
    ("type_", "data", "facts"),
    [
        ("contract.active", {"product": "Fibre"}, {"kind": "contract", "product": "Fibre"}),
        (
            "contract.ended",
            {"ends_at": "2027-01-01T00:00:00+01:00"},
            {"ends_at": datetime(2026, 12, 31, 23, tzinfo=UTC)},
        ),
        ("return.approved", {"order_number": 4512}, {"kind": "return", "order_number": "4512"}),
        ("warranty_claim.opened", {"reason": "noise"}, {"reason": "noise", "product": None}),
        ("appointment.kept", {"starts_at": "2026-11-20T09:00:00Z"}, {"kind": "appointment"}),
    ],
)
def test_records_are_told_in_versions(
    type_: str, data: dict[str, Any], facts: dict[str, Any]
) -> None:
    def told(**more: Any) -> dict[str, Any]:
        seen = PROVIDER.parse(request(event(type_, **data, **more)), SECRET, NOON)[0].touchpoint
        return seen.content.model_dump()

    status = type_.partition(".")[2]
    versioned = told(updated_at="2026-11-21T10:00:00+01:00")
    assert versioned["version_at"] == datetime(2026, 11, 21, 9, tzinfo=UTC)
    assert told()["version_at"] == datetime(2026, 11, 22, 11, 59, tzinfo=UTC)
    assert {name: versioned[name] for name in facts} == facts
    assert (versioned["number"], versioned["status"]) == ("R-1", status)


def test_an_older_version_of_an_order_stays_older_though_it_arrives_later() -> None:
    def version(status: str, updated_at: str) -> Order:
        body = event(f"order.{status}", updated_at=updated_at)
        content = PROVIDER.parse(request(body), SECRET, NOON)[0].touchpoint.content
        assert isinstance(content, Order)
        return content

    shipped = version("shipped", "2026-11-21T10:00:00+01:00")
    paid = version("paid", "2026-11-21T08:30:00Z")
    assert max([shipped, paid], key=lambda one: one.version_at) is shipped


@pytest.mark.parametrize(
    ("value", "amount"),
    [
        ("64.80", "64.80"),
        (64.8, "64.8"),
        (0, "0"),
        (-5, "-5"),
        (1e-05, "0.00001"),
        (1e10, "10000000000.0"),
    ],
)
def test_money_is_decimal_text(value: object, amount: str) -> None:
    seen = PROVIDER.parse(request(event(total=value)), SECRET, NOON)[0].touchpoint
    assert getattr(seen.content, "total", None) == amount


@pytest.mark.parametrize("value", ["1,5", "1e5", "NaN", " 1", "1.", True, None, 1e300, "٣", ""])
def test_what_is_no_money_is_malformed(value: object) -> None:
    with pytest.raises(MalformedPayload, match=r"data\.total"):
        PROVIDER.parse(request(event(total=value)), SECRET, NOON)


@pytest.mark.parametrize("channel", list(Channel))
def test_every_channel_can_be_named(channel: Channel) -> None:
    seen = PROVIDER.parse(request(event(channel=channel.value)), SECRET, NOON)[0].touchpoint
    assert seen.channel is channel


def test_the_page_tells_the_whole_vocabulary() -> None:
    page = (ROOT / "docs/standard-webhooks.md").read_text()
    for name, kind in TYPES.items():
        row = next(line for line in page.splitlines() if f"`{name}`" in line)
        own = set(kind.model_fields) - {"customer", "channel", "reply_by"}
        for field in own:
            mark = "**" if kind.model_fields[field].is_required() else ""
            assert f"{mark}`{field}`{mark}" in row, f"{name}: {field}"
        assert row.endswith(f"| {kind.usual_channel.value} |")


CASES = [
    read_case("standard_webhooks", file)
    for file in sorted((FIXTURES / "standard_webhooks").glob("*.json"))
]
LOCAL = PROVIDER.read_secret(SECRETS["standard_webhooks"])


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_whatever_comes_is_read_or_malformed(data: st.DataObject) -> None:
    case = data.draw(st.sampled_from([case for case in CASES if not case.malformed]))
    body = json.dumps(data.draw(broken(json.loads(case.call.body)) | JSON_VALUES)).encode()
    assert_sound(lambda: PROVIDER.parse(replace(case.request, body=body), LOCAL, NOON))


# Reviews that somebody asks a store for


def found(number: int, **data: Any) -> str:
    """The key of a review that was found for the n-th time."""
    body = event("review.posted", rating=2, source="app_store", **data)
    (one,) = PROVIDER.parse(request(body, webhook_id=f"msg_{number}"), SECRET, NOON)
    return one.touchpoint.provider_event_id


def test_a_review_found_again_is_the_same_one_and_a_rewritten_one_is_another() -> None:
    first = found(1, review_id="7", updated_at="2026-11-20T10:00:00Z")
    assert found(2, review_id="7", updated_at="2026-11-20T11:00:00+01:00") == first
    assert found(3, review_id="7", updated_at="2026-11-21T10:00:00Z") != first
    assert found(4, review_id="8", updated_at="2026-11-20T10:00:00Z") != first
    assert found(5, review_id="7") == found(6, review_id="7")


def test_a_review_without_a_name_is_known_by_its_event() -> None:
    assert found(1) == "msg_1" != found(2)
