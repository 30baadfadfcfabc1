"""What follows from a meaning: whether something is owed."""

import pytest

from shared.deciding import OWED, decide_obligation, weigh
from shared.domain.classification import Evidence, Urgency
from shared.domain.touchpoint import Choice, Message, Touchpoint
from shared.policies.reader import read_policies
from tests.builders import NOON, classification, touchpoint, whatsapp_message

POLICIES = read_policies()


@pytest.mark.parametrize("intent", [name for name, one in POLICIES.intents.items() if not one.owes])
def test_at_what_is_critical_a_person_always_looks(intent: str) -> None:
    """Whatever words or a paid model make of it: praise that is on fire opens a ticket."""
    for urgency, owed in ((Urgency.CRITICAL, True), (Urgency.NORMAL, False)):
        answer = classification(intent=intent, urgency=urgency)
        understood = weigh(whatsapp_message(), answer, (), POLICIES)
        is_owed, decision = decide_obligation(understood, POLICIES, NOON)
        assert is_owed is owed
        assert (decision.outcome == OWED) is owed


def chosen(id_: str) -> Touchpoint:
    content = Message(text="Hali ya oda: 12", choice=Choice(id=id_, title="Oda yangu iko wapi?"))
    return touchpoint(content)


def test_what_was_picked_is_what_it_is_about_whatever_a_model_reads() -> None:
    answer = classification(intent="billing_or_payment")
    found = weigh(chosen("order_asked"), answer, (), POLICIES).machine
    assert (found.intent, found.intent_confidence, found.decided_by) == ("order_status", 1, "rules")
    assert [one.reason for one in found.evidence if one.aspect == "intent"] == ["menu_order_status"]


@pytest.mark.parametrize("id_", ["", "unheard_of"])
def test_a_choice_nobody_wrote_down_is_read_by_its_words(id_: str) -> None:
    answer = classification(intent="billing_or_payment")
    assert weigh(chosen(id_), answer, (), POLICIES).machine == answer


def test_no_choice_takes_the_place_of_a_word_that_stops_messages() -> None:
    evidence = Evidence(aspect="intent", words=("stop",), reason="opt_out_keyword")
    answer = classification(intent="opt_out").model_copy(
        update={"evidence": (evidence,), "decided_by": "rules"}
    )
    found = weigh(chosen("order_asked"), answer, (), POLICIES)
    assert found.machine.intent == "opt_out"
    assert found.rule is not None and found.rule.does == "opt_out"
