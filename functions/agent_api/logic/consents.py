"""What a person allowed and what stops messages to them: as the API shows it, and as agents state
it on their behalf.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Literal, NamedTuple

from pydantic import Field, model_validator

from functions.agent_api.logic.profiles import existing
from shared.domain.consent import Consent, ConsentState, PurposeName, standing
from shared.domain.errors import InvalidInput, NotFound
from shared.domain.model import Instant, Model, ProfileId
from shared.domain.opting import ConsentPolicy
from shared.domain.preference_link import NAME, read_keys, sign
from shared.domain.profile import Profile
from shared.domain.suppression import (
    Release,
    Suppression,
    SuppressionKind,
    SuppressionRecord,
    address_subject,
    endpoint_subject,
    person_subject,
)
from shared.domain.touchpoint import Channel, Endpoint
from shared.events.catalogue import EndpointReleased, EndpointSuppressed
from shared.ports.consents import ConsentStore
from shared.ports.ledger import Ledger
from shared.ports.profiles import ProfileStore
from shared.ports.providers import Clock, Secrets

MOST_LOOKED_AT = 100
"""Latest contacts in which the person's endpoints are found."""

Scope = Literal["endpoint", "address", "person"]


class StandingConsent(Model):
    """What stands for a purpose on a channel."""

    purpose: str
    channel: Channel
    state: ConsentState | None = Field(description="Null where nothing stands: silence.")
    since: Instant | None


class ConsentsView(Model):
    standing: tuple[StandingConsent, ...]
    statements: tuple[Consent, ...] = Field(description="The whole ledger, oldest first.")


class NewConsent(Model):
    """What the person said to an agent."""

    purpose: PurposeName
    channel: Channel | None = Field(default=None, description="Null: every channel.")
    state: Literal["granted", "withdrawn"]
    proof: str | None = Field(
        default=None, max_length=500, description="What they said or signed, and where it is kept."
    )
    expires_at: Instant | None = Field(default=None, description="In the future.")


class SuppressionView(Model):
    """One kind of stop on one subject, and whether it holds."""

    suppression_id: str
    on: Scope
    endpoint: Endpoint | None = Field(
        description="Where it holds; of an address, on whichever line; null for the whole person."
    )
    kind: SuppressionKind
    classes: Literal["all", "marketing"]
    reason: str
    by: str
    at: Instant
    active: bool
    lifted_at: Instant | None = None
    lifted_by: str | None = None


class NewSuppression(Model):
    on: Scope
    endpoint: Endpoint | None = Field(
        default=None, description="Needed for an endpoint or an address, refused for a person."
    )
    kind: Literal[SuppressionKind.MANUAL, SuppressionKind.LEGAL, SuppressionKind.OPT_OUT]
    classes: Literal["all", "marketing"] = "all"
    reason: str = Field(min_length=1, max_length=200)

    @model_validator(mode="after")
    def _says_where(self) -> "NewSuppression":
        if (self.endpoint is None) != (self.on == "person"):
            raise ValueError("endpoint: needed for an endpoint or an address, and only there")
        return self


class PreferenceLink(Model):
    url: str
    expires_at: Instant


class _Subject(NamedTuple):
    key: str
    on: Scope
    endpoint: Endpoint | None

    @property
    def suppression_id(self) -> str:
        return "person" if self.on == "person" else self.key.partition("#")[2]


def read_consents(
    profile_id: ProfileId,
    *,
    profiles: ProfileStore,
    consents: ConsentStore,
    policy: ConsentPolicy,
    clock: Clock,
) -> ConsentsView:
    profile = existing(profile_id, profiles)
    return _consents_view(profile, consents, policy, clock.now())


def _consents_view(
    profile: Profile, consents: ConsentStore, policy: ConsentPolicy, now: datetime
) -> ConsentsView:
    said = consents.of(profile.profile_ids)
    found = [
        (purpose, channel, standing(said, purpose, channel, now))
        for purpose in policy.purposes
        for channel in policy.channels
    ]
    return ConsentsView(
        standing=tuple(
            StandingConsent(
                purpose=purpose,
                channel=channel,
                state=one.state if one else None,
                since=one.at if one else None,
            )
            for purpose, channel, one in found
        ),
        statements=tuple(said),
    )


def state_consent(
    profile_id: ProfileId,
    new: NewConsent,
    *,
    agent: str,
    profiles: ProfileStore,
    consents: ConsentStore,
    policy: ConsentPolicy,
    clock: Clock,
) -> ConsentsView:
    """Raises InvalidInput for a purpose that the company does not ask about, and for a statement
    that would be over before it is made.
    """
    profile = existing(profile_id, profiles)
    if new.purpose not in policy.purposes:
        known = ", ".join(policy.purposes)
        raise InvalidInput(f"must be one of the company's purposes: {known}", field="purpose")
    now = clock.now()
    if new.expires_at is not None and new.expires_at <= now:
        raise InvalidInput("expires_at is in the past: this would never hold", field="expires_at")
    consent = Consent(
        purpose=new.purpose,
        channel=new.channel,
        state=ConsentState(new.state),
        source=f"agent:{agent}",
        proof=new.proof,
        at=now,
        expires_at=new.expires_at,
    )
    consents.state(profile.keeper_of(profile_id), consent)
    return _consents_view(profile, consents, policy, now)


def read_suppressions(
    profile_id: ProfileId, *, profiles: ProfileStore, consents: ConsentStore, ledger: Ledger
) -> tuple[SuppressionView, ...]:
    """Of the person, and of every endpoint they were in touch on lately; lifted ones as well."""
    profile = existing(profile_id, profiles)
    subjects = _subjects(profile, ledger)
    records = consents.records([one.key for one in subjects])
    return tuple(
        view for one in subjects if one.key in records for view in _views(one, records[one.key])
    )


def suppress(
    profile_id: ProfileId,
    new: NewSuppression,
    *,
    agent: str,
    profiles: ProfileStore,
    consents: ConsentStore,
    clock: Clock,
) -> SuppressionView:
    profile = existing(profile_id, profiles)
    subject = _subject(new, profile.keeper_of(profile_id))
    suppression = Suppression(
        kind=new.kind,
        classes=new.classes,
        reason=new.reason,
        by=f"agent:{agent}",
        at=clock.now(),
    )
    event = EndpointSuppressed(
        kind=new.kind,
        classes=new.classes,
        channel=new.endpoint.channel if new.endpoint else None,
        profile_id=profile_id,
    )
    consents.tell(subject.key, suppression, event=event)
    return _view(subject, suppression, consents.records([subject.key])[subject.key])


def lift(
    profile_id: ProfileId,
    suppression_id: str,
    kind: SuppressionKind,
    reason: str,
    *,
    agent: str,
    profiles: ProfileStore,
    consents: ConsentStore,
    ledger: Ledger,
    clock: Clock,
) -> SuppressionView:
    """Raises NotFound for what does not stop this person."""
    profile = existing(profile_id, profiles)
    subjects = [one for one in _subjects(profile, ledger) if one.suppression_id == suppression_id]
    records = consents.records([one.key for one in subjects])
    stopped = [one for one in subjects if one.key in records and records[one.key].stops(kind)]
    if not stopped:
        raise NotFound("nothing of that kind stops this person there")
    release = Release(kind=kind, reason=reason, by=f"agent:{agent}", at=clock.now())
    for one in stopped:
        event = EndpointReleased(
            kind=kind,
            channel=one.endpoint.channel if one.endpoint else None,
            profile_id=profile_id,
        )
        consents.tell(one.key, release, event=event)
    first = stopped[0]
    record = consents.records([first.key])[first.key]
    return _view(first, record.suppressions[kind], record)


def make_link(
    profile_id: ProfileId,
    *,
    base: str,
    profiles: ProfileStore,
    secrets: Secrets,
    policy: ConsentPolicy,
    clock: Clock,
) -> PreferenceLink:
    """Raises MissingSecret where no link can be signed."""
    existing(profile_id, profiles)
    until = clock.now() + policy.link_lasts
    token = sign(profile_id, until, read_keys(secrets.read(NAME)))
    return PreferenceLink(url=f"{base}{token}", expires_at=until)


def _subjects(profile: Profile, ledger: Ledger) -> list[_Subject]:
    latest = ledger.timeline(profile.profile_ids, limit=MOST_LOOKED_AT).items
    endpoints = dict.fromkeys(
        entry.touchpoint.endpoint for entry in latest if entry.touchpoint.endpoint is not None
    )
    found = {one.key: one for one in _of_endpoints(list(endpoints))}
    persons = [_Subject(person_subject(one), "person", None) for one in profile.profile_ids]
    return [*persons, *found.values()]


def _of_endpoints(endpoints: Sequence[Endpoint]) -> Iterator[_Subject]:
    for one in endpoints:
        yield _Subject(endpoint_subject(one), "endpoint", one)
        yield _Subject(address_subject(one.channel, one.address), "address", one)


def _subject(new: NewSuppression, profile_id: ProfileId) -> _Subject:
    if new.endpoint is None:
        return _Subject(person_subject(profile_id), "person", None)
    if new.on == "endpoint":
        return _Subject(endpoint_subject(new.endpoint), "endpoint", new.endpoint)
    key = address_subject(new.endpoint.channel, new.endpoint.address)
    return _Subject(key, "address", new.endpoint)


def _views(subject: _Subject, record: SuppressionRecord) -> Iterator[SuppressionView]:
    return (_view(subject, one, record) for one in record.suppressions.values())


def _view(
    subject: _Subject, suppression: Suppression, record: SuppressionRecord
) -> SuppressionView:
    lifted = record.release_of(suppression.kind)
    return SuppressionView(
        suppression_id=subject.suppression_id,
        on=subject.on,
        endpoint=subject.endpoint,
        kind=suppression.kind,
        classes=suppression.classes,
        reason=suppression.reason,
        by=suppression.by,
        at=suppression.at,
        active=lifted is None,
        lifted_at=lifted.at if lifted else None,
        lifted_by=lifted.by if lifted else None,
    )
