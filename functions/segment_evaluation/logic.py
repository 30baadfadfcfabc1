"""Bring the memberships of a person in line with what is known of them now.

Every evaluation reads afresh, writes only differences and looks again after it wrote. So repeated,
late and concurrent ones all end where the last of them saw no difference.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from shared.domain.errors import Contention
from shared.domain.model import ProfileId, isoformat
from shared.domain.profile import Profile
from shared.domain.segment import (
    EvaluationRequest,
    Membership,
    SegmentPolicy,
    SegmentState,
    Verdict,
    activity_name,
    evaluate,
    facts_of,
    schedule_name,
)
from shared.events.catalogue import SegmentEntered, SegmentExited
from shared.ports.ledger import Ledger
from shared.ports.profiles import ProfileStore
from shared.ports.providers import Clock
from shared.ports.segments import SegmentStore
from shared.ports.tickets import Timer

SOONEST = timedelta(seconds=60)
"""The scheduler's precision; what is due before is scheduled this far ahead."""
MOST_ROUNDS = 5
"""Looks at one person before somebody who changes faster than that is left to a later try."""


class Ports(NamedTuple):
    ledger: Ledger
    profiles: ProfileStore
    segments: SegmentStore
    timer: Timer
    policy: SegmentPolicy
    clock: Clock


def evaluate_segments(request: EvaluationRequest, ports: Ports) -> int:
    """How many entered or left a segment.

    Raises Contention when a person kept changing; the event is then delivered again.
    """
    _remember(request, ports)
    seen: set[ProfileId] = set()
    moved = 0
    for profile_id in request.whom:
        if profile_id not in seen:
            seen.add(profile_id)
            moved += _evaluate_person(profile_id, request.due_at, ports, seen)
    return moved


def _remember(request: EvaluationRequest, ports: Ports) -> None:
    """Keep what a touchpoint did that a rule names, at the profile it belongs to for good."""
    policy = ports.policy
    if request.touchpoint_id is None or (request.is_of_words and not policy.hears_words):
        return
    entry = ports.ledger.read(request.touchpoint_id)
    if entry is None or entry.profile_id is None:
        return
    name = activity_name(entry.touchpoint)
    if name is not None and policy.hears(name):
        ports.segments.remember(
            entry.profile_id, name, entry.touchpoint.occurred_at, request.touchpoint_id
        )


def _evaluate_person(
    profile_id: ProfileId, due_at: datetime | None, ports: Ports, seen: set[ProfileId]
) -> int:
    """Look until nothing differs. `due_at` is of a timer that has fired, and is then gone."""
    moved = 0
    for _ in range(MOST_ROUNDS):
        try:
            moves = _look(profile_id, due_at, ports, seen)
        except Contention:
            continue
        if not moves:
            return moved
        moved += moves
    raise Contention("this person changes faster than they can be looked at")


def _look(
    profile_id: ProfileId, due_at: datetime | None, ports: Ports, seen: set[ProfileId]
) -> int:
    """How many memberships differed from what they should be. Where none did, the timer is set."""
    person = ports.profiles.read(profile_id)
    if person is None:
        return 0
    seen.update(person.profile_ids)
    states = ports.segments.states(person.profile_ids)
    # A timer that fires early by its clock is on time by ours.
    now = max(ports.clock.now(), due_at) if due_at is not None else ports.clock.now()
    facts = facts_of(person, states.values())
    verdicts = {name: evaluate(one, facts, now) for name, one in ports.policy.segments.items()}
    moves = _move(person, states, verdicts, now, ports.segments)
    if not moves:
        _set_timer(person.profile_id, states, verdicts, now, due_at, ports)
    return moves


def _move(
    person: Profile,
    states: Mapping[ProfileId, SegmentState],
    verdicts: Mapping[str, Verdict],
    now: datetime,
    segments: SegmentStore,
) -> int:
    """Enter and leave what differs; how many differed, whoever wrote it."""
    known_by = person.profile_id
    entered = {name for name, one in verdicts.items() if one.holds} - states[known_by].segments
    for name in sorted(entered):
        segments.enter(
            Membership(
                profile_id=known_by, segment=name, since=now, reasons=verdicts[name].reasons
            ),
            SegmentEntered(profile_id=known_by, segment=name),
        )
    left = [
        (profile_id, name, because)
        for profile_id, state in states.items()
        for name in sorted(state.segments)
        if (because := _why_left(name, verdicts, is_known_by=profile_id == known_by)) is not None
    ]
    for profile_id, name, because in left:
        event = {"profile_id": profile_id, "segment": name, "because": because}
        segments.leave(profile_id, name, now, SegmentExited.model_validate(event))
    return len(entered) + len(left)


def _why_left(name: str, verdicts: Mapping[str, Verdict], *, is_known_by: bool) -> str | None:
    if not is_known_by:
        return "merged"
    if name not in verdicts:
        return "removed"
    return None if verdicts[name].holds else "rule"


def _set_timer(
    profile_id: ProfileId,
    states: Mapping[ProfileId, SegmentState],
    verdicts: Mapping[str, Verdict],
    now: datetime,
    due_at: datetime | None,
    ports: Ports,
) -> None:
    """A timer for the first moment at which time alone may move them.

    One that is set for earlier does: when it fires it looks, and sets the next. One that is set for
    later stays, and finds nothing to do. So a person
    who comes every day sets no timer every day. The schedule first, then the note of it: a try
    that ends between the two is tried again.
    """
    changes_at = min((one.changes_at for one in verdicts.values() if one.changes_at), default=None)
    if changes_at is None:
        return
    at = max(changes_at, now + SOONEST)
    expected = states[profile_id].next_at
    if due_at is None and expected is not None and now < expected <= at:
        return
    payload = {"profile_id": profile_id, "due_at": isoformat(at)}
    ports.timer.schedule(schedule_name(profile_id, at), at, payload)
    ports.segments.expect(profile_id, at, expected)
