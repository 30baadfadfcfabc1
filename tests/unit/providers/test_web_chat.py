"""What only the web chat does. The rest is in test_contract.py."""

import gzip
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest

from infra.local.clients.base import Call
from infra.local.clients.web_chat import user_hash
from shared.domain.errors import TooLarge, Unauthentic
from shared.domain.identity import IdentifierType, Proof
from shared.domain.media import attachments_of
from shared.domain.touchpoint import Attachment, Channel, Choice, Direction, Message, Touchpoint
from shared.providers.base import NothingToTransmit, WebhookRequest, WebhookResponse, find_provider
from tests.unit.providers.fixtures import HOST, NOW, SECRETS, cases, fetch, received
from tests.unit.providers.sending import message_to

PROVIDER = find_provider("web_chat")
SECRET = PROVIDER.read_secret(SECRETS["web_chat"])
KEY = SECRETS["web_chat"]["signing_secrets"][0]
CASES = {case.name: case for case in cases() if case.provider == "web_chat"}
CUSTOMER = {"user_id": "C-4711", "user_hash": user_hash("C-4711", SECRETS["web_chat"])}


def call(method: str, path: str, content: object = None, *, token: str = "") -> WebhookRequest:
    headers = {"content-type": "application/json"}
    if token:
        headers["authorization"] = f"Bearer {token}"
    body = b"" if content is None else json.dumps(content).encode()
    url = f"{HOST}/webhooks/web_chat/{path}"
    return received("web_chat", Call(method=method, url=url, headers=headers, body=body))


def opened(content: object = None, *, token: str = "") -> dict[str, Any]:
    answer = PROVIDER.challenge(call("POST", "sessions", content or {}, token=token), SECRET)
    assert answer is not None
    assert answer.status == 200
    session: dict[str, Any] = json.loads(answer.body)
    return session


def said(token: str, text: str = "Hello") -> Touchpoint:
    request = call("POST", "messages", {"id": "m1", "text": text}, token=token)
    PROVIDER.verify(request, SECRET, fetch)
    [observed] = PROVIDER.parse(request, SECRET, NOW)
    return observed.touchpoint


@pytest.mark.parametrize(
    ("ago", "believed"),
    [
        (timedelta(0), True),
        (timedelta(hours=1), True),
        (timedelta(hours=1, seconds=1), False),
        (timedelta(days=365), False),
    ],
)
def test_nobody_comes_first_by_claiming_to_have_written_long_ago(
    ago: timedelta, believed: bool
) -> None:
    sent = {"id": "m1", "text": "Hello", "sent_at": (NOW - ago).isoformat()}
    request = call("POST", "messages", sent, token=opened()["token"])
    [observed] = PROVIDER.parse(request, SECRET, NOW)
    assert observed.touchpoint.occurred_at == (NOW - ago if believed else NOW)


def token_with(**claims: Any) -> str:
    usual = {"aud": "web_chat", "sid": "session-1", "exp": NOW + timedelta(hours=1)}
    return jwt.encode({**usual, **claims}, KEY, algorithm="HS256")


def test_the_token_of_a_session_opens_the_chat() -> None:
    session = opened()
    touchpoint = said(session["token"])
    assert touchpoint.endpoint is not None
    assert touchpoint.endpoint.address == session["session"]
    assert [one.type for one in touchpoint.identifiers] == [IdentifierType.WEB_CHAT_SESSION]


def test_sessions_are_drawn() -> None:
    assert opened()["session"] != opened()["session"]


def test_our_token_is_a_json_web_token() -> None:
    """Any JWT library reads what we issue; here PyJWT, which shares no code with us."""
    claims = jwt.decode(
        opened(CUSTOMER)["token"],
        KEY,
        algorithms=["HS256"],
        audience="web_chat",
        options={"verify_exp": False},
    )
    assert claims["sub"] == "C-4711"
    assert claims["exp"] == int((NOW + timedelta(days=7)).timestamp())


def test_a_token_made_by_another_library_is_read() -> None:
    assert said(token_with(sub="C-1")).provider_event_id == "session-1:m1"


def test_a_customer_is_known_by_the_hash_of_the_site() -> None:
    seen = said(opened(CUSTOMER)["token"])
    assert seen.proof is Proof.SIGNED_USER
    strongest, session = seen.identifiers
    assert (strongest.type, strongest.value) == (IdentifierType.CUSTOMER_NUMBER, "C-4711")
    assert session.type is IdentifierType.WEB_CHAT_SESSION


def test_a_visitor_proves_no_more_than_that_it_is_their_session() -> None:
    seen = said(opened()["token"])
    assert seen.proof is None
    assert [one.type for one in seen.identifiers] == [IdentifierType.WEB_CHAT_SESSION]


@pytest.mark.parametrize("wrong", ["", "0" * 64, user_hash("C-1", SECRETS["web_chat"]), "é"])
def test_a_customer_without_the_right_hash_is_refused(wrong: str) -> None:
    request = call("POST", "sessions", {"user_id": "C-4711", "user_hash": wrong})
    with pytest.raises(Unauthentic):
        PROVIDER.challenge(request, SECRET)


def test_without_identity_secrets_nobody_is_known() -> None:
    content = {**SECRETS["web_chat"], "identity_secrets": []}
    with pytest.raises(Unauthentic):
        PROVIDER.challenge(call("POST", "sessions", CUSTOMER), PROVIDER.read_secret(content))


def test_a_visitor_who_signs_in_begins_a_session_nobody_else_has_the_token_of() -> None:
    anonymous = opened()
    known = opened(CUSTOMER, token=anonymous["token"])
    assert known["session"] != anonymous["session"]
    assert said(known["token"]).identifiers[0].value == "C-4711"


def test_a_customer_goes_on_being_known() -> None:
    first = opened(CUSTOMER)
    second = opened(token=first["token"])
    assert second["session"] == first["session"]
    assert said(second["token"]).identifiers[0].value == "C-4711"


def test_another_customer_at_the_same_browser_begins_anew() -> None:
    first = opened(CUSTOMER)
    other = {"user_id": "C-1", "user_hash": user_hash("C-1", SECRETS["web_chat"])}
    assert opened(other, token=first["token"])["session"] != first["session"]


def test_a_session_cannot_go_on_with_a_forged_token() -> None:
    forged = jwt.encode({"aud": "web_chat", "sid": "session-1", "exp": 9e9}, "x" * 32)
    with pytest.raises(Unauthentic):
        PROVIDER.challenge(call("POST", "sessions", {}, token=forged), SECRET)


@pytest.mark.parametrize(
    "token",
    [
        token_with(exp=NOW),
        token_with(aud="agent_api"),
        token_with(sid="no"),
        token_with(sub="\x00"),
        token_with(sid=7),
        jwt.encode(
            {"aud": "web_chat", "sid": "session-1", "exp": 9999999999}, "", algorithm="none"
        ),
        jwt.encode({"aud": "web_chat", "sid": "session-1", "exp": 9999999999}, "y" * 32),
        "a.b.c",
        "",
        "é.é.é",
        token_with() + "\n",
        token_with() + ".x",
    ],
)
def test_a_token_that_is_not_ours_valid_and_for_the_chat_is_refused(token: str) -> None:
    request = call("POST", "messages", {"id": "m1", "text": "Hello"}, token=token)
    with pytest.raises(Unauthentic):
        PROVIDER.verify(request, SECRET, fetch)


def test_a_token_ends_when_it_says() -> None:
    request = call("GET", "messages", token=token_with(exp=NOW + timedelta(seconds=1)))
    PROVIDER.verify(request, SECRET, fetch)
    later = replace(request, arrived_at=NOW + timedelta(seconds=1))
    with pytest.raises(Unauthentic):
        PROVIDER.verify(later, SECRET, fetch)


def test_nothing_is_transmitted_the_widget_fetches() -> None:
    message = message_to(Channel.WEB_CHAT, "web_chat", "web", "session-1")
    assert PROVIDER.prepare(message, SECRET) == NothingToTransmit(message_id="send-key-1")


def waiting(number: int) -> Touchpoint:
    return Touchpoint(
        provider="web_chat",
        account="web",
        provider_event_id=f"k{number}",
        channel=Channel.WEB_CHAT,
        direction=Direction.OUTBOUND,
        occurred_at=NOW + timedelta(minutes=number),
        received_at=NOW + timedelta(minutes=number),
        content=Message(text=f"Réponse {number}", in_reply_to="session-1:m1"),
    )


def fetched(after: str) -> list[dict[str, Any]]:
    request = call("GET", f"messages?after={after}", token=token_with())
    answer: WebhookResponse = PROVIDER.render_mailbox(request, [waiting(1), waiting(2)])
    assert answer.content_type == "application/json"
    messages: list[dict[str, Any]] = json.loads(answer.body)["messages"]
    return messages


def test_the_mailbox_tells_what_came_after() -> None:
    assert [one["id"] for one in fetched("k1")] == ["k2"]
    assert fetched("k2") == []


@pytest.mark.parametrize("after", ["", "k9", "%00"])
def test_an_unknown_message_means_all_of_them(after: str) -> None:
    assert fetched(after)[0] == {
        "id": "k1",
        "text": "Réponse 1",
        "sent_at": "2026-11-22T12:01:00.000000Z",
        "in_reply_to": "session-1:m1",
    }


def test_buttons_and_files_are_shown_where_there_are_some() -> None:
    content = Message(
        text="Laquelle ?",
        offers=(Choice(id="b", title="La bleue"),),
        attachments=(
            Attachment(
                name="plan.png", content_type="image/png", provider_reference="https://x.example/p"
            ),
        ),
    )
    asked = waiting(1).model_copy(update={"content": content})
    request = call("GET", "messages", token=token_with())
    (shown,) = json.loads(PROVIDER.render_mailbox(request, [asked]).body)["messages"]
    assert shown["choices"] == [{"id": "b", "title": "La bleue"}]
    assert shown["files"] == [
        {"url": "https://x.example/p", "name": "plan.png", "content_type": "image/png"}
    ]


def test_a_mailbox_needs_a_token() -> None:
    with pytest.raises(Unauthentic):
        PROVIDER.verify(call("GET", "messages"), SECRET, fetch)


def test_posting_is_not_fetching() -> None:
    assert PROVIDER.mailbox(CASES["message"].request, SECRET) is None


def brought(*files: object, text: str = "Here it is") -> list[tuple[str, str | None]]:
    """The name of each file that a message brings, and why it is refused."""
    sent = {"id": "m1", "text": text, "files": files}
    [observed] = PROVIDER.parse(call("POST", "messages", sent, token=token_with()), SECRET, NOW)
    assert observed.touchpoint.text == text
    attachments = attachments_of(observed.touchpoint)
    assert attachments == tuple(file.attachment for file in observed.files)
    assert all(file.content == b"" for file in observed.files if file.refused)
    return [(file.attachment.name, file.refused) for file in observed.files]


def file(content: str, name: str = "a.pdf") -> dict[str, str]:
    return {"name": name, "content_type": "application/pdf", "content": content}


class TestWhatAVisitorSends:
    def test_each_file_comes_with_its_bytes(self) -> None:
        observed = PROVIDER.parse(CASES["files"].request, SECRET, NOW)[0]
        picture, bill = observed.files
        assert picture.content.startswith(b"\x89PNG")
        assert bill.content == b"%PDF-1.4\n%%EOF\n"
        assert (picture.attachment.form, bill.attachment.form) == ("image", "file")
        assert (picture.refused, bill.refused) == (None, None)

    @pytest.mark.parametrize(
        "content", ["", "=", "JVB", "JVBERi0==", "JVB ERi0=", "JVBERi0_", "é", "data:;base64,JVBE"]
    )
    def test_what_is_not_plain_base64_is_no_file(self, content: str) -> None:
        assert brought(file(content), file("JVBERi0=", "b.pdf")) == [
            ("a.pdf", "content"),
            ("b.pdf", None),
        ]

    @pytest.mark.parametrize("broken", [None, 7, [], "a.pdf", {}, {"content": None}, file("x" * 9)])
    def test_a_broken_file_costs_neither_the_words_nor_the_others(self, broken: object) -> None:
        refusals = [why for _, why in brought(broken, file("JVBERi0="))]
        assert refusals == ["content", None]

    def test_a_file_may_have_three_megabytes_and_no_more(self) -> None:
        whole = "A" * 4_000_000
        assert brought(file(whole)) == [("a.pdf", None)]
        assert brought(file(whole + "AAAA")) == [("a.pdf", "size")]

    def test_a_fourth_file_is_one_too_many_and_of_a_thousand_nobody_is_told(self) -> None:
        refusals = [why for _, why in brought(*[file("JVBERi0=")] * 1_000)]
        assert refusals == [None] * 3 + ["number"] * 7

    @pytest.mark.parametrize("files", ["a.pdf", {"name": "a.pdf"}, 7])
    def test_what_is_no_list_of_files_is_none(self, files: object) -> None:
        sent = {"id": "m1", "text": "Hello", "files": files}
        request = call("POST", "messages", sent, token=token_with())
        assert PROVIDER.parse(request, SECRET, NOW)[0].files == ()

    @pytest.mark.parametrize(
        ("stated", "kept"),
        [
            ("../../etc/passwd", "passwd"),
            ("C:\\fakepath\\bill.pdf", "bill.pdf"),
            ("a\r\nb\x00.pdf", "a b .pdf"),
            ("gepj.\u202efdp.exe", "gepj. fdp.exe"),
            ("Фото 1.jpg", "Фото 1.jpg"),
            ("x" * 300, "x" * 255),
            ("/", ""),
        ],
    )
    def test_a_name_is_a_name_and_nothing_else(self, stated: str, kept: str) -> None:
        assert brought(file("JVBERi0=", stated)) == [(kept, None)]

    def test_the_largest_message_of_the_widget_fits_and_a_larger_one_is_refused(self) -> None:
        """Together four megabytes of files, which base64 makes a third larger, and the words."""
        room = 4 * 4_000_000 // 3 + 6 * 4_096 + 10_000
        request = call("POST", "messages", token=token_with())
        PROVIDER.check_size(replace(request, body=b"x" * room))
        assert room < PROVIDER.largest_body < 6 * 1024 * 1024
        with pytest.raises(TooLarge):
            PROVIDER.check_size(replace(request, body=b"x" * (PROVIDER.largest_body + 1)))

    def test_who_opens_a_session_needs_no_such_room(self) -> None:
        with pytest.raises(TooLarge):
            PROVIDER.check_size(replace(call("POST", "sessions"), body=b" " * 100_001))


class TestWhatAnAgentSends:
    def test_its_answers_to_pick_from_and_its_files_come_along(self) -> None:
        content = Message(
            text="Shall we deliver it?",
            offers=(Choice(id="deliver", title="Yes"), Choice(id="keep", title="No")),
            attachments=(
                Attachment(
                    form="image",
                    name="map.png",
                    content_type="image/png",
                    provider_reference="https://files.boutique.example/map.png",
                ),
                Attachment(name="of ours", object_key="objects/1"),
                Attachment(name="unsafe", provider_reference="javascript:alert(1)"),
            ),
        )
        sent = waiting(1).model_copy(update={"content": content})
        answer = PROVIDER.render_mailbox(call("GET", "messages", token=token_with()), [sent])
        (message,) = json.loads(answer.body)["messages"]
        assert message["choices"] == [
            {"id": "deliver", "title": "Yes"},
            {"id": "keep", "title": "No"},
        ]
        assert message["files"] == [
            {
                "name": "map.png",
                "content_type": "image/png",
                "url": "https://files.boutique.example/map.png",
            }
        ]

    @pytest.mark.parametrize(
        ("since", "asked_from"),
        [
            ("2026-11-22T12:00:00.000000Z", NOW - timedelta(minutes=2)),
            ("2026-11-22T13:00:00%2B01:00", NOW - timedelta(minutes=2)),
            ("0001-01-01T00:00:00Z", datetime(2000, 1, 1, tzinfo=UTC) - timedelta(minutes=2)),
            ("2026-11-22T12:00:00", None),
            ("yesterday", None),
            ("", None),
        ],
    )
    def test_who_asks_for_what_is_new_gets_a_little_more(
        self, since: str, asked_from: datetime | None
    ) -> None:
        """Two senders may write in the wrong order; the widget knows what it has by its id."""
        request = call("GET", f"messages?since={since}", token=token_with())
        assert PROVIDER.mailbox_since(request) == asked_from


class TestTheScript:
    def script(self, **headers: str) -> WebhookResponse:
        request = call("GET", "widget.js")
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = PROVIDER.challenge(replace(request, headers=named), SECRET)
        assert answer is not None
        return answer

    def test_it_is_for_everybody_and_may_be_kept(self) -> None:
        answer = self.script()
        assert (answer.status, answer.content_type) == (200, "text/javascript; charset=utf-8")
        headers = dict(answer.headers or {})
        assert headers["cache-control"].startswith("public, max-age=3600")
        assert headers["cross-origin-resource-policy"] == "cross-origin"
        assert headers["vary"] == "accept-encoding"

    def test_it_comes_compressed_to_whoever_can_read_that(self) -> None:
        answer = self.script(accept_encoding="br, gzip")
        assert dict(answer.headers or {})["content-encoding"] == "gzip"
        assert gzip.decompress(answer.content or b"").decode() == self.script().body

    def test_who_has_it_is_not_sent_it_again(self) -> None:
        tag = dict(self.script().headers or {})["etag"]
        for known in (tag, f"W/{tag}", f'"other", {tag}'):
            answer = self.script(if_none_match=known)
            assert (answer.status, answer.body) == (304, "")
        assert self.script(if_none_match='"other"').status == 200

    def test_it_is_small_enough_for_a_slow_phone(self) -> None:
        """It makes photographs smaller, each of which saves a hundred times its size."""
        content = self.script(accept_encoding="gzip").content
        assert content is not None and len(content) <= 12_000

    def test_it_speaks_as_many_languages_as_the_shop_of_the_local_cloud(self) -> None:
        script = self.script().body
        shop = Path("infra/local/page/shop.yaml").read_text("utf-8")
        for language in ("en", "fr", "it", "es", "sw"):
            assert f"\n    {language}: {{\n" in script
            assert f"\n{language}:\n" in f"\n{shop}"

    def test_it_never_makes_markup_of_what_somebody_wrote(self) -> None:
        script = self.script().body
        for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
            assert way not in script
