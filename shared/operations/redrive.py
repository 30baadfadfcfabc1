"""Send round again what failed, what got stuck, and what could not be read before.

Every write is conditional or derived, so running this twice, or while journeys run, is harmless.
"""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import NamedTuple, TypeVar

from shared.domain.account import Accounts, secret_name
from shared.domain.errors import MalformedPayload, MissingSecret, Unauthentic, UnknownProvider
from shared.domain.touchpoint import TouchpointState
from shared.ports.ledger import Ledger, LedgerEntry, Quarantined
from shared.ports.paging import Page
from shared.ports.providers import Clock, Secrets
from shared.providers.base import find_provider

STUCK_AFTER = timedelta(minutes=15)
"""Longer than any journey takes with all its retries."""

T = TypeVar("T")


class Redriven(NamedTuple):
    """How many were sent round again, read after all, and are as unreadable as before."""

    again: int = 0
    released: int = 0
    unreadable: int = 0


def redrive(
    *,
    ledger: Ledger,
    secrets: Secrets,
    clock: Clock,
    accounts: Accounts,
    since: datetime | None = None,
    report: Callable[[str], None] = lambda line: None,
) -> Redriven:
    """Redrive all that is failed, stuck or quarantined since a moment. Each one is reported."""
    again = sum(
        _send_again(entry, ledger, report)
        for entry in [
            *_all(ledger, TouchpointState.FAILED, since),
            *_stuck(ledger, since, clock.now()),
        ]
        if isinstance(entry, LedgerEntry)
    )
    kept = _all(ledger, TouchpointState.QUARANTINED, since)
    read = [
        _read(one, ledger, secrets, clock, accounts, report)
        for one in kept
        if isinstance(one, Quarantined)
    ]
    return Redriven(again=again, released=read.count(True), unreadable=read.count(False))


def _all(
    ledger: Ledger, state: TouchpointState, since: datetime | None
) -> Iterator[LedgerEntry | Quarantined]:
    """Everything in that state. A page is read before any of it changes its state."""
    cursor = None
    while True:
        page: Page[LedgerEntry | Quarantined] = ledger.in_state(
            state, since=since, limit=100, cursor=cursor
        )
        yield from page.items
        if (cursor := page.cursor) is None:
            return


def _stuck(
    ledger: Ledger, since: datetime | None, now: datetime
) -> Iterator[LedgerEntry | Quarantined]:
    """In flight for so long that their journey must have been lost."""
    for entry in _all(ledger, TouchpointState.RECEIVED, since):
        if isinstance(entry, LedgerEntry) and entry.touchpoint.received_at < now - STUCK_AFTER:
            yield entry


def _send_again(entry: LedgerEntry, ledger: Ledger, report: Callable[[str], None]) -> int:
    sent = ledger.send_again(entry.touchpoint.touchpoint_id)
    why = f"failed in {entry.failed_step}" if entry.failed_step else "stuck"
    report(
        f"{entry.touchpoint.touchpoint_id}  {why}: {'sent again' if sent else 'moved on already'}"
    )
    return int(sent)


def _read(
    quarantined: Quarantined,
    ledger: Ledger,
    secrets: Secrets,
    clock: Clock,
    accounts: Accounts,
    report: Callable[[str], None],
) -> bool:
    """Parse it with the code of today. Its proof was checked when it came."""
    kept = ledger.quarantined_request(quarantined.touchpoint_id)
    if kept is None:
        return False
    name, request = kept
    try:
        provider = find_provider(name)
        of = secret_name(name, request.slug)
        secret = provider.read_secret(secrets.read(of), of)
        observed = provider.read(request, secret, clock.now())
    except (MalformedPayload, MissingSecret, Unauthentic, UnknownProvider) as error:
        report(f"{quarantined.touchpoint_id}  still unreadable: {error}")
        return False
    seen = [one.touchpoint for one in observed]
    if not all(accounts.may_speak(request.slug, one.provider, one.account) for one in seen):
        report(f"{quarantined.touchpoint_id}  it tells of an account that another secret proves")
        return False
    ledger.record(observed)
    ledger.release(quarantined.touchpoint_id)
    report(f"{quarantined.touchpoint_id}  read: {len(observed)} touchpoints")
    return True
