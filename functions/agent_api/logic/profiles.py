"""Profiles as the API shows them, and how one is found."""

from datetime import datetime

from pydantic import Field

from functions.agent_api.logic.paging import Listing
from functions.agent_api.logic.touchpoints import TouchpointView, touchpoint_view
from shared.domain.computed import Computed, computed
from shared.domain.errors import InvalidInput, NotFound
from shared.domain.identity import (
    LONGEST_SCOPE,
    LONGEST_VALUE,
    Identifier,
    IdentifierType,
    IdentityPolicy,
)
from shared.domain.model import Model, ProfileId
from shared.domain.profile import MergeSuggestion, Profile, Trait
from shared.domain.touchpoint import Channel, Direction
from shared.ports.ledger import Ledger
from shared.ports.profiles import IdentifierForms, ProfileStore
from shared.ports.providers import Clock


class ContactsView(Model):
    """How many touchpoints went this way on this channel."""

    direction: Direction
    channel: Channel
    number: int


class ProfileView(Computed):
    """The one view of a person: what is stored, and what follows from it now."""

    profile_id: ProfileId = Field(description="The one they are known by.")
    profile_ids: tuple[ProfileId, ...] = Field(description="All that are one with it.")
    identifiers: tuple[Identifier, ...]
    stated_identifiers: tuple[Identifier, ...] = Field(
        description="Said to be theirs and not proven; they join nobody."
    )
    traits: dict[str, Trait]
    contacts: tuple[ContactsView, ...]
    merge_suggestions: tuple[MergeSuggestion, ...] = Field(
        description="Profiles that may be the same person. A person decides."
    )


def read_profile(profile_id: ProfileId, *, profiles: ProfileStore, clock: Clock) -> ProfileView:
    return _view(existing(profile_id, profiles), profiles=profiles, clock=clock)


def existing(profile_id: ProfileId, profiles: ProfileStore) -> Profile:
    profile = profiles.read(profile_id)
    if profile is None:
        raise NotFound("there is no such profile")
    return profile


def _view(profile: Profile, *, profiles: ProfileStore, clock: Clock) -> ProfileView:
    contacts = sorted(profile.contacts.items())
    return ProfileView(
        **dict(computed(profile, clock.now())),
        profile_id=profile.profile_id,
        profile_ids=profile.profile_ids,
        identifiers=profile.identifiers,
        stated_identifiers=profile.stated_identifiers,
        traits=profile.traits,
        contacts=tuple(
            ContactsView(direction=direction, channel=channel, number=number)
            for (direction, channel), number in contacts
        ),
        merge_suggestions=tuple(profiles.suggestions(profile.profile_ids)),
    )


def find_profiles(
    identifier: str,
    *,
    policy: IdentityPolicy,
    forms: IdentifierForms,
    profiles: ProfileStore,
    clock: Clock,
) -> Listing[ProfileView]:
    """The person this identifier points to, and those of whom it was only said; or none."""
    named = read_identifier(identifier, policy, forms)
    graphs = profiles.known([one.profile_id for one in named]).graphs.values()
    keys = {one.key for one in named}
    stating = [
        person.profile_id
        for stored in graphs
        for person in stored.graph.persons
        if person.homes and keys & stored.graph.stated_of(person)
    ]
    read = map(profiles.read, [*(one.profile_id for one in named), *stating])
    found = {one.profile_id: one for one in read if one is not None}.values()
    return Listing(items=tuple(_view(profile, profiles=profiles, clock=clock) for profile in found))


def read_identifier(
    text: str, policy: IdentityPolicy, forms: IdentifierForms
) -> tuple[Identifier, ...]:
    """What `type:value` or `type:scope:value` may mean.

    A value may hold colons itself, so with two of them both readings count. Raises InvalidInput.
    """
    kind, _, rest = text.partition(":")
    if kind not in set(IdentifierType):
        known = ", ".join(IdentifierType)
        raise InvalidInput(f"must begin with one of these and a colon: {known}", field="identifier")
    scope, scoped, value = rest.partition(":")
    readings = [("", rest)] + ([(scope, value)] if scoped else [])
    found = [
        normal
        for scope, value in readings
        if 0 < len(value) <= LONGEST_VALUE and len(scope) <= LONGEST_SCOPE
        if (
            normal := forms.normal(
                _written(IdentifierType(kind), scope, value), policy.default_region
            )
        )
    ]
    if not found:
        raise InvalidInput(f"this is no {kind}", field="identifier")
    return tuple(found)


def _written(type_: IdentifierType, scope: str, value: str) -> Identifier:
    # A plus sign that nobody encoded arrives as a space.
    if type_ is IdentifierType.PHONE and value.startswith(" "):
        value = f"+{value.lstrip()}"
    return Identifier(type=type_, scope=scope, value=value)


def profile_ids_of(profile_id: ProfileId, profiles: ProfileStore) -> tuple[ProfileId, ...]:
    """All profiles of the person behind this one; itself where nothing is known of it."""
    profile = profiles.read(profile_id)
    return profile.profile_ids if profile is not None else (profile_id,)


def read_timeline(
    profile_id: ProfileId,
    *,
    since: datetime | None,
    limit: int,
    cursor: str | None,
    profiles: ProfileStore,
    ledger: Ledger,
) -> Listing[TouchpointView]:
    profile = existing(profile_id, profiles)
    page = ledger.timeline(profile.profile_ids, since=since, limit=limit, cursor=cursor)
    return Listing(items=tuple(map(touchpoint_view, page.items)), cursor=page.cursor)
