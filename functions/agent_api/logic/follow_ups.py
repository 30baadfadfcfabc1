"""Follow-ups as the API shows them."""

from collections.abc import Callable, Sequence

from pydantic import Field

from functions.agent_api.logic.paging import Listing, filtered
from functions.agent_api.logic.profiles import profile_ids_of
from shared.domain.errors import InvalidInput, RefusalReason
from shared.domain.follow_up import Action, FollowUp, FollowUpState
from shared.domain.model import FollowUpId, Instant, Model, ProfileId, TicketId, TouchpointId
from shared.domain.sending import GateStep
from shared.domain.ticket import Milestone
from shared.ports.paging import Page
from shared.ports.profiles import ProfileStore
from shared.ports.tickets import TicketStore


class FollowUpView(Model):
    """A dated commitment, and how it ended."""

    follow_up_id: FollowUpId
    ticket_id: TicketId
    profile_id: ProfileId
    name: str
    action: Action
    since: Instant
    due_at: Instant
    cancelled_by: tuple[Milestone, ...]
    state: FollowUpState
    result: str | None
    refusal_reason: RefusalReason | None = Field(
        default=None, description="Why it was refused, in the terms of the house."
    )
    provider_code: str | None = Field(
        default=None, description="With which code the provider refused it."
    )
    gate: tuple[GateStep, ...]
    touchpoint_id: TouchpointId | None
    ended_at: Instant | None
    attempt: int


def follow_up_view(follow_up: FollowUp) -> FollowUpView:
    fields = {name: getattr(follow_up, name) for name in FollowUpView.model_fields}
    return FollowUpView.model_validate(
        fields | {"cancelled_by": tuple(sorted(follow_up.cancelled_by))}
    )


def list_follow_ups(
    *,
    ticket: TicketId | None,
    profile: ProfileId | None,
    state: FollowUpState | None,
    limit: int,
    cursor: str | None,
    tickets: TicketStore,
    profiles: ProfileStore,
) -> Listing[FollowUpView]:
    """Of a ticket in order of due time, of a profile latest first, or of all in one state."""
    whose = profile_ids_of(profile, profiles) if profile is not None else ()
    fetch = _source(ticket, whose, state, limit, tickets)

    def keep(one: FollowUp) -> bool:
        return (
            (ticket is None or one.ticket_id == ticket)
            and (not whose or one.profile_id in whose)
            and (state is None or one.state is state)
        )

    page = filtered(fetch, keep, cursor)
    return Listing(items=tuple(map(follow_up_view, page.items)), cursor=page.cursor)


def _source(
    ticket: TicketId | None,
    whose: Sequence[ProfileId],
    state: FollowUpState | None,
    limit: int,
    tickets: TicketStore,
) -> Callable[[str | None], Page[FollowUp]]:
    """The narrowest of the lists that hold what is asked for."""
    if ticket is not None:
        return lambda cursor: _of_ticket(ticket, limit, cursor, tickets)
    if whose:
        return lambda cursor: tickets.follow_ups_of_profiles(whose, limit=limit, cursor=cursor)
    if state is not None:
        return lambda cursor: tickets.follow_ups_in_state(state, limit=limit, cursor=cursor)
    raise InvalidInput("name a ticket, a profile or a state", field="ticket")


def _of_ticket(
    ticket: TicketId, limit: int, cursor: str | None, tickets: TicketStore
) -> Page[FollowUp]:
    """A ticket has few and they are read at once; the cursor is the id of the last one shown."""
    found = sorted(
        tickets.follow_ups_of_ticket(ticket), key=lambda one: (one.due_at, one.follow_up_id)
    )
    ids = [str(one.follow_up_id) for one in found]
    if cursor is not None and cursor not in ids:
        raise InvalidInput("this cursor is not one of ours", field="cursor")
    start = ids.index(cursor) + 1 if cursor is not None else 0
    shown = found[start : start + limit]
    return Page(shown, ids[start + limit - 1] if start + limit < len(found) else None)
