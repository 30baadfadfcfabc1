"""Bodies that atheris keeps for the code they reach: `python -m tests.fuzz.coverage --provider X`.

What it keeps is changed again, in half of the cases as `make fuzz` does it. It has wheels for Linux
on x86_64 alone, so it is installed nowhere else. What breaks is kept beside what `make fuzz` found.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.providers.base import WebhookRequest

LONGEST = 20_000
"""Bytes of a body."""


def main(arguments: Sequence[str] | None = None) -> None:
    try:
        import atheris
    except ImportError:
        sys.exit("atheris is only installed on Linux x86_64")
    # Only what is imported here is watched.
    with atheris.instrument_imports(include=["shared"]):
        from tests.fuzz import laws, work
        from tests.fuzz.mutations import mutated
        from tests.fuzz.reduction import as_fixture, keep

        options = _parser().parse_args(arguments)
        subject = laws.Subject.of(options.provider)
        genuine = work.requests_of(options.provider)
        for request in genuine:
            work.broken_by(subject, request)

    def request_of(content: bytes) -> "WebhookRequest":
        """The first byte chooses whose headers the rest comes with."""
        number = content[0] if content else 0
        return replace(genuine[number % len(genuine)], body=content[1:])

    def change(content: bytes, longest: int, seed: int) -> bytes:
        if seed % 2:
            changed: bytes = atheris.Mutate(content, longest)
            return changed
        return (content[:1] + mutated(request_of(content), Random(seed)).body)[:longest]

    def one_body(content: bytes) -> None:
        request = request_of(content)
        if (broken := work.broken_by(subject, request)) is None:
            return
        name = f"{subject.name}-{sha256(broken.encode()).hexdigest()[:10]}"
        file = keep(work.FINDINGS, as_fixture(subject.name, request, broken), name)
        raise RuntimeError(f"{broken}: {file}")

    with TemporaryDirectory() as corpus:
        for number, request in enumerate(genuine):
            Path(corpus, str(number)).write_bytes(bytes([number]) + request.body)
        limits = [f"-runs={options.runs}", f"-seed={options.seed}", f"-max_len={LONGEST}"]
        atheris.Setup([sys.argv[0], *limits, corpus], one_body, custom_mutator=change)
        atheris.Fuzz()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.coverage", description=__doc__)
    parser.add_argument("--provider", required=True)
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    return parser


if __name__ == "__main__":
    main()
