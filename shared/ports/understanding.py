"""What messages mean, and what a machine may do to find out."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from shared.domain.touchpoint import Channel

# Every function imports this module; those that know nothing of tickets need not build theirs.
if TYPE_CHECKING:
    from shared.domain.ai_use import (
        AiUseName,
        AiUseState,
        PaidModel,
        Refusal,
        Reservation,
        Switch,
    )
    from shared.domain.classification import Classification
    from shared.events.envelope import Event


class Classifier(Protocol):
    def classify(
        self,
        text: str,
        *,
        language: str | None = None,
        channel: Channel | None = None,
        at: datetime | None = None,
        names: Sequence[str] = (),
    ) -> Classification:
        """What `text` means. `language`, `channel` and `names` are what the touchpoint states of
        itself and the person, `at` is when it happened.
        """


class Masker(Protocol):
    def __call__(self, text: str, names: Sequence[str] = (), /) -> str:
        """What is read of `text`, with a placeholder of its kind (`[phone]`) for each piece of
        personal data. `names` is what the person is called.
        """


class AiUses(Protocol):
    """What each AI use may do now: its kill switch, its budget of the day, its breaker."""

    def states(self, ai_uses: Collection[AiUseName]) -> dict[AiUseName, AiUseState]:
        """Of each of these. Strongly consistent, in one call."""

    def switch(self, ai_use: AiUseName, switch: Switch, event: Event) -> AiUseState:
        """Turn the kill switch; the state as it stands then.

        Where it stands so already, nothing is written and no event leaves.
        """

    def reserve(
        self, state: AiUseState, cost: int, paid: PaidModel, now: datetime
    ) -> Reservation | Refusal:
        """Set money aside for one call, in micro-dollars: all that was checked still holds as it is
        written.

        `state` is what was read before. Raises Contention.
        """

    def settle(
        self,
        reservation: Reservation,
        cost: int,
        paid: PaidModel,
        now: datetime,
        *,
        failed: bool,
    ) -> None:
        """Tell what the call cost, and whether the service failed it."""
