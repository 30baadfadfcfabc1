"""A promise that is due, in a world where it can be kept."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Literal

import pytest

from functions.follow_up_delivery.logic.delivery import deliver
from functions.follow_up_delivery.logic.state import Ports
from shared.domain.follow_up import FollowUp, FollowUpState, SendReply
from shared.domain.journey import DeliveryRequest
from shared.domain.model import TouchpointId
from shared.domain.profile import Profile, Trait
from shared.domain.ticket import Ticket
from shared.domain.touchpoint import Touchpoint, Writer
from shared.events.envelope import Event
from shared.policies.reader import Policies
from tests.builders import (
    NOON,
    follow_up,
    observed,
    policies,
    profile_id,
    ticket,
    whatsapp_message,
    word,
)
from tests.fake_tickets import FakeTicketStore
from tests.fakes import World
from tests.unit.providers.fixtures import SECRETS


class Promise:
    """One follow-up on one ticket of one person, due two hours after they wrote at noon."""

    def __init__(self) -> None:
        self.world = World()
        self.world.secrets.secrets = {name: dict(secret) for name, secret in SECRETS.items()}
        self.policies: Policies = policies()
        self.person(language="fr")
        self.wrote = self.hear(whatsapp_message())
        self.ticket = self.world.tickets.put(ticket(first=word(self.wrote)))
        self.follow_up = self.make(due_at=NOON + timedelta(hours=2))
        self.world.clock.advance(timedelta(hours=2))

    def person(self, **traits: str) -> None:
        stated = {name: Trait(value=value, at=NOON) for name, value in traits.items()}
        whose = profile_id()
        self.world.profiles.put(
            Profile(profile_id=whose, profile_ids=(whose,), created_at=NOON, traits=stated)
        )

    def hear(self, seen: Touchpoint) -> Touchpoint:
        """They wrote, and profile_update has done its part."""
        self.world.ledger.record([observed(seen)])
        self.world.ledger.change(seen.touchpoint_id, profile_id=profile_id())
        return seen

    def speak_of(self, seen: Touchpoint, **overrides: Any) -> Ticket:
        """The ticket's latest word is this touchpoint, and the promise was made after it opened."""
        said = word(seen, **overrides)
        self.ticket = self.world.tickets.put(self.ticket.model_copy(update={"last": said}))
        later = self.follow_up.model_copy(update={"since": NOON + timedelta(minutes=1)})
        self.follow_up = self.world.tickets.put_follow_up(later)
        return self.ticket

    def make(self, **overrides: Any) -> FollowUp:
        """Another promise in the place of the one there is."""
        self.follow_up = self.world.tickets.put_follow_up(follow_up(self.ticket, **overrides))
        return self.follow_up

    def make_reply(
        self,
        text: str = "C'est parti !",
        *,
        to: TouchpointId | None = None,
        by: Writer = Writer.PERSON,
    ) -> FollowUp:
        now = self.world.clock.now()
        answers = to or self.wrote.touchpoint_id
        return self.make(
            name="reply",
            since=now,
            due_at=now,
            action=SendReply(text=text, answers=answers, agent="lea", written_by=by),
            cancelled_by=frozenset(),
        )

    @property
    def ports(self) -> Ports:
        world = self.world
        return Ports(
            ledger=world.ledger,
            profiles=world.profiles,
            consents=world.consents,
            tickets=world.tickets,
            timer=world.timer,
            secrets=world.secrets,
            media_files=world.ledger.media_files,
            sender=world.sender,
            breakers=world.breakers,
            ai_uses=world.ai_uses,
            policies=self.policies,
            clock=world.clock,
            preferences_url="https://shop.example/preferences/",
        )

    def deliver(self, at: datetime | None = None) -> FollowUp:
        """Its schedule fires, now or at a moment that is not before now."""
        if at is not None:
            assert at >= self.world.clock.now()
            self.world.clock.advance(at - self.world.clock.now())
        request = DeliveryRequest(
            ticket_id=self.ticket.ticket_id, follow_up_id=self.follow_up.follow_up_id
        )
        answer = deliver(request, self.ports)
        assert answer == self.standing, "the answer is how it stands"
        return answer

    def deliver_at(self) -> datetime:
        """When its schedule fires: now, or when it is due."""
        return max(self.standing.due_at, self.world.clock.now())

    @property
    def standing(self) -> FollowUp:
        found = self.world.tickets.read_follow_up(
            self.ticket.ticket_id, self.follow_up.follow_up_id
        )
        assert found is not None
        return found

    def edit_ticket(self, **changed: Any) -> Ticket:
        """An agent changes the ticket as it stands."""
        now = self.ticket_now
        return self.world.tickets.save(now.model_copy(update=changed), now, None)

    @property
    def ticket_now(self) -> Ticket:
        found = self.world.tickets.read(self.ticket.ticket_id)
        assert found is not None
        return found


@pytest.fixture
def promise() -> Promise:
    return Promise()


class Overtaken(FakeTicketStore):
    """Somebody else writes just before this delivery does, `times` times."""

    def __init__(
        self,
        promise: Promise,
        before: Literal["move", "end"],
        meanwhile: Callable[[], object],
        times: int = 1,
    ) -> None:
        self.__dict__.update(promise.world.tickets.__dict__)
        self._before, self._meanwhile, self._times = before, meanwhile, times
        promise.world.tickets = self

    def move(self, follow_up: FollowUp, expected: FollowUpState) -> None:
        self._overtake("move")
        super().move(follow_up, expected)

    def end(self, follow_up: FollowUp, expected: FollowUpState, event: Event, **more: Any) -> None:
        self._overtake("end")
        super().end(follow_up, expected, event, **more)

    def _overtake(self, method: str) -> None:
        if method == self._before and self._times:
            self._times -= 1
            self._meanwhile()
