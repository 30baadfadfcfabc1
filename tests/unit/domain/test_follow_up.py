from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from shared.domain.follow_up import FollowUpRule, follow_up_from
from shared.domain.ticket import Milestone, record_agent_reply
from tests import builders
from tests.builders import NOON
from tests.unit.domain.strategies import PARIS

HOUR = timedelta(hours=1)


def rule(**fields: Any) -> FollowUpRule:
    return FollowUpRule.model_validate(
        {
            "name": "nobody_has_answered",
            "when": "ticket_opened",
            "if_no": "agent_replied",
            "within": "PT4H",
            "then": {"do": "escalate"},
            "cancelled_by": ["ticket_resolved"],
        }
        | fields
    )


def test_a_promise_is_due_in_clock_time_or_in_working_time() -> None:
    assert rule().due_at(NOON, PARIS) == NOON + 4 * HOUR
    # 13:00 in Paris, in the lunch break until 13:30.
    working = rule(counted_in="working_time")
    assert working.due_at(NOON, PARIS) == NOON + 4.5 * HOUR


def test_one_promise_per_rule_and_opening() -> None:
    ticket = builders.ticket()
    one = follow_up_from(rule(), ticket, NOON, PARIS)
    other = follow_up_from(rule(), ticket, NOON - HOUR, PARIS)
    assert one.follow_up_id == other.follow_up_id
    assert one.cancelled_by == {Milestone.AGENT_REPLIED, Milestone.TICKET_RESOLVED}
    assert (one.ticket_id, one.profile_id) == (ticket.ticket_id, ticket.profile_id)


def test_one_promise_per_agent_reply() -> None:
    after_reply = rule(when="agent_replied", if_no="customer_wrote")
    one = follow_up_from(after_reply, builders.ticket(), NOON, PARIS)
    again = follow_up_from(after_reply, builders.ticket(), NOON, PARIS)
    later = follow_up_from(after_reply, builders.ticket(), NOON + HOUR, PARIS)
    assert one.follow_up_id == again.follow_up_id != later.follow_up_id


def test_each_attempt_has_its_own_schedule_within_the_schedulers_limit() -> None:
    follow_up = builders.follow_up()
    later = follow_up.model_copy(update={"attempt": 12})
    assert follow_up.schedule_name != later.schedule_name
    assert len(later.schedule_name) <= 64


def test_what_happened_since_makes_it_pointless() -> None:
    ticket = builders.ticket()
    follow_up = follow_up_from(rule(), ticket, NOON, PARIS)
    assert follow_up.cancelled(ticket) is None
    replied = record_agent_reply(ticket, NOON + HOUR)
    assert follow_up.cancelled(replied) == "agent_replied after it was made"
    assert follow_up_from(rule(), ticket, NOON + HOUR, PARIS).cancelled(replied) is None


@pytest.mark.parametrize(
    "wrong",
    [{"within": "PT0S"}, {"name": "Nobody"}, {"when": "ticket_resolved"}, {"then": {"do": "sing"}}],
)
def test_a_rule_that_makes_no_sense(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        rule(**wrong)
