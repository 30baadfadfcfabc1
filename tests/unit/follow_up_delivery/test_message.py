"""From a promise to words."""

import pytest

from functions.follow_up_delivery.logic.message import Draft, write
from shared.domain.follow_up import SendReply, SendTemplate
from shared.domain.sending import MessageClass, Verdict
from tests.builders import policies, ticket
from tests.unit.follow_up_delivery.test_sending import mail


def no_link() -> str:
    raise AssertionError("no wording of these shows a link")


def draft(subject: str | None, *, reply: bool = False, thread: tuple[str, ...] = ()) -> Draft:
    asked = mail(subject, thread)
    action = (
        SendReply(text="Ce soir.", answers=asked.touchpoint_id, agent="lea")
        if reply
        else SendTemplate(template="did_that_help")
    )
    return write(action, ticket(), asked, None, policies(), no_link)


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        ("Commande 4512", "Re: Commande 4512"),
        ("Re: Commande 4512", "Re: Commande 4512"),
        ("RE: Commande 4512", "RE: Commande 4512"),
    ],
)
@pytest.mark.parametrize("reply", [True, False])
def test_an_answer_keeps_the_subject_of_what_it_answers(
    asked: str, answered: str, reply: bool
) -> None:
    assert draft(asked, reply=reply).subject == answered


def test_without_a_subject_a_template_brings_its_own() -> None:
    assert draft(None).subject == "Notre réponse vous a-t-elle aidé ?"
    assert draft(None, reply=True).subject is None


def test_an_answer_goes_on_in_the_thread() -> None:
    assert draft("x", thread=("<1@x>", "<2@x>")).thread == ("<1@x>", "<2@x>", "<b@x>")


def test_a_reply_is_transactional_and_a_template_what_its_rule_says() -> None:
    assert draft("x", reply=True).message_class is MessageClass.TRANSACTIONAL
    assert draft("x").message_class is MessageClass.SERVICE


def test_mail_needs_no_approved_template() -> None:
    assert draft("x").template is None


def test_the_message_carries_its_template_only_where_it_is_wanted() -> None:
    whatsapp = draft("x")._replace(template=None)
    assert whatsapp.message("key", policies(), Verdict.SEND_TEMPLATE).template is None
    assert whatsapp.message("key", policies(), Verdict.SEND_TEXT).send_key == "key"
