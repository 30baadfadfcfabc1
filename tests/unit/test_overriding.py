"""R11: what a person said is not fought by anything that comes later, and nothing is doubled."""

from datetime import timedelta
from typing import Any, cast

import pytest

from functions.agent_api.logic.tickets import TicketEdit, edit_ticket
from shared.domain.classification import Evidence, Sentiment, Urgency
from shared.domain.errors import Conflict, Contention
from shared.domain.journey import ClassificationStep, JourneyState, TicketOutcome, TicketStep
from shared.domain.suppression import Release, SuppressionKind, endpoint_subject
from shared.domain.ticket import Priority, Ticket, TicketStatus
from shared.domain.touchpoint import Review, Touchpoint, TouchpointState
from shared.events.catalogue import (
    ClassificationOverridden,
    EndpointSuppressed,
    OverrideReleased,
    ProfileUpdated,
    TicketChanged,
    TicketOpened,
)
from tests.builders import (
    NOON,
    classification,
    policies,
    profile_id,
    sms,
    touchpoint,
    whatsapp_message,
)
from tests.unit.overriding import AGENT, House

SAID = whatsapp_message("Où est ma commande ?")
THANKS = whatsapp_message("Merci !", at=NOON + timedelta(minutes=1))


@pytest.fixture
def house() -> House:
    made = House()
    made.world.classifier.known["Merci !"] = classification(
        intent="praise", sentiment=Sentiment.POSITIVE, sentiment_score=0.8
    )
    return made


def understood(house: House, seen: Touchpoint) -> ClassificationStep:
    step = JourneyState.model_validate(house.entry(seen).outcome).ai_classification
    assert step is not None
    return step


def log_of(house: House, of: TicketStep | Ticket | None) -> list[tuple[str, str]]:
    log = house.world.tickets.log(house.ticket(of).ticket_id)
    return [(one.what, one.by) for one in log]


class TestTheTicket:
    def test_it_moves_to_where_it_now_belongs_and_there_is_no_second(self, house: House) -> None:
        opened = house.receive(SAID)
        assert opened is not None
        step = house.override(SAID, intent="billing_or_payment", urgency="critical")
        assert step is not None
        assert (step.outcome, step.ticket_id) == (TicketOutcome.CORRECTED, opened.ticket_id)
        ticket = house.ticket(opened)
        assert (ticket.queue, ticket.priority) == ("billing", Priority.URGENT)
        assert ticket.first.intent == "billing_or_payment"
        assert len(house.world.tickets) == 1
        changes = [one for one in house.world.events if isinstance(one, TicketChanged)]
        assert [(one.change, one.queue) for one in changes] == [("overridden", "billing")]
        assert {one.about: one.outcome for one in step.decisions} == {
            "priority": "urgent",
            "routing": "billing",
        }
        entry = house.world.tickets.log(ticket.ticket_id)[-1]
        assert (entry.what, entry.by) == ("overridden", f"agent:{AGENT}")
        assert entry.detail["queue"] == {"from": "orders", "to": "billing"}
        assert entry.detail["said"]["intent"] == "billing_or_payment"

    def test_a_release_brings_it_back(self, house: House) -> None:
        opened = house.receive(SAID)
        before = understood(house, SAID)
        house.override(SAID, intent="billing_or_payment", urgency="critical")
        assert understood(house, SAID).machine_classification == before.classification
        house.release(SAID, house.entry(SAID).overrides[0])
        ticket = house.ticket(opened)
        assert (ticket.queue, ticket.priority) == ("orders", Priority.NORMAL)
        assert understood(house, SAID) == before
        assert log_of(house, ticket)[-1] == ("override_released", f"agent:{AGENT}")
        assert len(house.world.tickets) == 1

    def test_what_an_agent_set_by_hand_stays(self, house: House) -> None:
        opened = house.receive(SAID)
        assert opened is not None and opened.ticket_id is not None
        edit_ticket(
            opened.ticket_id,
            TicketEdit(queue="technical", priority=Priority.LOW),
            agent="agent-9",
            tickets=house.world.tickets,
            policies=house.policies,
            clock=house.world.clock,
        )
        step = house.override(SAID, intent="billing_or_payment", urgency="critical")
        ticket = house.ticket(opened)
        assert (ticket.queue, ticket.priority) == ("technical", Priority.LOW)
        assert step is not None and len(house.world.tickets) == 1
        stays = house.world.tickets.log(ticket.ticket_id)[-1].detail["stays"]
        assert stays == ["priority low was set by hand", "its queue was set by hand"]

    def test_another_open_ticket_in_that_queue_keeps_it_where_it_is(self, house: House) -> None:
        house.world.classifier.known["Ma facture"] = classification(intent="billing_or_payment")
        opened = house.receive(SAID)
        house.receive(whatsapp_message("Ma facture"))
        step = house.override(SAID, intent="billing_or_payment")
        assert step is not None and opened is not None
        assert (step.ticket_id, step.queue) == (opened.ticket_id, "orders")
        assert len(house.world.tickets) == 2
        (routing,) = (one for one in step.decisions if one.about == "routing")
        assert routing.reason == "another ticket of this profile is open in billing"

    def test_one_it_had_only_joined_stays_where_it_is(self, house: House) -> None:
        opened = house.receive(SAID)
        joined = house.receive(THANKS)
        assert joined is not None and joined.outcome is TicketOutcome.JOINED
        step = house.override(THANKS, intent="billing_or_payment", urgency="high")
        assert step is not None and opened is not None
        assert (step.ticket_id, step.next_step) == (opened.ticket_id, "nothing")
        ticket = house.ticket(step)
        assert (ticket.queue, ticket.priority) == ("orders", Priority.HIGH)
        assert ticket.last.intent == "billing_or_payment"

    def test_where_nothing_was_owed_and_now_is_a_ticket_opens(self, house: House) -> None:
        assert house.receive(THANKS) is not None
        assert len(house.world.tickets) == 0
        step = house.override(THANKS, intent="complaint")
        assert step is not None
        assert (step.outcome, step.queue) == (TicketOutcome.OPENED, "care")
        assert len(house.world.happened(TicketOpened)) == 1
        (entry,) = house.world.tickets.log(house.ticket(step).ticket_id)
        assert entry.detail["override"]["said"]["intent"] == "complaint"

    def test_or_joins_the_open_one_and_says_so(self, house: House) -> None:
        house.receive(THANKS)
        opened = house.receive(SAID)
        step = house.override(THANKS, intent="refund")
        assert step is not None and opened is not None
        assert (step.outcome, step.ticket_id) == (TicketOutcome.JOINED, opened.ticket_id)
        assert log_of(house, step)[-1] == ("overridden", f"agent:{AGENT}")

    def test_where_nothing_is_owed_any_more_it_stays_for_a_person_to_close(
        self, house: House
    ) -> None:
        opened = house.receive(SAID)
        step = house.override(SAID, intent="praise")
        assert step is not None and opened is not None
        assert (step.ticket_id, step.next_step) == (opened.ticket_id, "nothing")
        ticket = house.ticket(step)
        assert (ticket.queue, ticket.status) == ("orders", TicketStatus.NEW)
        stays = house.world.tickets.log(ticket.ticket_id)[-1].detail["stays"]
        assert stays == ["nothing is owed any more; a person may close it"]

    def test_one_that_has_ended_is_not_opened_again_nor_replaced(self, house: House) -> None:
        opened = house.receive(SAID)
        assert opened is not None
        before = house.ticket(opened)
        ended = before.model_copy(update={"status": TicketStatus.RESOLVED})
        house.world.tickets.save(ended, before, None)
        step = house.override(SAID, intent="billing_or_payment")
        assert step is not None
        assert (step.ticket_id, step.next_step) == (opened.ticket_id, "nothing")
        assert house.ticket(step).status is TicketStatus.RESOLVED
        assert len(house.world.tickets) == 1

    def test_without_a_profile_there_is_no_ticket_to_follow(self, house: House) -> None:
        nobody = touchpoint(Review(rating=3, text="Bof"), identifiers=(), endpoint=None, name=None)
        house.receive(nobody)
        step = house.override(nobody, intent="complaint")
        assert step is not None and step.outcome is TicketOutcome.NOTHING
        assert understood(house, nobody).classification.intent == "complaint"


class TestLaterAutomation:
    def test_the_step_again_writes_nothing_more(self, house: House) -> None:
        opened = house.receive(SAID)
        house.say(SAID, intent="billing_or_payment")
        states: list[Any] = []
        for _ in range(3):
            house.run(SAID)
            house.world.ledger.change(SAID.touchpoint_id, state=TouchpointState.RECEIVED)
            states.append((house.ticket(opened), len(house.world.events)))
        assert states[0] == states[1] == states[2]
        assert len(log_of(house, opened)) == 2

    def test_a_late_delivery_of_the_event_before_changes_nothing(self, house: House) -> None:
        """Events come at least once: the machine's answer of the first round is overtaken."""
        opened = house.receive(SAID)
        house.override(SAID, intent="billing_or_payment")
        house.say(SAID, urgency="high")
        events = len(house.world.events)
        assert house.run(SAID, attempt=1) is None
        assert len(house.world.events) == events
        assert house.entry(SAID).state is TouchpointState.RECEIVED
        house.run(SAID)
        ticket = house.ticket(opened)
        assert (ticket.queue, ticket.priority) == ("billing", Priority.HIGH)

    def test_a_step_that_was_overtaken_on_its_way_opens_no_second_ticket(
        self, house: House
    ) -> None:
        house.receive(SAID)
        before = JourneyState.model_validate(house.entry(SAID).outcome)
        house.override(SAID, intent="billing_or_payment")
        house.say(SAID, urgency="high")
        profiles = house.world.profiles.read(profile_id())
        stale = house._understood(before.model_copy(update={"attempt": 1}))
        assert stale is not None and stale.outcome is TicketOutcome.NOTHING
        assert house.world.profiles.read(profile_id()) == profiles
        assert len(house.world.tickets) == 1

    def test_nor_one_overtaken_between_its_look_and_its_write(self, house: House) -> None:
        house.world.classifier.known[SAID.text] = classification(intent="praise")
        house.receive(SAID)
        house.say(SAID, intent="refund")
        tickets = house.world.tickets
        write = tickets.open

        class Overtaken:
            def __getattr__(self, name: str) -> Any:
                return getattr(tickets, name)

            def open(self, *given: Any, **more: Any) -> None:
                house.world.ledger.change(SAID.touchpoint_id, attempt=3)
                write(*given, **more)

        house.world.tickets = cast(Any, Overtaken())
        step = house.run(SAID)
        assert step is not None and step.outcome is TicketOutcome.NOTHING
        assert len(tickets) == 0

    def test_a_redrive_keeps_what_was_said(self, house: House) -> None:
        opened = house.receive(SAID)
        house.say(SAID, intent="billing_or_payment")
        house.world.ledger.record_failure(SAID.touchpoint_id, "ticket_creation", "Timeout")
        assert house.world.ledger.balance().failed == 1
        assert house.world.ledger.send_again(SAID.touchpoint_id)
        house.run(SAID)
        assert house.entry(SAID).state is TouchpointState.PROCESSED
        assert understood(house, SAID).classification.intent == "billing_or_payment"
        assert house.ticket(opened).queue == "billing"

    def test_a_round_that_failed_after_its_ticket_finds_it_again(self, house: House) -> None:
        """The ticket is there, and no outcome names it."""
        house.receive(THANKS)
        house.say(THANKS, intent="complaint")
        house.is_cut_off = True
        opened = house.run(THANKS)
        house.is_cut_off = False
        house.world.ledger.record_failure(THANKS.touchpoint_id, "record_outcome", "Timeout")
        step = house.override(THANKS, intent="billing_or_payment")
        assert step is not None and opened is not None
        assert (step.ticket_id, step.queue) == (opened.ticket_id, "billing")
        assert len(house.world.tickets) == 1

    def test_a_new_policy_moves_what_follows_and_not_what_was_said(self, house: House) -> None:
        opened = house.receive(SAID)
        house.override(SAID, intent="billing_or_payment")
        routing = house.policies.routing
        queues = {**routing.queues, "billing": (), "care": ("billing_or_payment",)}
        moved = routing.model_copy(update={"queues": queues})
        house.policies = policies()._replace(routing=moved)
        house.override(SAID, urgency="high")
        assert understood(house, SAID).classification.intent == "billing_or_payment"
        assert house.ticket(opened).queue == "care"

    def test_an_intent_that_left_the_list_counts_no_more(self, house: House) -> None:
        house.receive(SAID)
        house.override(SAID, intent="billing_or_payment")
        intents = {k: v for k, v in policies().intents.items() if k != "billing_or_payment"}
        house.policies = policies()._replace(intents=intents)
        house.override(SAID, urgency="high")
        found = understood(house, SAID).classification
        assert (found.intent, found.urgency) == ("order_status", Urgency.HIGH)

    def test_and_what_the_machine_once_answered_is_asked_anew(self, house: House) -> None:
        house.receive(SAID)
        intents = {k: v for k, v in policies().intents.items() if k != "order_status"}
        house.policies = policies()._replace(intents=intents)
        house.world.classifier.known[SAID.text] = classification(intent="refund")
        house.override(SAID, urgency="high")
        assert understood(house, SAID).classification.intent == "refund"

    def test_an_escalation_counts_on_and_is_not_taken_back(self, house: House) -> None:
        opened = house.receive(SAID)
        before = house.ticket(opened)
        raised = before.model_copy(update={"priority": Priority.HIGH})
        log = house.world.tickets.log(before.ticket_id)[0].model_copy(update={"what": "escalated"})
        house.world.tickets.save(raised, before, None, log)
        house.override(SAID, urgency="low")
        assert house.ticket(before).priority is Priority.HIGH

    def test_the_classifier_is_not_asked_again(self, house: House) -> None:
        house.receive(SAID)
        asked = list(house.world.classifier.asked)
        house.override(SAID, intent="refund")
        assert house.world.classifier.asked == asked


class TestNothingIsDoubled:
    def test_contacts_balance_promises_and_consents(self, house: House) -> None:
        opened = house.receive(SAID)
        person = house.world.profiles.read(profile_id())
        assert person is not None
        promised = house.world.tickets.follow_ups_of_ticket(house.ticket(opened).ticket_id)
        house.say(SAID, intent="billing_or_payment")
        balance = house.world.ledger.balance()
        assert balance.holds
        assert (balance.received, balance.in_flight) == (1, 1)
        house.run(SAID)
        house.release(SAID, house.entry(SAID).overrides[0])
        after = house.world.profiles.read(profile_id())
        assert after == person
        ticket = house.ticket(opened)
        assert house.world.tickets.follow_ups_of_ticket(ticket.ticket_id) == promised
        assert len(house.world.timer) == len(promised)
        assert house.world.ledger.balance() == balance._replace(processed=1, in_flight=0)
        assert len(house.world.happened(TicketOpened)) == 1

    def test_the_profile_learns_the_right_mood_and_language_once(self, house: House) -> None:
        house.receive(SAID)
        house.override(SAID, sentiment="negative", language="it")
        person = house.world.profiles.read(profile_id())
        assert person is not None and person.learned_language is not None
        assert [(one.sentiment, one.score) for one in person.moods] == [("negative", -1.0)]
        assert person.learned_language.language == "it"
        told = [one.change for one in house.world.events if isinstance(one, ProfileUpdated)]
        assert told == ["created", "language", "corrected"]
        house.release(SAID, house.entry(SAID).overrides[0])
        person = house.world.profiles.read(profile_id())
        assert person is not None and person.learned_language is not None
        assert [(one.sentiment, one.score) for one in person.moods] == [("neutral", -0.1)]
        assert person.learned_language.language == "fr"

    def test_what_was_released_is_taken_back_from_the_profile(self, house: House) -> None:
        """The machine is unsure, or an earlier message had taught another language."""
        doubtful = whatsapp_message("hm", at=NOON + timedelta(minutes=2))
        house.world.classifier.known["hm"] = classification(language="und", language_confidence=0.2)

        def language() -> str | None:
            person = house.world.profiles.read(profile_id())
            assert person is not None
            return person.language

        house.receive(doubtful)
        assert language() is None
        house.override(doubtful, language="it")
        assert language() == "it"
        house.receive(SAID)
        house.release(doubtful, house.entry(doubtful).overrides[0])
        assert language() == "fr"
        house.override(SAID, language="und")
        assert language() is None

    def test_what_a_word_brought_about_is_neither_repeated_nor_undone(self, house: House) -> None:
        stop = sms("STOP")
        evidence = (Evidence(aspect="intent", words=("stop",), reason="opt_out_keyword"),)
        house.world.classifier.known["STOP"] = classification(
            intent="opt_out", decided_by="rules", version="rules-1", evidence=evidence
        )
        house.receive(stop)
        assert stop.endpoint is not None
        subject = endpoint_subject(stop.endpoint)
        lifted = Release(
            kind=SuppressionKind.OPT_OUT,
            reason="a mistake",
            by="agent:9",
            at=NOON + timedelta(hours=1),
        )
        house.world.consents.tell(subject, lifted)
        house.override(stop, intent="refund")
        assert house.world.consents.record(subject).active == ()
        assert len(house.world.happened(EndpointSuppressed)) == 1
        house.release(stop, house.entry(stop).overrides[0])
        step = understood(house, stop)
        assert (step.classification.intent, step.decisions[-1].outcome) == (
            "opt_out",
            "nothing_owed",
        )
        assert house.world.consents.record(subject).active == ()

    def test_another_aspect_than_the_intent_leaves_what_the_rule_decided(
        self, house: House
    ) -> None:
        machine = whatsapp_message("Automatic reply")
        evidence = (Evidence(aspect="intent", words=("reply",), reason="automatic_reply"),)
        house.world.classifier.known[machine.text] = classification(
            intent="other", decided_by="rules", version="rules-1", evidence=evidence
        )
        house.receive(machine)
        step = house.override(machine, sentiment="negative")
        assert step is not None and step.outcome is TicketOutcome.NOTHING
        decided = understood(house, machine).decisions
        assert [(one.about, one.outcome) for one in decided] == [
            ("classification", "other"),
            ("override", "sentiment negative"),
            ("obligation", "nothing_owed"),
        ]
        assert (decided[1].by, decided[1].reason) == (f"agent:{AGENT}", "I read it")


class TestWhatAnAgentMayDo:
    def test_the_write_carries_its_event(self, house: House) -> None:
        house.receive(SAID)
        made = house.say(SAID, intent="refund", urgency="high").override
        (event,) = house.world.happened(ClassificationOverridden)
        assert event.model_dump(exclude_none=True) == {
            "touchpoint_id": SAID.touchpoint_id,
            "profile_id": profile_id(),
            "attempt": 2,
            "override_id": made.override_id,
            "intent": "refund",
            "urgency": "high",
            "by": f"agent:{AGENT}",
        }
        house.run(SAID)
        house.release(SAID, made)
        (event,) = house.world.happened(OverrideReleased)
        assert isinstance(event, OverrideReleased) and event.attempt == 3

    def test_two_who_speak_at_once_are_one_after_the_other(self, house: House) -> None:
        house.receive(SAID)
        read = house.entry(SAID)
        house.say(SAID, intent="refund")
        (event,) = house.world.happened(ClassificationOverridden)
        with pytest.raises(Contention):
            house.world.ledger.override(read, (), event)
        with pytest.raises(Conflict, match="under way"):
            house.say(SAID, intent="complaint")
        assert not house.say(SAID, intent="refund").is_new

    def test_a_redrive_leaves_an_overridden_touchpoint_that_ended_alone(self, house: House) -> None:
        house.receive(SAID)
        house.override(SAID, intent="refund")
        assert not house.world.ledger.send_again(SAID.touchpoint_id)
