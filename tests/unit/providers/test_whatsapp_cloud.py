"""What only WhatsApp does. The rest is in test_contract.py."""

import json
from collections.abc import Iterator
from dataclasses import replace
from functools import reduce
from itertools import permutations
from typing import Any

import httpx
import pytest
from pywa.client import WhatsApp
from pywa.errors import InvalidParameter

from shared.domain.call import grown
from shared.domain.errors import MalformedPayload, SendRefused
from shared.domain.identity import IdentifierType, Proof
from shared.domain.sending import OutboundFile, TemplateUse
from shared.domain.touchpoint import (
    Attachment,
    Call,
    Channel,
    Choice,
    Direction,
    Message,
    Touchpoint,
    touchpoint_id,
)
from shared.providers.base import HttpRequest, HttpResponse, WebhookRequest, find_provider
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
    # Who else wrote is nothing that the evidence of this person holds.
    assert [one["profile"]["name"] for one in value["contacts"]] == ["Koffi"]


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.expected])
def test_of_the_contacts_of_a_request_each_part_keeps_the_person_s_own(name: str) -> None:
    """And so it says again what it said, whoever else wrote at the same time."""
    case = CASES[name]
    body = json.loads(case.request.body)
    strangers = [
        {"wa_id": "33699999901", "user_id": "FR.strange1", "profile": {"name": "Nobody"}},
        {"wa_id": "33699999902", "user_id": "", "profile": {"name": "Neither"}},
    ]
    for change in (change for entry in body["entry"] for change in entry["changes"]):
        change["value"]["contacts"] = [*(change["value"].get("contacts") or []), *strangers]
    for one in PROVIDER.parse(holding(body, case), SECRET, NOW):
        if one.touchpoint.content.kind == "unsupported":
            continue
        assert b"Nobody" not in one.raw
        assert b"Neither" not in one.raw
        alone = {"object": body["object"], "entry": [json.loads(one.raw)]}
        [again] = PROVIDER.parse(holding(alone, case), SECRET, NOW)
        assert again.touchpoint == one.touchpoint


def test_a_number_that_is_written_in_two_ways_has_its_name_among_others() -> None:
    case = CASES["batch"]
    body = json.loads(case.request.body)
    value = body["entry"][0]["changes"][0]["value"]
    value["contacts"][0]["wa_id"] = "5511987654321"
    value["messages"][0]["from"] = "551187654321"
    first, second, _ = PROVIDER.parse(holding(body, case), SECRET, NOW)
    assert first.touchpoint.name == "Sheena Nelson"
    assert second.touchpoint.name == "Koffi"
    assert b"5511987654321" in first.raw


def test_the_past_of_a_number_comes_by_the_thousands() -> None:
    case = CASES["history"]
    body = json.loads(case.call.body)
    [history] = body["entry"][0]["changes"][0]["value"]["history"]
    message = history["threads"][0]["messages"][0]
    many = [message | {"id": f"wamid.{number}"} for number in range(4_000)]
    history["threads"] = [{"id": history["threads"][0]["id"], "messages": many}]
    seen = PROVIDER.parse(holding(body, case), SECRET, NOW)
    assert len({one.touchpoint.provider_event_id for one in seen}) == 4_000


@pytest.mark.parametrize("shared", ["metadata", "contacts"])
def test_what_all_parts_share_is_not_repeated_without_end(shared: str) -> None:
    case = CASES["text"]
    body = json.loads(case.call.body)
    value = body["entry"][0]["changes"][0]["value"]
    value["messages"] *= 300
    assert len(PROVIDER.parse(holding(body, case), SECRET, NOW)) == 300
    large = value["metadata"] if shared == "metadata" else value["contacts"][0]
    large["note"] = "x" * 50_000
    with pytest.raises(MalformedPayload, match="too large for so many"):
        PROVIDER.parse(holding(body, case), SECRET, NOW)


def holding(body: object, case: Case) -> WebhookRequest:
    return replace(case.request, body=json.dumps(body).encode())


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


YES, NO = Choice(id="yes", title="Yes"), Choice(title="No")


def test_up_to_three_answers_are_buttons() -> None:
    request = prepared(PROVIDER, message(choices=(YES, NO)))
    assert body_of(request)["interactive"] == {
        "type": "button",
        "body": {"text": "We are on it."},
        "action": {
            "buttons": [
                {"type": "reply", "reply": {"id": "yes", "title": "Yes"}},
                {"type": "reply", "reply": {"id": "No", "title": "No"}},
            ]
        },
    }
    assert simulated("whatsapp_cloud", request).status == 200


@pytest.mark.parametrize(
    ("language", "label"),
    [("es-MX", "Opciones"), ("de", "Auswahl"), ("wo", "Options"), (None,) * 2],
)
def test_more_answers_are_a_list(language: str | None, label: str | None) -> None:
    choices = tuple(Choice(title=f"On day {number}") for number in range(10))
    request = prepared(PROVIDER, message(choices=choices, language=language))
    action = body_of(request)["interactive"]["action"]
    assert action["button"] == (label or "Options")
    assert [one["title"] for one in action["sections"][0]["rows"]] == [one.title for one in choices]
    assert simulated("whatsapp_cloud", request).status == 200


def test_a_picture_may_stand_above_the_buttons() -> None:
    file = OutboundFile(form="image", url="https://files.boutique.example/1.jpg")
    request = prepared(PROVIDER, message(choices=(YES, NO), files=(file,)))
    header = body_of(request)["interactive"]["header"]
    assert header == {"type": "image", "image": {"link": "https://files.boutique.example/1.jpg"}}
    assert simulated("whatsapp_cloud", request).status == 200


@pytest.mark.parametrize(
    ("form", "text", "kind", "medium"),
    [
        ("image", "Here it is", "image", {"caption": "Here it is"}),
        ("video", "", "video", {}),
        ("audio", "", "audio", {}),
        ("file", "Your bill", "document", {"filename": "bill.pdf", "caption": "Your bill"}),
    ],
)
def test_sends_a_file_by_its_address(
    form: Any, text: str, kind: str, medium: dict[str, str]
) -> None:
    url = "https://files.boutique.example/1"
    file = OutboundFile(form=form, url=url, name="bill.pdf")
    request = prepared(PROVIDER, message(text=text, files=(file,), in_reply_to="wamid.THEIRS=="))
    body = body_of(request)
    assert (body["type"], body[kind]) == (kind, {"link": url} | medium)
    assert body["context"] == {"message_id": "wamid.THEIRS=="}
    assert simulated("whatsapp_cloud", request).status == 200


PDF = OutboundFile(url="https://files.boutique.example/1")
SOUND = OutboundFile(form="audio", url="https://files.boutique.example/1")
DAYS = tuple(Choice(title=f"On day {number}") for number in range(11))


@pytest.mark.parametrize(
    ("given", "code", "reason"),
    [
        ({"files": (PDF, PDF)}, "files", "not_supported"),
        ({"files": (SOUND,)}, "caption", "content"),
        ({"files": (PDF,), "text": "x" * 1025}, "text_length", "content"),
        ({"choices": DAYS}, "choices", "not_supported"),
        ({"choices": DAYS[:4], "files": (PDF,)}, "choices", "not_supported"),
        ({"choices": (YES,), "files": (SOUND,)}, "choices", "not_supported"),
        ({"choices": (Choice(title="x" * 21),)}, "choice_length", "content"),
        ({"choices": (*DAYS[:3], Choice(title="x" * 25))}, "choice_length", "content"),
        ({"choices": (Choice(id="x" * 257, title="Yes"),)}, "choice_length", "content"),
        ({"choices": (Choice(id="yes"),)}, "choice_length", "content"),
        ({"choices": (YES, YES)}, "choice_twice", "content"),
        ({"choices": (YES,), "text": ""}, "text_length", "content"),
        ({"choices": (YES,), "text": "x" * 1025}, "text_length", "content"),
    ],
)
def test_refuses_before_sending_what_whatsapp_cannot_carry(
    given: dict[str, Any], code: str, reason: str
) -> None:
    with pytest.raises(SendRefused) as refused:
        prepared(PROVIDER, message(**given))
    assert (refused.value.code, refused.value.reason) == (code, reason)


@pytest.mark.parametrize("text", ["", "x" * 4097])
def test_refuses_a_text_of_impossible_length(text: str) -> None:
    with pytest.raises(SendRefused) as refused:
        prepared(PROVIDER, message(text=text))
    assert refused.value.code == "text_length"


def changed(**changes: Any) -> HttpRequest:
    request = prepared(PROVIDER, message())
    return replace(request, body=json.dumps({**body_of(request), **changes}).encode())


def buttons(*titles: str, **more: Any) -> dict[str, Any]:
    options = [{"type": "reply", "reply": {"id": one, "title": one}} for one in titles]
    return {"type": "button", "body": {"text": "?"}, "action": {"buttons": options}, **more}


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
        (changed(type="image", image={"link": "ftp://x"}), 131009),
        (changed(type="audio", audio={"link": "https://x", "caption": "x"}), 131009),
        (changed(type="interactive", interactive={}), 131008),
        (changed(type="interactive", interactive={"type": "x", "action": {}}), 131009),
        (changed(type="interactive", interactive={"type": "list", "action": {}}), 131008),
        (changed(type="interactive", interactive={"type": "button", "action": {}}), 131009),
        (changed(type="interactive", interactive=buttons()), 131009),
        (changed(type="interactive", interactive=buttons("x" * 21)), 131009),
        (changed(type="interactive", interactive=buttons("x", "x")), 131009),
        (changed(type="interactive", interactive=buttons("x", header={"type": "image"})), 131009),
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


def read(value: dict[str, Any], field: str = "messages") -> list[Touchpoint]:
    body = json.loads(CASES["text"].call.body)
    change = body["entry"][0]["changes"][0]
    change["value"] |= {"messages": [], **value}
    change["field"] = field
    request = replace(CASES["text"].request, body=json.dumps(body).encode())
    return [one.touchpoint for one in PROVIDER.parse(request, SECRET, NOW)]


def test_null_says_nothing() -> None:
    [seen] = read(
        {
            "contacts": [{"wa_id": PHONE, "user_id": None, "profile": None}],
            "messages": [
                {
                    "from": PHONE,
                    "id": "wamid.1",
                    "timestamp": None,
                    "type": "text",
                    "text": {"body": "Hello"},
                    "context": None,
                    "referral": None,
                }
            ],
        }
    )
    assert (seen.text, seen.occurred_at, seen.name) == ("Hello", NOW, None)


@pytest.mark.parametrize("price", ["30,50", None, "1e99", [], float(10**20)])
def test_a_price_that_is_none_is_left_out_or_malformed(price: Any) -> None:
    item = {"product_retailer_id": "lamp", "quantity": 1, "item_price": price, "currency": "EUR"}
    order = {"from": PHONE, "id": "wamid.1", "type": "order", "order": {"product_items": [item]}}
    try:
        [seen] = read({"messages": [order]})
    except MalformedPayload:
        assert price == []
        return
    assert isinstance(seen.content, Message)
    assert seen.content.basket is not None


@pytest.mark.parametrize("quantity", ["none", 0, -1, "NaN", "inf"])
def test_a_quantity_of_nothing_is_malformed(quantity: Any) -> None:
    item = {"product_retailer_id": "lamp", "quantity": quantity}
    order = {"from": PHONE, "id": "wamid.1", "type": "order", "order": {"product_items": [item]}}
    with pytest.raises(MalformedPayload):
        read({"messages": [order]})


@pytest.mark.parametrize("part", ["edit", "revoke"])
def test_a_change_under_the_id_of_its_message_gets_one_of_its_own(part: str) -> None:
    """Otherwise the change would count as the message, sent again."""
    changed = {"original_message_id": "wamid.1", "message": {"type": "text", "text": {"body": "x"}}}
    told = {"from": PHONE, "id": "wamid.1", "timestamp": "1763805600", "type": part, part: changed}
    [seen] = read({"messages": [told]})
    assert seen.provider_event_id == f"wamid.1:{part}:1763805600"


def test_an_edit_of_what_we_cannot_read_is_kept() -> None:
    changed = {"original_message_id": "wamid.1", "message": {"type": "hologram"}}
    told = {"from": PHONE, "id": "wamid.2", "type": "edit", "edit": changed}
    [seen] = read({"messages": [told]})
    assert seen.content.kind == "unsupported"


def test_what_was_said_before_waits_for_no_answer() -> None:
    for name in ("history", "history_medium"):
        for one in PROVIDER.parse(CASES[name].request, SECRET, NOW):
            assert one.touchpoint.direction is not Direction.INBOUND
            assert not one.touchpoint.needs_understanding


def test_the_placeholder_of_an_old_medium_does_not_stand_in_its_way() -> None:
    ids = {
        one.touchpoint.touchpoint_id
        for name in ("history", "history_medium")
        for one in PROVIDER.parse(CASES[name].request, SECRET, NOW)
    }
    assert len(ids) == 4


def test_a_medium_is_fetched_in_two_steps_each_with_the_token() -> None:
    medium = Attachment(provider_reference="1003383421387256")
    first = PROVIDER.media(medium, SECRET)
    assert first is not None
    assert first.url == "https://graph.facebook.com/v26.0/1003383421387256"
    assert first.headers == {"authorization": "Bearer local-whatsapp-access-token"}
    where = {
        "messaging_product": "whatsapp",
        "url": "https://lookaside.fbsbx.com/whatsapp_business/attachments/?mid=1&hash=x",
        "mime_type": "image/jpeg",
        "sha256": "x",
        "file_size": 303833,
        "id": "1003383421387256",
    }
    answer = HttpResponse(status=200, headers={}, body=json.dumps(where).encode())
    second = PROVIDER.media_location(medium, answer, SECRET)
    assert second is not None
    assert (second.url, second.headers) == (where["url"], first.headers)


@pytest.mark.parametrize("file", [b"\xff\xd8\xff", b'{"id": "another", "url": "x"}', b"[1]"])
def test_what_is_not_metas_word_about_it_is_the_file(file: bytes) -> None:
    medium = Attachment(provider_reference="1003383421387256")
    answer = HttpResponse(status=200, headers={}, body=file)
    assert PROVIDER.media_location(medium, answer, SECRET) is None


def test_the_token_goes_to_no_other_host() -> None:
    medium = Attachment(provider_reference="1003383421387256")
    where = {"id": "1003383421387256", "url": "https://lookaside.fbsbx.com.evil.example/"}
    answer = HttpResponse(status=200, headers={}, body=json.dumps(where).encode())
    with pytest.raises(MalformedPayload):
        PROVIDER.media_location(medium, answer, SECRET)


@pytest.mark.parametrize("reference", [None, "", "../me", "1?fields=x", "https://evil.example"])
def test_a_reference_that_is_no_id_is_not_asked_for(reference: str | None) -> None:
    assert PROVIDER.media(Attachment(provider_reference=reference), SECRET) is None


def test_a_call_nobody_picked_up_is_missed_and_one_we_made_is_spoken() -> None:
    """In whatever order its parts come."""
    told = [one.touchpoint for one in PROVIDER.parse(CASES["calls"].request, SECRET, NOW)]
    theirs = [one for one in told if one.direction is Direction.INBOUND]
    ours = [one for one in told if one.direction is Direction.OUTBOUND]
    assert len({one.touchpoint_id for one in theirs}) == 1
    for parts in permutations(theirs):
        missed = reduce(grown, parts)
        assert isinstance(missed.content, Call) and missed.content.is_missed
        assert missed.needs_understanding and missed.endpoint is not None
    for parts in permutations(ours):
        spoken = reduce(grown, parts)
        assert isinstance(spoken.content, Call) and not spoken.content.is_missed
        assert spoken.content.duration == 120 and not spoken.needs_understanding
