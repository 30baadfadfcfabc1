"""The third classifier: a language model on Amazon Bedrock, asked through Converse with one closed
tool.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html
"""

from collections.abc import Callable
from functools import cached_property
from typing import Annotated, Any

from botocore.exceptions import BotoCoreError, ClientError
from pydantic import Field, ValidationError

from shared.adapters.bedrock_prompt import (
    PROMPT_VERSION,
    TOOL,
    answer_schema,
    instructions,
    question,
)
from shared.adapters.message_words import fold, plain
from shared.domain.classification import Classification, Evidence, Intents, Sentiment, Urgency
from shared.domain.model import Model
from shared.domain.touchpoint import Channel
from shared.domain.understanding import UnderstandingPolicy

MOST_TOKENS = 500
Share = Annotated[float, Field(ge=0, le=1)]
Words = Annotated[tuple[Annotated[str, Field(max_length=60)], ...], Field(max_length=8)]


class ModelUnavailable(Exception):
    """No usable answer: the service failed, was too slow, or said what the closed lists do not
    hold.

    The message is safe to keep: it never quotes the answer.
    """


class _Words(Model):
    intent: Words = ()
    sentiment: Words = ()
    urgency: Words = ()


class _Answer(Model):
    """The tool's input, checked again here: a schema given to a model is a request, not a
    guarantee.
    """

    language: str = Field(pattern=r"^[a-z]{2,3}$")
    language_confidence: Share
    intent: str
    intent_confidence: Share
    runner_up: str | None = None
    sentiment: Sentiment
    sentiment_score: float = Field(ge=-1, le=1)
    sentiment_confidence: Share
    urgency: Urgency
    urgency_reasons: tuple[str, ...] = ()
    evidence: _Words = _Words()


class BedrockClassifier:
    """`client` makes a bedrock-runtime client, on first use; its timeouts are the wiring's."""

    def __init__(
        self,
        client: Callable[[], Any],
        model_id: str,
        policy: UnderstandingPolicy,
        intents: Intents,
    ) -> None:
        self._make_client = client
        self._model_id = model_id
        self._policy = policy
        self._intents = intents

    @cached_property
    def _client(self) -> Any:
        return self._make_client()

    def classify(
        self, text: str, *, language: str | None = None, channel: Channel | None = None
    ) -> Classification:
        """Raises ModelUnavailable."""
        text = plain(text)
        try:
            response = self._client.converse(**self.request(text))
        except ClientError as error:
            raise ModelUnavailable(f"Bedrock refused: {error.response['Error']['Code']}") from None
        except BotoCoreError as error:
            raise ModelUnavailable(f"Bedrock did not answer: {type(error).__name__}") from None
        return self._classification(self._answer(response), text)

    def request(self, text: str) -> dict[str, Any]:
        """What Converse is asked."""
        tool = {
            "name": TOOL,
            "description": "Record what the customer's message means.",
            "inputSchema": {"json": answer_schema(self._intents, self._policy)},
        }
        return {
            "modelId": self._model_id,
            "system": [{"text": instructions(self._intents, self._policy)}],
            "messages": [{"role": "user", "content": [{"text": question(text)}]}],
            "toolConfig": {"tools": [{"toolSpec": tool}], "toolChoice": {"any": {}}},
            "inferenceConfig": {"maxTokens": MOST_TOKENS, "temperature": 0.0},
        }

    def _answer(self, response: dict[str, Any]) -> _Answer:
        content = response.get("output", {}).get("message", {}).get("content", [])
        used = [block["toolUse"] for block in content if "toolUse" in block]
        if len(used) != 1 or used[0]["name"] != TOOL:
            raise ModelUnavailable("the model did not use its tool once")
        try:
            answer = _Answer.model_validate(used[0]["input"])
        except ValidationError as error:
            fields = ", ".join(sorted({str(one["loc"][0]) for one in error.errors() if one["loc"]}))
            raise ModelUnavailable(f"the model's answer breaks the schema: {fields}") from None
        intents = {answer.intent, answer.runner_up or answer.intent}
        if not intents <= set(self._intents):
            raise ModelUnavailable("the model's intent is not in the closed list")
        if not set(answer.urgency_reasons) <= set(self._policy.urgency):
            raise ModelUnavailable("the model's urgency reason is not in the closed list")
        return answer

    def _classification(self, answer: _Answer, text: str) -> Classification:
        return Classification(
            **answer.model_dump(exclude={"evidence"}),
            evidence=_evidence(answer, fold(text)),
            decided_by="bedrock",
            version=f"bedrock:{self._model_id}/{PROMPT_VERSION}",
            threshold=self._policy.thresholds.intent,
        )


def _evidence(answer: _Answer, folded: str) -> tuple[Evidence, ...]:
    """Only words that the message holds: a model may invent its reasons, the record may not."""
    found = []
    for aspect, words in answer.evidence.model_dump().items():
        said = tuple(word for word in words if fold(word) in folded)[:5]
        if said:
            found.append(Evidence.model_validate({"aspect": aspect, "words": said}))
    return tuple(found)
