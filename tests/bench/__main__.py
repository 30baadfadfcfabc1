"""`make bench`: everything measured, as tables, or as one JSON object with `--json`."""

import argparse
import json
import sys
from collections.abc import Sequence
from time import monotonic

from infra.local.synthesis import synthesised_template
from tests.bench import costs, history, initialisation, reading, throughput
from tests.bench.figures import Figures, Measured, figures, machine, tables
from tests.bench.traffic import DEFAULT_MIX, Kind, Mix


def main(arguments: Sequence[str] | None = None) -> None:
    options = _parser().parse_args(arguments)
    found = run(options.mix, quick=options.quick)
    print(json.dumps(found, indent=2) if options.json else tables(found))


def run(mix: Mix, *, quick: bool) -> Figures:
    """`quick` measures a little of everything: enough to see that it works, not to be believed."""
    began = monotonic()

    def tell(what: str) -> None:
        print(f"{monotonic() - began:5.0f} s  {what}", file=sys.stderr, flush=True)

    on = machine()
    template = synthesised_template(tell)
    measured = Measured(
        starts=initialisation.measure(tell, 1 if quick else initialisation.SAMPLES),
        intake=throughput.measure_intake(
            template, mix, tell, 100 if quick else throughput.INTAKE_TOUCHPOINTS
        ),
        journeys=throughput.measure_journeys(
            template, mix, tell, 50 if quick else throughput.JOURNEY_TOUCHPOINTS
        ),
        costs=costs.measure(template, tell, 12 if quick else costs.SAMPLES),
        histories=history.measure(template, tell),
        readings=reading.measure(tell, 1 if quick else reading.ROUNDS),
    )
    tell("done")
    return figures(measured, mix, on)


def parse_mix(text: str) -> Mix:
    """`passive_in_batch=0.5,message_that_opens=0.5`; what is not named has no share."""
    mix = dict.fromkeys(Kind, 0.0)
    try:
        for part in text.split(","):
            name, _, share = part.partition("=")
            mix[Kind(name.strip())] = float(share)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    if abs(sum(mix.values()) - 1) > 1e-6 or min(mix.values()) < 0:
        raise argparse.ArgumentTypeError("the shares must be positive and sum to 1")
    return mix


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("--quick", action="store_true", help="in seconds, for a smoke test")
    parser.add_argument(
        "--mix",
        type=parse_mix,
        default=DEFAULT_MIX,
        metavar="KIND=SHARE,…",
        help=f"the share of each kind: {', '.join(Kind)}",
    )
    return parser


if __name__ == "__main__":
    main()
