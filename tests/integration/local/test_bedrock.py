"""The fake of Bedrock over real HTTP: what botocore makes of each of its behaviours, and the whole
cascade on the real template.
"""

import json
from collections.abc import Iterator
from typing import Any

import botocore.session
import pytest
from botocore.config import Config

from infra.local.bedrock import Behaviour
from infra.local.cloud import LocalCloud
from infra.local.synthesis import synthesised_template
from shared.adapters.bedrock_classifier import AnswerRefused, BedrockClassifier, ModelUnavailable
from shared.adapters.bedrock_prompt import PROMPT_VERSION
from shared.domain.ai_use import AiUseName
from shared.policies.reader import read_policies
from tests.journeys.agent import Agent
from tests.journeys.webhooks import whatsapp

POLICIES = read_policies()
MODEL = "amazon.nova-micro-v1:0"
UNSURE = "The thing about the other thing, you know"
BEDROCK = AiUseName.BEDROCK_CLASSIFICATION
EMBEDDED = AiUseName.EMBEDDED_CLASSIFICATION


@pytest.fixture(scope="module")
def cloud() -> Iterator[LocalCloud]:
    with LocalCloud(synthesised_template(print), pace=0.01, bedrock=True) as alive:
        yield alive


@pytest.fixture(autouse=True)
def calm(cloud: LocalCloud) -> Iterator[None]:
    yield
    cloud.bedrock.behave(Behaviour.NORMAL)


@pytest.fixture
def agent(cloud: LocalCloud) -> Agent:
    return Agent(cloud)


def tell(cloud: LocalCloud, behaviour: str) -> Any:
    answer = cloud.post("/_local/bedrock", json.dumps({"behaviour": behaviour}))
    return answer.status, json.loads(answer.body)


def asking(cloud: LocalCloud, seconds: float = 5) -> BedrockClassifier:
    """The adapter with botocore's own client, as a function has it."""
    client = botocore.session.get_session().create_client(
        "bedrock-runtime",
        config=Config(read_timeout=seconds, retries={"total_max_attempts": 1}),
    )
    return BedrockClassifier(lambda: client, MODEL, POLICIES.understanding, POLICIES.intents)


def test_it_answers_out_of_the_closed_lists(cloud: LocalCloud) -> None:
    model = asking(cloud)
    found = model.ask(model.question("I would like my money back for order 45120"))
    assert found.classification.intent == "refund"
    assert found.classification.version == f"bedrock:{MODEL}/{PROMPT_VERSION}"
    assert [one.text for one in found.classification.entities] == ["45120"]
    assert found.tokens is not None
    assert found.tokens.read > 500


@pytest.mark.parametrize(
    ("behaviour", "why"),
    [
        ("throttled", "Bedrock refused: ThrottlingException"),
        ("error", "Bedrock refused: InternalServerException"),
        ("outside", "intent is not in the closed list"),
        ("text", "did not use its tool"),
        ("broken", "did not use its tool"),
    ],
)
def test_each_way_to_fail(cloud: LocalCloud, behaviour: str, why: str) -> None:
    assert tell(cloud, behaviour)[0] == 200
    model = asking(cloud)
    with pytest.raises(ModelUnavailable, match=why) as failed:
        model.ask(model.question(UNSURE))
    answered = behaviour in {"outside", "text", "broken"}
    assert isinstance(failed.value, AnswerRefused) == answered


def test_a_slow_model_is_not_waited_for(cloud: LocalCloud) -> None:
    tell(cloud, "slow")
    model = asking(cloud, seconds=0.2)
    with pytest.raises(ModelUnavailable, match="ReadTimeoutError") as failed:
        model.ask(model.question(UNSURE))
    assert failed.value.tokens is None


def test_an_unknown_behaviour_changes_nothing(cloud: LocalCloud) -> None:
    status, body = tell(cloud, "brilliant")
    assert status == 400
    assert "throttled" in body["detail"]
    assert json.loads(cloud.get("/_local/bedrock").body)["behaviour"] == "normal"


def test_what_is_not_converse_is_refused(cloud: LocalCloud) -> None:
    answer = cloud.post("/_local/simulators/bedrock-runtime/model/m/invoke", "{}")
    assert answer.status == 400
    assert answer.headers["x-amzn-errortype"] == "ValidationException"


def classified(cloud: LocalCloud, agent: Agent, text: str, key: str) -> dict[str, Any]:
    """What the journey of a message understood."""
    before = set(cloud.stories.received())
    message = whatsapp(cloud, text, phone="+33613000001", key=key, at=cloud.clock.now())
    assert cloud.receive(message).status == 200
    cloud.settle()
    (touchpoint_id,) = set(cloud.stories.received()) - before
    found: dict[str, Any] = agent.get(f"/v1/touchpoints/{touchpoint_id}")["classification"]
    return found


def test_cascade_budget_breaker_and_switch_by_hand(cloud: LocalCloud, agent: Agent) -> None:
    """As `make run BEDROCK=1` lets a person try it."""
    found = classified(cloud, agent, UNSURE, "1")
    assert found["decided_by"] == "bedrock"
    assert agent.get(f"/v1/ai-uses/{BEDROCK}")["spending"]["spent"] > 0

    tell(cloud, "throttled")
    failures = 0
    while agent.get(f"/v1/ai-uses/{BEDROCK}")["spending"]["breaker_open_until"] is None:
        failures += 1
        found = classified(cloud, agent, UNSURE, f"throttled-{failures}")
        assert found["decided_by"] == "embedded"
        assert found["fell_back_because"] == "Bedrock refused: ThrottlingException"
    asked = cloud.bedrock.asked
    tell(cloud, "normal")
    found = classified(cloud, agent, UNSURE, "open")
    assert found["fell_back_because"] == f"{BEDROCK}: its breaker is open"
    assert cloud.bedrock.asked == asked
    paid = POLICIES.ai_register[BEDROCK].paid
    assert paid is not None
    cloud.advance(paid.breaker.open_for)
    assert classified(cloud, agent, UNSURE, "closed")["decided_by"] == "bedrock"

    def turn(ai_use: AiUseName, *, on: bool) -> None:
        path = f"/v1/ai-uses/{ai_use}/switch"
        status, use = agent.send("PUT", path, on=on, reason="a test")
        assert (status, use["on"]) == (200, on)

    turn(BEDROCK, on=False)
    found = classified(cloud, agent, UNSURE, "off")
    assert found["fell_back_because"] == f"{BEDROCK}: switched off"
    turn(EMBEDDED, on=False)
    assert classified(cloud, agent, "Where is my order?", "words")["decided_by"] == "rules"
    for ai_use in (BEDROCK, EMBEDDED):
        turn(ai_use, on=True)
    cloud.settle()
    switched = [one for one in cloud.events if one["detail-type"] == "AiUseSwitched"]
    assert [one["detail"]["data"]["on"] for one in switched] == [False, False, True, True]
