"""GET /_local/ai_report: the report on AI uses, from this laptop's ledger."""

from datetime import datetime, timedelta
from urllib.parse import parse_qsl

from pydantic import BaseModel, ConfigDict, ValidationError

from infra.local.gateway import Response
from shared.domain.errors import InvalidInput
from shared.domain.model import Instant
from shared.policies.check import check_policies
from shared.runtime import wiring
from shared.runtime.settings import AiUsesSettings, LedgerSettings

USUAL = timedelta(days=7)


class ReportSettings(LedgerSettings, AiUsesSettings):
    """What the report reads of."""


class ReportRequest(BaseModel):
    """The query: moments with their zones, by default the seven days until now."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    since: Instant | None = None
    until: Instant | None = None
    json_: bool = False


def answer_report(query: str, settings: ReportSettings, now: datetime) -> Response:
    """What `python -m shared.operations ai_report` writes, HTML or JSON. Raises InvalidInput."""
    # scipy takes a second to import, which nobody should wait for who starts the local cloud.
    from shared.operations.ai_report.page import as_html, content_security_policy
    from shared.operations.ai_report.period import period
    from shared.operations.ai_report.report import ai_report

    asked = _asked(query)
    # What came in at this very moment belongs to it.
    until = asked.until or now + timedelta(microseconds=1)
    policies = check_policies()
    report = ai_report(
        ledger=wiring.ledger(settings),
        policies=policies,
        states=wiring.ai_uses(settings).states(tuple(policies.ai_register)),
        period=period(asked.since or until - USUAL, until),
        made_at=now,
    )
    if asked.json_:
        headers = {"content-type": "application/json; charset=utf-8"}
        return Response(200, headers, report.model_dump_json(indent=2).encode())
    headers = {
        "content-type": "text/html; charset=utf-8",
        "content-security-policy": f"{content_security_policy()}; frame-ancestors 'none'",
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cache-control": "no-store",
    }
    return Response(200, headers, as_html(report).encode())


def _asked(query: str) -> ReportRequest:
    given = {"json_" if name == "json" else name: value for name, value in parse_qsl(query)}
    for name in ("since", "until"):
        if len(given.get(name, "")) == len("2026-11-01"):
            given[name] += "T00:00:00Z"
    try:
        return ReportRequest.model_validate(given)
    except ValidationError as error:
        wrong = error.errors()[0]
        field = str(wrong["loc"][0]).rstrip("_")
        raise InvalidInput(wrong["msg"], field=field) from None
