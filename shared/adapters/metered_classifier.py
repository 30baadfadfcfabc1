"""Bedrock within what people and money allow: switch, budget of the day, breaker.

Money is set aside before the call and put right after it. Whatever is lost in between, the call,
its answer or the correction, leaves the most it could cost spent: never too little.
"""

from collections.abc import Callable, Sequence
from datetime import datetime

from botocore.exceptions import BotoCoreError, ClientError

from shared.adapters.bedrock_classifier import AnswerRefused, BedrockClassifier, ModelUnavailable
from shared.domain.ai_use import (
    AiUseName,
    AiUseState,
    PaidModel,
    Refusal,
    Reservation,
    Tokens,
    Unavailable,
)
from shared.domain.classification import Classification
from shared.domain.errors import Contention
from shared.ports.understanding import AiUses
from shared.runtime.observability import count, logger

UNREACHABLE = (BotoCoreError, ClientError, Contention)
"""What the store of the states may fail with."""


class MeteredClassifier:
    def __init__(
        self,
        bedrock: BedrockClassifier,
        ai_uses: AiUses,
        paid: PaidModel,
        now: Callable[[], datetime],
    ) -> None:
        self._bedrock = bedrock
        self._ai_uses = ai_uses
        self._paid = paid
        self._now = now

    def ask(self, text: str, names: Sequence[str], state: AiUseState) -> Classification:
        """`state` is the one just read. Raises ModelUnavailable, and AnswerRefused."""
        question = self._bedrock.question(text, names)
        most = self._paid.price.cost(self._bedrock.most_tokens(question))
        try:
            reservation = self._ai_uses.reserve(state, most, self._paid, self._now())
        except UNREACHABLE as error:
            self._tell_unsettled(state.ai_use, "reserve", error)
            reason = "the budget could not be asked"
            raise ModelUnavailable(reason, Unavailable.BUDGET_UNREAD) from None
        if isinstance(reservation, Refusal):
            why = Unavailable[reservation.name]
            raise ModelUnavailable(f"{state.ai_use}: {reservation}", why)
        try:
            answered = self._bedrock.ask(question)
        except ModelUnavailable as unavailable:
            # Whoever writes nonsense to us must not be able to open the breaker for the others.
            failed = not isinstance(unavailable, AnswerRefused)
            self._settle(reservation, unavailable.tokens, failed=failed)
            raise
        self._settle(reservation, answered.tokens, failed=False)
        return answered.classification

    def _settle(self, reservation: Reservation, tokens: Tokens | None, *, failed: bool) -> None:
        cost = reservation.cost if tokens is None else self._paid.price.cost(tokens)
        try:
            self._ai_uses.settle(reservation, cost, self._paid, self._now(), failed=failed)
        except UNREACHABLE as error:
            self._tell_unsettled(reservation.ai_use, "settle", error)

    def _tell_unsettled(self, ai_use: AiUseName, what: str, error: Exception) -> None:
        """Nobody waits for it, so only the log and the count tell."""
        kind = type(error).__name__
        logger().warning("ai_use_unsettled", extra={"ai_use": ai_use, "what": what, "error": kind})
        count("AiUsesUnsettled", ai_use=ai_use)
