"""A whole journey in memory, round and round: what the steps do together when people override."""

from typing import Any

from functions.agent_api.logic import overrides as api
from functions.agent_api.logic.overrides import Made, NewOverride
from functions.ai_classification.logic import understand
from functions.follow_up_scheduling.logic import schedule_follow_ups
from functions.profile_update.logic.update import update_profile
from functions.ticket_creation.logic.creation import create_ticket
from shared.adapters.identifiers import IdentifierForms
from shared.domain.journey import JourneyState, SchedulingRequest, TicketStep
from shared.domain.override import Override
from shared.domain.ticket import Ticket
from shared.domain.touchpoint import Touchpoint, TouchpointState
from shared.policies.reader import Policies
from shared.ports.ledger import LedgerEntry
from tests.builders import observed, policies
from tests.fakes import World

AGENT = "agent-7"


class Mails:
    def normal(self, value: str) -> str | None:
        return value


class House:
    """The state machine's order of the steps on the fakes of a world."""

    def __init__(self, policies_: Policies | None = None) -> None:
        self.world = World()
        self.policies = policies_ or policies()
        self.is_cut_off = False

    def receive(self, seen: Touchpoint) -> TicketStep | None:
        self.world.ledger.record([observed(seen)])
        return self.run(seen)

    def run(self, seen: Touchpoint, *, attempt: int | None = None) -> TicketStep | None:
        """One round, as the event of this attempt starts it; the one that stands by default."""
        world = self.world
        state = JourneyState(
            touchpoint_id=seen.touchpoint_id, attempt=attempt or self.entry(seen).attempt
        )
        profile = update_profile(
            state,
            ledger=world.ledger,
            profiles=world.profiles,
            consents=world.consents,
            policy=self.policies.identity,
            forms=IdentifierForms(world.phone_numbers, Mails()),
        )
        state = state.model_copy(update={"profile_update": profile})
        if profile.next_step == "nothing":
            return None
        return self._understood(state)

    def _understood(self, state: JourneyState) -> TicketStep | None:
        world = self.world
        meant = understand(
            state,
            ledger=world.ledger,
            classifier=world.classifier,
            profiles=world.profiles,
            consents=world.consents,
            policies=self.policies,
            clock=world.clock,
        )
        state = state.model_copy(update={"ai_classification": meant})
        if meant.next_step == "ticket_creation":
            state = state.model_copy(update={"ticket_creation": self.ticketed(state)})
        step = state.ticket_creation
        if step is not None and step.next_step == "follow_up_scheduling" and step.ticket_id:
            schedule_follow_ups(
                SchedulingRequest(ticket_id=step.ticket_id, when="ticket_opened"),
                tickets=world.tickets,
                timer=world.timer,
                policies=self.policies,
                clock=world.clock,
            )
        self.end(state)
        return step

    def ticketed(self, state: JourneyState) -> TicketStep:
        world = self.world
        return create_ticket(
            state,
            ledger=world.ledger,
            tickets=world.tickets,
            policies=self.policies,
            clock=world.clock,
        )

    def end(self, state: JourneyState) -> None:
        """`record_outcome`, under its condition; nothing while the journey is cut off before it."""
        if self.is_cut_off:
            return
        entry = self.world.ledger.read(state.touchpoint_id)
        assert entry is not None
        if entry.state is TouchpointState.RECEIVED and entry.attempt == state.attempt:
            self.world.ledger.record_outcome(state)

    def entry(self, seen: Touchpoint) -> LedgerEntry:
        entry = self.world.ledger.read(seen.touchpoint_id)
        assert entry is not None
        return entry

    def say(self, seen: Touchpoint, **said: Any) -> Made:
        """An agent overrides; the touchpoint then waits for its next round."""
        return api.override(
            seen.touchpoint_id,
            NewOverride.model_validate({"reason": "I read it", **said}),
            agent=AGENT,
            ledger=self.world.ledger,
            policies=self.policies,
            clock=self.world.clock,
        )

    def override(self, seen: Touchpoint, **said: Any) -> TicketStep | None:
        self.say(seen, **said)
        return self.run(seen)

    def release(self, seen: Touchpoint, one: Override) -> TicketStep | None:
        api.release(
            seen.touchpoint_id,
            one.override_id,
            attempt=None,
            agent=AGENT,
            ledger=self.world.ledger,
            clock=self.world.clock,
        )
        return self.run(seen)

    def ticket(self, of: TicketStep | Ticket | None) -> Ticket:
        """As it stands now."""
        ticket = self.world.tickets.read(of.ticket_id) if of and of.ticket_id else None
        assert ticket is not None
        return ticket
