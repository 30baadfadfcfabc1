"""A machine's message that does not begin by saying so is no message."""

import pytest
from pydantic import ValidationError

from shared.domain.disclosure import GAP, Written, disclosed
from shared.domain.sending import MessageClass, OutboundMessage, TemplateUse
from shared.domain.touchpoint import Writer
from tests.builders import endpoint

SAID = "A machine wrote this."


def message(text: str, **given: object) -> OutboundMessage:
    fields = {
        "send_key": "key",
        "endpoint": endpoint(),
        "message_class": MessageClass.TRANSACTIONAL,
        "text": text,
        "written_by": Writer.MACHINE,
        "disclosure": SAID,
    }
    return OutboundMessage.model_validate(fields | given)


def test_the_disclosure_comes_first() -> None:
    assert message(disclosed("Bonjour", SAID)).text == f"{SAID}{GAP}Bonjour"


@pytest.mark.parametrize(
    ("text", "disclosure"),
    [
        ("Bonjour", SAID),
        (f"Bonjour{GAP}{SAID}", SAID),
        (f" {disclosed('Bonjour', SAID)}", SAID),
        (f"\u202e{disclosed('Bonjour', SAID)}", SAID),
        (f"{SAID} Bonjour", SAID),
        (disclosed("Bonjour", SAID), None),
        (disclosed("Bonjour", ""), ""),
        (disclosed("Bonjour", "\u200b …"), "\u200b …"),
        ("", None),
    ],
)
def test_without_it_there_is_no_message(text: str, disclosure: str | None) -> None:
    with pytest.raises(ValidationError, match="it does not say so first"):
        message(text, disclosure=disclosure)


def test_a_machine_fills_in_no_approved_template() -> None:
    use = TemplateUse(name="hello", language="fr", parameters=("what a model wrote",))
    with pytest.raises(ValidationError, match="template"):
        message(disclosed("Bonjour", SAID), template=use)


def test_a_persons_message_needs_none() -> None:
    assert message("Bonjour", written_by=Writer.PERSON, disclosure=None).text == "Bonjour"


def test_nobody_leaves_out_who_wrote_it() -> None:
    with pytest.raises(ValidationError, match="written_by"):
        OutboundMessage.model_validate(
            {
                "send_key": "key",
                "endpoint": endpoint(),
                "message_class": MessageClass.LEGAL,
                "text": "Bonjour",
            }
        )


@pytest.mark.parametrize(("by", "needs"), [(Writer.PERSON, False), (Writer.MACHINE, True)])
def test_only_a_machines_words_need_one(by: Writer, needs: bool) -> None:
    assert Written("Bonjour", by).needs_disclosure is needs
