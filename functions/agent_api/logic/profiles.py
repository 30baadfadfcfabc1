"""Profiles as the API shows them, and how one is found."""

from datetime import datetime

from pydantic import Field

from functions.agent_api.logic.paging import Listing
from functions.agent_api.logic.touchpoints import TouchpointView, touchpoint_view
from shared.domain.errors import InvalidInput, NotFound
from shared.domain.identity import (
    LONGEST_SCOPE,
    LONGEST_VALUE,
    Identifier,
    IdentifierType,
    IdentityPolicy,
)
from shared.domain.model import Instant, Model, ProfileId
from shared.domain.profile import MergeSuggestion, Profile, Trait
from shared.domain.touchpoint import Channel, Direction
from shared.ports import Ledger, PhoneNumbers, ProfileStore


class ContactsView(Model):
    """How many touchpoints went this way on this channel."""

    direction: Direction
    channel: Channel
    number: int


class ProfileView(Model):
    """The one view of a person."""

    profile_id: ProfileId
    identifiers: tuple[Identifier, ...]
    traits: dict[str, Trait]
    language: str | None = Field(description="The language to write in: stated before learned.")
    time_zone: str | None
    preferred_channel: Channel | None = Field(description="Where they speak to us most often.")
    contacts: tuple[ContactsView, ...]
    first_contact_at: Instant = Field(description="When the first touchpoint reached us.")
    last_contact_at: Instant | None = Field(description="When the latest touchpoint happened.")
    merge_suggestions: tuple[MergeSuggestion, ...] = Field(
        description="Profiles that may be the same person. A person decides."
    )


def read_profile(profile_id: ProfileId, *, profiles: ProfileStore, ledger: Ledger) -> ProfileView:
    return _view(_existing(profile_id, profiles), profiles=profiles, ledger=ledger)


def _existing(profile_id: ProfileId, profiles: ProfileStore) -> Profile:
    profile = profiles.read(profile_id)
    if profile is None:
        raise NotFound("there is no such profile")
    return profile


def _view(profile: Profile, *, profiles: ProfileStore, ledger: Ledger) -> ProfileView:
    latest = ledger.timeline(profile.profile_id, limit=1).items
    contacts = sorted(profile.contacts.items())
    return ProfileView(
        profile_id=profile.profile_id,
        identifiers=profile.identifiers,
        traits=profile.traits,
        language=profile.language,
        time_zone=profile.time_zone,
        preferred_channel=profile.preferred_channel,
        contacts=tuple(
            ContactsView(direction=direction, channel=channel, number=number)
            for (direction, channel), number in contacts
        ),
        first_contact_at=profile.created_at,
        last_contact_at=latest[0].touchpoint.occurred_at if latest else None,
        merge_suggestions=tuple(profiles.suggestions(profile.profile_id)),
    )


def find_profiles(
    identifier: str,
    *,
    policy: IdentityPolicy,
    phone_numbers: PhoneNumbers,
    profiles: ProfileStore,
    ledger: Ledger,
) -> Listing[ProfileView]:
    """The profile this identifier points to, or none."""
    owners = profiles.find(read_identifier(identifier, policy, phone_numbers))
    found = [profiles.read(owner) for owner in dict.fromkeys(owners.values())]
    return Listing(
        items=tuple(
            _view(profile, profiles=profiles, ledger=ledger)
            for profile in found
            if profile is not None
        )
    )


def read_identifier(
    text: str, policy: IdentityPolicy, phone_numbers: PhoneNumbers
) -> tuple[Identifier, ...]:
    """What `type:value` or `type:scope:value` may mean.

    A value may hold colons itself, so with two of them both readings count. Raises InvalidInput.
    """
    kind, _, rest = text.partition(":")
    if kind not in set(IdentifierType):
        known = ", ".join(IdentifierType)
        raise InvalidInput(f"must begin with one of these and a colon: {known}", field="identifier")
    type_ = IdentifierType(kind)
    scope, scoped, value = rest.partition(":")
    readings = [("", rest)] + ([(scope, value)] if scoped else [])
    found = [
        Identifier(type=type_, scope=scope, value=normal)
        for scope, value in readings
        if (normal := _normal(type_, value, policy, phone_numbers))
        if len(scope) <= LONGEST_SCOPE and len(normal) <= LONGEST_VALUE
    ]
    if not found:
        raise InvalidInput(f"this is no {kind}", field="identifier")
    return tuple(found)


def _normal(
    type_: IdentifierType, value: str, policy: IdentityPolicy, phone_numbers: PhoneNumbers
) -> str | None:
    if type_ is IdentifierType.PHONE:
        # A plus sign that nobody encoded arrives as a space.
        international = f"+{value.lstrip()}" if value.startswith(" ") else value
        return phone_numbers.e164(international, policy.default_region)
    return value.strip().lower() if type_ is IdentifierType.EMAIL else value.strip()


def read_timeline(
    profile_id: ProfileId,
    *,
    since: datetime | None,
    limit: int,
    cursor: str | None,
    profiles: ProfileStore,
    ledger: Ledger,
) -> Listing[TouchpointView]:
    _existing(profile_id, profiles)
    page = ledger.timeline(profile_id, since=since, limit=limit, cursor=cursor)
    return Listing(items=tuple(map(touchpoint_view, page.items)), cursor=page.cursor)
