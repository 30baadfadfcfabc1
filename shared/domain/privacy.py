"""What a person may ask of us: a copy of everything, and to be forgotten."""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from hmac import new as keyed
from typing import NewType
from urllib.parse import unquote_to_bytes

from pydantic import Field

from shared.domain.identity import Identifier, IdentifierType, IdentityPolicy
from shared.domain.identity_graph import IdentityGraph, settled
from shared.domain.model import Instant, Model, ProfileId
from shared.domain.touchpoint import Touchpoint

ErasureId = NewType("ErasureId", str)
ExportId = NewType("ExportId", str)
"""Drawn, not derived: an id that followed from the person could be computed from a phone number,
and the proof of an erasure must lead back to nobody (docs/decisions.md).
"""

RULE_VERSION = "1"
"""Of what an erasure reaches and how it searches. Raised with every change of it."""
FEWEST_PASSES = 2
"""The last pass found nothing, after every journey that was under way in the first has ended."""
MOST_PASSES = 50
STALLED_AFTER = timedelta(hours=1)
SHORTEST_SEARCHED = 6
"""Characters. A customer number of `42` stands in half of all requests, which are somebody
else's.
"""


class Reason(StrEnum):
    """Why a person is erased: Article 17(1) of the GDPR, as a closed list, since a free text would
    end up holding what is to be erased.
    """

    NO_LONGER_NEEDED = "no_longer_needed"
    CONSENT_WITHDRAWN = "consent_withdrawn"
    OBJECTION = "objection"
    UNLAWFUL = "unlawful"
    LEGAL_OBLIGATION = "legal_obligation"
    RESTORED_BACKUP = "restored_backup"
    """Erased before, and back with a restored backup."""


class ErasureState(StrEnum):
    RUNNING = "running"
    FAILED = "failed"
    """A step gave up after its retries; asking again goes on where it stopped."""
    DONE = "done"


class Erasure(Model):
    """An erasure under way. What it knows of the person is deleted with it."""

    erasure_id: ErasureId
    profile_ids: tuple[ProfileId, ...] = Field(min_length=1)
    """The one they were known by first."""
    identifiers: tuple[str, ...] = ()
    """By their keys."""
    reason: Reason
    by: str
    """The agent's id."""
    requested_at: Instant
    state: ErasureState = ErasureState.RUNNING
    attempt: int = 1
    run: str = ""
    """The execution that is at work. Another one of the same attempt is a repeated event."""
    run_attempt: int = 0
    touched_at: Instant
    """When a step last kept how far it is."""
    passes: int = 0
    before_pass: int = 0
    """How much was deleted before the pass that is under way."""
    looked_at: int = 0
    """Items of the ledger that the pass under way has searched."""
    position: str | None = None
    """Where that search goes on."""
    counts: dict[str, int] = {}
    """What was deleted, by kind."""

    def is_stalled(self, now: datetime) -> bool:
        """Whether asking again is to make it go on."""
        return self.state is ErasureState.FAILED or now - self.touched_at > STALLED_AFTER

    @property
    def deleted(self) -> int:
        return sum(self.counts.values())

    @property
    def found_nothing(self) -> bool:
        return self.deleted == self.before_pass


class ErasureProof(Model):
    """That somebody was erased, without saying who."""

    erasure_id: ErasureId
    reason: Reason
    by: str
    requested_at: Instant
    done_at: Instant
    passes: int
    counts: dict[str, int]
    not_searched: int
    """Identifiers too short, or too freely chosen, to be searched for in requests that nobody could
    read.
    """
    subjects: tuple[str, ...]
    """Digests of the erased profile ids: with the key, and only with it, a restored backup can be
    erased again.
    """
    rule_version: str = RULE_VERSION


def digest_of(profile_id: ProfileId, key: bytes) -> str:
    return keyed(key, profile_id.encode(), sha256).hexdigest()


def proof_of(erasure: Erasure, done_at: Instant, key: bytes) -> ErasureProof:
    return ErasureProof(
        erasure_id=erasure.erasure_id,
        reason=erasure.reason,
        by=erasure.by,
        requested_at=erasure.requested_at,
        done_at=done_at,
        passes=erasure.passes,
        counts=erasure.counts,
        not_searched=len(_not_searched(erasure.identifiers)),
        subjects=tuple(sorted(digest_of(one, key) for one in erasure.profile_ids)),
    )


class ExportState(StrEnum):
    RUNNING = "running"
    FAILED = "failed"
    READY = "ready"


class Export(Model):
    """A copy of everything known of a person, being made or ready."""

    export_id: ExportId
    profile_ids: tuple[ProfileId, ...] = Field(min_length=1)
    by: str
    language: str
    """Of the readable page."""
    requested_at: Instant
    expires_at: Instant
    state: ExportState = ExportState.RUNNING
    attempt: int = 1
    run: str = ""
    run_attempt: int = 0
    section: int = 0
    """Which of the sections is being collected."""
    position: str | None = None
    """Where in it to go on."""
    parts: int = 0
    """How many pages are collected."""


# Searching by value


INVENTED_BY_BROWSERS = frozenset({IdentifierType.WEB_USER, IdentifierType.WEB_ANONYMOUS})
"""Whoever has a browser's public key chooses these ids. Named after a word of all requests, one
that is erased would take everybody's with it; so only what was evidently drawn is searched.
"""
_DRAWN = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def _not_searched(keys: Iterable[str]) -> set[str]:
    identifiers = map(Identifier.from_key, keys)
    return {value for one in identifiers if not _tells(one, value := _sought(one))}


def _tells(identifier: Identifier, value: str) -> bool:
    """Whether finding it says whose a request is."""
    if identifier.type in INVENTED_BY_BROWSERS:
        return _DRAWN.fullmatch(value) is not None
    return len(value) >= SHORTEST_SEARCHED


def _sought(identifier: Identifier) -> str:
    """As it stands in requests: a phone is written with a plus, with 00 or with nothing before."""
    if identifier.type is IdentifierType.PHONE:
        return identifier.value.lstrip("+")
    return identifier.value.lower()


class Search:
    """Finds identifiers in raw requests: as words of their own, whatever the case, and also where
    they are percent-encoded, as forms are.
    """

    def __init__(self, keys: Iterable[str]) -> None:
        self._keys = frozenset(keys)
        identifiers = map(Identifier.from_key, self._keys)
        values = sorted({value for one in identifiers if _tells(one, value := _sought(one))})
        alternatives = b"|".join(re.escape(value.encode()) for value in values)
        # 00 and + stand before a phone; no other letter or digit may touch the value.
        one = rb"(?:00)?(?:" + alternatives + rb")"
        self._pattern = re.compile(rb"(?<![0-9a-z])" + one + rb"(?![0-9a-z])") if values else None
        self._whole = re.compile(rb"\+?" + one) if values else None

    def finds(self, content: bytes) -> bool:
        if self._pattern is None:
            return False
        small = content.lower()
        return bool(
            self._pattern.search(small)
            or (b"%" in small and self._pattern.search(unquote_to_bytes(small).lower()))
        )

    def names(self, touchpoint: Touchpoint) -> bool:
        """Whether it is from them or to them, whatever it speaks of."""
        said = [one.value for one in touchpoint.identifiers]
        said += [touchpoint.endpoint.address] if touchpoint.endpoint else []
        exactly = any(one.key in self._keys for one in touchpoint.identifiers)
        return exactly or any(map(self._is, said))

    def _is(self, value: str) -> bool:
        """Whether it is one of them, and does not merely contain one: `example.com` is nobody's
        address.
        """
        small = value.strip().lower().encode()
        return self._whole is not None and self._whole.fullmatch(small) is not None


# The identity graph


def theirs(
    graph: IdentityGraph, profile_id: ProfileId, until: datetime, policy: IdentityPolicy
) -> frozenset[str]:
    """The identifiers of the person behind a profile, and those stated of them that are nobody
    else's: without a history, and tied to nobody but them.

    As things stood at a moment: whoever is tied to them while they are erased is not erased too.
    """
    then = graph.model_copy(update={"ties": tuple(one for one in graph.ties if one.at <= until)})
    graph = settled(then, policy)
    person = graph.person_with(profile_id)
    if person is None:
        return frozenset()
    stated = {key for key in graph.stated_of(person) if not graph.person_of(key).homes}
    mine = person.identifiers | stated
    shared = {
        key
        for one in graph.ties
        if len(set(one.pair) & mine) == 1
        for key in set(one.pair) & stated
    }
    return frozenset(mine - shared)


def without(
    graph: IdentityGraph, keys: Sequence[str], policy: IdentityPolicy
) -> IdentityGraph | None:
    """The graph without these identifiers and all that ties them; None where nobody is left."""
    left = graph.identifiers - set(keys)
    if not left:
        return None
    ties = tuple(one for one in graph.ties if set(one.pair) <= left)
    smaller = IdentityGraph(identifiers=left, homes=graph.homes & left, ties=ties)
    return settled(smaller, policy)
