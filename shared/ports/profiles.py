"""People: who they are, what is known of them, who may be the same."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple, Protocol

from shared.domain.model import ProfileId, TouchpointId
from shared.domain.touchpoint import Touchpoint

# Every function imports this module; those that know nothing of tickets need not build theirs.
if TYPE_CHECKING:
    from shared.domain.identity import Identifier
    from shared.domain.identity_graph import IdentityGraph
    from shared.domain.profile import LearnedLanguage, MergeSuggestion, Mood, Profile, Trait
    from shared.domain.records import Record, RecordKind, Standing
    from shared.events.envelope import Event
from shared.ports.paging import Page


class StoredGraph(NamedTuple):
    """`version` counts its writes: whoever writes it next must have read this one."""

    graph_id: str
    version: int
    graph: IdentityGraph


class GraphChange(NamedTuple):
    """Identity graphs that become one, or one that changes."""

    before: tuple[StoredGraph, ...]
    after: IdentityGraph
    event: Event | None
    """Where persons merged or separated by it."""
    suggestions: tuple[MergeSuggestion, ...] = ()
    """Of those who may be one person from now on, and are not."""


class Ties(NamedTuple):
    """How many touchpoints were ever counted at a profile, and which of them last before it was
    tied; None where all were tied in the same write.
    """

    number: int
    last: TouchpointId | None


class Known(NamedTuple):
    """What the store holds of some profiles. Strongly consistent."""

    profiles: Mapping[ProfileId, Profile]
    """Each by itself, where it has a history."""
    graphs: Mapping[ProfileId, StoredGraph]
    """Of those whose identifier is tied to another."""
    ties: Mapping[ProfileId, Ties] = MappingProxyType({})
    """Of those that have a history, where the store needs to be told of them again."""


class StoredRecord(NamedTuple):
    """`version` counts its writes: whoever writes it next must have read this one."""

    record: Record
    version: int


class RecordChange(NamedTuple):
    """What a profile knows of a record, and what it knows with one more version."""

    before: StoredRecord | None
    after: Record


class ProfileTie(NamedTuple):
    """What `profile_update` decided to write, once."""

    touchpoint: Touchpoint
    home: Identifier
    profile: Profile | None
    """The home's, as it was read; None where this touchpoint is its first."""
    graph_id: str | None
    """The identity graph that the home was in when it was read."""
    graph: GraphChange | None
    traits: Mapping[str, Trait]
    finished: bool
    """Whether the touchpoint's journey ends here."""
    event: Event | None
    counts: Standing
    """What it adds to the home's sums."""
    record: RecordChange | None = None
    """Of the home, where the touchpoint tells of an order, a contract, …"""
    time_zone: str | None = None
    """Where the home tells one, with its first touchpoint."""
    attempt: int = 1
    """The round of its journey in which the touchpoint was read."""
    ties: Ties | None = None
    """Of the home, as they were read."""

    @property
    def profile_id(self) -> ProfileId:
        return self.home.profile_id


class ProfileStore(Protocol):
    def known(self, profile_ids: Sequence[ProfileId]) -> Known:
        """Each profile by itself, and the identity graphs they are in.

        Raises Contention where a graph was changed while it was read.
        """

    def read(self, profile_id: ProfileId) -> Profile | None:
        """The person behind this profile: all that is theirs, under the id they are known by."""

    def attach(self, tie: ProfileTie) -> None:
        """Tie a touchpoint to its home: counters, traits, identity graph, suggestions and the
        ledger entry. Where it breaks off, the same again goes on, and counts nothing twice.

        Raises Contention when another journey changed one of them first, Conflict when this
        touchpoint already has its profile, or a later round of its journey began.
        """

    def change_graph(self, change: GraphChange) -> None:
        """Write what a person decided.

        Raises Contention when a graph or one of its profiles is no longer as it was read.
        """

    def was_erased(self, profile_id: ProfileId) -> bool: ...

    def finish(self, touchpoint_id: TouchpointId, attempt: int, event: Event | None = None) -> None:
        """End the journey of a touchpoint that no profile can be tied to, or that has its profile.

        Raises Contention where a later round of it began.
        """

    def learn(
        self,
        profile_id: ProfileId,
        touchpoint_id: TouchpointId,
        language: LearnedLanguage | None,
        mood: Mood | None,
        event: Event | None = None,
    ) -> None:
        """Keep what one message taught: the latest languages and moods.

        None takes back what the same message taught before. `event` is stated where that makes
        another language of theirs, or another mood of a message that was known. Raises Contention.
        """

    def record(self, profile_id: ProfileId, key: str) -> StoredRecord | None:
        """What one profile was told of a record (`order#4512`). Strongly consistent."""

    def records(
        self,
        profile_ids: Sequence[ProfileId],
        kind: RecordKind | None = None,
        *,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page[Record]:
        """What all these profiles know together, each record once, by kind and number."""

    def suggest(self, suggestion: MergeSuggestion) -> bool:
        """False where the two are one person already, or somebody decided that they are not."""

    def suggestions(self, profile_ids: Sequence[ProfileId]) -> list[MergeSuggestion]:
        """Those still open that name one of these profiles."""

    def suggestions_open(
        self, *, limit: int = 50, cursor: str | None = None
    ) -> Page[MergeSuggestion]:
        """The review queue, the most probable first. A page may be shorter than its limit."""


class MatchIndex(Protocol):
    """Which profiles have a blocking key in common (`match_facts.blocking_keys`)."""

    def put(self, profile_id: ProfileId, keys: Collection[str]) -> None:
        """From now on a profile has exactly these keys.

        Raises Contention where somebody else changes them, or the profile is being erased.
        """

    def find(self, keys: Collection[str], *, most: int) -> list[ProfileId]:
        """Whoever has one of these keys, those that have most of them first.

        A key that more than `most` profiles have finds nobody. Strongly consistent.
        """

    def profile_ids(self, *, limit: int = 100, cursor: str | None = None) -> Page[ProfileId]:
        """Every profile with a history, in no order, for a batch: it reads the whole table.

        `limit` counts what is looked at, so a page may be short, or empty.
        """


class PhoneNumbers(Protocol):
    def e164(self, value: str, region: str | None = None) -> str | None:
        """`+33612345678`, the one form of a number that can be one person's; else None.

        `region`: the ISO 3166 country in which a number without a country code was written.
        """

    def time_zone(self, e164: str) -> str | None:
        """The IANA time zone of the number's country, where it keeps one time; else None."""


class MailAddresses(Protocol):
    def normal(self, value: str) -> str | None:
        """`name@example.com`, the one form of an address; None when it is none."""


class IdentifierForms(Protocol):
    def normal(self, identifier: Identifier, region: str) -> Identifier | None:
        """The one form of an identifier as a provider gave it; None when it is none of its type.

        `region`: the ISO 3166 country in which a phone number without a country code is read.
        """

    def time_zone(self, identifier: Identifier) -> str | None:
        """The IANA time zone that an identifier in its one form tells: a phone number's country."""
