"""What we read of a webhook is what pywa, the library most people read it with, reads of it."""

import json
import warnings
from typing import Any

import pytest
from pywa.client import WhatsApp
from pywa.types.callback import CallbackButton, CallbackSelection
from pywa.types.calls import CallConnect, CallDirection, CallTerminate
from pywa.types.flows import FlowCompletion
from pywa.types.message import DeletedMessage, EditedMessage, Message
from pywa.types.message_status import MessageStatus
from pywa.types.user_preferences import UserMarketingPreferences

from shared.domain import touchpoint as ours
from shared.domain.touchpoint import Touchpoint
from shared.providers.base import find_provider
from tests.unit.providers.fixtures import NOW, SECRETS, Case, cases

PROVIDER = find_provider("whatsapp_cloud")
SECRET = PROVIDER.read_secret(SECRETS["whatsapp_cloud"])
NOT_THEIRS = {"system", "unsupported", "hologram"}
"""They read only some of these."""
TOO_ODD = {"nulls_and_numbers", "medium_not_fetched", "call_permission", "form_read_already"}
"""They cannot read these at all."""
CASES = [
    one
    for one in cases()
    if one.provider == "whatsapp_cloud"
    and not one.malformed
    and not one.is_handshake
    and one.name not in TOO_ODD
]


@pytest.fixture(scope="module")
def theirs() -> WhatsApp:
    return WhatsApp(phone_id="106540352242922", token="x")


def single(case: Case, part: str, field: str) -> list[dict[str, Any]]:
    """The request as if it had held one of its messages only: pywa reads the first."""
    found = []
    for entry in json.loads(case.call.body)["entry"]:
        for change in entry["changes"]:
            if change["field"] != field:
                continue
            for one in change["value"].get(part) or []:
                value = {**change["value"], part: [one], "contacts": [contact(change, one)]}
                changes = [{"field": field, "value": value}]
                found.append(
                    {"object": "whatsapp_business_account"}
                    | {"entry": [entry | {"changes": changes}]}
                )
    return found


def contact(change: dict[str, Any], one: dict[str, Any]) -> dict[str, Any]:
    """Of whom the message is, with the user id that pywa insists on."""
    sender = one.get("from") or one.get("recipient_id") or one.get("wa_id")
    known = change["value"].get("contacts") or []
    mine = next((each for each in known if each.get("wa_id") == sender), {"wa_id": sender})
    return {"user_id": "US.1", "profile": {"name": ""}, **mine}


def read_both(
    theirs: WhatsApp, kind: Any, update: dict[str, Any], case: Case
) -> tuple[Any, Touchpoint]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        update_theirs = kind.from_update(theirs, update)
    body = json.dumps(update).encode()
    call = type(case.call)(method="POST", url=case.call.url, headers=case.call.headers, body=body)
    [observed] = PROVIDER.parse(
        type(case)(case.provider, case.name, call, case.content).request, SECRET, NOW
    )
    return update_theirs, observed.touchpoint


def kind_of(message: dict[str, Any]) -> Any:
    match message:
        case {"type": "interactive", "interactive": {"button_reply": _}} | {"type": "button"}:
            return CallbackButton
        case {"type": "interactive", "interactive": {"list_reply": _}}:
            return CallbackSelection
        case {"type": "interactive", "interactive": {"nfm_reply": {"body": _}}}:
            return FlowCompletion
        case {"type": "interactive"}:
            return None
        case {"type": "edit"}:
            return EditedMessage
        case {"type": "revoke"}:
            return DeletedMessage
        case {"type": "request_welcome"}:
            return None
    return Message


MESSAGES = [
    pytest.param(case, update, id=f"{case.name}-{number}")
    for case in CASES
    for number, update in enumerate(single(case, "messages", "messages"))
    if (one := update["entry"][0]["changes"][0]["value"]["messages"][0])["type"] not in NOT_THEIRS
    and kind_of(one) is not None
    and "body" in one.get("text", {"body": ""})
    and one.get("text", {"body": ""})["body"] is not None
    and one.get("from")
]


@pytest.mark.parametrize(("case", "update"), MESSAGES)
def test_a_message_is_the_same_to_pywa(
    theirs: WhatsApp, case: Case, update: dict[str, Any]
) -> None:
    original = update["entry"][0]["changes"][0]["value"]["messages"][0]
    their, our = read_both(theirs, kind_of(original), update, case)
    assert their.id == our.provider_event_id
    assert their.metadata.phone_number_id == our.account
    if our.occurred_at != NOW:  # a time out of reason is the time of arrival with us
        assert their.timestamp == our.occurred_at
    numbers = {one.value for one in our.identifiers}
    assert their.from_user.wa_id is None or f"+{their.from_user.wa_id}" in numbers
    match their:
        case Message():
            assert_same_message(their, our.content)
        case CallbackButton() | CallbackSelection():
            assert isinstance(our.content, ours.Message) and our.content.choice is not None
            assert (their.data, their.title) == (our.content.choice.id, our.content.choice.title)
            assert our.text == their.title
        case FlowCompletion():
            assert json.loads(our.text) == their.response
        case EditedMessage():
            assert isinstance(our.content, ours.MessageEdit)
            assert our.content.message_id == their.original_message_id
            assert our.text == (their.message.text or their.message.caption or "")
        case DeletedMessage():
            assert isinstance(our.content, ours.MessageDeletion)
            assert our.content.message_id == their.original_message_id


FORMS = {"document": "file", "audio": "audio"}


def assert_same_message(their: Message, content: Any) -> None:
    if their.type == "reaction":
        assert their.reaction is not None and isinstance(content, ours.Reaction)
        assert content.message_id == their.reaction.message_id
        assert content.emoji == (their.reaction.emoji or "")
        return
    if not isinstance(content, ours.Message):
        assert their.type == "unknown"
        return
    said = their.order.text if their.order else their.text or their.caption
    assert content.text == (said or "")
    assert content.forwarded is their.forwarded
    answered = their.reply_to_message
    assert content.in_reply_to == (answered.id if answered else None)
    if their.media is not None:
        [attachment] = content.attachments
        assert attachment.provider_reference == their.media.id
        assert attachment.content_type == their.media.mime_type
        form = "voice" if their.voice else FORMS.get(their.type, their.type)
        assert attachment.form == form
    if their.location is not None:
        assert content.place is not None
        assert content.place.latitude == their.location.latitude
        assert content.place.name == their.location.name
    if their.contacts is not None:
        names = [one.name and one.name.formatted_name for one in their.contacts]
        assert [one.name for one in content.cards] == names
    if their.order is not None:
        assert content.basket is not None
        wanted = [(one.sku, one.quantity, one.price) for one in their.order.products]
        lines = content.basket.lines
        assert [(one.sku, one.quantity, float(one.unit_price or 0)) for one in lines] == wanted
    if their.referral is not None:
        assert content.referral is not None
        assert content.referral.id == their.referral.source_id
        assert content.referral.ref == their.referral.ctwa_clid


STATUSES = [
    pytest.param(case, update, id=f"{case.name}-{number}")
    for case in CASES
    for number, update in enumerate(single(case, "statuses", "messages"))
    # To pywa a payment that failed is a message that failed.
    if update["entry"][0]["changes"][0]["value"]["statuses"][0].get("type") != "payment"
]


@pytest.mark.parametrize(("case", "update"), STATUSES)
def test_a_status_is_the_same_to_pywa(theirs: WhatsApp, case: Case, update: dict[str, Any]) -> None:
    their, our = read_both(theirs, MessageStatus, update, case)
    assert their.timestamp == our.occurred_at
    if not isinstance(our.content, ours.DeliveryStatus):
        assert their.status == "UNKNOWN"
        return
    assert our.content.message_id == their.id
    assert our.content.status == their.status
    if their.pricing is not None:
        assert our.content.price_category == their.pricing.category
        assert our.content.billable is their.pricing.billable


PREFERENCES = [
    pytest.param(case, update, id=f"{case.name}-{number}")
    for case in CASES
    for number, update in enumerate(single(case, "user_preferences", "user_preferences"))
]


@pytest.mark.parametrize(("case", "update"), PREFERENCES)
def test_a_preference_is_the_same_to_pywa(
    theirs: WhatsApp, case: Case, update: dict[str, Any]
) -> None:
    their, our = read_both(theirs, UserMarketingPreferences, update, case)
    assert their.timestamp == our.occurred_at
    if isinstance(our.content, ours.ConsentStatement):
        assert bool(their) is (our.content.state == "granted")
    else:
        assert their.value == "UNKNOWN"


CALLS = [
    pytest.param(case, update, kind, id=f"{case.name}-{number}")
    for case in CASES
    for number, update in enumerate(single(case, "calls", "calls"))
    for call in update["entry"][0]["changes"][0]["value"]["calls"]
    if (kind := {"connect": CallConnect, "terminate": CallTerminate}.get(call.get("event")))
]


@pytest.mark.parametrize(("case", "update", "kind"), CALLS)
def test_a_call_is_the_same_to_pywa(
    theirs: WhatsApp, case: Case, update: dict[str, Any], kind: Any
) -> None:
    their, our = read_both(theirs, kind, update, case)
    assert isinstance(our.content, ours.Call)
    assert our.content.call_id == our.provider_event_id == their.id
    is_inbound = their.direction is CallDirection.USER_INITIATED
    assert (our.direction is ours.Direction.INBOUND) is is_inbound
    if isinstance(their, CallTerminate):
        assert our.content.answered_at == their.start_time
        assert our.content.ended_at == (their.end_time or their.timestamp)
        assert our.content.duration == their.duration
