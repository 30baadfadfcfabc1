"""What only Telegram does. The rest is in test_contract.py."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from telegram import Chat, Message, Update

from infra.local.clients.telegram import sign
from infra.local.simulators.telegram import HAS_BLOCKED, IS_GONE, NOT_STARTED, TOO_MUCH
from shared.domain.errors import (
    MalformedPayload,
    MissingSecret,
    SendDelayed,
    SendRefused,
    SendUnconfirmed,
    Unauthentic,
)
from shared.domain.sending import OutboundFile
from shared.domain.touchpoint import Attachment, Choice, Stop, Touchpoint, TrackedEvent
from shared.domain.touchpoint import Channel as Medium
from shared.domain.touchpoint import Message as Said
from shared.providers.base import HttpRequest, HttpResponse, Outcome, WebhookRequest, find_provider
from tests.unit.providers.fixtures import NOW, SECRETS, Case, cases, fetch, received
from tests.unit.providers.sending import message_to, prepared, simulated

PROVIDER = find_provider("telegram")
SECRET = PROVIDER.read_secret(SECRETS["telegram"])
BOT = "1234567890"
TOKEN = SECRETS["telegram"]["bots"][0]["token"]
PERSON = "5012345678"
CASES = {case.name: case for case in cases() if case.provider == "telegram"}
READABLE = {name: case for name, case in CASES.items() if not case.malformed}
OTHER_BOT = {
    "token": "1098765432:local-telegram-bot-token-made-up-1",
    "secret_tokens": ["secret-token-of-the-second-bot"],
}
TWO_BOTS = PROVIDER.read_secret({"bots": [*SECRETS["telegram"]["bots"], OTHER_BOT]})


def read(case: Case) -> list[Touchpoint]:
    return [one.touchpoint for one in PROVIDER.parse(case.request, SECRET, NOW)]


def read_all(**update: Any) -> list[Touchpoint]:
    call = replace(CASES["text"].call, body=json.dumps({"update_id": 7} | update).encode())
    request = received("telegram", sign(call, SECRETS["telegram"], NOW))
    return [one.touchpoint for one in PROVIDER.parse(request, SECRET, NOW)]


def read_update(**update: Any) -> Touchpoint:
    (touchpoint,) = read_all(**update)
    return touchpoint


def a_message(**parts: Any) -> dict[str, Any]:
    message = json.loads(CASES["text"].call.body)["message"]
    return {**{k: v for k, v in message.items() if k not in {"text", "entities"}}, **parts}


# What Telegram's best known library reads in the same requests


def their(case: Case) -> Update:
    return Update.de_json(json.loads(case.call.body), bot=None)


def their_message(update: Update) -> Message | None:
    found = update.effective_message or update.business_message or update.edited_business_message
    return found if isinstance(found, Message) else None


def their_kind(message: Message) -> str:
    """In our words."""
    if message.successful_payment is not None:
        return "purchase"
    if message.new_chat_members:
        return "tracked_event"
    if message.edit_date is not None:
        return "message_edit"
    return "unsupported" if message.story is not None else "message"


def their_file(message: Message) -> Any:
    sizes = sorted(message.photo, key=lambda one: one.width)
    files = (message.document, message.animation, message.audio, message.voice, message.video)
    found = [*files, message.video_note, message.sticker, *sizes]
    return next((one for one in reversed(found) if one is not None), None)


NOT_THEIRS = {"ephemeral", "oldest", "numbers_as_text", "photo_unreadable"}
"""Newer than what they read, older, and what only we are liberal about."""


@pytest.mark.parametrize(
    "name", [one for one in READABLE if "button" not in one and one not in NOT_THEIRS]
)
def test_we_read_what_python_telegram_bot_reads(name: str) -> None:
    theirs, first = their(CASES[name]), read(CASES[name])[0]
    user, content = theirs.effective_user, first.content.model_dump()
    if user is not None and first.identifiers and name != "business_echo":
        assert first.identifiers[0].value == str(user.id)
        assert (first.name, first.language) == (user.full_name, user.language_code)
    message = their_message(theirs)
    if message is None:
        return
    assert first.provider_event_id.split(":edit:")[0].endswith(f"{message.chat.id}:{message.id}")
    assert first.occurred_at == (message.edit_date or message.date)
    assert (first.endpoint is not None) == (message.chat.type == Chat.PRIVATE)
    assert content["kind"] == their_kind(message)
    written = message.text or message.caption
    if written is not None:
        assert content["text"] == written
    if (file := their_file(message)) is not None:
        (attachment,) = content["attachments"]
        assert attachment["provider_reference"] == f"{BOT}:{file.file_id}"
        assert attachment["size"] == file.file_size
    if message.reply_to_message is not None:
        assert content["in_reply_to"] == f"{message.chat.id}:{message.reply_to_message.id}"


@pytest.mark.parametrize("name", sorted(READABLE.keys() - NOT_THEIRS))
def test_what_they_write_down_is_read_the_same(name: str) -> None:
    """They fill in `false` and empty lists for everything that did not happen."""
    written = json.loads(their(CASES[name]).to_json())
    assert read_all(**written) == read(CASES[name])


@pytest.mark.parametrize("name", ["button", "button_of_an_old_message"])
def test_we_read_of_a_button_what_python_telegram_bot_reads(name: str) -> None:
    query, (first,) = their(CASES[name]).callback_query, read(CASES[name])
    assert query is not None and query.message is not None
    assert first.identifiers[0].value == str(query.from_user.id)
    assert first.provider_event_id == f"callback:{query.id}"
    content = first.content.model_dump()
    assert content["choice"]["id"] == query.data
    assert content["in_reply_to"] == f"{query.message.chat.id}:{query.message.message_id}"


def test_every_kind_of_update_they_know_is_read_as_something() -> None:
    unread = set()
    for kind in Update.ALL_TYPES:
        value: dict[str, Any] = {"id": "1", "user": {"id": 5, "first_name": "Awa"}}
        try:
            found = read_update(**{kind: value})
        except MalformedPayload:
            continue
        if found.content.kind == "unsupported":
            unread.add(kind)
    assert unread == set()


def test_what_is_all_that_a_message_holds_and_cannot_be_read_waits() -> None:
    with pytest.raises(MalformedPayload, match="photo: unreadable"):
        read_update(message=a_message(photo=[{"width": 90}]))


def test_an_empty_object_says_that_something_happened() -> None:
    found = read_update(message=a_message(forum_topic_closed={}, delete_chat_photo=False))
    assert found.content == TrackedEvent(name="telegram_forum_topic_closed")


# Which bot


def test_the_proof_tells_the_bot() -> None:
    call = sign(CASES["photo"].call, {"bots": [OTHER_BOT]}, NOW)
    request = received("telegram", call)
    PROVIDER.verify(request, TWO_BOTS, fetch)
    (first, *_) = PROVIDER.parse(request, TWO_BOTS, NOW)
    assert first.touchpoint.account == "1098765432"
    assert first.touchpoint.endpoint is not None
    assert first.touchpoint.endpoint.account == "1098765432"


def test_a_path_that_names_a_bot_takes_only_that_bots_token() -> None:
    request = received("telegram", sign(CASES["text"].call, {"bots": [OTHER_BOT]}, NOW))
    assert request.path == BOT
    with pytest.raises(Unauthentic):
        PROVIDER.verify(request, TWO_BOTS, fetch)


def out_of_quarantine(name: str) -> WebhookRequest:
    """The secret token is never kept, so a replay comes without it."""
    return received("telegram", CASES[name].call)


def test_out_of_quarantine_the_path_tells_the_bot() -> None:
    (one,) = PROVIDER.parse(out_of_quarantine("text"), TWO_BOTS, NOW)
    assert one.touchpoint.account == BOT


def test_out_of_quarantine_an_only_bot_is_the_one() -> None:
    (one,) = PROVIDER.parse(out_of_quarantine("photo"), SECRET, NOW)
    assert one.touchpoint.account == BOT


def test_out_of_quarantine_one_of_two_bots_is_not_guessed() -> None:
    with pytest.raises(MalformedPayload, match="which bot"):
        PROVIDER.parse(out_of_quarantine("photo"), TWO_BOTS, NOW)


def test_two_bots_may_not_share_a_secret_token() -> None:
    same = {**OTHER_BOT, "secret_tokens": SECRETS["telegram"]["bots"][0]["secret_tokens"]}
    with pytest.raises(MissingSecret):
        PROVIDER.read_secret({"bots": [*SECRETS["telegram"]["bots"], same]})


# Meaning


def test_a_customer_who_writes_is_answered_and_a_group_is_not() -> None:
    (private,), (group,) = read(CASES["text"]), read(CASES["group"])
    assert private.needs_understanding
    assert not group.needs_understanding


def test_a_bare_start_is_a_word_that_opts_in() -> None:
    assert read_update(message=a_message(text="/start")).needs_understanding


@pytest.mark.parametrize(
    "message",
    [
        a_message(forward_date=1_700_000_000, contact={"phone_number": "1", "user_id": 5012345678}),
        a_message(contact={"phone_number": "221771234567", "user_id": 1}),
        a_message(contact={"phone_number": "221771234567"}),
        a_message(
            forward_origin={"type": "user"},
            contact={"phone_number": "221771234567", "user_id": 5012345678},
        ),
        a_message(contact={"phone_number": "call me", "user_id": 5012345678}),
    ],
)
def test_a_card_that_may_be_anybodys_proves_no_number(message: dict[str, Any]) -> None:
    found = read_update(message=message)
    assert found.proof is None
    assert [one.type for one in found.identifiers] == ["telegram_user"]


@pytest.mark.parametrize(
    ("currency", "amount", "total"),
    [("EUR", 5405, "54.05"), ("XOF", 100, "1.00"), ("XTR", 250, "250"), ("JPY", 7, "7")],
)
def test_money_has_the_decimals_of_its_currency(currency: str, amount: int, total: str) -> None:
    paid = {"currency": currency, "total_amount": amount, "telegram_payment_charge_id": "c1"}
    content = read_update(message=a_message(successful_payment=paid)).content
    assert content.model_dump()["total"] == total


def test_several_signs_are_all_that_is_put_to_a_message() -> None:
    signs = [{"type": "emoji", "emoji": "👍"}, {"type": "custom_emoji", "custom_emoji_id": "53"}]
    change = {
        **json.loads(CASES["reaction"].call.body)["message_reaction"],
        "new_reaction": [*signs, {"type": "paid"}],
    }
    assert read_update(message_reaction=change).content.model_dump()["emoji"] == "👍:53:⭐"


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ({"dice": {"emoji": "🎯", "value": 4}}, "🎯"),
        ({"poll": {"id": "1", "question": "Blue or red?", "options": []}}, "Blue or red?"),
        ({"checklist": {"title": "Buy", "tasks": [{"id": 1, "text": "Tea"}]}}, "Buy\nTea"),
    ],
)
def test_what_a_person_wrote_is_text_wherever_it_stands(parts: dict[str, Any], text: str) -> None:
    assert read_update(message=a_message(**parts)).text == text


def test_an_answer_to_what_stands_in_another_chat_names_it_there() -> None:
    other = {"origin": {"type": "channel"}, "chat": {"id": -100, "type": "channel"}}
    found = read_update(message=a_message(text="?", external_reply={**other, "message_id": 9}))
    assert found.content.model_dump()["in_reply_to"] == "-100:9"
    hidden = read_update(message=a_message(text="?", external_reply=other))
    assert hidden.content.model_dump()["in_reply_to"] is None


def test_a_picture_that_moves_is_read_once() -> None:
    moving = {"file_id": "v", "file_unique_id": "v", "photo": [{"file_id": "p"}]}
    still = [{"file_id": "p", "file_unique_id": "p"}]
    found = read_update(message=a_message(live_photo=moving, photo=still))
    assert isinstance(found.content, Said)
    assert [one.form for one in found.content.attachments] == ["video"]


def test_files_that_were_paid_for_are_attachments() -> None:
    media = [
        {"type": "preview", "width": 1},
        {"type": "photo", "photo": [{"file_id": "p"}]},
        {"type": "video", "video": {"file_id": "v"}},
        {"type": "live_photo", "live_photo": {"file_id": "l"}},
    ]
    found = read_update(message=a_message(paid_media={"star_count": 5, "paid_media": media}))
    assert isinstance(found.content, Said)
    assert [one.form for one in found.content.attachments] == ["image", "video", "video"]


def test_who_reacts_or_votes_for_a_chat_is_called_as_the_chat() -> None:
    chat = {"id": -1001, "type": "channel", "title": "Maison Ndar"}
    reaction = {"chat": chat, "actor_chat": chat, "message_id": 5, "date": 1795165205}
    for update in (
        {"message_reaction": {**reaction, "new_reaction": [{"type": "paid"}]}},
        {"poll_answer": {"poll_id": "1", "voter_chat": chat, "option_ids": [0]}},
    ):
        found = read_update(**update)
        assert (found.name, found.identifiers) == ("Maison Ndar", ())


def test_the_cells_of_a_table_stand_apart() -> None:
    cells = [[{"text": "Shop"}, {"text": ["Th", "iès"]}], [{"text": "Till"}, {}, {"text": "down"}]]
    table = {"type": "table", "cells": cells}
    found = read_update(message=a_message(rich_message={"blocks": [table]}))
    assert found.text == "Shop\tThiès\nTill\tdown"


def test_a_card_of_nobody_on_telegram_is_a_card() -> None:
    card = {"phone_number": "221775550100", "first_name": "Awa", "user_id": 0}
    found = read_update(message=a_message(contact=card))
    assert isinstance(found.content, Said)
    assert [one.name for one in found.content.cards] == ["Awa"]


def test_a_game_and_a_button_elsewhere_ask_for_no_answer() -> None:
    query = {"id": "9", "from": json.loads(CASES["text"].call.body)["message"]["from"]}
    game = read_update(callback_query={**query, "game_short_name": "chess"})
    assert (game.content.kind, game.endpoint) == ("tracked_event", None)
    elsewhere = read_update(callback_query={**query, "inline_message_id": "x", "data": "yes"})
    assert (elsewhere.text, elsewhere.direction, elsewhere.endpoint) == ("yes", "passive", None)


def test_a_colleagues_own_card_does_not_make_their_number_the_customers() -> None:
    """Proven of every customer who is given it, it would join them all."""
    card = a_message(
        business_connection_id="c",
        chat={"id": 777, "type": "private", "first_name": "Awa"},
        contact={"phone_number": "33612345678", "first_name": "Luc", "user_id": 5012345678},
    )
    found = read_update(business_message=card)
    assert [(one.type, one.value) for one in found.identifiers] == [("telegram_user", "777")]
    assert found.proof is None


def test_a_button_that_a_colleague_presses_is_not_answered_to_the_customer() -> None:
    shown = a_message(chat={"id": 777, "type": "private"}, business_connection_id="c")
    found = read_update(
        callback_query={"id": "1", "from": {"id": 42, "first_name": "Luc"}, "message": shown}
    )
    assert (found.direction, found.endpoint) == ("passive", None)


def test_a_reply_from_the_bot_of_a_business_is_the_companys() -> None:
    ours = a_message(
        business_connection_id="c",
        text="We are on it.",
        sender_business_bot={"id": 1234567890, "is_bot": True, "first_name": "Boutique"},
    )
    found = read_update(business_message=ours)
    assert (found.direction, found.automation) == ("outbound", "echo")


def test_an_update_with_two_things_in_it_is_kept_and_not_guessed() -> None:
    found = read_update(message=a_message(text="?"), poll={"id": "1"})
    assert found.content.model_dump() == {"kind": "unsupported", "what": "update of no one kind"}


def test_only_a_button_is_answered_in_the_acknowledgement() -> None:
    observed = PROVIDER.parse(CASES["text"].request, SECRET, NOW)
    assert PROVIDER.respond(Outcome.ACCEPTED, observed).body == ""
    assert PROVIDER.respond(Outcome.QUARANTINED, []).status == 200


# Sending


def message(address: str = PERSON, **given: Any) -> Any:
    return message_to(Medium.TELEGRAM, "telegram", BOT, address, **given)


def body_of(request: HttpRequest) -> Any:
    return json.loads(request.body)


def sent_id(**given: Any) -> str:
    return PROVIDER.receipt(simulated("telegram", prepared(PROVIDER, message(**given))))


def test_sends_a_text_as_it_is() -> None:
    request = prepared(PROVIDER, message(text="Où ? <b>1</b> _2_ https://boutique.example"))
    assert request.url == f"https://api.telegram.org/bot{TOKEN}/sendMessage"
    assert body_of(request) == {
        "chat_id": int(PERSON),
        "text": "Où ? <b>1</b> _2_ https://boutique.example",
    }


def test_the_id_of_what_left_is_that_by_which_people_answer_it() -> None:
    key = sent_id()
    reply = json.loads(CASES["reply"].call.body)
    reply["message"]["reply_to_message"]["message_id"] = int(key.split(":")[1])
    answered = read_update(message=reply["message"])
    assert answered.content.model_dump()["in_reply_to"] == key


def test_answers_the_message_and_not_what_is_none() -> None:
    assert body_of(prepared(PROVIDER, message(in_reply_to=f"{PERSON}:41")))["reply_parameters"] == {
        "message_id": 41,
        "allow_sending_without_reply": True,
    }
    for other in ("callback:21527805113223456", "99:41", f"{PERSON}:41:edit:1", "update:5", None):
        assert "reply_parameters" not in body_of(prepared(PROVIDER, message(in_reply_to=other)))


def test_answers_for_a_business_in_its_own_chat() -> None:
    given = {"address": f"Lq0k:{PERSON}", "in_reply_to": f"Lq0k:{PERSON}:801"}
    request = prepared(PROVIDER, message(**given))
    assert body_of(request)["business_connection_id"] == "Lq0k"
    assert body_of(request)["chat_id"] == int(PERSON)
    assert body_of(request)["reply_parameters"]["message_id"] == 801
    assert sent_id(**given).startswith(f"Lq0k:{PERSON}:")


def test_offers_choices_as_buttons() -> None:
    choices = (Choice(id="yes:1", title="Yes"), Choice(title="No"))
    request = prepared(PROVIDER, message(choices=choices))
    assert body_of(request)["reply_markup"] == {
        "inline_keyboard": [
            [{"text": "Yes", "callback_data": "yes:1"}],
            [{"text": "No", "callback_data": "No"}],
        ]
    }
    assert simulated("telegram", request).status == 200


def a_file(form: Any = "image", name: str = "vase.jpg") -> OutboundFile:
    return OutboundFile(form=form, url=f"https://files.boutique.example/{name}")


@pytest.mark.parametrize(
    ("form", "method", "field"),
    [
        ("file", "sendDocument", "document"),
        ("image", "sendPhoto", "photo"),
        ("audio", "sendAudio", "audio"),
        ("video", "sendVideo", "video"),
    ],
)
def test_sends_a_file_with_its_words(form: str, method: str, field: str) -> None:
    request = prepared(PROVIDER, message(text="Here", files=(a_file(form),)))
    assert request.url.endswith(f"/{method}")
    assert body_of(request)[field] == "https://files.boutique.example/vase.jpg"
    assert body_of(request)["caption"] == "Here"
    assert simulated("telegram", request).status == 200


def test_several_pictures_are_one_message_with_the_words_at_the_first() -> None:
    request = prepared(PROVIDER, message(text="Both", files=(a_file(), a_file("video"))))
    assert request.url.endswith("/sendMediaGroup")
    first, second = body_of(request)["media"]
    assert (first["type"], first["caption"], second["type"]) == ("photo", "Both", "video")
    assert "caption" not in second
    assert PROVIDER.receipt(simulated("telegram", request)).startswith(f"{PERSON}:")


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"text": ""}, "text_empty"),
        ({"text": "x" * 4097}, "text_too_long"),
        ({"text": "x" * 1025, "files": (a_file(),)}, "caption_too_long"),
        ({"files": (a_file(), a_file("audio"))}, "file_mix"),
        ({"files": (a_file(), a_file()), "choices": (Choice(title="Yes"),)}, "file_mix"),
        ({"files": (a_file(),) * 11}, "file_mix"),
        ({"choices": (Choice(id="é" * 33, title="Yes"),)}, "button_data"),
        ({"choices": (Choice(),)}, "button_data"),
    ],
)
def test_refuses_what_telegram_cannot_carry(given: dict[str, Any], code: str) -> None:
    with pytest.raises(SendRefused) as refused:
        prepared(PROVIDER, message(**given))
    assert (refused.value.code, refused.value.reason) == (code, "content")


def test_refuses_for_a_bot_whose_token_it_has_not() -> None:
    with pytest.raises(SendRefused) as refused:
        prepared(PROVIDER, message_to(Medium.TELEGRAM, "telegram", "1", PERSON))
    assert refused.value.reason == "unauthorized"


@pytest.mark.parametrize(
    ("person", "code", "reason", "stop"),
    [
        (HAS_BLOCKED, "bot_blocked", "opted_out", Stop(kind="provider_block")),
        (IS_GONE, "user_deactivated", "unreachable", Stop(kind="bounce")),
        (NOT_STARTED, "no_conversation", "unreachable", None),
        (0, "chat_not_found", "invalid_recipient", None),
    ],
)
def test_tells_why_a_person_cannot_be_reached(
    person: int, code: str, reason: str, stop: Stop | None
) -> None:
    with pytest.raises(SendRefused) as refused:
        sent_id(address=str(person))
    assert (refused.value.code, refused.value.reason) == (code, reason)
    assert PROVIDER.stops.get(code) == stop


def answered(status: int, content: Any, **headers: str) -> HttpResponse:
    return HttpResponse(status=status, headers=headers, body=json.dumps(content).encode())


def test_waits_as_long_as_telegram_asks() -> None:
    with pytest.raises(SendDelayed) as delayed:
        sent_id(address=str(TOO_MUCH))
    assert delayed.value.retry_after == timedelta(seconds=7)
    with pytest.raises(SendDelayed) as by_header:
        PROVIDER.receipt(answered(429, {"ok": False}, **{"Retry-After": "3"}))
    assert by_header.value.retry_after == timedelta(seconds=3)


@pytest.mark.parametrize(
    ("response", "error"),
    [
        (answered(400, {"ok": False, "description": "Bad Request: of a new kind"}), SendRefused),
        (answered(401, {"ok": False, "description": "Unauthorized"}), SendRefused),
        (answered(403, {"ok": False, "description": "Forbidden: bot was BLOCKED"}), SendRefused),
        (answered(503, {}), SendDelayed),
        (answered(500, {"ok": False}), SendUnconfirmed),
        (HttpResponse(status=502, headers={}, body=b"<html>"), SendUnconfirmed),
        (answered(200, {"ok": True, "result": {}}), SendUnconfirmed),
        (answered(200, {"ok": False}), SendUnconfirmed),
        (answered(200, {"ok": True, "result": []}), SendUnconfirmed),
    ],
)
def test_tells_refused_from_delayed_from_unconfirmed(
    response: HttpResponse, error: type[Exception]
) -> None:
    with pytest.raises(error):
        PROVIDER.receipt(response)


def test_a_description_it_does_not_know_leaves_the_status_as_its_code() -> None:
    with pytest.raises(SendRefused) as refused:
        PROVIDER.receipt(answered(403, {"ok": False, "description": "Forbidden: new words"}))
    assert (refused.value.code, refused.value.reason) == ("403", "unknown")


def changed(path: str = "", **changes: Any) -> HttpRequest:
    request = prepared(PROVIDER, message())
    body = {**body_of(request), **changes}
    url = f"https://api.telegram.org{path}" if path else request.url
    return replace(request, url=url, body=json.dumps(body).encode())


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (changed("/"), 404),
        (changed(f"/bot{OTHER_BOT['token']}/sendMessage"), 401),
        (changed(f"/bot{TOKEN}/sendInvoice"), 404),
        (replace(changed(), method="GET"), 404),
        (replace(changed(), headers={}), 400),
        (replace(changed(), body=b"{"), 400),
        (changed(text=" "), 400),
        (changed(text="x" * 4097), 400),
        (changed(reply_parameters={}), 400),
        (changed(reply_markup={"inline_keyboard": [[{"callback_data": "x"}]]}), 400),
        (changed(reply_markup={"inline_keyboard": [[{"text": "x"}]]}), 400),
        (changed(f"/bot{TOKEN}/sendPhoto"), 400),
        (changed(f"/bot{TOKEN}/sendPhoto", photo="file.jpg"), 400),
        (changed(f"/bot{TOKEN}/sendPhoto", photo="https://a.example/b", caption="x" * 1025), 400),
        (changed(f"/bot{TOKEN}/sendMediaGroup", media=[]), 400),
        (changed(f"/bot{TOKEN}/sendMediaGroup", media=[{"type": "photo"}, {"type": "audio"}]), 400),
    ],
)
def test_the_simulator_refuses_what_telegram_refuses(request_: HttpRequest, status: int) -> None:
    response = simulated("telegram", request_)
    assert response.status == status
    assert json.loads(response.body)["error_code"] == status
    with pytest.raises(SendRefused):
        PROVIDER.receipt(response)


# Media


A_FILE = Attachment(provider_reference=f"{BOT}:AgACAgIAAxkBAAMs_large")
PLACE = {"ok": True, "result": {"file_id": "A", "file_path": "photos/file_3.jpg"}}
JSON = {"content-type": "application/json"}


def test_a_file_is_fetched_in_two_steps() -> None:
    first = PROVIDER.media(A_FILE, SECRET)
    assert first is not None
    assert first.url == (
        f"https://api.telegram.org/bot{TOKEN}/getFile?file_id=AgACAgIAAxkBAAMs_large"
    )
    second = PROVIDER.media_location(A_FILE, answered(200, PLACE, **JSON), SECRET)
    assert second is not None
    assert second.url == f"https://api.telegram.org/file/bot{TOKEN}/photos/file_3.jpg"
    octets = HttpResponse(
        status=200, headers={"Content-Type": "application/octet-stream"}, body=b"{}"
    )
    assert PROVIDER.media_location(A_FILE, octets, SECRET) is None


@pytest.mark.parametrize(
    "answer",
    [
        {"ok": False, "error_code": 400, "description": "Bad Request: file is too big"},
        {"ok": True, "result": {"file_path": "../../bot1:x/getMe"}},
        {"ok": True, "result": {"file_path": "a//b"}},
        {"ok": True, "result": {"file_path": "https://elsewhere.example/"}},
        {"ok": True, "result": {}},
        [],
    ],
)
def test_a_place_that_is_none_is_malformed(answer: Any) -> None:
    with pytest.raises(MalformedPayload):
        PROVIDER.media_location(A_FILE, answered(200, answer, **JSON), SECRET)


@pytest.mark.parametrize("reference", [None, "", "AgAC", "1:AgAC", f"{BOT}:"])
def test_nothing_is_fetched_without_a_bot_that_may(reference: str | None) -> None:
    assert PROVIDER.media(Attachment(provider_reference=reference), SECRET) is None


def test_the_token_in_the_url_is_not_shown_where_a_request_is_printed() -> None:
    """It stands in the path, so a line of log that shows a request would show it."""
    assert TOKEN not in repr(prepared(PROVIDER, message()))
