"""The way to a person's preferences: in words that show it, and in what is advertised by mail."""

from datetime import timedelta
from email import message_from_bytes
from email.policy import default
from typing import Any

from shared.domain.consent import Consent
from shared.domain.follow_up import FollowUpState, SendTemplate
from shared.domain.preference_link import NAME, PreferenceKeys, whose
from shared.domain.sending import MessageClass
from shared.domain.suppression import Suppression, SuppressionKind, person_subject
from shared.domain.template import Wording
from shared.domain.touchpoint import Channel, Message
from shared.providers.base import HttpRequest, MailRequest
from tests.builders import NOON, endpoint, identifier, profile_id, touchpoint, whatsapp_message
from tests.unit.follow_up_delivery.conftest import Promise

KEYS = PreferenceKeys(id="k1", key="k" * 40)
BASE = "https://shop.example/preferences/"
LATER = NOON + timedelta(hours=2)


def promise_with(promise: Promise, text: str, message_class: MessageClass) -> None:
    """Its template is these words; the person allowed everything."""
    wording = Wording(text=text, subject="News")
    templates = promise.policies.templates
    changed = templates.model_copy(
        update={"templates": templates.templates | {"did_that_help": {"en": wording}}}
    )
    promise.policies = promise.policies._replace(templates=changed)
    promise.world.secrets.secrets[NAME] = KEYS.model_dump()
    said: dict[str, Any] = {"purpose": "marketing", "state": "granted", "source": "agent:1"}
    promise.world.consents.state(profile_id(), Consent.model_validate(said | {"at": NOON}))
    action = SendTemplate(template="did_that_help", message_class=message_class)
    promise.make(due_at=LATER, action=action)


def wrote_by_mail(promise: Promise) -> None:
    line = {"provider": "email_ses", "account": "support@boutique.example"}
    way = endpoint(Channel.EMAIL, address="awa@example.com", **line)
    mail = touchpoint(
        Message(text="Bonjour"), channel=Channel.EMAIL, endpoint=way, key="<1@mail>", **line
    )
    promise.speak_of(promise.hear(mail))


def of(promise: Promise, url: str) -> bool:
    assert url.startswith(BASE)
    return whose(url.removeprefix(BASE), KEYS, promise.world.clock.now()) == profile_id()


def test_the_words_show_the_person_s_own_link(promise: Promise) -> None:
    promise_with(promise, "Your choices: {preference_url}", MessageClass.SERVICE)
    assert promise.deliver().state is FollowUpState.DONE
    ((_, outgoing),) = promise.world.sender.sent
    assert isinstance(outgoing, HttpRequest)
    text = outgoing.body.decode()
    assert of(promise, text[text.index(BASE) :].partition('"')[0])


def test_who_joined_the_ticket_of_another_gets_a_link_of_their_own(promise: Promise) -> None:
    promise_with(promise, "Your choices: {preference_url}", MessageClass.SERVICE)
    other = identifier("+33699999999").profile_id
    seen = promise.hear(whatsapp_message(phone="+33699999999", key="other"))
    promise.world.ledger.change(seen.touchpoint_id, profile_id=other)
    promise.speak_of(seen)
    stop = Suppression(kind=SuppressionKind.LEGAL, reason="a court", by="agent:1", at=NOON)
    promise.world.consents.tell(person_subject(profile_id()), stop)
    assert promise.deliver().state is FollowUpState.DONE, "the stop is the other's"
    ((_, outgoing),) = promise.world.sender.sent
    assert isinstance(outgoing, HttpRequest)
    text = outgoing.body.decode()
    token = text[text.index(BASE) :].partition('"')[0].removeprefix(BASE)
    assert whose(token, KEYS, promise.world.clock.now()) == other


def test_what_is_advertised_by_mail_ends_with_one_click(promise: Promise) -> None:
    promise_with(promise, "News.", MessageClass.MARKETING)
    wrote_by_mail(promise)
    assert promise.deliver().state is FollowUpState.DONE
    ((_, outgoing),) = promise.world.sender.sent
    assert isinstance(outgoing, MailRequest)
    mail = message_from_bytes(outgoing.mime, policy=default)
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    first, second = mail["List-Unsubscribe"].split(", ")
    assert of(promise, first.strip("<>"))
    assert second == "<mailto:support@boutique.example?subject=unsubscribe>"


def test_what_is_not_advertised_has_no_such_header(promise: Promise) -> None:
    promise_with(promise, "Any news?", MessageClass.SERVICE)
    wrote_by_mail(promise)
    promise.deliver()
    ((_, outgoing),) = promise.world.sender.sent
    assert isinstance(outgoing, MailRequest)
    assert b"List-Unsubscribe" not in outgoing.mime


def test_without_a_key_nothing_leaves_that_would_show_a_link(promise: Promise) -> None:
    promise_with(promise, "Your choices: {preference_url}", MessageClass.SERVICE)
    del promise.world.secrets.secrets[NAME]
    refused = promise.deliver()
    assert refused.state is FollowUpState.REFUSED
    assert refused.result == "there is no secret for preference links"
