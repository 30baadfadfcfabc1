"""What every provider must keep, whoever writes it. Nothing here lists a provider.

A provider takes part by its file, secret, client and fixtures (docs/adding-a-provider.md).
"""

import json
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infra.local.clients.base import client_names, find_client
from shared.domain.errors import MalformedPayload, MissingSecret, Unauthentic
from shared.domain.touchpoint import DeliveryStatus, DeliveryWatermark
from shared.providers.base import (
    Observed,
    Outcome,
    Provider,
    WebhookRequest,
    WebhookResponse,
    find_provider,
    provider_names,
)
from tests.unit.providers.fixtures import (
    FIXTURES,
    NOW,
    SECRETS,
    Case,
    cases,
    fetch,
    other_secret,
    received,
    rotating_secret,
    tampered,
)

ALWAYS_EXPECTED = {
    "provider_event_id",
    "account",
    "channel",
    "direction",
    "occurred_at",
    "content",
    "identifiers",
    "endpoint",
}
REFUSED = (Unauthentic, MalformedPayload)
CASES = cases()
PROVEN = [case for case in CASES if not case.is_handshake]
"""A handshake comes before any proof, so nothing about proofs can be asked of it."""
SIGNED = [case for case in PROVEN if case.call.body and find_client(case.provider).SIGNS_BODY]
READABLE = [case for case in PROVEN if not case.malformed]

each_provider = pytest.mark.parametrize("name", provider_names())


def each(some: list[Case]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", some, ids=[case.id for case in some])


def take_in(
    request: WebhookRequest, provider: Provider[Any], secret: dict[str, Any]
) -> list[Observed] | WebhookResponse:
    """As webhook_intake does: what was observed, or the answer where nothing is to observe."""
    usable = provider.read_secret(secret)
    provider.check_size(request)
    if (answer := provider.challenge(request, usable)) is not None:
        return answer
    provider.verify(request, usable, fetch)
    if provider.mailbox(request, usable) is not None:
        return provider.render_mailbox(request, [])
    return provider.parse(request, usable, NOW)


def take_in_case(case: Case) -> list[Observed]:
    observed = take_in(case.request, find_provider(case.provider), SECRETS[case.provider])
    return [] if isinstance(observed, WebhookResponse) else observed


def assert_refused(
    request: WebhookRequest, provider: Provider[Any], secret: dict[str, Any]
) -> None:
    try:
        answer = take_in(request, provider, secret)
    except REFUSED:
        return
    assert isinstance(answer, WebhookResponse), "it was taken in"
    assert answer.status >= 400


def assert_matches(expected: object, actual: object, path: str) -> None:
    """Objects by the keys that are expected, everything else whole."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        for key, value in expected.items():
            assert_matches(value, actual.get(key), f"{path}.{key}")
    else:
        assert actual == expected, path


@each_provider
def test_has_all_its_parts(name: str) -> None:
    assert name in SECRETS, "infra/local/secrets.json has no entry"
    assert name in client_names(), "infra/local/clients has no file"
    assert len([case for case in CASES if case.provider == name]) >= 5, "too few fixtures"
    assert find_provider(name).name == name
    assert other_secret(name) != SECRETS[name]


@each(CASES)
def test_means_what_the_fixture_says(case: Case) -> None:
    if case.malformed:
        with pytest.raises(MalformedPayload):
            take_in_case(case)
        return
    actual = [one.touchpoint.model_dump(mode="json") for one in take_in_case(case)]
    assert len(actual) == len(case.expected)
    for number, expected in enumerate(case.expected):
        assert expected.keys() >= ALWAYS_EXPECTED
        assert_matches(expected, actual[number], f"[{number}]")


@each(CASES)
def test_answers_what_the_provider_wants(case: Case) -> None:
    provider = find_provider(case.provider)
    try:
        answer = take_in(case.request, provider, SECRETS[case.provider])
        if not isinstance(answer, WebhookResponse):
            usable = provider.read_secret(SECRETS[case.provider])
            answer = provider.answer(case.request, usable, answer)
    except MalformedPayload:
        answer = provider.respond(Outcome.QUARANTINED, [])
    assert answer.status == case.content["answer"]["status"]
    assert answer.body == case.content["answer"].get("body", answer.body)


@each([case for case in PROVEN if "mailbox" in case.content])
def test_asks_for_the_right_mailbox(case: Case) -> None:
    provider = find_provider(case.provider)
    endpoint = provider.mailbox(case.request, provider.read_secret(SECRETS[case.provider]))
    assert endpoint is not None
    assert endpoint.model_dump(mode="json") == case.content["mailbox"]


@each(READABLE)
def test_keeps_what_each_touchpoint_came_from(case: Case) -> None:
    for one in take_in_case(case):
        assert one.raw
        assert one.touchpoint.provider == case.provider
        assert one.touchpoint.received_at == NOW
        if one.touchpoint.endpoint is not None:
            assert one.touchpoint.endpoint.provider == case.provider
            assert one.touchpoint.endpoint.account == one.touchpoint.account


@each(READABLE)
def test_a_status_points_to_the_message_it_is_about(case: Case) -> None:
    """The outbound touchpoint's key is the message id alone; a status has a key of its own.

    Where the provider names no message but a moment, all until then of that endpoint are meant.
    """
    for one in take_in_case(case):
        content = one.touchpoint.content
        if isinstance(content, DeliveryStatus):
            assert content.message_id != one.touchpoint.provider_event_id
            assert (
                one.touchpoint.provider_event_id
                == f"{content.message_id}:" + (one.touchpoint.provider_event_id.rpartition(":")[2])
            )
        if isinstance(content, DeliveryWatermark):
            assert one.touchpoint.endpoint is not None, "whose messages it speaks of"
            assert content.until <= NOW


@each(READABLE)
def test_the_same_request_gives_the_same_ids(case: Case) -> None:
    first, second = take_in_case(case), take_in_case(case)
    assert [one.touchpoint.touchpoint_id for one in first] == [
        one.touchpoint.touchpoint_id for one in second
    ]


@each(PROVEN)
def test_without_proof_nothing_is_taken(case: Case) -> None:
    bare = received(case.provider, case.call)
    assert_refused(bare, find_provider(case.provider), SECRETS[case.provider])


@each(PROVEN)
def test_the_proof_of_another_company_is_refused(case: Case) -> None:
    with pytest.raises(Unauthentic):
        take_in(
            case.signed(other_secret(case.provider)),
            find_provider(case.provider),
            SECRETS[case.provider],
        )


@each(PROVEN)
def test_a_wrong_proof_is_refused(case: Case) -> None:
    """Whatever header, query or body carries the proof, one changed character breaks it."""
    signed, bare = case.request, received(case.provider, case.call)
    provider, secret = find_provider(case.provider), SECRETS[case.provider]
    added = {key for key, value in signed.headers.items() if bare.headers.get(key) != value}
    for key in added:
        value = signed.headers[key]
        last = "A" if value[-2] != "A" else "B"
        wrong = {**signed.headers, key: f"{value[:-2]}{last}{value[-1]}"}
        assert_refused(replace(signed, headers=wrong), provider, secret)
        assert_refused(replace(signed, headers={**signed.headers, key: "é"}), provider, secret)
        assert_refused(replace(signed, headers={**signed.headers, key: ""}), provider, secret)
    assert added or signed.url != bare.url or signed.body != bare.body


@each(SIGNED)
def test_a_changed_body_is_refused(case: Case) -> None:
    provider = find_provider(case.provider)
    assert_refused(tampered(case.request), provider, SECRETS[case.provider])
    longer = replace(case.request, body=case.request.body + b" ")
    assert_refused(longer, provider, SECRETS[case.provider])


@each(PROVEN)
def test_the_request_of_another_provider_is_refused(case: Case) -> None:
    for name in provider_names():
        if name != case.provider:
            assert_refused(case.request, find_provider(name), SECRETS[name])


@each(PROVEN)
def test_while_a_secret_is_rotated_both_are_valid(case: Case) -> None:
    provider = find_provider(case.provider)
    both = provider.read_secret(rotating_secret(case.provider))
    provider.verify(case.request, both, fetch)
    provider.verify(case.signed(other_secret(case.provider)), both, fetch)


@each_provider
def test_a_missing_secret_is_named(name: str) -> None:
    provider = find_provider(name)
    with pytest.raises(MissingSecret, match=name):
        provider.read_secret(None)
    for field, info in provider.secret_type.model_fields.items():
        if info.is_required():
            rest = {key: value for key, value in SECRETS[name].items() if key != field}
            with pytest.raises(MissingSecret, match=f"{name}.*{field}"):
                provider.read_secret(rest)


@each_provider
def test_an_error_does_not_tell_the_secret(name: str) -> None:
    provider = find_provider(name)
    with pytest.raises(MissingSecret) as raised:
        provider.read_secret({**SECRETS[name], "mistyped": "hunter2"})
    assert "mistyped" in str(raised.value)
    assert "hunter2" not in str(raised.value)


@each([case for case in READABLE if case.call.body])
def test_a_cut_body_is_malformed_or_shorter(case: Case) -> None:
    """A part of a JSON text is none; a part of a form is a form. Either way no other error."""
    provider, request = find_provider(case.provider), case.request
    secret = provider.read_secret(SECRETS[case.provider])
    whole = len(request.body)
    for length in {0, 1, whole // 3, whole // 2, whole - 1}:
        try:
            provider.parse(replace(request, body=request.body[:length]), secret, NOW)
        except MalformedPayload:
            continue
        assert request.content_type != "application/json"


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.sampled_from(["\x00", "x" * 100_000, "-1", "9" * 30, "2026-02-30T25:00", "\U0001f600"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3)
    ),
    max_leaves=6,
)


def spots(value: object, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where something stands in a JSON document, all the way down."""
    if isinstance(value, dict):
        return [path, *(spot for key in value for spot in spots(value[key], (*path, key)))]
    if isinstance(value, list):
        return [path, *(spot for n in range(len(value)) for spot in spots(value[n], (*path, n)))]
    return [path]


def changed(value: Any, path: tuple[Any, ...], *new: Any) -> Any:
    """A copy in which `new`, or nothing at all, stands where `path` leads."""
    copy = [json.loads(json.dumps(value))]
    parent: Any = copy
    *way, last = (0, *path)
    for key in way:
        parent = parent[key]
    if isinstance(parent, list):
        parent[last : last + 1] = new
    elif new:
        parent[last] = new[0]
    else:
        del parent[last]
    return copy[0] if copy else None


def fields_of(request: WebhookRequest) -> Any:
    """The body as JSON would have it; an empty object where it is neither JSON nor a form."""
    try:
        if "form" in request.content_type:
            return dict(parse_qsl(request.body.decode(), keep_blank_values=True))
        return json.loads(request.body)
    except ValueError:
        return {}


def as_body(fields: Any, request: WebhookRequest) -> bytes:
    if "form" in request.content_type:
        return urlencode(fields if isinstance(fields, dict) else {"x": fields}).encode()
    return json.dumps(fields).encode()


def garbled(request: WebhookRequest, data: st.DataObject) -> bytes:
    """One value is wrong or missing somewhere; sometimes the body is anything."""
    if data.draw(st.integers(0, 9)) == 0:
        return data.draw(st.binary(max_size=200))
    fields = fields_of(request)
    spot = data.draw(st.sampled_from(spots(fields)))
    if data.draw(st.booleans()):
        return as_body(changed(fields, spot), request)
    new = data.draw(JSON_VALUES)
    return as_body(changed(fields, spot, new), request)


@pytest.mark.parametrize("name", [name for name in provider_names() if (FIXTURES / name).exists()])
@settings(
    max_examples=30,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(data=st.data())
def test_parse_raises_malformed_payload_and_nothing_else(name: str, data: st.DataObject) -> None:
    provider = find_provider(name)
    secret = provider.read_secret(SECRETS[name])
    case = data.draw(st.sampled_from([one for one in READABLE if one.provider == name]))
    request = replace(case.request, body=garbled(case.request, data))
    try:
        observed = provider.parse(request, secret, NOW)
    except MalformedPayload as error:
        assert len(str(error)) < 300
        return
    for one in observed:
        assert one.touchpoint.model_dump_json()


NASTY: list[Any] = [
    "Marie Curie",
    {"Marie Curie": "Marie Curie"},
    ["Marie Curie"] * 3,
    *("", "\x00", "é", "0", "9" * 12, "9" * 30, "x" * 70_000, "2026-02-30T25:00:00Z"),
    *(0, -1, 1.5, 10**30, None, True, [], {}, [[]], [None]),
]


@each([case for case in READABLE if case.call.body])
def test_any_value_anywhere_is_read_or_refused_without_being_quoted(case: Case) -> None:
    """Errors are logged: wherever a person's words stand, they are not repeated."""
    provider, request = find_provider(case.provider), case.request
    secret = provider.read_secret(SECRETS[case.provider])
    fields = fields_of(request)
    for number, spot in enumerate(spots(fields)):
        # A tenth of them in each spot, in turn: a fixture has many spots, and `make fuzz` tries
        # everything everywhere.
        for value in NASTY[number % 10 :: 10]:
            body = as_body(changed(fields, spot, value), request)
            try:
                provider.parse(replace(request, body=body), secret, NOW)
            except MalformedPayload as error:
                assert "Marie" not in str(error)
                assert len(str(error)) < 300


GROWS = "İ"
"""Two letters when small."""


def _with_growing_addresses(value: Any) -> Any:
    """The same with the longest mail address of that letter in place of every mail address."""
    match value:
        case dict():
            return {key: _with_growing_addresses(one) for key, one in value.items()}
        case list():
            return [_with_growing_addresses(one) for one in value]
        case str() if "@" in value and " " not in value and len(value) < 100:
            return f"{GROWS * 64}@{GROWS * 250}"
    return value


@each([case for case in READABLE if case.call.body[:1] == b"{"])
def test_an_address_that_grows_when_small_is_read_or_malformed(case: Case) -> None:
    secret = find_provider(case.provider).read_secret(SECRETS[case.provider])
    body = json.dumps(_with_growing_addresses(json.loads(case.request.body))).encode()
    try:
        seen = find_provider(case.provider).parse(replace(case.request, body=body), secret, NOW)
    except REFUSED:
        return
    assert all(len(known.value) <= 320 for one in seen for known in one.touchpoint.identifiers)
