"""What only WhatsApp does. The rest is in test_contract.py."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from pywa.client import WhatsApp
from pywa.errors import InvalidParameter
from pywa.utils import webhook_updates_validator

from shared.domain.errors import MalformedPayload, SendDelayed, SendRefused, SendUnconfirmed
from shared.domain.identity import IdentifierType, Proof
from shared.domain.sending import TemplateUse
from shared.domain.touchpoint import Channel, Direction, touchpoint_id
from shared.providers.base import HttpRequest, HttpResponse, find_provider
from tests.unit.providers.fixtures import NOW, SECRETS, Case, cases
from tests.unit.providers.sending import message_of, message_to, prepared, simulated

PROVIDER = find_provider("whatsapp_cloud")
SECRET = PROVIDER.read_secret(SECRETS["whatsapp_cloud"])
ACCOUNT = "106540352242922"
PHONE, USER_ID = "16505551234", "US.13491208655302741918"
CASES = {case.name: case for case in cases() if case.provider == "whatsapp_cloud"}


def message(address: str = PHONE, **given: Any) -> Any:
    return message_to(Channel.WHATSAPP, "whatsapp_cloud", ACCOUNT, address, **given)


def body_of(request: HttpRequest) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(request.body)
    return content


def refusal(status: int, code: int) -> HttpResponse:
    error = {"message": f"(#{code}) …", "type": "OAuthException", "code": code}
    return HttpResponse(status=status, headers={}, body=json.dumps({"error": error}).encode())


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_our_client_signs_as_pywa_verifies(case: Case) -> None:
    signature = case.request.header("x-hub-signature-256")
    app_secret = SECRETS["whatsapp_cloud"]["app_secrets"][0]
    assert webhook_updates_validator(app_secret, case.call.body, signature)
    assert not webhook_updates_validator("another", case.call.body, signature)


def test_cw_13837_user_ids_of_two_portfolios_are_two_people() -> None:
    """R7: the same text from another business account says nothing of who it is."""
    scopes = {}
    for name in ("user_id_only", "user_id_of_another_business_account"):
        body = CASES[name].call.body.replace(b"US.998877665544", USER_ID.encode())
        [observed] = PROVIDER.parse(replace(CASES[name].request, body=body), SECRET, NOW)
        identifier = observed.touchpoint.identifiers[0]
        assert identifier.value == USER_ID
        scopes[name] = identifier.scope
    assert len(set(scopes.values())) == 2


def test_cw_13837_who_shows_phone_and_user_id_is_known_by_both() -> None:
    [observed] = PROVIDER.parse(CASES["phone_and_user_id"].request, SECRET, NOW)
    types = {one.type for one in observed.touchpoint.identifiers}
    assert {IdentifierType.PHONE, IdentifierType.WHATSAPP_USER} <= types


SYSTEM = [case for name, case in CASES.items() if name.startswith("changed_")]


@pytest.mark.parametrize("case", SYSTEM, ids=[case.name for case in SYSTEM])
def test_cw_15586_a_change_of_number_or_id_ties_old_and_new_and_asks_for_no_answer(
    case: Case,
) -> None:
    [observed] = PROVIDER.parse(case.request, SECRET, NOW)
    changed = observed.touchpoint
    assert len(changed.identifiers) >= 2
    assert changed.direction is Direction.PASSIVE
    assert not changed.needs_understanding


@pytest.mark.parametrize(
    ("system", "numbers", "proof"),
    [
        (
            {"type": "customer_changed_number", "customer": "16505551234", "wa_id": "12195555358"},
            ["+16505551234", "+12195555358"],
            Proof.CONFIRMED,
        ),
        (
            {"type": "user_changed_number", "new_wa_id": "12195555358"},
            ["+16505551234", "+12195555358"],
            Proof.CONFIRMED,
        ),
        (
            {"type": "customer_identity_changed", "customer": "16505551234", "identity": "x"},
            ["+16505551234"],
            None,
        ),
    ],
)
def test_older_versions_tell_a_new_number_in_other_words(
    system: dict[str, str], numbers: list[str], proof: Proof | None
) -> None:
    case = CASES["changed_number"]
    body = json.loads(case.call.body)
    body["entry"][0]["changes"][0]["value"]["messages"][0]["system"] = system
    [observed] = PROVIDER.parse(replace(case.request, body=json.dumps(body).encode()), SECRET, NOW)
    assert [one.value for one in observed.touchpoint.identifiers] == numbers
    assert observed.touchpoint.proof is proof


def test_user_ids_of_one_portfolio_share_a_scope() -> None:
    """R7: two business accounts of one portfolio see one person under one user id."""
    portfolios = {"102290129340398": "portfolio-1", "202290129340398": "portfolio-1"}
    secret = PROVIDER.read_secret({**SECRETS["whatsapp_cloud"], "portfolios": portfolios})
    for name in ("user_id_only", "user_id_of_another_business_account"):
        [observed] = PROVIDER.parse(CASES[name].request, secret, NOW)
        assert observed.touchpoint.identifiers[0].scope == "portfolio-1"


def test_an_account_too_long_for_a_scope_is_malformed() -> None:
    case = CASES["text"]
    body = json.loads(case.call.body)
    body["entry"][0]["id"] = "1" * 201
    with pytest.raises(MalformedPayload):
        PROVIDER.parse(replace(case.request, body=json.dumps(body).encode()), SECRET, NOW)


def test_each_message_of_a_batch_keeps_its_own_raw() -> None:
    first, second, third = PROVIDER.parse(CASES["batch"].request, SECRET, NOW)
    assert first.raw == third.raw
    assert "Allô".encode() in second.raw
    assert b"Hello" not in second.raw
    value = json.loads(second.raw)["changes"][0]["value"]
    assert value["metadata"]["phone_number_id"] == ACCOUNT


def test_a_status_is_tied_to_the_outbound_touchpoint() -> None:
    sent = simulated("whatsapp_cloud", prepared(PROVIDER, message()))
    outbound = touchpoint_id("whatsapp_cloud", ACCOUNT, PROVIDER.receipt(sent))
    wamid = json.loads(sent.body)["messages"][0]["id"]
    case = CASES["statuses_out_of_order"]
    body = case.call.body.replace(b"wamid.OURS==", wamid.encode())
    status, *_ = PROVIDER.parse(replace(case.request, body=body), SECRET, NOW)
    assert message_of(status.touchpoint) == outbound


def test_sends_a_text_in_answer_to_a_message() -> None:
    request = prepared(PROVIDER, message(in_reply_to="wamid.THEIRS=="))
    assert request.method == "POST"
    assert request.url == f"https://graph.facebook.com/v26.0/{ACCOUNT}/messages"
    assert request.headers["authorization"] == "Bearer local-whatsapp-access-token"
    assert body_of(request) == {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": PHONE,
        "context": {"message_id": "wamid.THEIRS=="},
        "type": "text",
        "text": {"body": "We are on it."},
        "biz_opaque_callback_data": "send-key-1",
    }
    assert PROVIDER.receipt(simulated("whatsapp_cloud", request)).startswith("wamid.")


def test_sends_to_somebody_without_a_phone() -> None:
    request = prepared(PROVIDER, message(USER_ID))
    assert body_of(request)["recipient"] == USER_ID
    assert "to" not in body_of(request)
    assert simulated("whatsapp_cloud", request).status == 200


@pytest.mark.parametrize("parameters", [(), ("4512", "line one\nline  two")])
def test_sends_a_template(parameters: tuple[str, ...]) -> None:
    use = TemplateUse(name="order_update", language="en_US", parameters=parameters)
    request = prepared(PROVIDER, message(template=use))
    body = body_of(request)
    assert body["type"] == "template"
    assert "text" not in body
    assert body["template"]["language"] == {"code": "en_US"}
    components = body["template"].get("components", [])
    texts = [one["text"] for component in components for one in component["parameters"]]
    assert texts == (["4512", "line one line two"] if parameters else [])
    assert simulated("whatsapp_cloud", request).status == 200


@pytest.mark.parametrize("text", ["", "x" * 4097])
def test_refuses_a_text_of_impossible_length(text: str) -> None:
    with pytest.raises(SendRefused) as refused:
        prepared(PROVIDER, message(text=text))
    assert refused.value.code == "text_length"


@pytest.mark.parametrize(
    ("response", "error"),
    [
        (refusal(400, 131047), SendRefused),
        (refusal(401, 190), SendRefused),
        (refusal(400, 130429), SendDelayed),
        (refusal(400, 131056), SendDelayed),
        (refusal(400, 80007), SendDelayed),
        (refusal(400, 4), SendDelayed),
        (refusal(429, 999), SendDelayed),
        (refusal(503, 2), SendDelayed),
        (refusal(500, 131000), SendUnconfirmed),
        (HttpResponse(status=502, headers={}, body=b"<html>"), SendUnconfirmed),
        (HttpResponse(status=200, headers={}, body=b"{}"), SendUnconfirmed),
        (HttpResponse(status=200, headers={}, body=b"not JSON"), SendUnconfirmed),
        (HttpResponse(status=302, headers={}, body=b""), SendUnconfirmed),
    ],
)
def test_tells_refused_from_delayed_from_unconfirmed(
    response: HttpResponse, error: type[Exception]
) -> None:
    with pytest.raises(error):
        PROVIDER.receipt(response)


def test_a_refusal_carries_metas_code() -> None:
    with pytest.raises(SendRefused) as refused:
        PROVIDER.receipt(refusal(400, 131047))
    assert refused.value.code == "131047"


def changed(**changes: Any) -> HttpRequest:
    request = prepared(PROVIDER, message())
    return replace(request, body=json.dumps({**body_of(request), **changes}).encode())


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (replace(changed(), headers={"content-type": "application/json"}), 190),
        (replace(changed(), url="https://graph.facebook.com/v19.0/106540352242922/messages"), 100),
        (replace(changed(), url="https://graph.facebook.com/v26.0/messages"), 100),
        (replace(changed(), method="GET"), 100),
        (replace(changed(), body=b"{"), 100),
        (changed(messaging_product="sms"), 100),
        (changed(text={"body": ""}), 100),
        (changed(text={"body": "x" * 4097}), 100),
        (changed(to="the customer"), 131009),
        (changed(type="hologram"), 131009),
        (changed(context={}), 131009),
        (changed(biz_opaque_callback_data="x" * 513), 131009),
        (changed(type="template", template={"name": "Not A Name"}), 131008),
        (changed(type="template", template={"name": "order_update"}), 131008),
    ],
)
def test_the_simulator_refuses_what_meta_refuses(request_: HttpRequest, code: int) -> None:
    response = simulated("whatsapp_cloud", request_)
    assert response.status in {400, 401}
    assert json.loads(response.body)["error"]["code"] == code
    with pytest.raises(SendRefused):
        PROVIDER.receipt(response)


def test_the_simulator_gives_the_same_request_the_same_id() -> None:
    first = simulated("whatsapp_cloud", prepared(PROVIDER, message()))
    assert simulated("whatsapp_cloud", prepared(PROVIDER, message())) == first
    other = simulated("whatsapp_cloud", prepared(PROVIDER, message(send_key="send-key-2")))
    assert other.body != first.body


@pytest.fixture
def their_client() -> Iterator[WhatsApp]:
    """The pywa library, talking to our simulator instead of Meta."""

    def handle(request: httpx.Request) -> httpx.Response:
        answer = simulated(
            "whatsapp_cloud",
            HttpRequest(
                method=request.method,
                url=str(request.url),
                headers=dict(request.headers),
                body=request.read(),
            ),
        )
        return httpx.Response(answer.status, headers=dict(answer.headers), content=answer.body)

    with httpx.Client(transport=httpx.MockTransport(handle)) as session:
        yield WhatsApp(
            phone_id=ACCOUNT, token=SECRETS["whatsapp_cloud"]["access_token"], session=session
        )


@pytest.mark.parametrize("address", [PHONE, USER_ID])
def test_the_simulator_takes_what_pywa_sends(their_client: WhatsApp, address: str) -> None:
    sent = their_client.send_message(to=address, text="We are on it.", tracker="send-key-1")
    assert sent.id.startswith("wamid.")


def test_the_simulator_refuses_pywa_as_meta_does(their_client: WhatsApp) -> None:
    with pytest.raises(InvalidParameter):
        their_client.send_message(to="1", text="We are on it.")
