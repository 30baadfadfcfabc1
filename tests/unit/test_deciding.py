"""What follows from a meaning: whether something is owed."""

import pytest

from shared.deciding import OWED, decide_obligation, weigh
from shared.domain.classification import Urgency
from shared.policies.reader import read_policies
from tests.builders import NOON, classification, whatsapp_message

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
