"""A stretch of bodies in one process: made, read, checked, measured."""

import json
import signal
import tracemalloc
from base64 import b64decode
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from hashlib import sha256
from pathlib import Path
from random import Random
from time import process_time
from typing import Any, NamedTuple

from shared.providers.base import WebhookRequest
from tests.fuzz import laws
from tests.fuzz.bombs import bombs
from tests.fuzz.laws import Broken, Subject
from tests.fuzz.mutations import mutated, with_other_head
from tests.fuzz.reduction import as_fixture, keep, reduced
from tests.unit.providers.fixtures import NOW, ROOT, Case, cases

FINDINGS = ROOT / ".build/fuzz"
REGRESSIONS = ROOT / "tests/fixtures/fuzz"
MOST_CPU_MS = 50.0
MOST_CPU_MS_EACH = 0.1
"""On top, for each touchpoint that is read: a batch costs what its calls cost one by one."""
MOST_MEMORY_MB = 64.0
UNPROVEN_EVERY = 4
"""One body in so many also comes without its proof, and with one of its own."""
TRACED_EVERY = 200
"""One body in so many is read once more while each of its allocations is counted."""
HANGS_AFTER = 10
"""Seconds of processor time."""


class Stretch(NamedTuple):
    """Bodies number `start` to `start + bodies` of a provider, made from `seed`."""

    provider: str
    start: int
    bodies: int
    seed: int


class Tally(NamedTuple):
    bodies: int = 0
    readable: int = 0
    touchpoints: int = 0
    seconds: float = 0.0
    """Of reading them, in processor time; making them is not in it."""
    worst_cpu_ms: float = 0.0
    worst_memory_mb: float = 0.0
    """Of those that were traced, by tracemalloc: Python's own allocations at their highest."""
    grown_mb: float = 0.0
    """By how much the process was larger, while it read one, than before."""
    findings: tuple[tuple[str, str], ...] = ()
    """What is broken, and where the request is kept."""

    def plus(self, other: "Tally") -> "Tally":
        return Tally(
            self.bodies + other.bodies,
            self.readable + other.readable,
            self.touchpoints + other.touchpoints,
            self.seconds + other.seconds,
            max(self.worst_cpu_ms, other.worst_cpu_ms),
            max(self.worst_memory_mb, other.worst_memory_mb),
            max(self.grown_mb, other.grown_mb),
            tuple(dict.fromkeys((*self.findings, *other.findings))),
        )


@cache
def requests_of(provider: str) -> tuple[WebhookRequest, ...]:
    """The genuine ones; a handshake is among them, for it comes without any proof."""
    return tuple(case.request for case in _cases() if case.provider == provider)


@cache
def _cases() -> tuple[Case, ...]:
    return tuple(cases())


def body_number(provider: str, number: int, seed: int) -> tuple[WebhookRequest, Random]:
    """The same for the same number and seed, whoever makes it."""
    draw = Random(f"{seed}:{provider}:{number}")
    return mutated(draw.choice(requests_of(provider)), draw), draw


def work(stretch: Stretch) -> Tally:
    subject = _warm(stretch.provider)
    tally = Tally()
    for number in range(stretch.start, stretch.start + stretch.bodies):
        request, draw = body_number(stretch.provider, number, stretch.seed)
        tally = tally.plus(examined(subject, request, traced=number % TRACED_EVERY == 0))
        if number % UNPROVEN_EVERY == 0:
            tally = tally.plus(_unproven(subject, request, draw))
    return tally


@cache
def _warm(provider: str) -> Subject:
    """What is imported or built at first use is no body's cost."""
    subject = Subject.of(provider)
    for request in requests_of(provider):
        broken_by(subject, request)
    return subject


def examined(subject: Subject, request: WebhookRequest, *, traced: bool) -> Tally:
    """One proven body: read, timed, checked."""
    if len(request.body) > subject.provider.largest_body:
        return Tally(bodies=1)
    try:
        with _patience():
            _forget_the_largest()
            before = _largest_mb()
            began = process_time()
            reading = laws.read(subject, request)
            spent = process_time() - began
            grown = _largest_mb() - before
            laws.check_read(subject, reading)
    except Broken as error:
        return Tally(bodies=1, findings=(_kept(subject, request, str(error)),))
    # A neighbour or the collection of garbage may make one reading slow, not each of three.
    worst = spent * 1000
    for _ in range(2 if MOST_CPU_MS / 2 < worst < 20 * MOST_CPU_MS else 0):
        worst = min(worst, _cpu_ms(subject, request))
    memory = memory_mb(subject, request) if traced or worst > MOST_CPU_MS / 5 else 0.0
    observed = reading.observed
    tally = Tally(1, bool(observed), len(observed), spent, worst, memory, grown)
    if worst > MOST_CPU_MS + MOST_CPU_MS_EACH * len(observed):
        tally = tally.plus(Tally(findings=(_kept(subject, request, "too much processor time"),)))
    if max(memory, grown) > MOST_MEMORY_MB:
        tally = tally.plus(Tally(findings=(_kept(subject, request, "too much memory"),)))
    return tally


def blast(provider: str) -> dict[str, Tally]:
    """The bombs, one by one."""
    subject = _warm(provider)
    return {
        name: examined(subject, request, traced=False)
        for name, request in bombs(subject, requests_of(provider))
    }


def _unproven(subject: Subject, request: WebhookRequest, draw: Random) -> Tally:
    """The same body with a proof that does not fit, with one that does, and with a wrong head."""
    tries = [request, with_other_head(draw.choice(requests_of(subject.name)), draw)]
    if (signed := laws.proven(subject, request)) is not None:
        tries += [signed, with_other_head(signed, draw)]
    for one in tries:
        if len(one.body) > subject.provider.largest_body:
            continue
        try:
            with _patience():
                laws.check_unproven(subject, one)
        except Broken as error:
            return Tally(findings=(_kept(subject, one, str(error)),))
    return Tally()


def _cpu_ms(subject: Subject, request: WebhookRequest) -> float:
    began = process_time()
    laws.read(subject, request)
    return (process_time() - began) * 1000


def memory_mb(subject: Subject, request: WebhookRequest) -> float:
    tracemalloc.start()
    try:
        laws.read(subject, request)
        return tracemalloc.get_traced_memory()[1] / 1_000_000
    finally:
        tracemalloc.stop()


_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def _forget_the_largest() -> None:
    """From here on the kernel notes anew how large the process is at its largest."""
    if _CLEAR.exists():
        _CLEAR.write_text("5")


def _largest_mb() -> float:
    """Since then. Only Linux tells it; elsewhere nothing is noted."""
    if not _CLEAR.exists():
        return 0.0
    line = next(one for one in _STATUS.read_text().splitlines() if one.startswith("VmHWM"))
    return int(line.split()[1]) * 1024 / 1_000_000


@contextmanager
def _patience() -> Iterator[None]:
    """An end to what would never end: it is a finding."""

    def give_up(*_: object) -> None:
        raise Broken(f"it takes longer than {HANGS_AFTER} s")

    earlier = signal.signal(signal.SIGVTALRM, give_up)
    signal.setitimer(signal.ITIMER_VIRTUAL, HANGS_AFTER)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, earlier)


_SEEN: Counter[tuple[str, str]] = Counter()


def _kept(subject: Subject, request: WebhookRequest, broken: str) -> tuple[str, str]:
    """The smallest request that breaks the same, in a file. Of each defect, one a process."""
    name = f"{subject.name}-{sha256(broken.encode()).hexdigest()[:10]}"
    _SEEN[subject.name, broken] += 1
    if _SEEN[subject.name, broken] == 1:
        if not broken.startswith(("too much", "it takes")):
            request = reduced(request, lambda one: broken_by(subject, one) == broken)
        keep(FINDINGS, as_fixture(subject.name, request, broken), name)
    return broken, f"{name}.json"


def broken_by(subject: Subject, request: WebhookRequest) -> str | None:
    """The law that this request breaks, with or without a proof; None for none."""
    try:
        laws.check_read(subject, laws.read(subject, request))
        laws.check_unproven(subject, request)
    except Broken as error:
        return str(error)
    return None


def regression(file: Path) -> tuple[str, WebhookRequest]:
    """A request that once broke something, as it was kept."""
    content: dict[str, Any] = json.loads(file.read_text())
    request = content["request"]
    body = (
        b64decode(request["body_base64"]) if "body_base64" in request else request["body"].encode()
    )
    genuine = requests_of(content["provider"])[0]
    return content["provider"], replace(
        genuine,
        method=request["method"],
        url=request["url"],
        path=request["path"],
        query=tuple((name, value) for name, value in request["query"]),
        headers=request["headers"],
        body=body,
        arrived_at=NOW,
    )
