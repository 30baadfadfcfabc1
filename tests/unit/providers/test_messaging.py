"""What Messenger and Instagram do alike. What each provider must keep is in test_contract.py."""

import json
from dataclasses import replace
from functools import reduce
from itertools import groupby, permutations
from typing import Any, NamedTuple

import pytest

from shared.domain.call import grown
from shared.domain.errors import MalformedPayload, MissingSecret, SendRefused
from shared.domain.identity import IdentifierType
from shared.domain.sending import OutboundFile, TemplateUse
from shared.domain.touchpoint import (
    Attachment,
    Automation,
    Call,
    Channel,
    Choice,
    DeliveryStatus,
    Direction,
    Message,
    Touchpoint,
    touchpoint_id,
)
from shared.providers.base import (
    HttpRequest,
    PartlyMalformed,
    Provider,
    WebhookRequest,
    find_provider,
)
from tests.unit.providers.fixtures import NOW, SECRETS, cases
from tests.unit.providers.sending import message_of, message_to, prepared, simulated

CASES = {case.id: case for case in cases()}


class Way(NamedTuple):
    name: str
    channel: Channel
    account: str
    person: str
    url: str
    token: str
    longest: int

    @property
    def provider(self) -> Provider[Any]:
        return find_provider(self.name)

    def message(self, **given: Any) -> Any:
        return message_to(self.channel, self.name, self.account, self.person, **given)

    def prepared(self, **given: Any) -> HttpRequest:
        return prepared(self.provider, self.message(**given))

    def read(self, body: Any) -> list[Touchpoint]:
        case = CASES[f"{self.name}-text"]
        request: WebhookRequest = replace(case.request, body=json.dumps(body).encode())
        secret = self.provider.read_secret(SECRETS[self.name])
        return [one.touchpoint for one in self.provider.parse(request, secret, NOW)]

    def hears(self, *events: dict[str, Any]) -> list[Touchpoint]:
        told = [
            {"sender": {"id": self.person}, "recipient": {"id": self.account}} | one
            for one in events
        ]
        kind = "page" if self.name == "messenger" else "instagram"
        return self.read({"object": kind, "entry": [{"id": self.account, "messaging": told}]})


MESSENGER = Way(
    "messenger",
    Channel.MESSENGER,
    "682498302938465",
    "2573184936125874",
    "https://graph.facebook.com/v26.0/682498302938465/messages",
    "local-messenger-page-token",
    2000,
)
INSTAGRAM = Way(
    "instagram",
    Channel.INSTAGRAM,
    "17841405762564537",
    "1053467289912345",
    "https://graph.instagram.com/v26.0/me/messages",
    "local-instagram-account-token",
    1000,
)
each_way = pytest.mark.parametrize("way", [MESSENGER, INSTAGRAM], ids=["messenger", "instagram"])


def body_of(request: HttpRequest) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(request.body)
    return content


@each_way
def test_sends_a_text_in_answer_to_a_message(way: Way) -> None:
    request = way.prepared(in_reply_to="m_THEIRS")
    assert (request.method, request.url) == ("POST", way.url)
    assert request.headers["authorization"] == f"Bearer {way.token}"
    assert body_of(request) == {
        "recipient": {"id": way.person},
        "messaging_type": "RESPONSE",
        "message": {"text": "We are on it."},
        "reply_to": {"mid": "m_THEIRS"},
    }
    assert way.provider.receipt(simulated(way.name, request)).startswith("m_")


@each_way
@pytest.mark.parametrize("key", ["a" * 64, "44_55", "17865799348089039", None])
def test_quotes_only_what_meta_knows_by_that_id(way: Way, key: str | None) -> None:
    """A button without a message id, a comment: we made that key, or it is none of a message."""
    assert "reply_to" not in body_of(way.prepared(in_reply_to=key))


@each_way
def test_after_the_window_a_person_may_still_answer(way: Way) -> None:
    request = way.prepared(as_human_agent=True)
    body = body_of(request)
    assert (body["messaging_type"], body["tag"]) == ("MESSAGE_TAG", "HUMAN_AGENT")
    assert simulated(way.name, request).status == 200


@each_way
def test_offers_answers(way: Way) -> None:
    choices = (Choice(id="YES", title="Yes"), Choice(title="No"))
    request = way.prepared(choices=choices)
    assert body_of(request)["message"]["quick_replies"] == [
        {"content_type": "text", "title": "Yes", "payload": "YES"},
        {"content_type": "text", "title": "No", "payload": "No"},
    ]
    assert simulated(way.name, request).status == 200


@each_way
@pytest.mark.parametrize("form", ["image", "video", "audio", "file"])
def test_sends_a_file_by_its_address(way: Way, form: Any) -> None:
    file = OutboundFile(form=form, url="https://files.boutique.example/1")
    request = way.prepared(text="", files=(file,))
    assert body_of(request)["message"] == {
        "attachment": {"type": form, "payload": {"url": "https://files.boutique.example/1"}}
    }
    assert simulated(way.name, request).status == 200


FILE = OutboundFile(url="https://files.boutique.example/1")


@each_way
@pytest.mark.parametrize(
    ("given", "code", "reason"),
    [
        ({"text": ""}, "text_length", "content"),
        ({"text": "x" * 2001}, "text_length", "content"),
        ({"files": (FILE,)}, "files", "not_supported"),
        ({"text": "", "files": (FILE, FILE)}, "files", "not_supported"),
        ({"choices": (Choice(title="x" * 21),)}, "choice_length", "content"),
        ({"choices": (Choice(id="YES"),)}, "choice_length", "content"),
        ({"choices": (Choice(id="x" * 1001, title="Yes"),)}, "choice_length", "content"),
        ({"choices": (Choice(title="Yes"),) * 14}, "choices", "not_supported"),
    ],
)
def test_refuses_before_sending_what_the_channel_cannot_carry(
    way: Way, given: dict[str, Any], code: str, reason: str
) -> None:
    with pytest.raises(SendRefused) as refused:
        way.prepared(**given)
    assert (refused.value.code, refused.value.reason) == (code, reason)


@each_way
def test_takes_the_longest_text(way: Way) -> None:
    assert simulated(way.name, way.prepared(text="x" * way.longest)).status == 200


def test_instagram_counts_bytes() -> None:
    INSTAGRAM.prepared(text="é" * 500)
    with pytest.raises(SendRefused):
        INSTAGRAM.prepared(text="é" * 501)
    MESSENGER.prepared(text="é" * 2000)


@each_way
def test_a_template_is_its_words_where_there_are_none(way: Way) -> None:
    use = TemplateUse(name="order_update", language="en", parameters=("4512",))
    assert body_of(way.prepared(template=use))["message"] == {"text": "We are on it."}


@each_way
def test_a_line_without_a_token_is_set_up_wrongly(way: Way) -> None:
    message = message_to(way.channel, way.name, "1", way.person)
    with pytest.raises(MissingSecret, match=f"{way.name}.*access token"):
        prepared(way.provider, message)


def test_a_facebook_login_sends_through_the_page() -> None:
    request = prepared(INSTAGRAM.provider, INSTAGRAM.message(), login="facebook")
    assert request.url == "https://graph.facebook.com/v26.0/me/messages"


def sent(way: Way, **changes: Any) -> HttpRequest:
    request = way.prepared()
    return replace(request, body=json.dumps({**body_of(request), **changes}).encode())


@each_way
@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"recipient": {}}, 100),
        ({"recipient": {"id": "the customer"}}, 100),
        ({"messaging_type": "PROMOTION"}, 100),
        ({"messaging_type": "MESSAGE_TAG"}, 100),
        ({"messaging_type": "RESPONSE", "tag": "HUMAN_AGENT"}, 100),
        ({"message": {}}, 100),
        ({"message": {"text": ""}}, 100),
        ({"message": {"text": "x" * 2001}}, 100),
        ({"message": {"text": "x", "attachment": {}}}, 100),
        ({"message": {"attachment": {"type": "hologram"}}}, 100),
        ({"message": {"attachment": {"type": "image", "payload": {"url": "ftp://x"}}}}, 100),
        ({"message": {"text": "x", "quick_replies": [{}] * 14}}, 100),
        ({"message": {"text": "x", "quick_replies": [{"content_type": "text"}]}}, 100),
        (
            {"message": {"text": "x", "quick_replies": [{"content_type": "text", "title": "x"}]}},
            100,
        ),
        ({"reply_to": {}}, 100),
    ],
)
def test_the_simulator_refuses_what_meta_refuses(
    way: Way, changes: dict[str, Any], code: int
) -> None:
    response = simulated(way.name, sent(way, **changes))
    assert response.status == 400
    assert json.loads(response.body)["error"]["code"] == code
    with pytest.raises(SendRefused):
        way.provider.receipt(response)


@each_way
def test_the_simulator_wants_the_token_a_version_and_json(way: Way) -> None:
    request = way.prepared()
    bare = {"content-type": "application/json"}
    assert simulated(way.name, replace(request, headers=bare)).status == 401
    for wrong in (
        replace(request, method="GET"),
        replace(request, url=request.url.replace("v26.0", "v19.0")),
        replace(request, url=request.url + "/more"),
        replace(request, body=b"{"),
        replace(request, body=b"[]"),
        replace(request, headers={**request.headers, "content-type": "text/plain"}),
    ):
        assert simulated(way.name, wrong).status in {400, 401}


@each_way
def test_the_simulator_gives_the_same_request_the_same_id(way: Way) -> None:
    first = simulated(way.name, way.prepared())
    assert simulated(way.name, way.prepared()) == first
    assert simulated(way.name, way.prepared(text="Another.")).body != first.body


@each_way
def test_a_receipt_is_tied_to_the_outbound_touchpoint(way: Way) -> None:
    mid = way.provider.receipt(simulated(way.name, way.prepared()))
    outbound = touchpoint_id(way.name, way.account, mid)
    part = {"delivery": {"mids": [mid]}} if way is MESSENGER else {"read": {"mid": mid}}
    [status] = way.hears({"timestamp": 1763805600123, **part})
    assert isinstance(status.content, DeliveryStatus)
    assert message_of(status) == outbound


@each_way
def test_an_echo_of_what_we_sent_is_what_we_sent(way: Way) -> None:
    """The ledger has it already, or gets it now: either way it is there once."""
    mid = way.provider.receipt(simulated(way.name, way.prepared()))
    [echo] = way.hears(
        {
            "sender": {"id": way.account},
            "recipient": {"id": way.person},
            "message": {"mid": mid, "text": "We are on it.", "is_echo": True},
        }
    )
    assert echo.touchpoint_id == touchpoint_id(way.name, way.account, mid)
    assert (echo.direction, echo.automation) == (Direction.OUTBOUND, Automation.ECHO)
    assert [one.value for one in echo.identifiers] == [way.person]


@each_way
def test_the_same_person_is_another_to_another_line(way: Way) -> None:
    """R7: an id is valid with one page or account only."""
    [seen] = way.hears({"message": {"mid": "m_1", "text": "Hello"}})
    [identifier] = seen.identifiers
    assert identifier.scope == way.account
    assert identifier.type == IdentifierType(f"{way.name}_user")


@each_way
def test_ids_of_old_versions_are_numbers(way: Way) -> None:
    [seen] = way.hears(
        {"sender": {"id": int(way.person)}, "message": {"mid": "m_1", "text": "Hello"}}
    )
    assert seen.endpoint is not None
    assert seen.endpoint.address == way.person


@each_way
def test_where_another_app_holds_the_conversation_nobody_of_ours_is_asked(way: Way) -> None:
    kind = "page" if way is MESSENGER else "instagram"
    event = {
        "sender": {"id": way.person},
        "recipient": {"id": way.account},
        "message": {"mid": "m_1", "text": "Anybody there?"},
    }
    [seen] = way.read({"object": kind, "entry": [{"id": way.account, "standby": [event]}]})
    assert seen.direction is Direction.PASSIVE
    assert not seen.needs_understanding
    assert seen.text == "Anybody there?"


@each_way
def test_one_unreadable_part_keeps_no_other_waiting(way: Way) -> None:
    with pytest.raises(PartlyMalformed) as raised:
        way.hears({"message": {"mid": "m_1", "text": "Hello"}}, {"message": {"mid": ["m_2"]}})
    assert [one.touchpoint.text for one in raised.value.readable] == ["Hello"]


@each_way
@pytest.mark.parametrize("stamp", [None, "1763805600", 1763805600123])
def test_null_says_nothing(way: Way, stamp: Any) -> None:
    [seen] = way.hears(
        {
            "timestamp": stamp,
            "message": {
                "mid": "m_1",
                "text": "Hello",
                "attachments": None,
                "quick_reply": None,
                "reply_to": {"mid": None, "story": None},
                "is_echo": None,
            },
            "read": None,
        }
    )
    assert seen.content == Message(text="Hello")


@each_way
def test_fetches_what_lies_at_meta_and_shows_no_token(way: Way) -> None:
    secret = way.provider.read_secret(SECRETS[way.name])
    url = "https://lookaside.fbsbx.com/ig_messaging_cdn/?asset_id=1&signature=x"
    request = way.provider.media(Attachment(provider_reference=url), secret)
    assert request == HttpRequest(method="GET", url=url, headers={}, body=b"")


@each_way
@pytest.mark.parametrize(
    "reference",
    [None, "", "https://boutique.example/lamp", "https://l.facebook.com/l.php?u=x", "1234"],
)
def test_fetches_nothing_from_anywhere_else(way: Way, reference: str | None) -> None:
    """A person may link to any address: our function is not sent there."""
    secret = way.provider.read_secret(SECRETS[way.name])
    assert way.provider.media(Attachment(provider_reference=reference), secret) is None


@each_way
def test_the_code_that_opens_somebodys_login_is_not_kept_in_clear(way: Way) -> None:
    [seen] = way.hears({"account_linking": {"status": "linked", "authorization_code": "KEY"}})
    assert "KEY" not in seen.model_dump_json()


def test_an_opt_in_until_no_time_is_malformed_and_no_error_of_ours() -> None:
    with pytest.raises(MalformedPayload):
        MESSENGER.hears(
            {"optin": {"type": "notification_messages", "token_expiry_timestamp": 10**30}}
        )


def test_a_call_is_one_and_who_called_in_vain_waits_for_an_answer() -> None:
    """Only its beginning tells who calls, and only its end whether anybody took it."""
    case = CASES["messenger-calls"]
    messenger = find_provider("messenger")
    seen = messenger.parse(case.request, messenger.read_secret(SECRETS["messenger"]), NOW)
    parts = [one.touchpoint for one in seen if isinstance(one.touchpoint.content, Call)]
    waits = {}
    for name, group in groupby(parts, key=lambda one: one.provider_event_id):
        told = list(group)
        assert len({one.touchpoint_id for one in told}) == 1
        wholes = [reduce(grown, order) for order in permutations(told)]
        assert all(one == wholes[0] for one in wholes)
        waits[name] = wholes[0].needs_understanding, wholes[0].endpoint is not None
    assert waits["c_TAKEN"] == (False, True)
    assert waits["c_MISSED"] == waits["c_BROKEN"] == (True, True)
    assert waits["c_OURS"] == (False, True)
