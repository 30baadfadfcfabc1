"""The report as one HTML page that needs nothing else: no script, nothing loaded from anywhere."""

from base64 import b64encode
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from shared.operations.ai_report.report import Report
from shared.operations.ai_report.slices import Row
from shared.operations.ai_report.statistics import FEWEST, Mean, Share
from shared.operations.ai_report.uses import KpiVerdict

HERE = Path(__file__).parent
WORST = {
    "confidence": "less sure",
    "fallback": "more often nothing better than the fallback",
    "below": "more often below the threshold",
    "negative": "more negative",
    "overridden": "more often overridden",
}
"""What a mark on a slice says."""
VERDICTS = {
    "ok": "kept",
    "missed": "missed",
    "too_few": "too few to say",
}


class Headline(NamedTuple):
    kind: str
    """`good`, `bad`, `quiet`."""
    text: str


def as_html(report: Report) -> str:
    return _template().render(
        report=report,
        headlines=list(headlines(report)),
        css=Markup(_css()),
        policy=content_security_policy(),
        verdicts=VERDICTS,
        worst=WORST,
        fewest=FEWEST,
    )


@cache
def content_security_policy() -> str:
    """Only the page's own style."""
    style = b64encode(sha256(_css().encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'"


def headlines(report: Report) -> Iterator[Headline]:
    """What a reader in a hurry must know."""
    for use in report.uses:
        if use.standing is not None and not use.standing.on:
            yield Headline("bad", f"{_words(use.ai_use)} is switched off")
        if use.kpi is None:
            yield Headline("quiet", f"{_words(use.ai_use)}: not measured, see why below")
            continue
        kind = {"ok": "good", "missed": "bad"}.get(use.kpi.verdict, "quiet")
        yield Headline(kind, f"{_words(use.ai_use)}: {told(use.kpi)}")
    for drift in report.drift:
        if drift.outcome == "shifted":
            yield Headline("bad", f"{drift.about} {_words(drift.words)}")
    if all(drift.outcome == "alike" for drift in report.drift):
        yield Headline("good", "messages and answers are like those of the period before")
    is_shifted = any(drift.outcome == "shifted" for drift in report.drift)
    doing = ": what shifted may be its doing and not the customers'" if is_shifted else ""
    for version in report.versions:
        if version.news == "new":
            yield Headline("quiet", f"{version.version} is new{doing}")
    rows = (*report.slices.by_language, *report.slices.by_channel, *report.slices.by_both)
    for row in rows:
        if row.worse:
            yield Headline("bad", f"{_words(row.name)} (n = {row.n}): {_worse(row)}")


def told(kpi: KpiVerdict) -> str:
    """`override rate 4.1% (12 of 293), at most 15%: kept`."""
    way, bound = ("at most", kpi.at_most) if kpi.at_most is not None else ("at least", kpi.at_least)
    share = f" {_percent(kpi.share)} ({_counted(kpi.share)})"
    close = ", which may be chance" if kpi.is_close else ""
    return f"{_words(kpi.measure)}{share}, {way} {bound:.0%}: {VERDICTS[kpi.verdict]}{close}"


@cache
def _template() -> Template:
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "words": _words,
        "day": _day,
        "percent": _percent,
        "counted": _counted,
        "interval": _interval,
        "mean": _mean,
        "worse": _worse,
        "told": told,
    }
    return environment.from_string((HERE / "page.html.j2").read_text(encoding="utf-8"))


@cache
def _css() -> str:
    return (HERE / "page.css").read_text(encoding="utf-8")


def _words(name: str) -> str:
    return str(name).replace("_", " ")


def _day(moment: datetime) -> str:
    return f"{moment:%d %b %Y, %H:%M} UTC"


def _percent(share: Share) -> str:
    return "–" if share.value is None else f"{share.value:.1%}"


def _counted(share: Share) -> str:
    return f"{share.count} of {share.of}"


def _interval(share: Share) -> str:
    if share.low is None or share.high is None:
        return ""
    return f"{share.low:.1%} to {share.high:.1%}"


def _mean(mean: Mean) -> str:
    return "–" if mean.value is None else f"{mean.value:.2f}"


def _worse(row: Row) -> str:
    return ", ".join(WORST[one] for one in row.worse)
