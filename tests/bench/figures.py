"""The figures as one JSON object, and as tables for people."""

import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from tests.bench import prices
from tests.bench.costs import Cost, mixed
from tests.bench.goals import goals
from tests.bench.history import History
from tests.bench.initialisation import BARE, Start
from tests.bench.reading import Reading
from tests.bench.throughput import Intake, Journeys
from tests.bench.traffic import BATCH, Kind, Mix

Figures = dict[str, Any]


class Measured(NamedTuple):
    starts: Mapping[str, Start]
    intake: Intake
    journeys: Journeys
    costs: Mapping[Kind, Cost]
    histories: Sequence[History]
    readings: Mapping[str, Reading]


def machine() -> dict[str, Any]:
    return {
        "processor": _processor(),
        "processors": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "load_before": round(os.getloadavg()[0], 2),
    }


def figures(measured: Measured, mix: Mix, on: Mapping[str, Any]) -> Figures:
    """`on` is the machine. Dollars, units, seconds and milliseconds, as the names say."""
    average = mixed(measured.costs, mix)
    dollars = average.usd_per_million
    intake = measured.intake
    found: Figures = {
        "init_ratio": {
            name: round(start.ratio, 2) for name, start in measured.starts.items() if name != BARE
        },
        "intake": {"per_second": round(intake.per_second, 1), "p95_ms": round(intake.p95_ms, 1)},
        "end_to_end_per_second": round(measured.journeys.per_second, 1),
        "per_touchpoint": _per_touchpoint(average),
        "usd_per_million": round(sum(dollars.values()), 2),
        "units_by_history": {str(one.touchpoints): one.total for one in measured.histories},
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "machine": dict(on),
        "mix": {str(kind): share for kind, share in mix.items()},
        "usd_per_million_by_service": _rounded(dollars),
        "by_kind": {
            str(kind): {
                **_per_touchpoint(cost),
                "usd_per_million": round(sum(cost.usd_per_million.values()), 2),
                "usd_per_million_by_service": _rounded(cost.usd_per_million),
                "units_by_function": _nested(cost.units_by_function),
                "calls_by_function": _nested(cost.calls_by_function),
            }
            for kind, cost in measured.costs.items()
        },
        "units_by_history_by_kind": {
            str(one.touchpoints): {str(kind): units for kind, units in one.units.items()}
            for one in measured.histories
        },
        "floor_usd_per_million": floor(),
        "starts": {
            name: {key: round(value, 3) for key, value in start._asdict().items()}
            for name, start in measured.starts.items()
        },
        "intake_alone": _throughput(intake),
        "intake_beside_journeys": _throughput(measured.journeys.intake),
        "reading": {
            name: {key: round(value, 4) for key, value in one._asdict().items()}
            for name, one in measured.readings.items()
        },
        "prices": {"date": prices.DATE, "region": prices.REGION},
    }
    found["goals"] = [one._asdict() for one in goals(found)]
    return found


def floor() -> dict[str, float]:
    """What no design on these services can go below: to take it in, and to keep it."""
    request, unit = prices.PRICES["http_requests"], prices.PRICES["write_units"]
    kept = unit.of(1)
    return {
        "single": round((request.of(1) + kept) * prices.MILLION, 3),
        "in_batch": round((request.of(1) / BATCH + kept) * prices.MILLION, 3),
    }


def tables(found: Figures) -> str:
    return "\n".join(_lines(found))


def _lines(found: Figures) -> Iterator[str]:
    on = found["machine"]
    yield f"Passerelle, measured on {found['date']}"
    yield (
        f"{on['processor']}, {on['processors']} processors, {on['system']}, "
        f"Python {on['python']}, load before: {on['load_before']}"
    )
    yield ""
    yield from _table(
        ("goal", "should be", "is", ""),
        [
            (one["what"], one["goal"], f"{one['measured']:g}", "met" if one["met"] else "MISSED")
            for one in found["goals"]
        ],
    )
    yield ""
    yield from _table(
        ("start", "processor ms", "ratio", "of single samples", "to its first call"),
        [
            (
                name,
                f"{start['seconds'] * 1000:.0f}",
                f"{start['ratio']:.2f}",
                f"{start['lowest_ratio']:.2f} to {start['highest_ratio']:.2f}",
                f"{start['first_call_ratio']:.2f}",
            )
            for name, start in found["starts"].items()
        ],
    )
    yield ""
    yield from _table(
        ("intake", "webhooks/s", "touchpoints/s", "median ms", "p95 ms", "webhooks"),
        [
            (
                title,
                f"{one['per_second']:.0f}",
                f"{one['touchpoints_per_second']:.0f}",
                f"{one['median_ms']:.1f}",
                f"{one['p95_ms']:.1f}",
                f"{one['requests']}",
            )
            for title, one in (
                ("alone, as on AWS", found["intake_alone"]),
                ("with everything behind it", found["intake_beside_journeys"]),
            )
        ],
    )
    yield f"end to end: {found['end_to_end_per_second']:g} touchpoints/s"
    yield ""
    yield from _table(
        ("proof and reading of a request", "fixtures", "processor ms", "floor ms", "ratio"),
        [
            (
                name,
                f"{one['requests']}",
                f"{one['ms']:.3f}",
                f"{one['floor_ms']:.4f}",
                f"{one['ratio']:.1f}",
            )
            for name, one in found["reading"].items()
        ],
    )
    yield ""
    per_kind = {**found["by_kind"], "the mix": found["per_touchpoint"]}
    yield from _table(
        ("of one touchpoint", "share", "write", "read", "calls", "states", "GB-s", "on Lambda"),
        [
            (
                name,
                f"{found['mix'].get(name, 1):.0%}",
                *(
                    f"{one[figure]:.3g}"
                    for figure in (
                        "write_units",
                        "read_units",
                        "aws_calls",
                        "transitions",
                        "gb_seconds",
                        "gb_seconds_on_lambda",
                    )
                ),
            )
            for name, one in per_kind.items()
        ],
    )
    yield ""
    services = list(found["usd_per_million_by_service"])
    by_service = {
        **{name: one["usd_per_million_by_service"] for name, one in found["by_kind"].items()},
        "the mix": found["usd_per_million_by_service"],
    }
    yield from _table(
        ("dollars a million", *services, "in all"),
        [
            (name, *(f"{one[service]:.2f}" for service in services), f"{sum(one.values()):.2f}")
            for name, one in by_service.items()
        ],
    )
    lowest = found["floor_usd_per_million"]
    yield (
        f"floor: {lowest['single']:g} (a request and a write unit), {lowest['in_batch']:g} in a "
        f"batch of {BATCH}; prices of {found['prices']['date']}, {found['prices']['region']}"
    )
    yield ""
    kinds = list(next(iter(found["units_by_history_by_kind"].values())))
    yield from _table(
        ("units of one more, after", *kinds, "in all"),
        [
            (f"{number} touchpoints", *(f"{units[kind]:g}" for kind in kinds), f"{total:g}")
            for (number, units), total in zip(
                found["units_by_history_by_kind"].items(),
                found["units_by_history"].values(),
                strict=True,
            )
        ],
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """The first column to the left, the others to the right."""
    widths = [max(len(row[at]) for row in (head, *rows)) for at in range(len(head))]
    for row in (head, ["-" * width for width in widths], *rows):
        first, *others = row
        cells = [first.ljust(widths[0])]
        cells += [one.rjust(width) for one, width in zip(others, widths[1:], strict=True)]
        yield "  ".join(cells).rstrip()


def _per_touchpoint(cost: Cost) -> dict[str, float]:
    names = (
        "write_units",
        "read_units",
        "aws_calls",
        "transitions",
        "gb_seconds",
        "gb_seconds_on_lambda",
    )
    return {name: round(getattr(cost, name), 4) for name in names}


def _throughput(intake: Intake) -> dict[str, Any]:
    return {
        name: round(value, 1) if isinstance(value, float) else value
        for name, value in intake._asdict().items()
    }


def _rounded(values: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in values.items()}


def _nested(values: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, float]]:
    return {name: _rounded(one) for name, one in values.items()}


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "a processor without a name"
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.machine())
