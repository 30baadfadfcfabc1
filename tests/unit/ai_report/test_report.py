"""From a ledger to the page: one walk, nobody in it, nothing loaded from elsewhere."""

import json
import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any

import pytest

from shared.domain.ai_use import AiUseName, AiUseState, Switch, Unavailable
from shared.domain.classification import FellBack
from shared.domain.errors import InvalidInput
from shared.domain.touchpoint import Channel, Endpoint, Message
from shared.operations.ai_report.page import as_html, headlines
from shared.operations.ai_report.period import period
from shared.operations.ai_report.report import PAGE, TELL_EVERY, Report, ai_report
from shared.policies.reader import Policies
from shared.ports.ledger import LedgerEntry
from shared.ports.paging import Page
from tests.builders import NOON, identifier
from tests.unit.ai_report.records import POLICIES, entry, many, override

WEEK = timedelta(days=7)
THIS_WEEK = period(NOON, NOON + WEEK)


class Walk:
    """A ledger that can only be gone through, by what it is asked for."""

    def __init__(self, entries: list[LedgerEntry]) -> None:
        self._entries = entries
        self.asked: list[dict[str, Any]] = []

    def all(self, **asked: Any) -> Page[LedgerEntry]:
        self.asked.append(asked)
        start, limit = int(asked["cursor"] or 0), asked["limit"]
        more = len(self._entries) > start + limit
        page = [
            one
            for one in self._entries[start : start + limit]
            if asked["since"] <= one.touchpoint.received_at < asked["until"]
        ]
        return Page(page, str(start + limit) if more else None)

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"a report does not call {name}")


def report(
    *entries: LedgerEntry,
    states: dict[AiUseName, AiUseState] | None = None,
    policies: Policies = POLICIES,
    tell: list[str] | None = None,
    ledger: Any = None,
) -> Report:
    return ai_report(
        ledger=ledger or Walk(list(entries)),
        policies=policies,
        states=states,
        period=THIS_WEEK,
        made_at=NOON + WEEK,
        report=tell.append if tell is not None else lambda line: None,
    )


# Periods


def test_the_period_before_is_as_long_and_ends_where_this_one_begins() -> None:
    before = THIS_WEEK.before
    assert (before.since, before.until) == (NOON - WEEK, NOON)


@pytest.mark.parametrize(
    ("since", "until"),
    [(NOON, NOON), (NOON, NOON - WEEK), (datetime(1, 1, 2, tzinfo=UTC), NOON)],
)
def test_a_period_that_is_none_is_refused(since: datetime, until: datetime) -> None:
    with pytest.raises(InvalidInput):
        period(since, until)


@pytest.mark.parametrize(
    ("at", "counted"),
    [
        (NOON - WEEK - timedelta(seconds=1), (0, 0)),
        (NOON - WEEK, (0, 1)),
        (NOON - timedelta(seconds=1), (0, 1)),
        (NOON, (1, 0)),
        (NOON + WEEK - timedelta(seconds=1), (1, 0)),
        (NOON + WEEK, (0, 0)),
    ],
)
def test_each_touchpoint_belongs_to_one_period(at: datetime, counted: tuple[int, int]) -> None:
    made = report(entry(at=at))
    assert (made.volume.understood, made.volume_before.understood) == counted


def test_the_ledger_is_gone_through_once_page_by_page_and_progress_is_told() -> None:
    told: list[str] = []
    ledger = Walk(many(PAGE * TELL_EVERY + 1))
    made = report(ledger=ledger, tell=told)
    assert made.volume.understood == PAGE * TELL_EVERY + 1
    assert len(ledger.asked) == TELL_EVERY + 1
    assert told == ["1000 looked through: 1000 of the period, 0 of the one before"]


# The page


class Read(HTMLParser):
    """What a page holds, and whether its tags close."""

    VOID = frozenset({"meta", "link", "br", "rect"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag


REFUSED = FellBack(ai_use=AiUseName.BEDROCK_CLASSIFICATION, why=Unavailable.ANSWER_REFUSED)


def busy() -> list[LedgerEntry]:
    """Something for every section of the page."""
    corrected = [entry(override(intent="refund"), language="wo", intent_confidence=0.2)] * 40
    new = {"version": "embedded-2", "intent": "delivery_problem"}
    then = NOON - timedelta(days=1)
    return [
        *many(200, intent_confidence=0.9, **new),
        *many(3, fell_back=REFUSED),
        *corrected,
        *many(100, at=then, version="embedded-1"),
    ]


def states() -> dict[AiUseName, AiUseState]:
    off = Switch(on=False, by="agent:awa", at=NOON, because="Awa says it is wrong")
    found = {one: AiUseState(ai_use=one) for one in POLICIES.ai_register}
    return found | {
        AiUseName.DUPLICATE_SUGGESTION: AiUseState(
            ai_use=AiUseName.DUPLICATE_SUGGESTION, switch=off
        )
    }


@pytest.mark.parametrize("entries", [busy(), [], [entry()]])
@pytest.mark.parametrize("known", [states(), None])
def test_the_page_is_whole_needs_nothing_else_and_reads_without_a_picture(
    entries: list[LedgerEntry], known: dict[AiUseName, AiUseState] | None
) -> None:
    html = as_html(report(*entries, states=known))
    page = Read(html)
    assert page.open == []
    names = {name for name, _ in page.tags}
    assert not names & {"script", "link", "img", "iframe", "object"}
    for name, attributes in page.tags:
        assert not attributes.keys() & {"src", "style", "onclick"}
        assert (attributes.get("href") or "#").startswith("#")
        assert name != "svg" or attributes["aria-hidden"] == "true"
        assert name != "th" or "scope" in attributes
    assert "http" not in re.sub(r'<meta http-equiv="Content', "", html)
    assert "url(" not in html and "@import" not in html
    anchors = {attributes["href"] for name, attributes in page.tags if name == "a"}
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert anchors <= {f"#{one}" for one in ids}
    assert len(ids) == len(set(ids))


def test_what_a_reader_in_a_hurry_must_know_stands_first() -> None:
    said = [one.text for one in headlines(report(*busy(), states=states()))]
    assert "duplicate suggestion is switched off" in said
    # 40 of 243 were overridden.
    assert (
        "embedded classification: override rate 16.5% (40 of 243), at most 15%: "
        "missed, which may be chance" in said
    )
    assert "bedrock classification: override rate – (0 of 0), at most 10%: too few to say" in said
    assert any(one.startswith("intent shifted: more delivery problem") for one in said)
    assert any(one.startswith("embedded-2 is new") for one in said)
    assert any(one.startswith("wo (n = 40): less sure") for one in said)


def test_two_alike_periods_say_so() -> None:
    same = [*many(50), *many(50, at=NOON - timedelta(days=1))]
    said = [one.text for one in headlines(report(*same))]
    assert "messages and answers are like those of the period before" in said


def test_what_the_company_wrote_is_shown_and_not_obeyed() -> None:
    register = {
        name: use.model_copy(update={"purpose": "<script>alert(1)</script>"})
        for name, use in POLICIES.ai_register.items()
    }
    html = as_html(report(policies=POLICIES._replace(ai_register=register)))
    assert "<script>" not in html
    assert "&lt;script&gt;" in html


# Nobody is in it

PERSONS = ("Awa Diop", "+33612345678", "awa.diop@example.com", "33612345678")


def personal(person: str) -> LedgerEntry:
    """A person in every field that takes a text, of the touchpoint and of what became of it."""
    seen = {
        "account": person,
        "provider_event_id": person,
        "name": person,
        "language": person,
        "content": Message(text=person, subject=person, in_reply_to=person, thread=(person,)),
        "identifiers": (identifier(person),),
        "endpoint": Endpoint(
            channel=Channel.SMS, provider="twilio", account=person, address=person
        ),
    }
    said = override(intent=person, reason=person, by=f"agent:{person}", override_id=person)
    made = entry(
        said,
        override(sentiment="negative", reason=person, by=person),
        seen=seen,
        intent=person,
        language=person,
        runner_up=person,
        urgency_reasons=(person,),
        weak_signals=(person,),
        summary=person,
        version=person,
        fell_back_because=person,
        entities=({"kind": "product", "text": person, "value": person},),
        evidence=({"aspect": "intent", "words": (person,), "reason": person},),
    )
    return made.model_copy(update={"profile_id": person, "failed_step": person, "error": person})


@pytest.mark.parametrize("person", PERSONS)
def test_no_person_can_be_found_in_it(person: str) -> None:
    switch = Switch(on=True, by=f"agent:{person}", at=NOON, because=person)
    known = {one: AiUseState(ai_use=one, switch=switch) for one in POLICIES.ai_register}
    one = personal(person)
    assert person in one.model_dump_json()
    made = report(*[one] * 40, states=known)
    assert made.volume.understood == 40
    for told in (as_html(made), made.model_dump_json()):
        assert not [part for part in person.split() if part.lower() in told.lower()]
        assert one.touchpoint.touchpoint_id not in told


def test_machines_read_the_same_numbers() -> None:
    made = report(*busy())
    read = json.loads(made.model_dump_json())
    assert Report.model_validate(read) == made
    assert read["overrides"]["corrections"] == [
        {"aspect": "intent", "machine": "order_status", "person": "refund", "count": 40}
    ]
