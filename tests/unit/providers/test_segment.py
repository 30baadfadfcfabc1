"""Segment: what only this provider does. The contract suite has the rest."""

import gzip
import json
from base64 import b64encode, urlsafe_b64encode
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.errors import MalformedPayload, TooLarge, Unauthentic
from shared.domain.identity import IdentifierType, Proof
from shared.domain.touchpoint import Channel, Order, PageView, TrackedEvent
from shared.providers.base import Observed, Outcome, WebhookRequest
from shared.providers.segment import LARGEST_BATCH, LARGEST_CALL, MOST_CALLS, PROVIDER
from tests.unit.providers.hostile import FIXTURES, JSON_VALUES, NOON, assert_sound, broken

SECRET = PROVIDER.read_secret(
    {
        "write_keys": [
            {"source": "site", "key": "new"},
            {"source": "site", "key": "old"},
            {"source": "app", "key": "of-the-app"},
            {"source": "crm", "key": "of-a-server", "trusted": True},
        ]
    }
)


def basic(user: str) -> str:
    return "Basic " + b64encode(f"{user}:".encode()).decode()


def request(body: bytes, path: str = "v1/batch", **headers: str) -> WebhookRequest:
    return WebhookRequest(
        method="POST",
        url=f"https://example.com/webhooks/segment/{path}",
        path=path,
        headers={name.replace("_", "-"): value for name, value in headers.items()},
        query=(),
        body=body,
        arrived_at=NOON,
    )


def no_network(url: str) -> bytes:
    raise AssertionError(f"nothing is to be fetched, least of all {url}")


def verify(sent: WebhookRequest) -> None:
    PROVIDER.verify(sent, SECRET, no_network)


def parse(sent: WebhookRequest) -> list[Observed]:
    return PROVIDER.parse(sent, SECRET, NOON)


def batch(*calls: Any, **more: Any) -> bytes:
    return json.dumps({"batch": calls, "writeKey": "new"} | more).encode()


def track(**fields: Any) -> dict[str, Any]:
    return {"type": "track", "event": "Opened", "userId": "u1", "messageId": "m1"} | fields


def only(sent: WebhookRequest) -> Observed:
    (observed,) = parse(sent)
    return observed


@pytest.mark.parametrize("key", ["new", "old", "of-the-app"])
def test_every_write_key_is_accepted_in_the_header_and_in_the_body(key: str) -> None:
    verify(request(b"", authorization=basic(key)))
    verify(request(batch(track(), writeKey=key)))
    verify(request(gzip.compress(batch(track(), writeKey=key)), content_encoding="gzip"))


@pytest.mark.parametrize(
    "authorization",
    [basic("wrong"), basic(""), "Basic !!!", "Basic", "Bearer new", "Basic " + "/w==", "new"],
)
def test_a_wrong_header_is_refused_whatever_the_body_says(authorization: str) -> None:
    with pytest.raises(Unauthentic):
        verify(request(batch(track()), authorization=authorization))


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"null", b'{"writeKey": ["new"]}', b'{"writeKey"', b"\xff"]
)
def test_a_body_without_a_write_key_is_refused(body: bytes) -> None:
    with pytest.raises(Unauthentic):
        verify(request(body))


def beacon(key: str, *more: tuple[str, str]) -> WebhookRequest:
    """RudderStack's in browsers: github.com/rudderlabs/rudder-sdk-js, EventRepository"""
    query = (("writeKey", key), *more)
    body = json.dumps({"batch": [track()]}).encode()
    sent = request(body, "beacon/v1/batch", content_type="text/plain;charset=UTF-8")
    return replace(sent, query=query, url=f"{sent.url}?{urlencode(query)}")


def test_a_beacon_has_its_key_in_the_url() -> None:
    verify(beacon("of-the-app"))
    (seen,) = parse(beacon("of-the-app"))
    assert (seen.touchpoint.account, seen.touchpoint.content.kind) == ("app", "tracked_event")
    with pytest.raises(Unauthentic):
        verify(beacon("wrong"))


def test_a_beacon_is_kept_without_its_key() -> None:
    kept = PROVIDER.without_proof(beacon("new"), SECRET)
    assert (kept.query, kept.url) == ((), "https://example.com/webhooks/segment/beacon/v1/batch")
    kept = PROVIDER.without_proof(beacon("new", ("v", "é")), SECRET)
    assert (kept.query, kept.url.partition("?")[2]) == ((("v", "é"),), "v=%C3%A9")
    assert PROVIDER.without_proof(request(b"{}"), SECRET) == request(b"{}")


def pixel(path: str, method: str = "GET", **query: str) -> WebhookRequest:
    told = tuple((name.replace("__", "."), value) for name, value in query.items())
    sent = replace(request(b"", path), method=method, query=told)
    return replace(sent, url=f"{sent.url}?{urlencode(told)}")


OPENED = {"writeKey": "new", "userId": "u-1", "event": "Email Opened", "properties": {"to": "~?>é"}}


@pytest.mark.parametrize(
    "data",
    [
        b64encode(json.dumps(OPENED).encode()).decode(),
        b64encode(json.dumps(OPENED).encode()).decode().rstrip("=").replace("+", " "),
        urlsafe_b64encode(json.dumps(OPENED, ensure_ascii=False).encode()).decode() + "\n",
        json.dumps(OPENED),
    ],
    ids=["base64", "through a URL", "for a URL", "plain"],
)
def test_an_image_in_a_mail_tells_that_it_was_opened(data: str) -> None:
    sent = pixel("v1/pixel/track", data=data)
    verify(sent)
    seen = only(sent).touchpoint
    assert seen.content == TrackedEvent(name="Email Opened", properties={"to": "~?>é"})
    assert ([one.value for one in seen.identifiers], seen.account) == (["u-1"], "site")
    answer = PROVIDER.answer(sent, SECRET, [])
    assert (answer.content_type, (answer.content or b"")[:6]) == ("image/gif", b"GIF89a")


def test_an_image_may_say_all_in_its_query() -> None:
    query = {"anonymousId": "a-1", "name": "Home", "context__page__url": "https://shop.example/"}
    sent = pixel("pixel/v1/page", writeKey="of-the-app", **query)
    verify(sent)
    seen = only(sent).touchpoint
    assert seen.content == PageView(name="Home", url="https://shop.example/")
    assert ([one.value for one in seen.identifiers], seen.account) == (["a-1"], "app")


def test_each_showing_of_an_image_is_an_event() -> None:
    first = pixel("v1/pixel/track", writeKey="new", userId="u", event="Email Opened")
    second = replace(first, arrived_at=NOON + timedelta(seconds=1))
    ids = [only(one).touchpoint.touchpoint_id for one in (first, first, second)]
    assert ids[0] == ids[1] != ids[2]
    named = only(pixel("v1/pixel/track", userId="u", event="E", messageId="m-9", writeKey="new"))
    assert named.touchpoint.provider_event_id == "m-9"


@pytest.mark.parametrize(
    ("path", "query", "why"),
    [
        ("v1/pixel/track", {"data": "%%%"}, "base64"),
        ("v1/pixel/track", {"data": "WzFd"}, "object"),
        ("v1/pixel/track", {"data": "{"}, "JSON"),
        ("v1/pixel/track", {"context": "a", "context__page": "b"}, "query"),
        ("v1/pixel/batch", {"event": "E"}, "path"),
    ],
)
def test_an_image_that_tells_nothing_readable(path: str, query: dict[str, str], why: str) -> None:
    with pytest.raises(MalformedPayload, match=why):
        parse(pixel(path, writeKey="new", **query))
    with pytest.raises(Unauthentic):
        verify(pixel(path, **query))


def test_an_image_is_asked_for_and_not_sent() -> None:
    with pytest.raises(MalformedPayload, match="path"):
        parse(pixel("v1/pixel/track", "POST", writeKey="new", userId="u", event="E"))


@pytest.mark.parametrize(
    ("locale", "language"),
    [
        ("fr_FR", "fr-FR"),
        ("en_US@rg=gbzzzz", "en-US"),
        ("zh-Hans_CN", "zh-Hans-CN"),
        ("pt_BR.UTF-8", "pt-BR"),
        ("fr" + "-abcdefgh" * 9, None),
        ("@", None),
        (7, None),
    ],
)
def test_the_language_is_that_of_the_locale(locale: object, language: str | None) -> None:
    assert only(request(batch(track(context={"locale": locale})))).touchpoint.language == language


def test_the_write_key_tells_the_source() -> None:
    of_app = request(batch(track()), authorization=basic("of-the-app"))
    assert only(of_app).touchpoint.account == "app"
    assert only(request(batch(track()))).touchpoint.account == "site"


def test_out_of_quarantine_a_source_is_taken_only_where_there_is_one() -> None:
    kept = request(json.dumps({"batch": [track()]}).encode())
    with pytest.raises(MalformedPayload, match="which source"):
        parse(kept)
    lone = PROVIDER.read_secret({"write_keys": [{"source": "site", "key": "k"}]})
    assert PROVIDER.parse(kept, lone, NOON)[0].touchpoint.account == "site"


def test_a_gzip_bomb_is_unpacked_no_further_than_the_limit() -> None:
    bomb = gzip.compress(b" " * 200_000_000)
    assert len(bomb) < PROVIDER.largest_body
    sent = request(bomb, content_encoding="gzip", authorization=basic("new"))
    verify(sent)
    with pytest.raises(MalformedPayload, match="limit"):
        parse(sent)
    with pytest.raises(Unauthentic):
        verify(request(bomb, content_encoding="gzip"))


@pytest.mark.parametrize(
    "packed",
    [
        gzip.compress(batch(track()))[:-9],
        gzip.compress(batch(track())) + b"more",
        gzip.compress(batch(track())) * 2,
        batch(track()),
    ],
    ids=["cut", "followed", "twice", "not gzip"],
)
def test_a_broken_gzip_body_goes_to_quarantine(packed: bytes) -> None:
    with pytest.raises(MalformedPayload, match="gzip"):
        parse(request(packed, content_encoding="gzip", authorization=basic("new")))


def test_a_full_batch_is_taken_and_one_call_more_is_not() -> None:
    calls = [
        {"type": "track", "event": "E", "userId": "u", "messageId": str(n)} for n in range(2_500)
    ]
    assert len(parse(request(batch(*calls)))) == MOST_CALLS
    with pytest.raises(MalformedPayload, match="2500"):
        parse(request(batch(*calls, track())))


def test_a_common_context_multiplies_only_so_far() -> None:
    calls = [track(messageId=str(n)) for n in range(1_000)]
    usual = {"context": {"traits": {"plan": "x" * 5_000}}}
    assert len(parse(request(batch(*calls, **usual)))) == 1_000
    bomb = {"context": {"traits": {"plan": "x" * 20_000}}}
    with pytest.raises(MalformedPayload, match="context"):
        parse(request(batch(*calls, **bomb)))


def test_what_is_too_large_is_answered_with_400() -> None:
    with pytest.raises(MalformedPayload):
        parse(request(batch(track(), padding="x" * LARGEST_BATCH)))
    assert PROVIDER.respond(Outcome.QUARANTINED, []).status == 400
    with pytest.raises(TooLarge):
        PROVIDER.check_size(request(b" " * (PROVIDER.largest_body + 1)))


def test_one_call_too_large_costs_the_others_nothing() -> None:
    large = track(messageId="big", properties={"x": "y" * LARGEST_CALL})
    first, second = parse(request(batch(large, track())))
    assert first.touchpoint.content.kind == "unsupported"
    assert b"y" * LARGEST_CALL in first.raw
    assert second.touchpoint.provider_event_id == "m1"


def test_each_call_keeps_exactly_the_bytes_it_stood_in() -> None:
    calls = [
        b'{ "type":"track","event":"caf\\u00e9 \xc3\xa9","userId":"u" , "messageId":"1","n":1.50}',
        b'{"messageId":"2","batch":[1,"]}"],"type":"page","userId":"u","name":"\\"batch\\": ["}',
    ]
    body = (
        b'\n{"batch": [9] , "x":{"batch":[]},"batch" :[ ' + b" ,\t".join(calls) + b' ],"y":[{}]}\n'
    )
    sent = request(body, authorization=basic("new"))
    assert [one.raw for one in parse(sent)] == calls


def test_without_a_message_id_the_bytes_name_the_call() -> None:
    nameless = {"type": "track", "event": "E", "userId": "u"}
    first, again, other = parse(request(batch(nameless, nameless, nameless | {"event": "F"})))
    assert first.touchpoint.touchpoint_id == again.touchpoint.touchpoint_id
    assert first.touchpoint.touchpoint_id != other.touchpoint.touchpoint_id


def test_the_same_user_of_two_sources_is_two_identifiers() -> None:
    def ids(key: str) -> set[str]:
        observed = only(request(batch(track()), authorization=basic(key)))
        return {one.key for one in observed.touchpoint.identifiers}

    assert ids("new").isdisjoint(ids("of-the-app"))


@pytest.mark.parametrize(
    ("fields", "channel"),
    [
        ({}, Channel.WEB),
        ({"channel": "server"}, Channel.WEB),
        ({"channel": "mobile"}, Channel.APP),
        ({"context": {"device": {"type": "ios"}}}, Channel.APP),
        ({"context": {"page": {"path": "/"}}}, Channel.WEB),
        ({"context": {"app": None, "device": {}}}, Channel.WEB),
        ({"channel": "web", "context": {"app": {"name": "a library"}}}, Channel.WEB),
        ({"channel": ["web"], "context": {"app": {"name": "Boutique"}}}, Channel.APP),
        ({"channel": "server", "context": {"device": {"type": "ios"}}}, Channel.APP),
        ({"context": {"channel": "mobile"}}, Channel.APP),
        ({"context": {"device": {"model": "MacBook Pro"}, "page": {"path": "/"}}}, Channel.WEB),
    ],
)
def test_the_channel_follows_from_the_context(fields: dict[str, Any], channel: Channel) -> None:
    assert only(request(batch(track(**fields)))).touchpoint.channel is channel


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"type": "screen", "event": "Basket", "properties": {"name": "Other"}}, "Basket"),
        ({"type": "screen", "name": "Home", "event": "Basket"}, "Home"),
        ({"type": "page", "event": "ApplicationLoaded", "category": "Docs"}, "Docs"),
        ({"type": "page", "category": "Docs", "properties": {"name": "Home"}}, "Home"),
        ({"type": "page", "properties": {"name": ["Home"]}}, None),
    ],
)
def test_a_page_is_named_where_its_library_names_it(
    fields: dict[str, Any], name: str | None
) -> None:
    content = only(request(batch({"userId": "u", "messageId": "m"} | fields))).touchpoint.content
    assert isinstance(content, PageView)
    assert content.name == name


@pytest.mark.parametrize(
    "traits",
    [
        {"name": " Awa Diop"},
        {"name": "", "firstName": "Awa", "lastName": "Diop"},
        {"firstname": "Awa", "lastname": "Diop"},
        {"first_name": "Awa", "firstName": "", "last_name": "Diop"},
    ],
)
def test_a_person_is_named_as_their_library_names_them(traits: dict[str, Any]) -> None:
    seen = only(request(batch({"type": "identify", "userId": "u", "traits": traits}))).touchpoint
    assert seen.name == "Awa Diop"


@pytest.mark.parametrize(
    ("event", "status"),
    [
        ("Order Completed", "placed"),
        ("Completed Order", "placed"),
        ("order_completed", "placed"),
        ("Order Updated", "placed"),
        ("order cancelled", "cancelled"),
    ],
)
def test_an_order_event_is_a_version_of_an_order(event: str, status: str) -> None:
    properties = {"order_id": 7, "revenue": 0.1 + 0.2, "currency": "eur"}
    content = only(request(batch(track(event=event, properties=properties)))).touchpoint.content
    assert isinstance(content, Order)
    assert (content.number, content.status) == ("7", status)
    assert (content.total, content.currency) == ("0.3000", "EUR")


@pytest.mark.parametrize(
    "properties",
    [
        {},
        {"order_id": ""},
    ],
)
def test_an_order_event_that_tells_no_order_stays_an_event(properties: dict[str, Any]) -> None:
    content = only(
        request(batch(track(event="Order Completed", properties=properties)))
    ).touchpoint.content
    assert content == TrackedEvent(name="Order Completed", properties=properties)


def test_an_order_is_read_without_what_cannot_be_read_of_it() -> None:
    properties = {
        "order_id": "1",
        "currency": "euro",
        "products": [
            {"sku": 7, "quantity": "2", "price": "9.90"},
            {"sku": "none", "quantity": 0},
            {"sku": "one", "quantity": None, "name": None},
            {"sku": "endless", "quantity": "Infinity"},
            None,
        ],
    }
    call = track(event="Order Completed", properties=properties)
    content = only(request(batch(call))).touchpoint.content
    assert isinstance(content, Order)
    assert content.currency is None
    lines = [(one.sku, one.quantity, one.unit_price) for one in content.lines]
    assert lines == [("7", 2, "9.90"), ("one", 1, None), ("endless", 1, None)]


@pytest.mark.parametrize(
    "traits",
    [{"email": "nobody"}, {"email": 7}, {"phone": "call me"}, {"phone": None}, {"email": ""}],
)
def test_a_trait_that_is_no_address_identifies_nobody(traits: dict[str, Any]) -> None:
    seen = only(request(batch({"type": "identify", "userId": "u", "traits": traits}))).touchpoint
    assert [one.type for one in seen.identifiers] == [IdentifierType.WEB_USER]


def test_the_traits_of_a_group_are_not_those_of_the_person() -> None:
    call = {"type": "group", "userId": "u", "groupId": "g", "traits": {"email": "all@acme.example"}}
    seen = only(request(batch(call))).touchpoint
    assert [one.type for one in seen.identifiers] == [IdentifierType.WEB_USER]


DOCUMENTS = [
    (one["request"]["path"], json.loads(one["request"]["body"]))
    for one in (
        json.loads(file.read_bytes()) for file in sorted((FIXTURES / "segment").glob("*.json"))
    )
    if "expected" in one and "body" in one["request"]
]


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_whatever_comes_is_read_or_malformed(data: st.DataObject) -> None:
    path, document = data.draw(st.sampled_from(DOCUMENTS))
    body = json.dumps(data.draw(broken(document) | JSON_VALUES)).encode()
    assert_sound(lambda: parse(request(body, path, authorization=basic("new"))))


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_whatever_bytes_come_are_malformed(body: bytes) -> None:
    for headers in ({}, {"content_encoding": "gzip"}):
        assert_sound(lambda: parse(request(body, authorization=basic("new"), **headers)))  # noqa: B023


def test_a_hundred_levels_are_read_and_more_are_malformed() -> None:
    deep = b'{"event":"E","userId":"u","properties":' + b'{"a":' * 90 + b"1" + b"}" * 91
    (read,) = parse(request(deep, "v1/track", authorization=basic("new")))
    assert read.touchpoint.content.kind == "tracked_event"
    with pytest.raises(MalformedPayload):
        parse(request(b"[" * 5_000 + b"]" * 5_000, authorization=basic("new")))


def test_only_a_trusted_key_may_say_whose_phone_and_mail_it_is() -> None:
    """A browser's key is public: with it anybody could claim another person's address."""
    claim = {
        "type": "identify",
        "userId": "u-1",
        "messageId": "m-1",
        "traits": {"email": "lea@example.com", "phone": "+33612345678"},
    }
    (public,) = parse(request(batch(claim)))
    assert [one.type for one in public.touchpoint.identifiers] == ["web_user"]
    assert public.touchpoint.proof is None
    (told,) = parse(request(batch(claim, writeKey="of-a-server")))
    assert [one.type for one in told.touchpoint.identifiers] == ["web_user", "email", "phone"]
    assert told.touchpoint.proof is Proof.TRUSTED_KEY


def test_a_phone_may_be_a_number() -> None:
    call = {"type": "identify", "userId": "u-1", "messageId": "m-1", "traits": {"phone": 447700900}}
    seen = only(request(batch(call, writeKey="of-a-server"))).touchpoint
    assert [one.value for one in seen.identifiers] == ["u-1", "447700900"]


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("v1/t", "tracked_event"),
        ("v1/i", "identification"),
        ("v1/p", "page_view"),
        ("v1/s", "page_view"),
        ("v1/g", "unsupported"),
        ("v1/a", "identification"),
        ("t", "tracked_event"),
        ("v1/b", "tracked_event"),
        ("v1/import", "tracked_event"),
    ],
)
def test_a_browser_and_a_phone_call_by_shorter_names(path: str, kind: str) -> None:
    call = track(previousId="u0", writeKey="new")
    body = batch(call) if path in {"v1/b", "v1/import"} else json.dumps(call).encode()
    assert only(request(body, path)).touchpoint.content.kind == kind


@pytest.mark.parametrize(
    ("sent", "told", "happened"),
    [
        (timedelta(days=1), timedelta(hours=23), timedelta(hours=-1)),
        (timedelta(days=1), timedelta(days=2), timedelta(0)),
        (timedelta(days=-1), timedelta(days=-2), timedelta(days=-2)),
        (timedelta(days=360_000), timedelta(days=-700_000), timedelta(0)),
    ],
    ids=["ahead", "ahead of when it was sent", "waited for a network", "of another age"],
)
def test_a_clock_that_is_ahead_is_put_right_by_when_it_was_sent(
    sent: timedelta, told: timedelta, happened: timedelta
) -> None:
    call = track(timestamp=(NOON + told).isoformat())
    seen = only(request(batch(call, sentAt=(NOON + sent).isoformat()))).touchpoint
    assert seen.occurred_at == NOON + happened


@pytest.mark.parametrize(
    ("previous", "kinds"),
    [
        ("8f14e45f-ceea-467f-a9a1-2b3c4d5e6f70", ["web_user", "web_anonymous"]),
        ("u-old", ["web_user", "web_user", "web_anonymous"]),
    ],
)
def test_an_alias_of_a_drawn_id_makes_no_second_user(previous: str, kinds: list[str]) -> None:
    call = {"type": "alias", "userId": "u-1", "previousId": previous, "messageId": "m-1"}
    (alias,) = parse(request(batch(call)))
    assert [one.type for one in alias.touchpoint.identifiers] == kinds
