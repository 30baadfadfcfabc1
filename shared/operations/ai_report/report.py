"""The whole report: gathered from the ledger page by page, then reckoned."""

from collections.abc import Callable, Mapping
from datetime import datetime

from shared.domain.ai_use import AiUseName, AiUseState
from shared.domain.model import Instant, Model
from shared.domain.override import ASPECTS, Aspect
from shared.operations.ai_report.counting import Lists, count, lists
from shared.operations.ai_report.drift import Drift, Version, drifts, versions
from shared.operations.ai_report.period import Period
from shared.operations.ai_report.slices import Slices, slices
from shared.operations.ai_report.statistics import Share, share
from shared.operations.ai_report.tally import Counts, total
from shared.operations.ai_report.uses import UseReport, use_reports
from shared.policies.reader import Policies
from shared.ports.ledger import Ledger

PAGE = 200
TELL_EVERY = 5
"""Pages between two lines of progress."""
DECIDERS = ("rules", "embedded", "bedrock")


class Volume(Model):
    looked_at: int
    """Touchpoints of every kind."""
    understood: int
    waiting: int
    decided_by: dict[str, int]
    """The machine's answers."""
    person: int
    """Where a person's word counts now."""


class CorrectionRow(Model):
    aspect: Aspect
    machine: str
    person: str
    count: int


class Overrides(Model):
    overall: Share
    """Of all understood messages, those that a person changed in an aspect at least."""
    before: Share
    by_aspect: dict[Aspect, Share]
    confirmed: int
    """Messages of which a person said what the machine had said."""
    corrections: tuple[CorrectionRow, ...]
    """The most frequent first."""


class Report(Model):
    """Counts, shares and names of closed lists; no text, no id, nobody's name."""

    made_at: Instant
    period: Period
    before: Period
    volume: Volume
    volume_before: Volume
    uses: tuple[UseReport, ...]
    overrides: Overrides
    versions: tuple[Version, ...]
    drift: tuple[Drift, ...]
    slices: Slices
    written: dict[str, int]
    """Messages that left, by who wrote them, where that is recorded."""


def gather(
    *,
    ledger: Ledger,
    known: Lists,
    period: Period,
    report: Callable[[str], None] = lambda line: None,
) -> tuple[Counts, Counts]:
    """The counts of the period and of the one before it, from one walk through the ledger."""
    now, before = Counts(), Counts()
    cursor, pages = None, 0
    while True:
        page = ledger.all(since=period.before.since, until=period.until, limit=PAGE, cursor=cursor)
        for entry in page.items:
            count(entry, now if period.holds(entry.touchpoint.received_at) else before, known)
        if (cursor := page.cursor) is None:
            return now, before
        pages += 1
        if pages % TELL_EVERY == 0:
            report(
                f"{pages * PAGE} looked through: {now.looked_at} of the period, "
                f"{before.looked_at} of the one before"
            )


def ai_report(
    *,
    ledger: Ledger,
    policies: Policies,
    states: Mapping[AiUseName, AiUseState] | None,
    period: Period,
    made_at: datetime,
    report: Callable[[str], None] = lambda line: None,
) -> Report:
    """`states` is how the uses stand now; None where that could not be read."""
    now, before = gather(ledger=ledger, known=lists(policies), period=period, report=report)
    return Report(
        made_at=made_at,
        period=period,
        before=period.before,
        volume=_volume(now),
        volume_before=_volume(before),
        uses=use_reports(policies.ai_register, states, now, before, made_at),
        overrides=_overrides(now, before),
        versions=versions(now, before),
        drift=drifts(now, before),
        slices=slices(now),
        written=dict(sorted(now.written.items())),
    )


def _volume(counts: Counts) -> Volume:
    return Volume(
        looked_at=counts.looked_at,
        understood=counts.understood,
        waiting=counts.waiting,
        decided_by={decider: counts.of([decider]).n for decider in DECIDERS},
        person=counts.person,
    )


def _overrides(now: Counts, before: Counts) -> Overrides:
    of_aspect = {
        aspect: sum(n for (_, changed), n in now.changed.items() if changed == aspect)
        for aspect in ASPECTS
    }
    ordered = sorted(now.corrections.items(), key=lambda one: (-one[1], one[0]))
    return Overrides(
        overall=_overall(now),
        before=_overall(before),
        by_aspect={aspect: share(n, now.understood) for aspect, n in of_aspect.items()},
        confirmed=now.confirmed,
        corrections=tuple(CorrectionRow(**one._asdict(), count=n) for one, n in ordered),
    )


def _overall(counts: Counts) -> Share:
    return share(total(counts.tallies.values()).changed, counts.understood)
