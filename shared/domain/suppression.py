"""Suppressions: hard stops on an endpoint, on an address or on a person, and how they are lifted.

Each is kept under its subject, which names no address in clear: so it outlives the erasure of the
person, and who said STOP is not written to again.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Literal, Self, TypeVar

from pydantic import Field

from shared.domain.model import Instant, Model, ProfileId, TouchpointId
from shared.domain.sending import MessageClass
from shared.domain.touchpoint import Channel, Endpoint, Stop

HELP_AGAIN_AFTER = timedelta(hours=1)
"""Two machines that ask each other for help would go on for ever."""


class SuppressionKind(StrEnum):
    """Why nothing may be sent. Each kind is suppressed and released by itself."""

    OPT_OUT = "opt_out"
    BOUNCE = "bounce"
    """The address does not exist, or never takes a message."""
    COMPLAINT = "complaint"
    PROVIDER_BLOCK = "provider_block"
    LEGAL = "legal"
    MANUAL = "manual"


EVERYWHERE = frozenset({SuppressionKind.BOUNCE, SuppressionKind.COMPLAINT})
"""These are said of an address, whichever of our lines wrote to it; the others of one endpoint."""

_TOLD = {
    SuppressionKind.OPT_OUT: "the person opted out at the provider",
    SuppressionKind.BOUNCE: "the address takes no messages",
    SuppressionKind.COMPLAINT: "the person complained to their mail provider",
    SuppressionKind.PROVIDER_BLOCK: "the provider blocks messages to this address",
}

BY_PROVIDER = "provider:"
"""How the `by` of a statement begins that a provider told."""

RELEASED_BY_WORD = (SuppressionKind.OPT_OUT, SuppressionKind.PROVIDER_BLOCK)
"""What a person lifts from their own endpoint, by the word that opts in."""

Classes = Literal["all", "marketing"]

NoticeTemplate = Literal[
    "opt_out_confirmed", "offers_opt_out_confirmed", "opt_in_confirmed", "help"
]
"""In `policies/templates.yaml`."""

StatementT = TypeVar("StatementT", "Suppression", "Release")


def endpoint_subject(endpoint: Endpoint) -> str:
    """Of one person on one channel through one line of ours."""
    address = _normal(endpoint.address)
    return _hidden(endpoint.channel, endpoint.provider, endpoint.account, address)


def address_subject(channel: Channel, address: str) -> str:
    """Of an address, through any line."""
    return _hidden(channel, _normal(address))


def person_subject(profile_id: ProfileId) -> str:
    return f"profile#{profile_id}"


def subjects_of(endpoint: Endpoint, profile_ids: Iterable[ProfileId]) -> tuple[str, ...]:
    """All that may stop a message to this endpoint of this person."""
    return (
        endpoint_subject(endpoint),
        address_subject(endpoint.channel, endpoint.address),
        *map(person_subject, profile_ids),
    )


def _normal(address: str) -> str:
    """The same address as every provider writes it: a phone with or without its plus, mail in any
    case.
    """
    return address.strip().lower().removeprefix("+")


def _hidden(*parts: str) -> str:
    return f"endpoint#{sha256('|'.join(parts).encode()).hexdigest()}"


class Suppression(Model):
    """The statement that nothing, or no marketing, may be sent to a subject."""

    kind: SuppressionKind
    classes: Classes = "all"
    reason: str = Field(min_length=1, max_length=200)
    """In plain words, without the address."""
    by: str = Field(max_length=120)
    """`word:<rule>`, `provider:<name>`, `agent:<id>`, `preference_page`."""
    at: Instant
    touchpoint_id: TouchpointId | None = None

    def stops(self, message_class: MessageClass) -> bool:
        return self.classes == "all" or message_class is MessageClass.MARKETING


class Release(Model):
    """The statement that a suppression of this kind is lifted."""

    kind: SuppressionKind
    reason: str = Field(min_length=1, max_length=200)
    by: str = Field(max_length=120)
    at: Instant
    touchpoint_id: TouchpointId | None = None


def told_by_provider(
    endpoint: Endpoint, stop: Stop, at: datetime, touchpoint_id: TouchpointId | None
) -> tuple[str, Suppression]:
    """What a provider's word about an endpoint suppresses, and under which subject."""
    kind = SuppressionKind(stop.kind)
    suppression = Suppression(
        kind=kind,
        classes=stop.classes,
        reason=_TOLD[kind],
        by=f"{BY_PROVIDER}{endpoint.provider}",
        at=at,
        touchpoint_id=touchpoint_id,
    )
    return _subject_of(endpoint, kind), suppression


def lifted_by_provider(
    endpoint: Endpoint, stop: Stop, at: datetime, touchpoint_id: TouchpointId
) -> tuple[str, Release]:
    """What a provider's word that an endpoint is open again releases, and under which subject.

    Only what the provider itself had stopped: who said STOP in words has not taken that back.
    """
    kind = SuppressionKind(stop.kind)
    release = Release(
        kind=kind,
        reason="the person takes messages at the provider again",
        by=f"{BY_PROVIDER}{endpoint.provider}",
        at=at,
        touchpoint_id=touchpoint_id,
    )
    return _subject_of(endpoint, kind), release


def _subject_of(endpoint: Endpoint, kind: SuppressionKind) -> str:
    if kind in EVERYWHERE:
        return address_subject(endpoint.channel, endpoint.address)
    return endpoint_subject(endpoint)


class NoticeState(StrEnum):
    PENDING = "pending"
    SENDING = "sending"
    """Claimed by one delivery, which is talking to the provider."""
    SENT = "sent"
    REFUSED = "refused"
    UNCONFIRMED = "unconfirmed"
    """The provider may or may not have it. It is never sent twice."""


class Notice(Model):
    """One message that a word calls for: that it was understood, or what can be asked here.

    It goes to the endpoint of the touchpoint it answers.
    """

    template: NoticeTemplate
    touchpoint_id: TouchpointId
    at: Instant
    state: NoticeState = NoticeState.PENDING
    claimed_at: Instant | None = None
    failures: int = 0
    """How often the provider could not be reached."""
    held: int = 0
    """How often it waited for an account that nobody asks: no failure of the notice."""
    result: str | None = Field(default=None, max_length=300)
    sent_as: TouchpointId | None = None
    """The outbound touchpoint it became."""

    @property
    def about(self) -> Literal["subscription", "help"]:
        """Of each there is one at a time: the last word on a subscription is the one confirmed."""
        return "help" if self.template == "help" else "subscription"


MOST_CONFIRMED = 4
"""Confirmations to one endpoint in a day."""


class SuppressionRecord(Model):
    """All that was said about sending to one subject: of each kind the latest suppression and the
    latest release, whatever order they came in.
    """

    suppressions: dict[SuppressionKind, Suppression] = {}
    releases: dict[SuppressionKind, Release] = {}
    provider_releases: dict[SuppressionKind, Release] = {}
    """What providers lifted: only what one of them had stopped. Who said STOP in words has not
    taken that back by what they set there.
    """
    notices: dict[Literal["subscription", "help"], Notice] = {}
    confirmed_at: tuple[Instant, ...] = ()
    """The latest confirmations that became due, oldest first."""

    @property
    def active(self) -> tuple[Suppression, ...]:
        return tuple(self.suppressions[kind] for kind in SuppressionKind if self.stops(kind))

    def stops(self, kind: SuppressionKind) -> bool:
        """At the same instant the suppression counts, so that a doubt never sends."""
        suppression = self.suppressions.get(kind)
        return suppression is not None and self._lifting(suppression) is None

    def release_of(self, kind: SuppressionKind) -> Release | None:
        """What lifted it, where that is what stands."""
        suppression = self.suppressions.get(kind)
        return self.releases.get(kind) if suppression is None else self._lifting(suppression)

    def _lifting(self, suppression: Suppression) -> Release | None:
        releases = [self.releases.get(suppression.kind)]
        if suppression.by.startswith(BY_PROVIDER):
            releases.append(self.provider_releases.get(suppression.kind))
        later = [one for one in releases if one is not None and one.at > suppression.at]
        return max(later, key=_precedence, default=None)

    def told(self, *statements: Suppression | Release) -> Self:
        """With these statements, unless a later one of their sort is known."""
        suppressions = dict(self.suppressions)
        releases, at_provider = dict(self.releases), dict(self.provider_releases)
        for one in statements:
            if isinstance(one, Suppression):
                suppressions[one.kind] = _later(one, suppressions.get(one.kind))
                continue
            where = at_provider if one.by.startswith(BY_PROVIDER) else releases
            where[one.kind] = _later(one, where.get(one.kind))
        # In a fixed order, so that the same statements make the same record.
        return self.model_copy(
            update={
                "suppressions": {k: suppressions[k] for k in SuppressionKind if k in suppressions},
                "releases": {k: releases[k] for k in SuppressionKind if k in releases},
                "provider_releases": {
                    k: at_provider[k] for k in SuppressionKind if k in at_provider
                },
            }
        )

    def with_notice(self, notice: Notice) -> Self:
        confirmed, known = self.confirmed_at, self.notices.get(notice.about)
        is_new = known is None or known.touchpoint_id != notice.touchpoint_id
        if is_new and notice.about == "subscription":
            confirmed = (*confirmed, notice.at)[-MOST_CONFIRMED:]
        return self.model_copy(
            update={"notices": self.notices | {notice.about: notice}, "confirmed_at": confirmed}
        )

    def may_confirm(self, notice: Notice) -> bool:
        """Who says STOP and START in turns is heeded each time, and heard of a few times a day:
        each answer costs, and a forged sender would have them sent to somebody else.
        """
        recent = [at for at in self.confirmed_at if at > notice.at - timedelta(days=1)]
        return len(recent) < MOST_CONFIRMED

    def differs(self, other: "SuppressionRecord") -> bool:
        """Whether anything is stopped or released in the one and not in the other."""
        return any(self._standing(kind) != other._standing(kind) for kind in SuppressionKind)

    def _standing(self, kind: SuppressionKind) -> bool | None:
        """None where nobody ever spoke of it."""
        spoken_of = kind in self.releases or kind in self.provider_releases
        return self.stops(kind) or (False if spoken_of else None)

    def wants_help(self, notice: Notice) -> bool:
        """Whether this call for help is new, and the last one long enough ago."""
        last = self.notices.get("help")
        return last is None or notice.at >= last.at + HELP_AGAIN_AFTER


def _later(one: StatementT, known: StatementT | None) -> StatementT:
    return one if known is None else max(one, known, key=_precedence)


def _precedence(statement: Suppression | Release) -> tuple[datetime, str]:
    return statement.at, statement.model_dump_json()
