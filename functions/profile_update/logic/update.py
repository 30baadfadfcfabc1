"""Whose touchpoint this is: find or create the profile, and tie the two together once."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime

from pydantic import JsonValue

from functions.profile_update.logic.deliveries import advance_delivery, advance_until
from functions.profile_update.logic.provider_stops import heed, reopen
from functions.profile_update.logic.step import NOBODY, step_of
from shared.domain.account import Accounts
from shared.domain.activity import counts_of
from shared.domain.consent import consent_stated
from shared.domain.errors import Conflict, Contention, NotFound
from shared.domain.identity import Identifier, IdentityPolicy
from shared.domain.identity_claims import Claims, claims_of
from shared.domain.identity_graph import IdentityGraph, with_claims
from shared.domain.journey import JourneyState, ProfileStep
from shared.domain.model import ProfileId
from shared.domain.profile import Profile, Trait
from shared.domain.records import Standing, merged, record_of, that_fits
from shared.domain.segment import SegmentPolicy
from shared.domain.touchpoint import (
    ConsentStatement,
    DeliveryStatus,
    DeliveryWatermark,
    Identification,
    Touchpoint,
    TouchpointState,
    TrackedEvent,
)
from shared.events.catalogue import ProfileUpdated
from shared.merging import graph_change
from shared.ports.consents import ConsentStore
from shared.ports.ledger import Ledger, LedgerEntry
from shared.ports.profiles import IdentifierForms, Known, ProfileStore, ProfileTie, RecordChange

ATTEMPTS = 3
"""Two touchpoints of one person at once: reading again here is quicker than the journey's retry."""
NO_SEGMENTS = SegmentPolicy()
NO_ACCOUNTS = Accounts()
LARGEST_TRAIT = 2_000
"""Characters; a longer value stays in the ledger only."""
MOST_TRAITS = 40
"""Taken from one touchpoint; an UpdateItem holds no more."""
LARGEST_TRAITS = 100_000
"""Bytes of all a profile holds. An item of DynamoDB has 400 KB; were it full, every journey of this
person would fail for ever, and anybody who can state traits could fill it. The rest is room for
journeys that race.
"""


def update_profile(
    step: JourneyState,
    *,
    ledger: Ledger,
    profiles: ProfileStore,
    consents: ConsentStore,
    policy: IdentityPolicy,
    forms: IdentifierForms,
    segments: SegmentPolicy = NO_SEGMENTS,
    accounts: Accounts = NO_ACCOUNTS,
) -> ProfileStep:
    """Tie a touchpoint to its profile. `segments` tells what is worth an event of its own.

    What it states of a consent, and what a provider says about writing to an endpoint, is kept
    before: where something fails in between, both are done again.

    Once done, it is done: a repeated step finds the touchpoint tied, and counts nothing twice.
    Raises Contention when another journey wrote the same items; the step is then tried again.
    """
    entry = ledger.read(step.touchpoint_id)
    if entry is None:
        raise NotFound("there is no such touchpoint")
    touchpoint = entry.touchpoint
    if step.is_overtaken(entry.attempt):
        return _overtaken(entry)
    if isinstance(touchpoint.content, DeliveryStatus):
        heed(touchpoint, touchpoint.content.stop, consents)
        return advance_delivery(entry, touchpoint.content, ledger=ledger, profiles=profiles)
    if isinstance(touchpoint.content, DeliveryWatermark):
        identifiers, _ = normalise(touchpoint, policy=policy, accounts=accounts, forms=forms)
        claims = claims_of(touchpoint, identifiers, policy)
        return advance_until(
            entry, touchpoint.content, claims and claims.home, ledger=ledger, profiles=profiles
        )
    if isinstance(touchpoint.content, TrackedEvent):
        heed(touchpoint, touchpoint.content.stop, consents)
    if isinstance(touchpoint.content, TrackedEvent | ConsentStatement):
        reopen(touchpoint, touchpoint.content.lifts, consents)
    if entry.profile_id is not None:
        return _already_tied(entry, profiles)
    identifiers, unread = normalise(touchpoint, policy=policy, accounts=accounts, forms=forms)
    claims = claims_of(touchpoint, identifiers, policy)
    if claims is None:
        return _without_profile(entry, profiles)
    if (consent := consent_stated(touchpoint)) is not None:
        consents.state(claims.home.profile_id, consent)

    def attach() -> ProfileStep:
        return _attach(
            entry,
            claims,
            unread,
            profiles=profiles,
            policy=policy,
            forms=forms,
            segments=segments,
        )

    try:
        for _ in range(ATTEMPTS - 1):
            with suppress(Contention):
                return attach()
        return attach()
    except Conflict:
        tied = ledger.read(step.touchpoint_id)
        if tied is None:
            raise NotFound("this touchpoint was erased") from None
        if step.is_overtaken(tied.attempt):
            return _overtaken(tied)
        return _already_tied(tied, profiles)


def normalise(
    touchpoint: Touchpoint, *, policy: IdentityPolicy, accounts: Accounts, forms: IdentifierForms
) -> tuple[tuple[Identifier, ...], Mapping[str, JsonValue]]:
    """The touchpoint's identifiers in the one form each has, and as traits those without one:
    they identify nobody, and a person may still read them.
    """
    account = accounts.of(touchpoint.provider, touchpoint.account)
    region = account.region or policy.default_region
    found: list[Identifier] = []
    unread: dict[str, list[JsonValue]] = {}
    for identifier in touchpoint.identifiers:
        normal = forms.normal(identifier, region)
        if normal is None:
            unread.setdefault(f"unread_{identifier.type.value}", []).append(identifier.value)
        else:
            found.append(normal)
    return tuple(found), dict(unread)


def _attach(
    entry: LedgerEntry,
    claims: Claims,
    unread: Mapping[str, JsonValue],
    *,
    profiles: ProfileStore,
    policy: IdentityPolicy,
    forms: IdentifierForms,
    segments: SegmentPolicy,
) -> ProfileStep:
    touchpoint, home = entry.touchpoint, claims.home
    known = profiles.known([home.profile_id, *(one.profile_id for one in claims.others)])
    profile = known.profiles.get(home.profile_id)
    stored = known.graphs.get(home.profile_id)
    graph = _graph_with(claims, known, policy)
    is_changed = len(graph.identifiers) > 1 and (stored is None or stored.graph != graph)
    by = f"touchpoint:{touchpoint.touchpoint_id}"
    traits = _newer_traits(
        {**unread, **_stated(touchpoint, believed=claims.is_proven or profile is None)},
        touchpoint.occurred_at,
        profile,
    )
    record = _record_with(touchpoint, home.profile_id, profiles)
    person = graph.person_of(home.key)
    others = tuple(one for one in person.profile_ids if one != home.profile_id)
    profiles.attach(
        ProfileTie(
            touchpoint=touchpoint,
            home=home,
            profile=profile,
            graph_id=stored.graph_id if stored else None,
            graph=graph_change(_within(known, graph), graph, by=by) if is_changed else None,
            traits=traits,
            finished=not touchpoint.needs_understanding,
            event=_event(
                touchpoint,
                home.profile_id,
                is_new=profile is None,
                is_identified=is_changed,
                is_changed=_say_something_new(traits, profile),
                is_active=segments.concerns(touchpoint, profile, is_alone=not others),
            ),
            record=record,
            counts=_counts(touchpoint, record, profile),
            time_zone=forms.time_zone(home) if profile is None else None,
            attempt=entry.attempt,
            ties=known.ties.get(home.profile_id),
        )
    )
    return step_of(
        touchpoint,
        (home.profile_id, *others),
        _why(claims, is_new=profile is None, is_alone=not others),
    )


def _record_with(
    touchpoint: Touchpoint, home: ProfileId, profiles: ProfileStore
) -> RecordChange | None:
    """What its home knows of the order, the contract, … that this touchpoint tells of."""
    told = record_of(touchpoint)
    if told is None:
        return None
    before = profiles.record(home, told.key)
    return RecordChange(before, merged(told, before.record if before else None))


def _counts(
    touchpoint: Touchpoint, record: RecordChange | None, profile: Profile | None
) -> Standing:
    before = record.before.record if record and record.before else None
    counts = counts_of(touchpoint, record.after if record else None, before)
    if profile is None:
        return counts
    return that_fits(counts, profile.spend, profile.open_records)


def _graph_with(claims: Claims, known: Known, policy: IdentityPolicy) -> IdentityGraph:
    named = (claims.home, *claims.others)
    return with_claims(
        claims,
        {
            one.key: known.graphs[one.profile_id].graph
            for one in named
            if one.profile_id in known.graphs
        },
        frozenset(one.key for one in named if one.profile_id in known.profiles),
        policy,
    )


def _within(known: Known, graph: IdentityGraph) -> Known:
    """What is part of the graph: a tie for which it had no room left the other one out."""
    profile_ids = {Identifier.from_key(key).profile_id for key in graph.identifiers}
    return Known(
        {key: one for key, one in known.profiles.items() if key in profile_ids},
        {key: one for key, one in known.graphs.items() if key in profile_ids},
    )


def _why(claims: Claims, *, is_new: bool, is_alone: bool) -> str:
    kind = claims.home.type.value.replace("_", " ")
    proof = "proved" if claims.is_proven else "stated"
    person = "" if is_alone else ", one person with other profiles"
    return f"{'created from' if is_new else 'found by'} a {proof} {kind}{person}"


def _stated(touchpoint: Touchpoint, *, believed: bool) -> dict[str, JsonValue]:
    """What this touchpoint tells of the person, by name.

    What somebody calls themselves counts of who is known already only where they proved to be them:
    a forged mail renames nobody.
    """
    content = touchpoint.content
    stated = dict(content.traits) if isinstance(content, Identification) else {}
    if touchpoint.name and believed:
        stated.setdefault("name", touchpoint.name)
    if touchpoint.language and believed:
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
        if name not in known or known[name].stamp < Trait(value=value, at=at).stamp
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


def _event(
    touchpoint: Touchpoint,
    profile_id: ProfileId,
    *,
    is_new: bool,
    is_identified: bool,
    is_changed: bool,
    is_active: bool,
) -> ProfileUpdated | None:
    changes = {
        "created": is_new,
        "identified": is_identified,
        "traits": is_changed,
        "activity": is_active,
    }
    change = next((name for name, is_so in changes.items() if is_so), None)
    if change is None:
        return None
    # What people call themselves on a channel is nothing to compare them by.
    facts = isinstance(touchpoint.content, Identification) and bool(touchpoint.content.traits)
    return ProfileUpdated.model_validate(
        {
            "profile_id": profile_id,
            "touchpoint_id": touchpoint.touchpoint_id,
            "change": change,
            "has_facts": facts,
        }
    )


def _overtaken(entry: LedgerEntry) -> ProfileStep:
    return ProfileStep(
        profile_id=entry.profile_id or NOBODY,
        next_step="nothing",
        why="a later round of its journey is under way",
    )


def _already_tied(entry: LedgerEntry, profiles: ProfileStore) -> ProfileStep:
    assert entry.profile_id is not None
    if entry.state is TouchpointState.PROCESSED:
        return ProfileStep(
            profile_id=entry.profile_id, next_step="nothing", why="its journey ended before"
        )
    if not entry.touchpoint.needs_understanding:
        # A call that waits for nobody any more.
        profiles.finish(entry.touchpoint.touchpoint_id, entry.attempt)
    profile = profiles.read(entry.profile_id)
    others = () if profile is None else profile.profile_ids
    return step_of(
        entry.touchpoint,
        (entry.profile_id, *(one for one in others if one != entry.profile_id)),
        "tied before",
    )


def _without_profile(entry: LedgerEntry, profiles: ProfileStore) -> ProfileStep:
    """Nobody to tie it to: a message is understood all the same, anything else ends here."""
    if not entry.touchpoint.needs_understanding:
        profiles.finish(entry.touchpoint.touchpoint_id, entry.attempt)
    return step_of(entry.touchpoint, (), "it names nobody")
