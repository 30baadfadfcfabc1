"""The one view of a person.

Each identifier has a profile of its own, which nothing moves; a person is known by one of them and
holds what all of theirs hold (`as_one`).
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from hashlib import sha256
from typing import Any, TypeVar

from pydantic import Field, JsonValue, model_validator

from shared.domain.identity import Identifier
from shared.domain.identity_graph import IdentityGraph, Person
from shared.domain.model import Instant, Model, ProfileId, TouchpointId, isoformat
from shared.domain.records import Standing
from shared.domain.touchpoint import Channel, Direction

MOST_MOODS = 20

K = TypeVar("K")
T = TypeVar("T")


class Trait(Model):
    """A stored fact; the newest statement wins, whatever order they arrive in."""

    value: JsonValue
    at: Instant

    @property
    def stamp(self) -> str:
        """Sorts by time; of two at the same instant the value decides, whichever came first."""
        digest = sha256(json.dumps(self.value, sort_keys=True).encode()).hexdigest()[:4]
        return f"{isoformat(self.at)}#{digest}"


class LearnedLanguage(Model):
    touchpoint_id: TouchpointId = TouchpointId("")
    language: str
    at: Instant


class Mood(Model):
    """How a person felt when they wrote: -1 to 1."""

    touchpoint_id: TouchpointId = TouchpointId("")
    at: Instant
    score: float = Field(ge=-1, le=1)
    sentiment: str


class Profile(Model):
    """Computed attributes change by addition and by the latest moment, so journeys commute."""

    profile_id: ProfileId
    profile_ids: tuple[ProfileId, ...] = ()
    """All that are one with it, itself first; what it holds is what they hold together."""
    created_at: Instant
    identifiers: tuple[Identifier, ...] = ()
    stated_identifiers: tuple[Identifier, ...] = ()
    """What was said of them and not proven; it joins nobody."""
    traits: dict[str, Trait] = {}
    contacts: dict[tuple[Direction, Channel], int] = {}
    """Touchpoints by way and medium."""
    last_at: dict[Direction, Instant] = {}
    first_at: Instant | None = None
    hours: dict[int, int] = {}
    """Touchpoints from them by hour of the day in UTC."""
    spend: dict[str, int] = {}
    """By currency, in thousandths: 64.80 euros are 64800."""
    purchases: int = 0
    last_purchase_at: Instant | None = None
    """When they last bought something, even if they gave it back since."""
    last_use_at: Instant | None = None
    """When they last did something by themselves: on a site, in an app, in a store."""
    records: int = 0
    """Orders, contracts, appointments, returns and claims they have or had."""
    open_records: frozenset[str] = frozenset()
    """`order#4512`: what the company or the person still has to do."""
    learned_language: LearnedLanguage | None = None
    learned_time_zone: str | None = None
    """An IANA name, from where their phone is registered."""
    moods: tuple[Mood, ...] = ()
    """The latest, newest first."""

    @model_validator(mode="before")
    @classmethod
    def _is_one_of_its_own(cls, fields: dict[str, Any]) -> dict[str, Any]:
        return {"profile_ids": (fields["profile_id"],), **fields}

    @property
    def preferred_channel(self) -> Channel | None:
        """Stated, or where this person speaks to us most often; None before they ever did."""
        stated = self._stated("preferred_channel")
        if stated in set(Channel):
            return Channel(stated)
        spoken = {
            channel: n
            for (direction, channel), n in self.contacts.items()
            if direction is Direction.INBOUND
        }
        return max(spoken, key=lambda channel: (spoken[channel], channel), default=None)

    @property
    def language(self) -> str | None:
        """The language to write in: stated before learned."""
        stated = self._stated("language") or self._stated("locale")
        if stated:
            return stated.replace("_", "-").split("-")[0].lower()
        return self.learned_language.language if self.learned_language else None

    def keeper_of(self, profile_id: ProfileId) -> ProfileId:
        """Where what is said of one of their profiles is kept and read again: with itself, or with
        the one they are known by where it has no history.
        """
        return profile_id if profile_id in self.profile_ids else self.profile_id

    def _stated(self, name: str) -> str | None:
        trait = self.traits.get(name)
        return trait.value if trait is not None and isinstance(trait.value, str) else None


def as_one(person: Person, graph: IdentityGraph, profiles: Sequence[Profile]) -> Profile:
    """What all profiles of a person hold together, under the one they are known by."""
    return reduce(
        _with, sorted(profiles, key=lambda one: (one.created_at, one.profile_id))
    ).model_copy(
        update={
            "profile_id": person.profile_id,
            "profile_ids": person.profile_ids,
            "identifiers": _identifiers(person.identifiers),
            "stated_identifiers": _identifiers(graph.stated_of(person)),
        }
    )


def _identifiers(keys: Iterable[str]) -> tuple[Identifier, ...]:
    return tuple(Identifier.from_key(key) for key in sorted(keys))


def _with(one: Profile, other: Profile) -> Profile:
    traits = dict(one.traits)
    for name, trait in other.traits.items():
        if name not in traits or trait.stamp > traits[name].stamp:
            traits[name] = trait
    moods = sorted((*one.moods, *other.moods), key=lambda mood: mood.at, reverse=True)
    return Profile(
        profile_id=one.profile_id,
        profile_ids=one.profile_ids,
        created_at=min(one.created_at, other.created_at),
        traits=traits,
        contacts=_sums(one.contacts, other.contacts),
        last_at=_latest(one.last_at, other.last_at),
        first_at=min(_there(one.first_at, other.first_at), default=None),
        hours=_sums(one.hours, other.hours),
        spend=_sums(one.spend, other.spend),
        purchases=one.purchases + other.purchases,
        last_purchase_at=max(_there(one.last_purchase_at, other.last_purchase_at), default=None),
        last_use_at=max(_there(one.last_use_at, other.last_use_at), default=None),
        records=one.records + other.records,
        open_records=one.open_records | other.open_records,
        learned_language=max(
            _there(one.learned_language, other.learned_language),
            key=lambda learned: (learned.at, learned.touchpoint_id, learned.language),
            default=None,
        ),
        learned_time_zone=one.learned_time_zone or other.learned_time_zone,
        moods=tuple(moods[:MOST_MOODS]),
    )


def _sums(one: Mapping[K, int], other: Mapping[K, int]) -> dict[K, int]:
    return {key: one.get(key, 0) + other.get(key, 0) for key in {**one, **other}}


def _latest(one: Mapping[K, Instant], other: Mapping[K, Instant]) -> dict[K, Instant]:
    return {key: max(_there(one.get(key), other.get(key))) for key in {**one, **other}}


def _there(*values: T | None) -> list[T]:
    return [value for value in values if value is not None]


def counting(profile: Profile, change: Standing) -> Profile:
    """With this added to its sums; a currency of which nothing is left is gone."""
    spend = _sums(profile.spend, change.spend)
    return profile.model_copy(
        update={
            "records": profile.records + change.records,
            "spend": {currency: amount for currency, amount in spend.items() if amount},
            "purchases": profile.purchases + change.purchases,
            "open_records": (profile.open_records - change.closed) | change.opened,
        }
    )


class MergeSuggestion(Model):
    """Two profiles that may be one person's. A person decides."""

    profile_ids: tuple[ProfileId, ProfileId]
    """In sorted order: the same pair is the same suggestion."""
    reason: str
    """In plain words, without what it speaks of."""
    score: float | None = Field(default=None, ge=0, le=1)
    """How probable it is that they are one, where their facts were compared."""
    by: str
    """`touchpoint:<id>`, or `model:<version>`."""
    at: Instant
