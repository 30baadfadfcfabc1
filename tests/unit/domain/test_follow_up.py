from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest
from pydantic import ValidationError

from shared.domain.follow_up import FollowUp, FollowUpRule, SendReply, follow_up_from
from shared.domain.reply_window import WindowLengths
from shared.domain.ticket import Milestone, Ticket, join_ticket, record_agent_reply
from shared.domain.touchpoint import Channel
from tests import builders
from tests.builders import NOON
from tests.unit.domain.strategies import PARIS, SLA

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


WINDOWS = {Channel.WHATSAPP: WindowLengths(free=24 * HOUR)}


def promised(of: FollowUpRule, ticket: Ticket) -> FollowUp:
    made = follow_up_from(of, ticket, PARIS, WINDOWS)
    assert made is not None
    return made


def reply(said: dict[str, Any]) -> SendReply:
    fields = {"do": "reply", "answers": "touchpoint", "agent": "lea"}
    return SendReply.model_validate(fields | said)


def test_a_promise_is_due_in_clock_time_or_in_working_time() -> None:
    assert rule().due_at(NOON, PARIS) == NOON + 4 * HOUR
    # 13:00 in Paris, in the lunch break until 13:30.
    working = rule(counted_in="working_time")
    assert working.due_at(NOON, PARIS) == NOON + 4.5 * HOUR


def test_one_promise_per_rule_and_opening() -> None:
    ticket = builders.ticket()
    earlier = builders.word(at=NOON - HOUR)
    one = promised(rule(), ticket)
    other = promised(rule(), ticket.model_copy(update={"first": earlier}))
    assert one.follow_up_id == other.follow_up_id
    assert one.cancelled_by == {Milestone.AGENT_REPLIED, Milestone.TICKET_RESOLVED}
    assert (one.ticket_id, one.profile_id) == (ticket.ticket_id, ticket.profile_id)


def test_one_promise_per_agent_reply() -> None:
    after_reply = rule(when="agent_replied", if_no="customer_wrote")
    replied = record_agent_reply(builders.ticket(), NOON)
    one, again = promised(after_reply, replied), promised(after_reply, replied)
    later = promised(after_reply, record_agent_reply(replied, NOON + HOUR))
    assert one.follow_up_id == again.follow_up_id != later.follow_up_id
    assert follow_up_from(after_reply, builders.ticket(), PARIS, WINDOWS) is None


class TestTheEndOfAReplyWindow:
    CLOSING = rule(
        name="window_closing_soon",
        when="customer_wrote",
        within=None,
        then={"do": "announce", "ahead": "PT2H"},
    )

    def test_it_is_announced_ahead_of_it(self) -> None:
        made = promised(self.CLOSING, builders.ticket())
        assert (made.since, made.due_at) == (NOON, NOON + 22 * HOUR)

    def test_a_way_that_never_closes_needs_no_announcement(self) -> None:
        assert follow_up_from(self.CLOSING, builders.ticket(), PARIS, {}) is None
        nowhere = builders.word(endpoint=None)
        assert follow_up_from(self.CLOSING, builders.ticket(first=nowhere), PARIS, WINDOWS) is None

    def test_in_whatever_order_they_were_processed_it_counts_from_the_first_that_opens_one(
        self,
    ) -> None:
        by_sms = builders.word(builders.sms(at=NOON - HOUR))
        later = builders.word(at=NOON + HOUR)
        ticket = builders.ticket()
        assert promised(self.CLOSING, ticket.model_copy(update={"last": later})).since == NOON
        words = [by_sms, builders.word(), later]
        for first, *others in permutations(words):
            mixed = builders.ticket(first=first)
            for one in others:
                mixed = join_ticket(mixed, one, sla=SLA, calendar=PARIS)
            made = promised(self.CLOSING, mixed)
            assert (made.since, made.due_at) == (NOON, NOON + 22 * HOUR)

    def test_another_rule_counts_from_the_first_word_nobody_answered(self) -> None:
        escalating = rule(when="customer_wrote")
        ticket = builders.ticket(last=builders.word(at=NOON + HOUR))
        assert promised(escalating, ticket).due_at == NOON + 4 * HOUR

    def test_one_for_each_turn_of_ours_however_often_they_write(self) -> None:
        ticket = builders.ticket()
        again = ticket.model_copy(update={"last": builders.word(at=NOON + HOUR)})
        first = promised(self.CLOSING, ticket)
        assert promised(self.CLOSING, again).follow_up_id == first.follow_up_id
        replied = record_agent_reply(again, NOON + 2 * HOUR)
        assert follow_up_from(self.CLOSING, replied, PARIS, WINDOWS) is None
        back = replied.model_copy(update={"last": builders.word(at=NOON + 3 * HOUR)})
        assert promised(self.CLOSING, back).follow_up_id != first.follow_up_id

    @pytest.mark.parametrize(
        "wrong",
        [
            {"within": "PT4H"},
            {"when": "ticket_opened"},
            {"then": {"do": "announce"}},
            {"then": {"do": "announce", "ahead": "PT0S"}},
            {"then": {"do": "escalate"}},
        ],
    )
    def test_a_rule_about_it_that_makes_no_sense(self, wrong: dict[str, Any]) -> None:
        fields = self.CLOSING.model_dump(exclude_none=True)
        with pytest.raises(ValidationError):
            FollowUpRule.model_validate(fields | wrong)


class TestAReply:
    @pytest.mark.parametrize(
        "said",
        [
            {"text": "Bonjour"},
            {"template": "answer_is_ready"},
            {"files": [{"url": "https://shop.example/invoice.pdf"}]},
            {"text": "Laquelle ?", "choices": [{"id": "1", "title": "La bleue"}]},
        ],
    )
    def test_it_says_something(self, said: dict[str, Any]) -> None:
        assert reply(said).agent == "lea"

    @pytest.mark.parametrize(
        "said",
        [
            {},
            {"text": "Bonjour", "template": "answer_is_ready"},
            {"choices": [{"id": "1", "title": "La bleue"}]},
            {
                "choices": [{"id": "1", "title": "La bleue"}],
                "files": [{"url": "https://shop.example/a"}],
            },
            {"files": [{"url": "http://shop.example/invoice.pdf"}]},
        ],
    )
    def test_nothing_to_send_does_not_construct(self, said: dict[str, Any]) -> None:
        with pytest.raises(ValidationError):
            reply(said)


def test_each_attempt_has_its_own_schedule_within_the_schedulers_limit() -> None:
    follow_up = builders.follow_up()
    later = follow_up.model_copy(update={"attempt": 12})
    assert follow_up.schedule_name != later.schedule_name
    assert len(later.schedule_name) <= 64


def test_what_happened_since_makes_it_pointless() -> None:
    ticket = builders.ticket()
    follow_up = promised(rule(), ticket)
    assert follow_up.cancelled(ticket) is None
    replied = record_agent_reply(ticket, NOON + HOUR)
    assert follow_up.cancelled(replied) == "agent_replied after it was made"
    late = ticket.model_copy(update={"first": builders.word(at=NOON + HOUR)})
    assert promised(rule(), late).cancelled(replied) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"within": "PT0S"},
        {"within": None},
        {"name": "Nobody"},
        {"when": "ticket_resolved"},
        {"then": {"do": "sing"}},
    ],
)
def test_a_rule_that_makes_no_sense(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        rule(**wrong)
