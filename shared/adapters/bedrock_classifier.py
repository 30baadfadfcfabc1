"""The third classifier: a language model on Amazon Bedrock, asked through Converse with one closed
tool.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Annotated, Any, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError
from pydantic import Field, ValidationError

from shared.adapters.bedrock_prompt import (
    MOST_ENTITIES,
    MOST_TOKENS,
    PROMPT_VERSION,
    TOOL,
    converse_request,
    weak_signals,
)
from shared.adapters.message_words import fold, plain
from shared.adapters.text_facts import without, words_in
from shared.domain.ai_use import Tokens, Unavailable
from shared.domain.classification import (
    Classification,
    Entity,
    EntityKind,
    Evidence,
    Intents,
    Sentiment,
    Urgency,
)
from shared.domain.model import Model
from shared.domain.understanding import UnderstandingPolicy
from shared.ports.understanding import Masker

"""The model may write; what is cut off breaks the schema and is refused."""
FRAME_TOKENS = 1_000
"""What Bedrock adds around a request with a tool, at the most: Claude's is 350 to 500 tokens.
https://docs.claude.com/en/docs/agents-and-tools/tool-use/overview#pricing
"""
THE_ANSWERS_FAULT = frozenset({"ModelErrorException", "ValidationException"})
"""What the model, or the text it was given, brought about: the service is well. Whoever writes such
a text must not open the breaker for everybody, and what it cost nobody says.
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html#API_runtime_Converse_Errors
"""
_LINK = re.compile(
    r"://|www\.|\S+@\S+"
    r"|\w\s?[.。]\s?(?:com|net|org|info|biz|io|co|app|dev|me|xyz|top|site|online|shop|click|link)(?!\w)"
    r"|[\w-]{2,}[.。][^\W\d_]{2,}|\w\[\.\]\w"
    r"|\w (?:dot|point|punto|ponto|punkt) (?:com|net|org)(?!\w)",
    re.I,
)
"""Or what somebody reads as one: a domain without its scheme, as most are typed."""
Share = Annotated[float, Field(ge=0, le=1)]
Words = Annotated[tuple[Annotated[str, Field(max_length=60)], ...], Field(max_length=8)]


class ModelUnavailable(Exception):
    """No usable answer: the service failed, was too slow, or was not asked.

    The message is safe to keep: it never quotes the answer. `tokens` is what was billed, None where
    nobody knows.
    """

    def __init__(self, reason: str, why: Unavailable, tokens: Tokens | None = None) -> None:
        super().__init__(reason)
        self.why = why
        self.tokens = tokens


class AnswerRefused(ModelUnavailable):
    """The model answered, with something that the closed lists do not hold."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, Unavailable.ANSWER_REFUSED)


class Answered(NamedTuple):
    classification: Classification
    tokens: Tokens | None
    """What is billed; None where the service did not say."""


class Question(NamedTuple):
    said: str
    """The `plain` text."""
    shown: str
    """What the model reads of it."""
    hidden: set[str]
    """Folded words that nobody may read in the answer."""
    names: tuple[str, ...]
    """What the person is called."""


def as_written(text: str, names: Sequence[str] = (), /) -> str:
    """A masker that hides nothing."""
    return text


class _Words(Model):
    intent: Words = ()
    sentiment: Words = ()
    urgency: Words = ()


class _Entity(Model):
    kind: EntityKind
    text: str = Field(min_length=1, max_length=80)


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
    weak_signals: tuple[str, ...] = ()
    summary: str = Field(default="", max_length=400)
    """Longer than asked is cut: the rest of the answer is as good as ever."""
    entities: Annotated[tuple[_Entity, ...], Field(max_length=2 * MOST_ENTITIES)] = ()
    evidence: _Words = _Words()


class BedrockClassifier:
    """`client` makes a bedrock-runtime client, on first use; its timeouts are the wiring's.

    What `mask` hides stands nowhere in an answer, and the model never reads it either unless it is
    `shows_all`.
    """

    def __init__(
        self,
        client: Callable[[], Any],
        model_id: str,
        policy: UnderstandingPolicy,
        intents: Intents,
        mask: Masker = as_written,
        *,
        shows_all: bool = False,
    ) -> None:
        self._make_client = client
        self._model_id = model_id
        self._policy = policy
        self._intents = intents
        self._mask = mask
        self._shows_all = shows_all

    @cached_property
    def _client(self) -> Any:
        return self._make_client()

    def question(self, text: str, names: Sequence[str] = ()) -> Question:
        """Of a message in which the person may be called by `names`."""
        text, names = plain(text), tuple(names)
        masked = self._mask(text, names)
        shown = text if self._shows_all else masked
        return Question(text, shown, _hidden(text, masked), names)

    def ask(self, question: Question) -> Answered:
        """Raises ModelUnavailable, and AnswerRefused where it answered in vain.

        A throttled or failed request is not billed; one that timed out may be.
        """
        try:
            response = self._client.converse(**self.request(question))
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "unknown")
            if code in THE_ANSWERS_FAULT:
                raise AnswerRefused(f"the model's answer was unusable: {code}") from None
            reason = f"Bedrock refused: {code}"
            raise ModelUnavailable(reason, Unavailable.SERVICE_REFUSED, Tokens(0, 0)) from None
        except (BotoCoreError, ResponseParserError) as error:
            reason = f"Bedrock did not answer: {type(error).__name__}"
            raise ModelUnavailable(reason, Unavailable.NO_ANSWER) from None
        tokens = _tokens(response)
        try:
            return Answered(self._classification(self._answer(response), question), tokens)
        except AnswerRefused as refused:
            refused.tokens = tokens
            raise

    def request(self, asked: Question) -> dict[str, Any]:
        """What Converse is asked."""
        return converse_request(self._model_id, asked.shown, self._intents, self._policy)

    def most_tokens(self, question: Question) -> Tokens:
        """What asking can cost at the most: a token is one byte of UTF-8 or longer."""
        request = json.dumps(self.request(question), ensure_ascii=False)
        return Tokens(len(request.encode()) + FRAME_TOKENS, MOST_TOKENS)

    def _answer(self, response: dict[str, Any]) -> _Answer:
        message = response.get("output", {}).get("message", {})
        used = [block["toolUse"] for block in message.get("content", []) if "toolUse" in block]
        if len(used) != 1 or used[0].get("name") != TOOL:
            raise AnswerRefused("the model did not use its tool once")
        try:
            answer = _Answer.model_validate(used[0].get("input"))
        except ValidationError as error:
            fields = ", ".join(sorted({str(one["loc"][0]) for one in error.errors() if one["loc"]}))
            known = fields if set(fields.split(", ")) <= {*_Answer.model_fields} else "more fields"
            raise AnswerRefused(f"the model's answer breaks the schema: {known}") from None
        closed = (
            ("intent", (answer.intent, answer.runner_up or answer.intent), self._intents),
            ("urgency reason", answer.urgency_reasons, self._policy.urgency),
            ("weak signal", answer.weak_signals, weak_signals(self._policy)),
        )
        for what, given, names in closed:
            if not set(given) <= set(names):
                raise AnswerRefused(f"the model's {what} is not in the closed list")
        return answer

    def _classification(self, answer: _Answer, asked: Question) -> Classification:
        folded = fold(asked.said)
        return Classification(
            **answer.model_dump(exclude={"evidence", "summary", "entities"}),
            summary=self._summary(answer.summary, asked.names),
            entities=tuple(
                Entity(kind=one.kind, text=one.text)
                for one in answer.entities[:MOST_ENTITIES]
                if fold(one.text) in folded and not words_in([one.text]) & asked.hidden
            ),
            evidence=_evidence(answer, folded, asked.hidden),
            decided_by="bedrock",
            version=f"bedrock:{self._model_id}/{PROMPT_VERSION}",
            threshold=self._policy.thresholds.intent,
        )

    def _summary(self, text: str, names: Sequence[str]) -> str:
        """One line without personal data. One with a link or an address is left out: an agent
        reads it, and who wrote the message may have dictated it.
        """
        line = " ".join(plain(text).split())
        if _LINK.search(line):
            return ""
        from shared.adapters.summary import cut

        # A number that is cut may look like another kind of number.
        while (hidden := cut(self._mask(line, names))) != line:
            line = hidden
        return line


def _tokens(response: dict[str, Any]) -> Tokens | None:
    usage = response.get("usage", {})
    if not {"inputTokens", "outputTokens"} <= usage.keys():
        return None
    return Tokens(usage["inputTokens"], usage["outputTokens"])


def _hidden(text: str, masked: str) -> set[str]:
    """The words of which at least one is hidden."""
    said, shown = (Counter(re.findall(r"\w+", fold(one))) for one in (text, masked))
    return set(said - shown)


def _evidence(answer: _Answer, folded: str, hidden: set[str]) -> tuple[Evidence, ...]:
    """Only words that the message holds: a model may invent its reasons, the record may not."""
    found = []
    for aspect, words in answer.evidence.model_dump().items():
        said = tuple(word for word in words if fold(word) in folded)[:5]
        if said:
            one = Evidence.model_validate({"aspect": aspect, "words": said})
            found.append(without(one, hidden))
    return tuple(one for one in found if one.words)
