"""A person's preferences: what stands, and what a form changes of it."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import NamedTuple

from shared.domain.computed import Origin, preferred_channel
from shared.domain.consent import Consent, ConsentState, standing, stopped_by_word
from shared.domain.model import ProfileId, isoformat
from shared.domain.opting import ConsentPolicy
from shared.domain.profile import Profile
from shared.domain.suppression import (
    Release,
    Suppression,
    SuppressionKind,
    person_subject,
)
from shared.domain.touchpoint import Channel, Direction, Identification, Touchpoint
from shared.events.catalogue import EndpointReleased, EndpointSuppressed
from shared.ports.consents import ConsentStore
from shared.ports.ledger import Ledger
from shared.ports.profiles import ProfileStore
from shared.ports.providers import Clock
from shared.providers.base import Observed

SOURCE = "preference_page"
ONE_CLICK = "list_unsubscribe"


class Ports(NamedTuple):
    ledger: Ledger
    profiles: ProfileStore
    consents: ConsentStore
    policy: ConsentPolicy
    clock: Clock


class Preferences(NamedTuple):
    """What stands now, of the whole person."""

    profile_id: ProfileId
    profile_ids: tuple[ProfileId, ...]
    granted: frozenset[tuple[str, Channel]]
    """Purposes and the channels on which they are allowed."""
    stopped: bool
    """Whether they stopped everything."""
    silenced: frozenset[Channel]
    """Where a word of theirs, STOP, stopped what comes: only another word lifts that, since a link
    does not prove that they are who writes from there.
    """
    language: str | None
    preferred_channel: Channel | None
    """As they stated it; what was learned is no choice of theirs."""


class Form(NamedTuple):
    """What a person sent."""

    granted: frozenset[tuple[str, Channel]]
    language: str | None
    """None where it is none that the page speaks."""
    preferred_channel: Channel | None
    """None: no preference."""


def read_preferences(profile_id: ProfileId, profile: Profile, ports: Ports) -> Preferences:
    now = ports.clock.now()
    consents = ports.consents.of(profile.profile_ids)
    granted = frozenset(
        (purpose, channel)
        for purpose, channel in _choices(ports.policy)
        if (found := standing(consents, purpose, channel, now)) is not None
        and found.state is ConsentState.GRANTED
    )
    records = ports.consents.records([person_subject(one) for one in profile.profile_ids])
    return Preferences(
        profile_id=profile.keeper_of(profile_id),
        profile_ids=profile.profile_ids,
        granted=granted,
        stopped=any(record.stops(SuppressionKind.OPT_OUT) for record in records.values()),
        silenced=frozenset(
            channel
            for channel in ports.policy.channels
            if stopped_by_word(consents, ports.policy.words.purpose, channel)
        ),
        language=profile.language,
        preferred_channel=_stated_channel(profile),
    )


def save(form: Form, before: Preferences, profile: Profile, ports: Ports) -> Preferences:
    """State what differs from what stands, and nothing else. Returns what stands then."""
    now = ports.clock.now()
    for purpose, channel in _choices(ports.policy):
        wanted, had = ((purpose, channel) in one.granted for one in (form, before))
        if wanted != had:
            state = ConsentState.GRANTED if wanted else ConsentState.WITHDRAWN
            _state(before, purpose, channel, state, SOURCE, now, ports)
    traits: dict[str, str] = {}
    if form.language is not None and form.language != before.language:
        traits["language"] = form.language
    if form.preferred_channel != before.preferred_channel:
        traits["preferred_channel"] = form.preferred_channel or ""
    if traits:
        ports.ledger.record([_stated(before.profile_id, profile, traits, now)])
    return before._replace(
        granted=form.granted,
        language=form.language or before.language,
        preferred_channel=form.preferred_channel,
    )


def stop_everything(before: Preferences, ports: Ports) -> Preferences:
    """Every purpose on every channel, and every message but what the law asks for."""
    now = ports.clock.now()
    for purpose in ports.policy.purposes:
        _state(before, purpose, None, ConsentState.WITHDRAWN, SOURCE, now, ports)
    stop = Suppression(
        kind=SuppressionKind.OPT_OUT,
        reason="the person stopped everything on their preference page",
        by=SOURCE,
        at=now,
    )
    event = EndpointSuppressed(kind=stop.kind, classes=stop.classes, profile_id=before.profile_id)
    ports.consents.tell(person_subject(before.profile_id), stop, event=event)
    return before._replace(granted=frozenset(), stopped=True)


def resume(before: Preferences, ports: Ports) -> Preferences:
    """Messages may come again; what was allowed before stays withdrawn until it is allowed anew."""
    lift = Release(
        kind=SuppressionKind.OPT_OUT,
        reason="the person lifted it on their preference page",
        by=SOURCE,
        at=ports.clock.now(),
    )
    event = EndpointReleased(kind=lift.kind, profile_id=before.profile_id)
    for one in before.profile_ids:
        ports.consents.tell(person_subject(one), lift, event=event)
    return before._replace(stopped=False)


def unsubscribe(before: Preferences, ports: Ports) -> None:
    """One click in a mail program (RFC 8058): no purpose is allowed by mail any more."""
    now = ports.clock.now()
    for purpose in ports.policy.purposes:
        _state(before, purpose, Channel.EMAIL, ConsentState.WITHDRAWN, ONE_CLICK, now, ports)


def _stated_channel(profile: Profile) -> Channel | None:
    preference = preferred_channel(profile)
    if preference is None or preference.origin is not Origin.STATED:
        return None
    return Channel(preference.value)


def _choices(policy: ConsentPolicy) -> Iterator[tuple[str, Channel]]:
    return ((purpose, channel) for purpose in policy.purposes for channel in policy.channels)


def _state(
    of: Preferences,
    purpose: str,
    channel: Channel | None,
    state: ConsentState,
    source: str,
    at: datetime,
    ports: Ports,
) -> None:
    consent = Consent(purpose=purpose, channel=channel, state=state, source=source, at=at)
    ports.consents.state(of.profile_id, consent)


def _stated(
    profile_id: ProfileId, profile: Profile, traits: Mapping[str, str], now: datetime
) -> Observed:
    """What they say of themselves is a contact like any other: their journey takes it from here."""
    own = [one for one in profile.identifiers if one.profile_id == profile_id]
    touchpoint = Touchpoint(
        provider=SOURCE,
        account="",
        provider_event_id=f"{profile_id}:{isoformat(now)}",
        channel=Channel.WEB,
        direction=Direction.PASSIVE,
        occurred_at=now,
        received_at=now,
        content=Identification(traits=dict(traits)),
        identifiers=tuple(own or profile.identifiers)[:1],
    )
    return Observed(touchpoint, b"")
