"""What became of each touchpoint, read back through the house's own stores."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from infra.local.gateway import Response
from infra.local.replaying import answer_replay
from infra.local.reporting import ReportSettings, answer_report
from shared.domain.follow_up import FollowUp
from shared.domain.journey import JourneyState
from shared.domain.model import TicketId, TouchpointId
from shared.domain.profile import MergeSuggestion, Profile
from shared.domain.ticket import Ticket
from shared.domain.touchpoint import Touchpoint, TouchpointState
from shared.runtime import wiring
from shared.runtime.settings import LedgerSettings, ProfileSettings, TicketSettings

if TYPE_CHECKING:
    from infra.local.cloud import LocalCloud

_MOST_IN_TROUBLE = 50


@dataclass(frozen=True)
class Story:
    """One touchpoint with everything that followed from it."""

    touchpoint: Touchpoint
    state: TouchpointState
    deliveries: int
    journey: JourneyState | None
    profile: Profile | None
    suggestions: list[MergeSuggestion]
    ticket: Ticket | None
    follow_ups: list[FollowUp]
    failed_step: str | None
    error: str | None


@dataclass(frozen=True)
class Trouble:
    """What needs a person: failed touchpoints and quarantined requests."""

    touchpoint_id: str
    state: str
    provider: str
    what: str


@dataclass
class _Known:
    profiles: dict[str, Profile | None] = field(default_factory=dict)
    tickets: dict[str, Ticket | None] = field(default_factory=dict)
    follow_ups: dict[str, list[FollowUp]] = field(default_factory=dict)


class StoriesSettings(LedgerSettings, ProfileSettings, TicketSettings):
    """What `agent_api` may read of, too."""


class Stories:
    """Reads all three tables."""

    def __init__(self, cloud: "LocalCloud") -> None:
        self._cloud = cloud
        variables = _variables(cloud, "agent_api")
        self._given = {name.lower(): value for name, value in variables.items()}
        self._settings = StoriesSettings.model_validate(self._given)

    def received(self) -> list[str]:
        """Ids of the touchpoints that came in, the oldest first, each once."""
        told = [(one["detail-type"], one["detail"]["data"]) for one in list(self._cloud.events)]
        ids = [
            touchpoint_id
            for type_, data in told
            if type_ in {"TouchpointReceived", "TouchpointsReceived"}
            for touchpoint_id in data.get("touchpoint_ids") or [data["touchpoint_id"]]
        ]
        return list(dict.fromkeys(ids))

    def newest(self, number: int) -> list[Story]:
        return self.read(reversed(self.received()[-number:]))

    def read(self, touchpoint_ids: Iterable[str]) -> list[Story]:
        """In the order asked; what is not in the ledger is left out."""
        known = _Known()
        ids = [TouchpointId(one) for one in touchpoint_ids]
        entries = wiring.ledger(self._settings).read_many(ids)
        return [self._story(entry, known) for entry in entries]

    def balance(self) -> dict[str, Any]:
        balance = wiring.ledger(self._settings).balance()
        return {**balance._asdict(), "holds": balance.holds}

    def troubles(self) -> list[Trouble]:
        pages = [
            wiring.ledger(self._settings).in_state(state, limit=_MOST_IN_TROUBLE).items
            for state in (TouchpointState.FAILED, TouchpointState.QUARANTINED)
        ]
        return [_trouble(one) for page in pages for one in page]

    def redrive(self, touchpoint_id: str) -> bool:
        return wiring.ledger(self._settings).send_again(TouchpointId(touchpoint_id))

    def replay(self, asked: dict[str, Any]) -> str:
        return answer_replay(asked, self._settings)

    def ai_report(self, query: str) -> Response:
        settings = ReportSettings.model_validate(self._given)
        return answer_report(query, settings, self._cloud.clock.now())

    def _story(self, entry: Any, known: _Known) -> Story:
        # A passive touchpoint is processed without an outcome: its journey ended with its profile.
        journey = JourneyState.model_validate(entry.outcome) if entry.outcome else None
        profile_id = entry.profile_id
        step = journey.ticket_creation if journey else None
        ticket_id = step.ticket_id if step else None
        profile, ticket, suggestions = None, None, []
        if profile_id:
            store = wiring.profiles(self._settings)
            if profile_id not in known.profiles:
                known.profiles[profile_id] = store.read(profile_id)
            profile = known.profiles[profile_id]
            suggestions = [
                one
                for one in store.suggestions([profile_id])
                if one.by == f"touchpoint:{entry.touchpoint.touchpoint_id}"
            ]
        if ticket_id:
            ticket = self._ticket(ticket_id, known)
        return Story(
            touchpoint=entry.touchpoint,
            state=entry.state,
            deliveries=entry.deliveries,
            journey=journey,
            profile=profile,
            suggestions=suggestions,
            ticket=ticket,
            follow_ups=known.follow_ups.get(ticket_id or "", []),
            failed_step=entry.failed_step,
            error=entry.error,
        )

    def _ticket(self, ticket_id: TicketId, known: _Known) -> Ticket | None:
        if ticket_id not in known.tickets:
            store = wiring.tickets(self._settings)
            known.tickets[ticket_id] = store.read(ticket_id)
            known.follow_ups[ticket_id] = store.follow_ups_of_ticket(ticket_id)
        return known.tickets[ticket_id]


def _trouble(found: Any) -> Trouble:
    """Of a LedgerEntry or a Quarantined."""
    if hasattr(found, "touchpoint"):
        touchpoint = found.touchpoint
        what = f"{found.failed_step}: {found.error}"
        return Trouble(touchpoint.touchpoint_id, "failed", touchpoint.provider, what)
    return Trouble(found.touchpoint_id, "quarantined", found.provider, found.reason)


def _variables(cloud: "LocalCloud", name: str) -> Mapping[str, str]:
    return next(one for one in cloud.lambdas.all() if one.name.endswith(f"-{name}")).variables
