"""What only Slack does. The rest is in test_contract.py."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
from slack_sdk.models.blocks import Block
from slack_sdk.signature import Clock, SignatureVerifier

from infra.local.clients.slack import sign
from infra.local.simulators.slack import ARCHIVED, BUSY, NOT_OURS
from shared.domain.errors import (
    MalformedPayload,
    SendDelayed,
    SendRefused,
    SendUnconfirmed,
    Unauthentic,
)
from shared.domain.sending import OutboundFile
from shared.domain.touchpoint import (
    Attachment,
    Automation,
    Choice,
    Direction,
    Message,
    Touchpoint,
)
from shared.domain.touchpoint import Channel as Medium
from shared.providers._slack_message import plain
from shared.providers.base import HttpRequest, HttpResponse, WebhookRequest, find_provider
from tests.unit.providers.fixtures import NOW, SECRETS, Case, cases, fetch, other_secret, received
from tests.unit.providers.sending import message_to, prepared, simulated

PROVIDER = find_provider("slack")
SECRET = PROVIDER.read_secret(SECRETS["slack"])
KEY = SECRETS["slack"]["signing_secrets"][0]
TEAM, DIRECT, CHANNEL, PERSON, OURS = (
    *("T123ABC456", "D024BE91L", "C123ABC456", "U061F7AUR", "U0LAN0Z89"),
)
CASES = {case.name: case for case in cases() if case.provider == "slack"}


class Noon(Clock):
    def now(self) -> float:
        return NOW.timestamp()


THEIRS = SignatureVerifier(KEY, Noon())


def read(case: Case) -> Touchpoint:
    ((touchpoint, _, _),) = PROVIDER.parse(case.request, SECRET, NOW)
    return touchpoint


def read_event(secret: Any = SECRET, **changes: Any) -> Touchpoint:
    """The direct message with these changes, `event` merged."""
    body = json.loads(CASES["direct_message"].call.body)
    body |= {**changes, "event": {**body["event"], **changes.get("event", {})}}
    call = replace(CASES["direct_message"].call, body=json.dumps(body).encode())
    ((touchpoint, _, _),) = PROVIDER.parse(received("slack", call), secret, NOW)
    return touchpoint


def read_payload(case: str, **changes: Any) -> Touchpoint:
    payload = json.loads(dict(parse_qsl(CASES[case].call.body.decode()))["payload"])
    body = urlencode({"payload": json.dumps({**payload, **changes})}).encode()
    request = received("slack", replace(CASES[case].call, body=body))
    ((touchpoint, _, _),) = PROVIDER.parse(request, SECRET, NOW)
    return touchpoint


# Proof


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_slacks_library_accepts_what_our_client_signs(case: Case) -> None:
    call = sign(case.call, SECRETS["slack"], NOW)
    assert THEIRS.is_valid_request(call.body, call.headers)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_what_slacks_library_signs_is_taken(case: Case) -> None:
    stamp = str(int(NOW.timestamp()))
    signature = THEIRS.generate_signature(timestamp=stamp, body=case.call.body)
    assert signature is not None
    headers = {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": signature}
    call = replace(case.call, headers={**case.call.headers, **headers})
    PROVIDER.verify(received("slack", call), SECRET, fetch)


@pytest.mark.parametrize("minutes", [-6, -4, 4, 6])
def test_an_old_signature_is_refused_as_by_slacks_library(minutes: int) -> None:
    call = sign(CASES["command"].call, SECRETS["slack"], NOW + timedelta(minutes=minutes))
    theirs = THEIRS.is_valid_request(call.body, call.headers)
    assert theirs == (abs(minutes) < 5)
    if theirs:
        PROVIDER.verify(received("slack", call), SECRET, fetch)
        return
    with pytest.raises(Unauthentic, match="five minutes"):
        PROVIDER.verify(received("slack", call), SECRET, fetch)


def unproven() -> list[WebhookRequest]:
    case = CASES["handshake"]
    late = sign(case.call, SECRETS["slack"], NOW - timedelta(minutes=6))
    return [
        received("slack", case.call),
        case.signed(other_secret("slack")),
        received("slack", late),
        replace(case.request, body=case.request.body + b" "),
    ]


@pytest.mark.parametrize("request_", unproven(), ids=["none", "other", "late", "changed"])
def test_nobody_hears_a_challenge_back_without_a_proof(request_: WebhookRequest) -> None:
    assert PROVIDER.challenge(request_, SECRET) is None
    with pytest.raises(Unauthentic):
        PROVIDER.verify(request_, SECRET, fetch)


@pytest.mark.parametrize(
    "body",
    [
        b'{"type":"event_callback","challenge":"x","text":"url_verification"}',
        b'{"type":"url_verification"}',
        b'["url_verification"]',
        b"url_verification",
    ],
)
def test_what_is_no_handshake_is_not_answered_as_one(body: bytes) -> None:
    call = sign(replace(CASES["handshake"].call, body=body), SECRETS["slack"], NOW)
    assert PROVIDER.challenge(received("slack", call), SECRET) is None


# Meaning


def test_a_mention_comes_twice_and_is_one_touchpoint_whichever_comes_first() -> None:
    mention, message = read(CASES["app_mention"]), read(CASES["app_mention_as_message"])
    assert mention == message
    assert mention.needs_understanding


def test_who_the_app_is_may_stand_in_the_secret() -> None:
    """Where the event is shown to it through a person's installation."""
    event = {"channel": CHANNEL, "channel_type": "channel", "text": f"<@{OURS}> help"}
    theirs = [{"team_id": TEAM, "user_id": PERSON, "is_bot": False}]
    assert not read_event(event=event, authorizations=theirs).needs_understanding
    told = PROVIDER.read_secret({**SECRETS["slack"], "bot_users": [OURS]})
    assert read_event(told, event=event, authorizations=theirs).needs_understanding


def test_older_events_say_so_in_another_field() -> None:
    event = {"channel": CHANNEL, "channel_type": "channel", "text": f"<@{OURS}|app> help"}
    found = read_event(event=event, authorizations=None, authed_users=[OURS])
    assert found.needs_understanding


def test_who_installed_the_app_is_a_person_unless_a_bot_writes() -> None:
    old = {"authorizations": None, "authed_users": ["U061F7AUR"]}
    person = read_event(**old)
    assert (person.direction, person.automation) == (Direction.INBOUND, None)
    ours = read_event(**old, event={"bot_id": "B0LAN"})
    assert (ours.direction, ours.automation) == (Direction.OUTBOUND, Automation.ECHO)


@pytest.mark.parametrize("flags", [{}, {"is_msg_unfurl": True}])
def test_a_preview_of_a_link_is_nobodys_words(flags: dict[str, bool]) -> None:
    preview = {"from_url": "https://a.example", "text": "A page", "fallback": "A page", **flags}
    event = {"text": "See <https://a.example>", "attachments": [preview]}
    content = read_event(event=event).content
    assert isinstance(content, Message)
    assert (content.text, content.forwarded) == ("See https://a.example", False)


def test_who_passes_a_message_on_and_writes_nothing_says_what_it_says() -> None:
    passed_on = {"is_share": True, "fallback": "[Moussa] <https://a.example|A page>"}
    content = read_event(event={"text": "", "attachments": [passed_on]}).content
    assert isinstance(content, Message)
    assert (content.text, content.forwarded) == ("[Moussa] A page (https://a.example)", True)


RICH = [
    {
        "type": "rich_text",
        "elements": [
            {
                "type": "rich_text_section",
                "elements": [
                    {"type": "text", "text": "All sold "},
                    {"type": "emoji", "name": "tada"},
                    {"type": "text", "text": " by "},
                    {"type": "user", "user_id": "U0G9QF9C6"},
                    {"type": "text", "text": ", see "},
                    {"type": "link", "url": "https://a.example"},
                ],
            },
            {"type": "divider"},
        ],
    }
]


def test_blocks_are_read_where_they_are_all_there_is() -> None:
    said = read_event(event={"text": "", "blocks": RICH}).text
    assert said == "All sold :tada: by @U0G9QF9C6, see https://a.example"
    assert read_event(event={"text": "All sold", "blocks": RICH}).text == "All sold"
    section = {"type": "section", "text": {"type": "mrkdwn", "text": "<@U0G9QF9C6|awa> &amp; co"}}
    assert read_event(event={"text": "", "blocks": [section]}).text == "@awa & co"


def a_paragraph(*parts: dict[str, Any]) -> dict[str, Any]:
    section = {"type": "rich_text_section", "elements": list(parts)}
    return {"type": "rich_text", "elements": [section]}


WORDS = {"type": "text", "text": "The till is down"}
CELLS = [{"type": "raw_text", "text": "Thiès"}, a_paragraph(WORDS)]


@pytest.mark.parametrize(
    ("block", "said"),
    [
        ({"type": "table", "rows": [CELLS, CELLS[:1]]}, "Thiès\tThe till is down\nThiès"),
        (
            {
                "type": "section",
                "text": {"type": "mrkdwn", "text": "Incident"},
                "fields": [
                    {"type": "mrkdwn", "text": "Shop: Thiès"},
                    {"type": "plain_text", "text": "Now"},
                ],
            },
            "Incident\nShop: Thiès\nNow",
        ),
        (
            a_paragraph(
                {"type": "broadcast", "range": "here"},
                {"type": "text", "text": " "},
                {"type": "usergroup", "usergroup_id": "S1"},
                {"type": "channel", "channel_id": "C1"},
                {"type": "date", "timestamp": 1795165200, "fallback": " today"},
            ),
            "@here @S1#C1 today",
        ),
    ],
)
def test_every_block_of_words_is_read(block: dict[str, Any], said: str) -> None:
    assert read_event(event={"text": "", "blocks": [block]}).text == said


def test_slacks_word_for_what_it_cannot_show_is_nobodys() -> None:
    event = {"text": "This content can't be displayed.", "blocks": [a_paragraph(WORDS)]}
    assert read_event(event=event).text == "The till is down"


@pytest.mark.parametrize(
    "shown",
    [
        {"blocks": [a_paragraph(WORDS)]},
        {"is_share": True, "message_blocks": [{"message": {"blocks": [a_paragraph(WORDS)]}}]},
    ],
)
def test_a_card_that_cannot_be_previewed_is_read_from_its_blocks(shown: dict[str, Any]) -> None:
    card = {"fallback": "[no preview available]", **shown}
    assert read_event(event={"text": "", "attachments": [card]}).text == "The till is down"


def test_a_channel_is_recorded_and_asks_nothing() -> None:
    found = read(CASES["channel_message"])
    assert not found.needs_understanding
    assert found.endpoint is None


def test_a_guest_of_another_workspace_is_known_by_theirs() -> None:
    found = read_event(event={"user_team": "T999OTHER"})
    assert [(one.scope, one.value) for one in found.identifiers] == [("T999OTHER", PERSON)]


def test_slackbot_is_a_machine() -> None:
    assert read_event(event={"user": "USLACKBOT"}).automation == "bot"


def test_a_tombstone_is_a_message_that_was_deleted() -> None:
    """One that has answers stays as an empty one."""
    stone = {"type": "message", "subtype": "tombstone", "user": PERSON, "ts": "1795165200.000001"}
    event = {"subtype": "message_changed", "message": {**stone, "text": "deleted"}}
    found = read_event(event={**event, "ts": "1795165300.000001"})
    assert found.content.model_dump()["kind"] == "message_deletion"
    assert found.provider_event_id == f"{DIRECT}:1795165200.000001:deleted"


def test_what_the_app_changes_and_deletes_of_its_own_is_nobodys() -> None:
    own = {"ts": "1795165200.000001", "app_id": "A0123APP", "text": "x"}
    changed = {"subtype": "message_changed", "message": {**own, "edited": {"ts": "1795165201.0"}}}
    deleted = {
        "subtype": "message_deleted",
        "deleted_ts": own["ts"],
        "previous_message": own,
    }
    for event in (changed, deleted):
        found = read_event(event=event)
        assert (found.identifiers, found.automation) == ((), "echo")


def test_a_deletion_may_not_say_what_it_was() -> None:
    event = {"subtype": "message_deleted", "deleted_ts": "1795165200.000001"}
    found = read_event(event={**event, "previous_message": None})
    assert (found.content.kind, found.identifiers) == ("message_deletion", ())


def test_a_reaction_to_a_file_is_kept_as_an_event() -> None:
    event = {"type": "reaction_added", "reaction": "eyes", "event_ts": "1795165200.000001"}
    found = read_event(event={**event, "item": {"type": "file", "file": "F1"}})
    assert found.content.model_dump()["name"] == "slack_reaction_added"


def test_a_user_who_changed_is_named() -> None:
    found = read_event(event={"type": "user_change", "user": {"id": PERSON, "name": "fatou"}})
    assert [one.value for one in found.identifiers] == [PERSON]


def test_a_pick_from_a_list_is_what_stood_there() -> None:
    picked = {
        "type": "static_select",
        "action_id": "shop",
        "action_ts": "1795165200.000001",
        "selected_option": {"text": {"type": "plain_text", "text": "Thiès"}, "value": "thies"},
    }
    found = read_payload("button", actions=[picked])
    assert found.text == "Thiès"
    assert isinstance(found.content, Message)
    assert found.content.choice == Choice(id="thies", title="Thiès")


def test_a_date_and_a_menu_of_before_are_read() -> None:
    day = {"type": "datepicker", "action_id": "day", "selected_date": "2026-11-24"}
    assert read_payload("button", actions=[day]).text == "2026-11-24"
    old = {
        "type": "interactive_message",
        "container": {},
        "message_ts": "1795165200.000001",
        "actions": [{"name": "answer", "type": "button", "value": "yes"}],
    }
    found = read_payload("button", **old)
    assert (found.text, found.content.in_reply_to) == ("yes", f"{CHANNEL}:1795165200.000001")  # type: ignore[union-attr]


def test_a_row_of_a_menu_of_before_is_called_as_it_stood_there() -> None:
    rows = [{"text": "Thiès", "value": "thies"}, {"text": "Dakar", "value": "dakar"}]
    menu = {"name": "shop", "text": "Pick a shop", "type": "select", "options": rows}
    picked = {"name": "shop", "type": "select", "selected_options": [{"value": "thies"}]}
    found = read_payload(
        "button",
        type="interactive_message",
        actions=[picked],
        original_message={"ts": "1795165200.000001", "attachments": [{"actions": [menu]}]},
    )
    assert found.text == "Thiès"
    assert isinstance(found.content, Message)
    assert found.content.choice == Choice(id="thies", title="Thiès")


def test_a_card_without_words_says_its_title_and_facts() -> None:
    facts = [{"title": "Shop", "value": "Thiès", "short": True}, {"value": "now"}]
    card = {"pretext": "Look", "title": "<https://a.example|Till down>", "fields": facts}
    for fallback in ("", "[no preview available]"):
        found = read_event(event={"text": "", "attachments": [{**card, "fallback": fallback}]})
        assert found.text == "Look\nTill down (https://a.example)\nShop: Thiès\nnow"
    summed = read_event(event={"text": "", "attachments": [{**card, "fallback": "Till down"}]})
    assert summed.text == "Till down"


@pytest.mark.parametrize(
    "emptied", [{"selected_options": []}, {"type": "static_select", "selected_option": None}]
)
def test_who_takes_a_choice_back_says_nothing(emptied: dict[str, Any]) -> None:
    action = {"type": "checkboxes", "action_id": "shop", **emptied}
    found = read_payload("button", actions=[action])
    assert (found.content.kind, found.direction) == ("tracked_event", "passive")


def test_a_button_of_the_home_is_answered_in_the_persons_own_chat() -> None:
    found = read_payload("button", container={"type": "view", "view_id": "V1"}, channel=None)
    assert found.endpoint is not None
    assert found.endpoint.address == PERSON


@pytest.mark.parametrize(
    ("case", "changes"),
    [
        ("button", {"actions": []}),
        ("form", {"view": {}}),
        ("message_shortcut", {"message": None}),
        ("form", {"type": "view_closed"}),
    ],
)
def test_what_holds_no_words_asks_for_no_answer(case: str, changes: dict[str, Any]) -> None:
    found = read_payload(case, **changes)
    assert (found.content.kind, found.direction) == ("tracked_event", "passive")


def test_a_dialog_of_before_is_a_form() -> None:
    found = read_payload("form", type="dialog_submission", submission={"what": "No light", "n": 1})
    assert found.text == "what: No light"


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ("a &lt;b&gt; &amp;amp; &copy;", "a <b> &amp; &copy;"),
        ("<@U1> <@U1|fatou> <#C1|shop> <#C1> <#C1|>", "@U1 @fatou #shop #C1 #C1"),
        ("<!here> <!channel> <!subteam^S1|@shop> <!subteam^S1>", "@here @channel @shop @subteam"),
        ("<https://a.example> <http://a.example|a.example>", "https://a.example a.example"),
        ("<mailto:awa@example.com|awa@example.com>", "awa@example.com"),
        ("<tel:+221771234567|+221 77 123 45 67>", "+221 77 123 45 67 (+221771234567)"),
        ("<https://a.example|the &lt;page&gt;>", "the <page> (https://a.example)"),
        ("1 < 2 <>", "1 < 2 "),
    ],
)
def test_words_are_what_a_person_reads(raw: str, words: str) -> None:
    assert plain(raw) == words


# Sending


def message(address: str = DIRECT, **given: Any) -> Any:
    return message_to(Medium.SLACK, "slack", TEAM, address, **given)


def body_of(request: HttpRequest) -> Any:
    return json.loads(request.body)


def test_posts_a_text_that_calls_nobody() -> None:
    request = prepared(PROVIDER, message(text="<!channel> *R&D* <https://a.example|b>"))
    assert request.url == "https://slack.com/api/chat.postMessage"
    assert request.headers["authorization"] == "Bearer xoxb-local-slack-bot-token"
    posted = body_of(request)["text"]
    assert posted == "&lt;!channel&gt; *R&amp;D* &lt;https://a.example|b&gt;"
    assert plain(posted) == "<!channel> *R&D* <https://a.example|b>"


def test_the_id_of_what_left_is_that_by_which_people_answer_it() -> None:
    key = PROVIDER.receipt(simulated("slack", prepared(PROVIDER, message(CHANNEL))))
    channel, ts = key.split(":")
    event = {"channel": channel, "channel_type": "channel", "ts": "1795348900.1", "thread_ts": ts}
    answered = read_event(event={**event, "parent_user_id": OURS}).content
    assert isinstance(answered, Message)
    assert answered.in_reply_to == key


@pytest.mark.parametrize(
    ("address", "thread", "ts"),
    [
        (CHANNEL, (f"{CHANNEL}:1.1",), "1.1"),
        (CHANNEL, (f"{CHANNEL}:1.1", f"{CHANNEL}:2.2"), "1.1"),
        (DIRECT, (f"{DIRECT}:1.1",), None),
        (DIRECT, (f"{DIRECT}:1.1", f"{DIRECT}:2.2"), "1.1"),
        (PERSON, ("trigger:1.2.3",), None),
        (CHANNEL, (f"{CHANNEL}:1.1:edit:2.2",), None),
        (CHANNEL, ("C999OTHER:1.1",), None),
        (CHANNEL, (), None),
    ],
)
def test_an_answer_goes_below_what_began_the_thread(
    address: str, thread: tuple[str, ...], ts: str | None
) -> None:
    answered = thread[-1] if thread else None
    request = prepared(PROVIDER, message(address, thread=thread, in_reply_to=answered))
    assert body_of(request).get("thread_ts") == ts


def test_without_a_thread_it_goes_below_what_it_answers() -> None:
    request = prepared(PROVIDER, message(CHANNEL, in_reply_to=f"{CHANNEL}:1.1"))
    assert body_of(request)["thread_ts"] == "1.1"


def test_who_used_a_command_is_answered_in_their_own_chat() -> None:
    key = PROVIDER.receipt(simulated("slack", prepared(PROVIDER, message(PERSON))))
    assert key.startswith("D")


def a_file(form: Any = "image") -> OutboundFile:
    return OutboundFile(form=form, url="https://files.boutique.example/vase.jpg")


def test_choices_and_pictures_are_blocks_as_slacks_library_has_them() -> None:
    choices = (Choice(id="refund:all", title="Yes"), Choice(title="No"))
    request = prepared(PROVIDER, message(text="Refund < 5?", choices=choices, files=(a_file(),)))
    blocks = body_of(request)["blocks"]
    theirs = Block.parse_all(blocks)
    assert [one.type for one in theirs] == ["section", "image", "actions"]
    assert [one.to_dict() for one in theirs] == blocks
    assert [one["value"] for one in blocks[2]["elements"]] == ["refund:all", "No"]
    assert body_of(request)["text"] == "Refund &lt; 5?"
    assert PROVIDER.receipt(simulated("slack", request)).startswith(f"{DIRECT}:")
    only = prepared(PROVIDER, message(text="", files=(a_file(),)))
    assert [one["type"] for one in body_of(only)["blocks"]] == ["image"]
    assert PROVIDER.receipt(simulated("slack", only))


@pytest.mark.parametrize(
    ("given", "code", "reason"),
    [
        ({"text": ""}, "no_text", "content"),
        ({"text": "x" * 4001}, "msg_too_long", "content"),
        ({"text": "&" * 700, "choices": (Choice(title="Yes"),)}, "msg_blocks_too_long", "content"),
        ({"choices": (Choice(title="x" * 76),)}, "choices", "content"),
        ({"choices": (Choice(),)}, "choices", "content"),
        ({"choices": (Choice(title="Yes"),) * 26}, "choices", "content"),
        ({"files": (a_file("file"),)}, "file_form", "not_supported"),
    ],
)
def test_refuses_what_slack_cannot_carry(given: dict[str, Any], code: str, reason: str) -> None:
    with pytest.raises(SendRefused) as refused:
        prepared(PROVIDER, message(**given))
    assert (refused.value.code, refused.value.reason) == (code, reason)


def test_refuses_for_a_workspace_whose_token_it_has_not() -> None:
    with pytest.raises(SendRefused) as refused:
        prepared(PROVIDER, message_to(Medium.SLACK, "slack", "T999OTHER", DIRECT))
    assert refused.value.reason == "unauthorized"


@pytest.mark.parametrize(
    ("channel", "reason"),
    [(ARCHIVED, "unreachable"), (NOT_OURS, "unreachable"), ("general", "invalid_recipient")],
)
def test_tells_why_a_channel_cannot_be_reached(channel: str, reason: str) -> None:
    with pytest.raises(SendRefused) as refused:
        PROVIDER.receipt(simulated("slack", prepared(PROVIDER, message(channel))))
    assert refused.value.reason == reason


def test_waits_as_long_as_slack_asks() -> None:
    with pytest.raises(SendDelayed) as delayed:
        PROVIDER.receipt(simulated("slack", prepared(PROVIDER, message(BUSY))))
    assert delayed.value.retry_after == timedelta(seconds=30)


def answered(status: int, content: Any) -> HttpResponse:
    return HttpResponse(status=status, headers={}, body=json.dumps(content).encode())


@pytest.mark.parametrize(
    ("response", "error"),
    [
        (answered(200, {"ok": False, "error": "ratelimited"}), SendDelayed),
        (answered(503, {}), SendDelayed),
        (answered(200, {"ok": False, "error": "fatal_error"}), SendUnconfirmed),
        (answered(500, {}), SendUnconfirmed),
        (answered(200, {"ok": True}), SendUnconfirmed),
        (HttpResponse(status=200, headers={}, body=b"<html>"), SendUnconfirmed),
        (answered(200, {"ok": False, "error": "of_a_new_kind"}), SendRefused),
        (answered(200, {"ok": False, "error": "Words, not a code"}), SendRefused),
    ],
)
def test_tells_refused_from_delayed_from_unconfirmed(
    response: HttpResponse, error: type[Exception]
) -> None:
    with pytest.raises(error):
        PROVIDER.receipt(response)


def changed(**changes: Any) -> HttpRequest:
    request = prepared(PROVIDER, message())
    return replace(request, body=json.dumps({**body_of(request), **changes}).encode())


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (replace(changed(), url="https://slack.com/api/chat.shout"), "unknown_method"),
        (replace(changed(), headers={}), "not_authed"),
        (replace(changed(), headers={"authorization": "Bearer guess"}), "invalid_auth"),
        (
            replace(changed(), headers={"authorization": changed().headers["authorization"]}),
            "invalid_post_type",
        ),
        (replace(changed(), body=b"{"), "invalid_json"),
        (changed(channel="?"), "channel_not_found"),
        (changed(text=""), "no_text"),
        (changed(text="x" * 40_001), "msg_too_long"),
        (changed(thread_ts="yesterday"), "invalid_thread_ts"),
        (changed(blocks={}), "invalid_blocks"),
        (changed(blocks=[{"type": "poem"}]), "invalid_blocks"),
        (changed(blocks=[{"type": "section", "text": {"text": "x" * 3001}}]), "invalid_blocks"),
        (changed(blocks=[{"type": "image", "image_url": "vase"}]), "invalid_blocks"),
        (changed(blocks=[{"type": "actions", "elements": []}]), "invalid_blocks"),
    ],
)
def test_the_simulator_refuses_what_slack_refuses(request_: HttpRequest, code: str) -> None:
    response = simulated("slack", request_)
    assert (response.status, json.loads(response.body)["error"]) == (200, code)
    with pytest.raises(SendRefused) as refused:
        PROVIDER.receipt(response)
    assert refused.value.code == code


# Media


def test_a_file_is_fetched_with_the_workspaces_token() -> None:
    (picture, *_) = read(CASES["files"]).content.attachments  # type: ignore[union-attr]
    request = PROVIDER.media(picture, SECRET)
    assert request is not None
    assert request.url.startswith("https://files.slack.com/files-pri/")
    assert request.headers == {"authorization": "Bearer xoxb-local-slack-bot-token"}


@pytest.mark.parametrize(
    "reference",
    [
        None,
        "",
        f"{TEAM}:https://files.slack.com.evil.example/x",
        f"{TEAM}:http://files.slack.com/x",
        f"{TEAM}:https://elsewhere.example/x",
        f"{TEAM}:https://u@files.slack.com/x",
        f"{TEAM}:https://[",
        "T999OTHER:https://files.slack.com/x",
    ],
)
def test_the_token_is_shown_to_no_other_host(reference: str | None) -> None:
    assert PROVIDER.media(Attachment(provider_reference=reference), SECRET) is None


def test_an_event_without_a_name_is_malformed() -> None:
    with pytest.raises(MalformedPayload, match="name of an event"):
        read_event(event={"type": "Marie Curie"})
