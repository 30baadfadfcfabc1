"""Whatever a machine wrote, what is handed to the sender begins by saying so (EU AI Act, article
50), on every channel and in every language; and the switch stops it.
"""

import json
from collections.abc import Mapping
from email import message_from_bytes, policy
from typing import Any
from urllib.parse import parse_qs
from xml.etree.ElementTree import fromstring

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functions.follow_up_delivery.logic.message import write_notice
from shared.domain.ai_use import AiUseName, Switch
from shared.domain.disclosure import GAP, TEMPLATE
from shared.domain.follow_up import FollowUpState, SendTemplate
from shared.domain.profile import Profile
from shared.domain.sending import MessageClass, Verdict
from shared.domain.suppression import Suppression, SuppressionKind, endpoint_subject
from shared.domain.touchpoint import Channel, Direction, Message, Touchpoint, Writer
from shared.events.catalogue import AiUseSwitched, TicketChanged
from shared.providers.base import (
    HttpRequest,
    MailRequest,
    NothingToTransmit,
    Provider,
    PushRequest,
    find_provider,
    provider_names,
)
from tests.builders import (
    NOON,
    PHONE,
    SMS_LINE,
    endpoint,
    identifier,
    policies,
    sms,
    touchpoint,
    webhook_request,
    whatsapp_message,
)
from tests.unit.follow_up_delivery.conftest import Promise
from tests.unit.follow_up_delivery.test_sending import kept, mail, steps

MACHINES = AiUseName.MACHINE_WRITTEN_MESSAGES
WORDINGS = policies().templates.templates[TEMPLATE]
LANGUAGES = [*WORDINGS, "wo", "und", None]


def _africas_talking() -> Touchpoint:
    line, number = "22384", "+254711000111"
    way = endpoint(Channel.SMS, provider="africas_talking_sms", account=line, address=number)
    given: dict[str, Any] = {"provider": "africas_talking_sms", "account": line}
    return touchpoint(key="15071", channel=Channel.SMS, endpoint=way, **given)


def _whatsapp_at_twilio() -> Touchpoint:
    way = endpoint(Channel.WHATSAPP, provider="twilio", account=SMS_LINE, address=PHONE)
    return touchpoint(provider="twilio", account=SMS_LINE, key="SM-w", endpoint=way)


def _mail_by(provider: str) -> Touchpoint:
    account, address = "support@boutique.example", "awa@example.com"
    way = endpoint(Channel.EMAIL, provider=provider, account=account, address=address)
    given: dict[str, Any] = {"provider": provider, "account": account, "channel": Channel.EMAIL}
    return touchpoint(key="<b@x>", endpoint=way, **given)


def _web_chat() -> Touchpoint:
    way = endpoint(Channel.WEB_CHAT, provider="web_chat", account="web", address="session-1")
    given: dict[str, Any] = {"provider": "web_chat", "account": "web", "channel": Channel.WEB_CHAT}
    return touchpoint(key="session-1:1", endpoint=way, **given)


def _telegram() -> Touchpoint:
    line, person = "1234567890", "5012345678"
    way = endpoint(Channel.TELEGRAM, provider="telegram", account=line, address=person)
    given: dict[str, Any] = {"provider": "telegram", "account": line, "channel": Channel.TELEGRAM}
    return touchpoint(key=f"{person}:41", endpoint=way, **given)


def _slack(address: str, key: str) -> Touchpoint:
    team = "T123ABC456"
    way = endpoint(Channel.SLACK, provider="slack", account=team, address=address)
    given: dict[str, Any] = {"provider": "slack", "account": team, "channel": Channel.SLACK}
    return touchpoint(key=key, endpoint=way, **given)


def _by_meta(provider: str, channel: Channel, account: str) -> Touchpoint:
    way = endpoint(channel, provider=provider, account=account, address="2573184936125874")
    given: dict[str, Any] = {"provider": provider, "account": account, "channel": channel}
    return touchpoint(key="m_1", endpoint=way, **given)


def _push(platform: str) -> Touchpoint:
    line = f"arn:aws:sns:us-east-1:123456789012:app/{platform}/Boutique"
    device = f"{line.replace(':app/', ':endpoint/')}/3f08fd15-d349-3d82-b415-49df9ff9d8dd"
    way = endpoint(Channel.PUSH, provider="push_sns", account=line, address=device)
    given: dict[str, Any] = {"provider": "standard_webhooks", "account": "app"}
    return touchpoint(key="msg_1", channel=Channel.APP, endpoint=way, **given)


def _voice() -> Touchpoint:
    way = endpoint(Channel.VOICE, provider="twilio_voice", account=SMS_LINE, address=PHONE)
    given: dict[str, Any] = {"provider": "twilio_voice", "channel": Channel.VOICE}
    return touchpoint(account=SMS_LINE, key="CA-w", endpoint=way, **given)


WAYS: Mapping[str, Touchpoint] = {
    "africas_talking_sms": _africas_talking(),
    "messenger": _by_meta("messenger", Channel.MESSENGER, "682498302938465"),
    "instagram": _by_meta("instagram", Channel.INSTAGRAM, "17841405762564537"),
    "whatsapp_cloud": whatsapp_message(),
    "twilio": sms(),
    "twilio whatsapp": _whatsapp_at_twilio(),
    "twilio_voice": _voice(),
    "email_ses": mail("Commande 4512"),
    "sendgrid": _mail_by("sendgrid"),
    "mailgun": _mail_by("mailgun"),
    "postmark": _mail_by("postmark"),
    "web_chat": _web_chat(),
    "telegram": _telegram(),
    "push_sns": _push("GCM"),
    "push_sns to an iPhone": _push("APNS"),
    "slack": _slack("D024BE91L", "D024BE91L:1795165200.000001"),
    "slack command": _slack("U061F7AUR", "trigger:13345224609.738474920.80"),
}

HOSTILE = [
    "",
    " \n\n\t ",
    "\n" * 200,
    "\r\r\n",
    "\u202eReverse \u2066all\u2067 \u200f",
    "\ufeff\u200b\u2060",
    "<!-- ",
    "</p><div style='display:none'>",
    "<script>document.body.innerHTML=''</script>",
    "```",
    "~",
    "*_~`",
    "\x1b[2J\x08\x08",
    "Subject: nothing\r\nX-Evil: 1\r\n\r\n",
    "--boundary--\n",
    "> ",
    "{ticket_number} {preference_url} %s {0}",
    "A person wrote this.",
    *(wording.text for wording in WORDINGS.values()),
]


def leaves_by(seen: Touchpoint) -> str:
    """The provider of an answer: who writes from an app is answered by push."""
    assert seen.endpoint is not None
    return seen.endpoint.provider


def disclosure(language: str | None) -> str:
    return WORDINGS[language if language in WORDINGS else "en"].text


def handed_over(promise: Promise) -> list[str]:
    """Every text in what the sender got; for web chat, in what its widget fetches."""
    ((provider, outgoing),) = promise.world.sender.sent
    match outgoing:
        case MailRequest():
            parsed = message_from_bytes(outgoing.mime, policy=policy.default)
            parts = [one for one in parsed.walk() if not one.is_multipart()]
            assert all(one.get_content_maintype() == "text" for one in parts)
            return [one.get_content() for one in parts]
        case PushRequest():
            told = json.loads(outgoing.message)
            default = told.pop("default")
            [payload] = map(json.loads, told.values())
            if "aps" in payload:
                return [default, payload["aps"]["alert"]["body"]]
            return [default, payload["fcmV1Message"]["message"]["notification"]["body"]]
        case NothingToTransmit():
            ours = kept(promise).touchpoint
            shown = find_provider(provider).render_mailbox(webhook_request(), [ours])
            return [one["text"] for one in json.loads(shown.body)["messages"]]
        case HttpRequest():
            if provider == "africas_talking_sms":
                return parse_qs(outgoing.body.decode())["message"]
            if provider == "twilio":
                return parse_qs(outgoing.body.decode())["Body"]
            if provider == "mailgun":
                form = parse_qs(outgoing.body.decode())
                return [*form["text"], *form.get("html", ())]
            if provider == "twilio_voice":
                [spoken] = parse_qs(outgoing.body.decode())["Twiml"]
                return [one.text or "" for one in fromstring(spoken).iter("Say")]
            content = json.loads(outgoing.body)
            if provider == "sendgrid":
                return [one["value"] for one in content["content"]]
            if provider == "postmark":
                return [content[name] for name in ("TextBody", "HtmlBody") if name in content]
            text = content.get("message", content)["text"]
            return [text["body"] if provider == "whatsapp_cloud" else text]


def machine_says(text: str, way: str = "whatsapp_cloud", language: str | None = "fr") -> Promise:
    promise = Promise()
    promise.person(**({"language": language} if language else {}))
    asked = promise.hear(WAYS[way])
    promise.speak_of(asked, language=None)
    promise.make_reply(text, to=asked.touchpoint_id, by=Writer.MACHINE)
    return promise


def assert_disclosed(promise: Promise, language: str | None) -> None:
    assert promise.deliver().result == "sent"
    first = disclosure(language)
    texts = handed_over(promise)
    assert texts
    for text in texts:
        assert text.replace("\r\n", "\n").startswith(f"{first}{GAP}")
    ours = kept(promise).touchpoint
    assert isinstance(ours.content, Message)
    assert ours.content.written_by is Writer.MACHINE
    assert ours.text.startswith(f"{first}{GAP}")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("begins", HOSTILE)
def test_no_text_comes_before_it_or_takes_it_away(way: str, begins: str) -> None:
    assert_disclosed(machine_says(f"{begins}Votre colis part ce soir.", way), "fr")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_it_is_in_the_language_of_whoever_reads_it(way: str, language: str | None) -> None:
    assert_disclosed(machine_says("Ihr Paket kommt morgen.", way, language), language)


@settings(max_examples=150, deadline=None)
@given(
    text=st.text(min_size=1, max_size=400),
    way=st.sampled_from(sorted(WAYS)),
    language=st.sampled_from(LANGUAGES),
)
def test_whatever_it_wrote_the_message_begins_with_it(
    text: str, way: str, language: str | None
) -> None:
    assert_disclosed(machine_says(text, way, language), language)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("language", WORDINGS)
def test_the_longest_that_the_door_lets_in_is_what_the_provider_takes(
    way: str, language: str
) -> None:
    longest = find_provider(leaves_by(WAYS[way])).longest_text
    room = policies().templates.longest(TEMPLATE) + len(GAP)
    assert_disclosed(machine_says("x" * (longest - room), way, language), language)


def test_every_provider_that_sends_takes_part_in_these_tests() -> None:
    sends = {
        name
        for name in provider_names()
        if type(find_provider(name)).prepare is not Provider.prepare
    }
    assert sends == set(map(leaves_by, WAYS.values()))


def test_the_languages_are_those_of_all_templates() -> None:
    templates = policies().templates.templates
    assert {language for one in templates.values() for language in one} <= set(WORDINGS)


class TestWhatIsNoMachines:
    def test_a_persons_reply_carries_none(self, promise: Promise) -> None:
        promise.make_reply("C'est parti !")
        promise.deliver()
        assert handed_over(promise) == ["C'est parti !"]
        content = kept(promise).touchpoint.content
        assert isinstance(content, Message)
        assert content.written_by is Writer.PERSON

    def test_a_template_was_written_by_people_and_is_sent_by_rule(self, promise: Promise) -> None:
        promise.deliver()
        content = kept(promise).touchpoint.content
        assert isinstance(content, Message)
        assert content.written_by is Writer.PERSON
        assert content.text.startswith("Bonjour, nous travaillons")

    @pytest.mark.parametrize("template", ["opt_out_confirmed", "help"])
    def test_so_was_the_confirmation_of_a_stop(self, template: Any) -> None:
        whom: Profile | None = None
        draft = write_notice(template, sms("STOP"), whom, policies())
        sent = draft.message("key", policies(), Verdict.SEND_TEXT)
        assert (sent.written_by, sent.disclosure) == (Writer.PERSON, None)

    def test_a_reply_that_was_kept_before_anybody_asked_is_a_persons(
        self, promise: Promise
    ) -> None:
        made = promise.make_reply("Bonjour")
        stored = made.model_dump(mode="json")
        del stored["action"]["written_by"]
        promise.world.tickets.put_follow_up(type(made).model_validate(stored))
        promise.deliver()
        assert handed_over(promise) == ["Bonjour"]


def switch(promise: Promise, on: bool) -> None:
    at = promise.world.clock.now()
    turned = Switch(on=on, by="agent:7", at=at, because="it makes things up")
    event = AiUseSwitched(ai_use=MACHINES, on=on, by="agent:7")
    promise.world.ai_uses.switch(MACHINES, turned, event)


class TestTheSwitch:
    def test_switched_off_the_gate_refuses_and_says_why(self) -> None:
        promise = machine_says("Votre colis part ce soir.")
        switch(promise, on=False)
        refused = promise.deliver()
        assert refused.state is FollowUpState.REFUSED
        assert refused.result == "ai_use: machine_written_messages is switched off"
        assert [(one.name, one.passed) for one in refused.gate] == [("ai_use", False)]
        assert len(promise.world.sender) == 0

    def test_switched_on_again_the_next_one_leaves(self) -> None:
        promise = machine_says("Votre colis part ce soir.")
        switch(promise, on=False)
        switch(promise, on=True)
        assert promise.deliver().result == "sent"
        assert steps(promise)["ai_use"] == (True, "machine_written_messages is switched on")

    @pytest.mark.parametrize("what", ["reply", "template"])
    def test_people_and_templates_answer_on_and_pay_nothing(
        self, promise: Promise, what: str
    ) -> None:
        switch(promise, on=False)
        if what == "reply":
            promise.make_reply()
        assert promise.deliver().result == "sent"
        assert promise.world.ai_uses.reads == 0
        assert "ai_use" not in steps(promise)

    def test_where_it_cannot_be_read_nothing_leaves_until_it_can(self) -> None:
        promise = machine_says("Votre colis part ce soir.")
        promise.world.ai_uses.broken = TimeoutError("no answer")
        for _ in range(3):
            with pytest.raises(TimeoutError):
                promise.deliver()
        assert promise.standing.state is FollowUpState.SCHEDULED
        assert len(promise.world.sender) == 0
        promise.world.ai_uses.broken = None
        assert promise.deliver().result == "sent"

    def test_it_does_not_open_what_the_rest_of_the_gate_closes(self) -> None:
        promise = machine_says("Votre colis part ce soir.")
        stop = Suppression(kind=SuppressionKind.OPT_OUT, at=NOON, by="word:stop", reason="STOP")
        promise.world.consents.tell(endpoint_subject(endpoint()), stop)
        refused = promise.deliver()
        assert refused.state is FollowUpState.REFUSED
        assert [one.name for one in refused.gate] == ["ai_use", "suppression"]


class TestTheTicket:
    def test_a_machine_gives_no_first_response_and_keeps_no_promise(self) -> None:
        promise = machine_says("Votre colis part ce soir.")
        before = promise.ticket_now
        promise.deliver()
        after = promise.ticket_now
        assert after == before.model_copy(update={"version": before.version + 1})
        assert after.first_response.met_at is None
        assert after.last_agent_at is None
        still = promise.make(due_at=promise.world.clock.now())
        assert still.cancelled(after) is None

    def test_it_stands_in_the_log_as_a_machines(self) -> None:
        promise = machine_says("Votre colis part ce soir.")
        promise.deliver()
        (logged,) = promise.world.tickets.log(promise.ticket.ticket_id)
        assert (logged.what, logged.by) == ("machine_replied", "machine:lea")
        (event,) = promise.world.happened(TicketChanged)
        assert isinstance(event, TicketChanged)
        assert (event.change, event.status) == ("machine_replied", "new")

    def test_what_left_is_answered_by_no_rule(self) -> None:
        promise = machine_says("STOP")
        promise.deliver()
        ours = kept(promise).touchpoint
        assert ours.direction is Direction.OUTBOUND
        assert not ours.needs_understanding
        assert identifier() not in ours.identifiers

    def test_a_machines_mail_says_so_to_other_machines(self) -> None:
        """RFC 3834: who answers by themselves does not answer this, so no loop begins."""
        promise = machine_says("Votre colis part ce soir.", "email_ses")
        promise.deliver()
        ((_, outgoing),) = promise.world.sender.sent
        assert isinstance(outgoing, MailRequest)
        assert message_from_bytes(outgoing.mime)["Auto-Submitted"] == "auto-replied"

    def test_it_is_transactional_and_no_template_stands_in_for_it(self) -> None:
        promise = machine_says("Votre colis part ce soir.")
        late = promise.world.clock.now().replace(day=25)
        refused = promise.deliver(at=late)
        assert refused.result == "reply_window: closed; no approved template"
        assert steps(promise)["message_class"][1] == "it is a transactional message"
        assert SendTemplate(template=TEMPLATE).message_class is MessageClass.SERVICE
