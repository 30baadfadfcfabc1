"""`make fuzz`: mutated bodies at every provider, and a table of what they cost and broke."""

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from time import monotonic

from shared.providers.base import provider_names
from tests.fuzz.work import FINDINGS, Stretch, Tally, blast, work

STRETCH = 1_000
"""Bodies between two lines of progress."""


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    found: dict[str, Tally] = {}
    began = monotonic()
    for provider in options.provider or provider_names():
        tallies = {provider: run(provider, options.bodies, options.seed, options.workers)}
        if options.bombs:
            tallies |= {f"{provider}: {name}": one for name, one in blasted(provider).items()}
        findings = sum(len(one.findings) for one in tallies.values())
        print(
            f"{monotonic() - began:6.0f} s  {provider}: {findings} findings",
            file=sys.stderr,
            flush=True,
        )
        found |= tallies
    print("\n".join(table(found, options.seed)))
    return any(tally.findings for tally in found.values())


def run(provider: str, bodies: int, seed: int, workers: int) -> Tally:
    stretches = [
        Stretch(provider, start, min(STRETCH, bodies - start), seed)
        for start in range(0, bodies, STRETCH)
    ]
    tally = Tally()
    began = monotonic()
    with ProcessPoolExecutor(workers, mp_context=get_context("forkserver")) as pool:
        for done in as_completed([pool.submit(work, one) for one in stretches]):
            tally = tally.plus(done.result())
            if sys.stderr.isatty():
                pace = tally.bodies / max(monotonic() - began, 0.001)
                print(
                    f"\r{provider}: {tally.bodies} of {bodies}, {pace:.0f}/s ",
                    end="",
                    file=sys.stderr,
                )
    return tally


def blasted(provider: str) -> dict[str, Tally]:
    """The bombs: of those within the limits, the two that came closest."""
    with ProcessPoolExecutor(1, mp_context=get_context("forkserver")) as pool:
        tallies = pool.submit(blast, provider).result()
    dearest = max(tallies, key=lambda name: tallies[name].worst_cpu_ms)
    largest = max(tallies, key=lambda name: tallies[name].worst_memory_mb)
    return {
        name: one for name, one in tallies.items() if one.findings or name in {dearest, largest}
    }


def table(found: dict[str, Tally], seed: int) -> Iterator[str]:
    yield f"seed {seed}; a body may cost 50 ms of processor time, 0.1 ms a touchpoint, and 64 MB"
    width = max(map(len, found))
    yield (
        f"{'provider':{width}} {'bodies':>8} {'read':>7} {'touchpoints':>11} {'mean ms':>8}"
        f" {'worst ms':>9} {'traced MB':>9} {'grown MB':>9} {'findings':>8}"
    )
    for name, one in found.items():
        yield (
            f"{name:{width}} {one.bodies:8} {one.readable:7} {one.touchpoints:11}"
            f" {one.seconds * 1000 / max(one.bodies, 1):8.2f} {one.worst_cpu_ms:9.1f}"
            f" {one.worst_memory_mb:9.1f} {one.grown_mb:9.1f} {len(one.findings):8}"
        )
    for name, one in found.items():
        for broken, file in one.findings:
            yield f"{name}: {broken}: {FINDINGS / file}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("--bodies", type=int, default=100_000, help="of each provider")
    parser.add_argument("--provider", action="append", choices=provider_names(), metavar="NAME")
    parser.add_argument("--seed", type=int, default=1, help="another one makes other bodies")
    parser.add_argument(
        "--bombs", action="store_true", help="also what is as large, deep and many as may be"
    )
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    return parser


if __name__ == "__main__":
    sys.exit(main())
