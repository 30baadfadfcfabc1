"""Who is asked when: switch, budget, breaker, and every way in which a model can fail."""

import json
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError

from shared.adapters.bedrock_prompt import TOOL
from shared.adapters.classifier import build_classifier, tell_refused
from shared.domain.ai_use import (
    AiUseName,
    AiUseState,
    PaidModel,
    Switch,
    Tokens,
    Unavailable,
)
from shared.domain.classification import Classification, FellBack, Urgency
from shared.domain.errors import Contention
from shared.events.catalogue import AiUseSwitched
from shared.policies.reader import read_policies
from shared.ports.understanding import Classifier, Masker
from tests.builders import NOON
from tests.fake_ai_uses import FakeAiUses
from tests.fakes import FakeClock

POLICIES = read_policies()
EMBEDDED = AiUseName.EMBEDDED_CLASSIFICATION
BEDROCK = AiUseName.BEDROCK_CLASSIFICATION
SURE = "Where is my order?"
UNSURE = "The thing about the other thing, you know"
ANSWER: dict[str, Any] = {
    "language": "en",
    "language_confidence": 0.9,
    "intent": "complaint",
    "intent_confidence": 0.9,
    "sentiment": "negative",
    "sentiment_score": -0.4,
    "sentiment_confidence": 0.8,
    "urgency": "low",
}
THROTTLED = ClientError({"Error": {"Code": "ThrottlingException", "Message": "x"}}, "Converse")
TIMED_OUT = ReadTimeoutError(endpoint_url="https://bedrock.example")


def paid() -> PaidModel:
    found = POLICIES.ai_register[BEDROCK].paid
    assert found is not None
    return found


class Model:
    """A client of Bedrock: answers, or raises what it is told."""

    def __init__(self) -> None:
        self.answer: Any = {"toolUse": {"name": TOOL, "input": ANSWER}}
        self.usage: dict[str, int] | None = {"inputTokens": 1000, "outputTokens": 100}
        self.fault: Exception | None = None
        self.asked: list[dict[str, Any]] = []

    def converse(self, **request: Any) -> dict[str, Any]:
        self.asked.append(request)
        if self.fault is not None:
            raise self.fault
        response = {"output": {"message": {"content": [self.answer]}}}
        return response | ({"usage": self.usage} if self.usage else {})


def without_phone(text: str, names: Sequence[str] = (), /) -> str:
    return text.replace("0612345678", "[phone]")


class House:
    def __init__(self, mask: Masker = without_phone) -> None:
        self.model = Model()
        self.ai_uses = FakeAiUses()
        self.clock = FakeClock()
        self.told: list[tuple[AiUseName, str]] = []
        self.classifier: Classifier = build_classifier(
            lambda: self.model,
            "amazon.nova-micro-v1:0",
            POLICIES,
            ai_uses=self.ai_uses,
            clock=lambda: self.clock,
            mask=mask,
            tell=lambda ai_use, reason: self.told.append((ai_use, reason)),
        )

    def classify(self, text: str = UNSURE) -> Classification:
        return self.classifier.classify(text)

    def turn(self, ai_use: AiUseName, *, on: bool) -> None:
        switch = Switch(on=on, by="agent:7", at=NOON, because="a test")
        self.ai_uses.switch(ai_use, switch, AiUseSwitched(ai_use=ai_use, on=on, by="agent:7"))

    @property
    def bedrock(self) -> AiUseState:
        return self.ai_uses.state(BEDROCK)


@pytest.fixture
def house() -> House:
    return House()


def test_the_model_is_asked_only_when_unsure_or_critical(house: House) -> None:
    assert house.classify("STOP").decided_by == "rules"
    assert house.ai_uses.reads == 0, "a rule needs no permission"
    assert house.classify(SURE).decided_by == "embedded"
    assert not house.model.asked
    assert house.classify(UNSURE).decided_by == "bedrock"
    critical = house.classify("Where is my order? The last one caught fire.")
    assert (critical.decided_by, critical.urgency) == ("bedrock", Urgency.CRITICAL)
    assert len(house.model.asked) == 2


def test_what_was_asked_is_paid_for_exactly(house: House) -> None:
    house.classify()
    assert house.bedrock.spent == 49  # 1000 in at 0.035, 100 out at 0.14
    house.model.usage = None
    house.classify()
    assert house.bedrock.spent > 49 + 49, "nobody knows what it cost: the most it can"


def test_with_the_embedded_model_off_the_words_answer_and_nothing_is_paid(house: House) -> None:
    house.turn(EMBEDDED, on=False)
    found = house.classify(SURE)
    assert (found.decided_by, found.intent) == ("rules", "order_status")
    assert found.fell_back_because == "embedded_classification: switched off"
    assert found.fell_back == FellBack(ai_use=EMBEDDED, why=Unavailable.SWITCHED_OFF)
    assert house.classify(UNSURE).intent == "other"
    assert not house.model.asked
    house.turn(EMBEDDED, on=True)
    assert house.classify(SURE).decided_by == "embedded"


def test_with_bedrock_off_the_embedded_answer_stands(house: House) -> None:
    house.turn(BEDROCK, on=False)
    found = house.classify()
    assert found.decided_by == "embedded"
    assert found.fell_back_because == "bedrock_classification: switched off"
    assert found.fell_back == FellBack(ai_use=BEDROCK, why=Unavailable.SWITCHED_OFF)
    assert not house.model.asked


def test_a_spent_budget_asks_nobody_until_tomorrow(house: House) -> None:
    day = house.clock.now().date()
    house.ai_uses.put(AiUseState(ai_use=BEDROCK, day=day, spent=paid().daily_budget))
    found = house.classify()
    assert (
        found.fell_back_because
        == "bedrock_classification: what a call may cost no longer fits the day's budget"
    )
    assert found.fell_back == FellBack(ai_use=BEDROCK, why=Unavailable.OVER_BUDGET)
    house.clock.advance(timedelta(days=1))
    assert house.classify().decided_by == "bedrock"


def test_one_call_never_costs_more_than_was_set_aside(house: House) -> None:
    """Even where every byte is a token, and the model writes all it may."""
    house.model.usage = None
    house.classify(f"{UNSURE} {'𓂀' * 1000}")
    (request,) = house.model.asked
    tokens = Tokens(
        len(json.dumps(request, ensure_ascii=False).encode()),
        request["inferenceConfig"]["maxTokens"],
    )
    assert house.bedrock.spent >= paid().price.cost(tokens)


@pytest.mark.parametrize(
    ("fault", "why", "code"),
    [
        (THROTTLED, "Bedrock refused: ThrottlingException", Unavailable.SERVICE_REFUSED),
        (TIMED_OUT, "Bedrock did not answer: ReadTimeoutError", Unavailable.NO_ANSWER),
        (
            EndpointConnectionError(endpoint_url="x"),
            "Bedrock did not answer",
            Unavailable.NO_ANSWER,
        ),
    ],
)
def test_a_fault_leaves_the_embedded_answer(
    house: House, fault: Exception, why: str, code: Unavailable
) -> None:
    house.model.fault = fault
    found = house.classify()
    assert found.decided_by == "embedded"
    assert found.fell_back_because is not None
    assert why in found.fell_back_because
    assert found.fell_back == FellBack(ai_use=BEDROCK, why=code)
    assert house.bedrock.failures == 1
    assert not house.told, "nothing was answered that could be refused"


@pytest.mark.parametrize("code", ["ModelErrorException", "ValidationException"])
def test_what_the_text_brought_about_opens_no_breaker(house: House, code: str) -> None:
    """And nobody says what it cost, so what was set aside stays spent."""
    house.model.fault = ClientError({"Error": {"Code": code, "Message": "x"}}, "Converse")
    found = house.classify()
    assert found.decided_by == "embedded"
    assert found.fell_back == FellBack(ai_use=BEDROCK, why=Unavailable.ANSWER_REFUSED)
    assert house.bedrock.failures == 0
    assert house.bedrock.spent > 0
    assert house.told


def test_what_was_refused_at_once_costs_nothing_and_what_timed_out_the_most(house: House) -> None:
    house.model.fault = THROTTLED
    house.classify()
    assert house.bedrock.spent == 0
    house.model.fault = TIMED_OUT
    house.classify()
    assert house.bedrock.spent > 0


def test_faults_in_a_row_open_the_breaker_and_one_call_closes_it(house: House) -> None:
    house.model.fault = THROTTLED
    for _ in range(paid().breaker.failures):
        house.classify()
    asked = len(house.model.asked)
    found = house.classify()
    assert found.fell_back_because == "bedrock_classification: its breaker is open"
    assert found.fell_back == FellBack(ai_use=BEDROCK, why=Unavailable.BREAKER_OPEN)
    assert len(house.model.asked) == asked
    house.clock.advance(paid().breaker.open_for)
    house.model.fault = None
    assert house.classify().decided_by == "bedrock"
    assert (house.bedrock.failures, house.bedrock.open_until) == (0, None)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ({"text": "Dear customer"}, "did not use its tool"),
        ({"toolUse": {"name": TOOL, "input": ANSWER | {"intent": "send_money"}}}, "closed list"),
        ({"toolUse": {"name": TOOL, "input": "praise"}}, "breaks the schema"),
        ({"toolUse": {"name": TOOL}}, "breaks the schema"),
        ({"toolUse": {}}, "did not use its tool"),
        ({"toolUse": {"name": TOOL, "input": ANSWER | {"+33612345678": 1}}}, "more fields"),
    ],
)
def test_a_refused_answer_is_told_paid_and_no_fault_of_the_service(
    house: House, answer: Any, why: str
) -> None:
    house.model.answer = answer
    for _ in range(paid().breaker.failures + 1):
        found = house.classify()
        assert found.decided_by == "embedded"
        assert found.fell_back_because is not None
        assert why in found.fell_back_because
        assert found.fell_back == FellBack(ai_use=BEDROCK, why=Unavailable.ANSWER_REFUSED)
    assert {ai_use for ai_use, _ in house.told} == {BEDROCK}
    assert len(house.told) == paid().breaker.failures + 1
    assert "+33612345678" not in str(house.told)
    assert house.bedrock.spent == 49 * len(house.told)
    assert house.bedrock.open_until is None, "a text must not be able to open the breaker"


@pytest.mark.parametrize("broken", [THROTTLED, TIMED_OUT, Contention("busy")])
def test_where_the_states_cannot_be_read_the_embedded_model_answers_unpaid(
    house: House, broken: Exception
) -> None:
    house.ai_uses.broken = broken
    assert house.classify(SURE).fell_back_because is None
    found = house.classify(UNSURE)
    assert found.decided_by == "embedded"
    assert found.fell_back_because == "whether AI is switched off could not be read"
    assert found.fell_back == FellBack(ai_use=BEDROCK, why=Unavailable.SWITCH_UNREAD)
    assert not house.model.asked


def test_what_is_told_of_a_refused_answer_is_a_warning_and_a_metric(
    caplog: pytest.LogCaptureFixture,
) -> None:
    tell_refused(BEDROCK, "the model did not use its tool once")
    warning, metric = caplog.records
    assert (warning.levelname, warning.getMessage()) == ("WARNING", "ai_answer_refused")
    assert vars(warning)["reason"] == "the model did not use its tool once"
    assert vars(metric)["AiAnswersRefused"] == 1
    assert vars(metric)["ai_use"] == BEDROCK


def _break(house: House, when: str) -> None:
    """Break the store of the states just before one of its operations."""
    operation: Callable[..., Any] = getattr(house.ai_uses, when)

    def broken(*given: Any, **named: Any) -> Any:
        house.ai_uses.broken = THROTTLED
        return operation(*given, **named)

    setattr(house.ai_uses, when, broken)


@pytest.mark.parametrize("what", ["reserve", "settle"])
def test_a_fault_of_the_budget_store_is_a_warning_and_a_metric(
    house: House, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    _break(house, what)
    house.classify()
    warning, metric = caplog.records
    assert (warning.levelname, warning.getMessage()) == ("WARNING", "ai_use_unsettled")
    told = {name: vars(warning)[name] for name in ("ai_use", "what", "error")}
    assert told == {"ai_use": BEDROCK, "what": what, "error": "ClientError"}
    assert (vars(metric)["AiUsesUnsettled"], vars(metric)["ai_use"]) == (1, BEDROCK)
    assert UNSURE not in str([vars(one) for one in caplog.records])


def test_what_cannot_be_set_aside_is_not_asked(house: House) -> None:
    _break(house, "reserve")
    found = house.classify()
    assert found.fell_back_because == "the budget could not be asked"
    assert found.fell_back == FellBack(ai_use=BEDROCK, why=Unavailable.BUDGET_UNREAD)
    assert not house.model.asked


def test_a_correction_that_is_lost_leaves_the_answer_and_the_most_spent(house: House) -> None:
    _break(house, "settle")
    assert house.classify().decided_by == "bedrock"
    assert house.bedrock.spent > 49


def test_what_is_masked_never_leaves(house: House) -> None:
    house.classify(f"{UNSURE}, call 0612345678")
    assert "0612345678" not in str(house.model.asked)
    assert "[phone]" in str(house.model.asked)


def test_nobody_asks_a_paid_model_without_a_budget() -> None:
    with pytest.raises(ValueError, match="needs a budget"):
        build_classifier(Model, "m", POLICIES)


def test_without_a_model_only_one_switch_is_read() -> None:
    ai_uses = FakeAiUses()
    found = build_classifier(None, "", POLICIES, ai_uses=ai_uses).classify(UNSURE)
    assert (found.decided_by, found.fell_back_because) == ("embedded", None)
    assert ai_uses.reads == 1


def hiding(text: str, names: Sequence[str] = (), /) -> str:
    for one in (*names, "0612345678"):
        text = text.replace(one, "[hidden]")
    return text


def test_a_paid_model_does_not_read_the_name_that_the_touchpoint_gives() -> None:
    house = House(hiding)
    house.classifier.classify(f"{UNSURE}. Lea Moreau", names=("Lea Moreau",))
    assert "[hidden]" in str(house.model.asked)
    assert "Moreau" not in str(house.model.asked)


def test_a_message_is_masked_once() -> None:
    texts = []

    def counted(text: str, names: Sequence[str] = (), /) -> str:
        texts.append(text)
        return text

    House(counted).classify()
    assert texts.count(UNSURE) == 1


def test_what_the_company_s_phrases_found_a_paid_model_does_not_lose(house: House) -> None:
    found = house.classify(
        "As I wrote, I do not know about that blue thing of 45,00 €, I expected better, order #4512"
    )
    assert found.decided_by == "bedrock"
    assert "repeated_politely" in found.weak_signals
    assert found.sentiment == "negative"
    assert {one.value for one in found.entities} >= {"45.00 EUR", "4512"}
    assert "weak_signal" in {one.aspect for one in found.evidence}
