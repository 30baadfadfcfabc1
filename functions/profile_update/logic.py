"""Whose touchpoint this is: find or create the profile, and tie the two together once."""

from collections.abc import Mapping
from datetime import datetime

from pydantic import JsonValue

from shared.domain.errors import Conflict, NotFound
from shared.domain.identity import (
    LONGEST_VALUE,
    Identifier,
    IdentifierType,
    IdentityPolicy,
    profile_id_from,
    strongest_first,
)
from shared.domain.journey import JourneyState, ProfileStep
from shared.domain.model import ProfileId
from shared.domain.profile import MergeSuggestion, Profile, Trait
from shared.domain.touchpoint import DeliveryStatus, Identification, Touchpoint, TouchpointState
from shared.events.catalogue import ProfileUpdated
from shared.ports import Ledger, LedgerEntry, PhoneNumbers, ProfileStore, ProfileTie

NOBODY = ProfileId("")
LARGEST_TRAIT = 2_000
"""Characters; a longer value stays in the ledger only."""
MOST_TRAITS = 40
"""Taken from one touchpoint; an UpdateItem holds no more."""
LARGEST_TRAITS = 100_000
LARGEST_IDENTIFIERS = 60_000
"""Bytes of all a profile holds. An item of DynamoDB has 400 KB; were it full, every journey of this
person would fail for ever, and anybody who can state traits could fill it. The rest is room for
journeys that race.
"""


def update_profile(
    step: JourneyState,
    *,
    ledger: Ledger,
    profiles: ProfileStore,
    policy: IdentityPolicy,
    phone_numbers: PhoneNumbers,
) -> ProfileStep:
    """Tie a touchpoint to its profile.

    Once done, it is done: a repeated step finds the touchpoint tied, and counts nothing twice.
    Raises Contention when another journey wrote the same items; the step is then tried again.
    """
    entry = ledger.read(step.touchpoint_id)
    if entry is None:
        raise NotFound("there is no such touchpoint")
    touchpoint = entry.touchpoint
    if isinstance(touchpoint.content, DeliveryStatus):
        return _advance_delivery(touchpoint, touchpoint.content, ledger=ledger, profiles=profiles)
    if entry.profile_id is not None:
        return _already_tied(entry)
    identifiers = normalise(touchpoint, policy=policy, phone_numbers=phone_numbers)
    if not identifiers:
        return _without_profile(touchpoint, profiles)
    try:
        return _attach(touchpoint, identifiers, profiles=profiles)
    except Conflict:
        tied = ledger.read(step.touchpoint_id)
        assert tied is not None, "nothing removes a touchpoint while its journey runs"
        return _already_tied(tied)


def normalise(
    touchpoint: Touchpoint, *, policy: IdentityPolicy, phone_numbers: PhoneNumbers
) -> tuple[Identifier, ...]:
    """The touchpoint's identifiers in the one form each has.

    What cannot be read identifies nobody.
    """
    region = policy.region_of(touchpoint.account)
    found = []
    for identifier in touchpoint.identifiers:
        value: str | None = identifier.value.strip()
        if identifier.type is IdentifierType.PHONE:
            value = phone_numbers.e164(identifier.value, region)
        elif identifier.type is IdentifierType.EMAIL:
            value = identifier.value.strip().lower()
        # A few capitals are two letters when small (İ), so a value may have grown.
        if value and len(value) <= LONGEST_VALUE:
            found.append(identifier.model_copy(update={"value": value}))
    return strongest_first(tuple(found))


def _attach(
    touchpoint: Touchpoint, identifiers: tuple[Identifier, ...], *, profiles: ProfileStore
) -> ProfileStep:
    owners = profiles.find(identifiers)
    known = [owners[one] for one in identifiers if one in owners]
    profile_id = known[0] if known else profile_id_from(identifiers[0])
    new = [one for one in identifiers if one not in owners]
    stated = _stated(touchpoint)
    profile = profiles.read(profile_id) if known and (new or stated) else None
    new_identifiers = _that_fit(new, profile)
    traits = _newer_traits(stated, touchpoint.occurred_at, profile)
    profiles.attach(
        ProfileTie(
            touchpoint=touchpoint,
            profile_id=profile_id,
            new_identifiers=new_identifiers,
            is_new=not known,
            traits=traits,
            suggestion=_suggestion(touchpoint, identifiers, owners),
            finished=not touchpoint.needs_understanding,
            event=_event(
                touchpoint,
                profile_id,
                is_new=not known,
                is_identified=bool(new_identifiers),
                is_changed=_say_something_new(traits, profile),
            ),
        )
    )
    why = (
        "created from its first identifier"
        if not known
        else f"found by {_kinds(owners, profile_id)}"
    )
    return _step(touchpoint, profile_id, why)


def _that_fit(new: list[Identifier], profile: Profile | None) -> tuple[Identifier, ...]:
    """Those a profile has room for. The others point to nobody: it is found by what it has."""
    room = LARGEST_IDENTIFIERS - sum(
        len(one.key.encode()) for one in (profile.identifiers if profile else ())
    )
    fitting = []
    for one in new:
        if (size := len(one.key.encode())) <= room:
            fitting.append(one)
            room -= size
    return tuple(fitting)


def _kinds(owners: Mapping[Identifier, ProfileId], profile_id: ProfileId) -> str:
    kinds = {one.type.value for one, owner in owners.items() if owner == profile_id}
    return ", ".join(sorted(kinds))


def _stated(touchpoint: Touchpoint) -> dict[str, JsonValue]:
    """What this touchpoint tells of the person, by name."""
    content = touchpoint.content
    stated = dict(content.traits) if isinstance(content, Identification) else {}
    if touchpoint.name:
        stated.setdefault("name", touchpoint.name)
    if touchpoint.language:
        stated.setdefault("language", touchpoint.language)
    return stated


def _newer_traits(
    stated: Mapping[str, JsonValue], at: datetime, profile: Profile | None
) -> dict[str, Trait]:
    """What is stated and nothing later has stated."""
    known = profile.traits if profile else {}
    newer = {
        name: Trait(value=value, at=at)
        for name, value in stated.items()
        if 0 < len(name) <= 100 and len(str(value)) <= LARGEST_TRAIT
        if name not in known or known[name].at < at
    }
    room = LARGEST_TRAITS - sum(_size(name, trait) for name, trait in known.items())
    fitting = {}
    for name, trait in sorted(newer.items())[:MOST_TRAITS]:
        growth = _size(name, trait) - (_size(name, known[name]) if name in known else 0)
        if growth <= room:
            fitting[name] = trait
            room -= growth
    return fitting


def _say_something_new(traits: Mapping[str, Trait], profile: Profile | None) -> bool:
    """The same value again only moves its time, so that a late older one does not replace it."""
    known = profile.traits if profile else {}
    return any(name not in known or known[name].value != one.value for name, one in traits.items())


def _size(name: str, trait: Trait) -> int:
    """Bytes in the profile's item: the name stands beside the value and beside its time."""
    return 2 * len(name.encode()) + len(trait.model_dump_json().encode())


def _suggestion(
    touchpoint: Touchpoint,
    identifiers: tuple[Identifier, ...],
    owners: Mapping[Identifier, ProfileId],
) -> MergeSuggestion | None:
    """Two profiles named in one breath may be one person.

    Of three it is always the same two; the third comes up once those are one.
    """
    named = {owners[one]: one.type.value for one in reversed(identifiers) if one in owners}
    if len(named) < 2:
        return None
    one, other = sorted(named)[:2]
    reason = f"one touchpoint carried a {named[one]} of the one and a {named[other]} of the other"
    return MergeSuggestion(
        profile_ids=(one, other),
        touchpoint_id=touchpoint.touchpoint_id,
        reason=reason,
        at=touchpoint.occurred_at,
    )


def _event(
    touchpoint: Touchpoint,
    profile_id: ProfileId,
    *,
    is_new: bool,
    is_identified: bool,
    is_changed: bool,
) -> ProfileUpdated | None:
    if not (is_new or is_identified or is_changed):
        return None
    change = "created" if is_new else "identified" if is_identified else "traits"
    return ProfileUpdated.model_validate(
        {"profile_id": profile_id, "touchpoint_id": touchpoint.touchpoint_id, "change": change}
    )


def _step(touchpoint: Touchpoint, profile_id: ProfileId, why: str) -> ProfileStep:
    next_step = "ai_classification" if touchpoint.needs_understanding else "nothing"
    return ProfileStep.model_validate(
        {"profile_id": profile_id, "next_step": next_step, "why": why}
    )


def _already_tied(entry: LedgerEntry) -> ProfileStep:
    assert entry.profile_id is not None
    if entry.state is TouchpointState.PROCESSED:
        return ProfileStep(
            profile_id=entry.profile_id, next_step="nothing", why="its journey ended before"
        )
    return _step(entry.touchpoint, entry.profile_id, "tied before")


def _without_profile(touchpoint: Touchpoint, profiles: ProfileStore) -> ProfileStep:
    """Nobody to tie it to: a message is understood all the same, anything else ends here."""
    if not touchpoint.needs_understanding:
        profiles.finish(touchpoint.touchpoint_id)
    return _step(touchpoint, NOBODY, "it names nobody")


def _advance_delivery(
    touchpoint: Touchpoint, status: DeliveryStatus, *, ledger: Ledger, profiles: ProfileStore
) -> ProfileStep:
    """A delivery status belongs to the message it speaks of, not to a person's timeline."""
    ledger.advance_delivery(touchpoint.provider, touchpoint.account, status)
    profiles.finish(touchpoint.touchpoint_id)
    return _step(touchpoint, NOBODY, f"the message is {status.status}")
