"""The state of the AI uses on DynamoDB: one item for each, in a table without personal data.

Every write holds under the condition that made it right, so that many functions at once spend no
more than the budget and let one call through an open breaker. A use without an item is on and has
spent nothing. A switch carries its event; what is spent leaves in silence.
"""

from collections.abc import Callable, Collection
from datetime import date, datetime
from functools import cached_property
from typing import Any, cast

from botocore.exceptions import ClientError

from shared.adapters import dynamo
from shared.domain.ai_use import (
    AiUseName,
    AiUseState,
    PaidModel,
    Refusal,
    Reservation,
    Switch,
    reserved,
)
from shared.domain.errors import Contention
from shared.domain.model import isoformat
from shared.events.envelope import Event

_ATTEMPTS = 8
_IS_ON = "(attribute_not_exists(#on) OR #on = :yes)"


class DynamoAiUses:
    def __init__(self, client: Any, table: str, spending: Callable[[], Any]) -> None:
        """`spending` makes the client for sums, which tries once: if the answer to a correction is
        lost, it must not be made twice.
        """
        self._client = client
        self._table = table
        self._make_spending = spending

    @cached_property
    def _once(self) -> Any:
        return self._make_spending()

    def states(self, ai_uses: Collection[AiUseName]) -> dict[AiUseName, AiUseState]:
        keys = [{"ai_use": one} for one in ai_uses]
        items = dynamo.batch_get(self._client, self._table, keys, consistent=True)
        found = {item["ai_use"]: _state(item) for item in items}
        return {one: found.get(one, AiUseState(ai_use=one)) for one in ai_uses}

    def switch(self, ai_use: AiUseName, switch: Switch, event: Event) -> AiUseState:
        written, before = _update(
            self._client,
            dynamo.update(
                {"ai_use": ai_use},
                table=self._table,
                set_={
                    "on": switch.on,
                    "by": switch.by,
                    "at": isoformat(switch.at),
                    "because": switch.because,
                    "event": event.carried(),
                },
                condition="#on = :no" if switch.on else _IS_ON,
                values={"no": False} if switch.on else {"yes": True},
            ),
        )
        item = written or before
        return _state(item) if item else AiUseState(ai_use=ai_use)

    def reserve(
        self, state: AiUseState, cost: int, paid: PaidModel, now: datetime
    ) -> Reservation | Refusal:
        for _ in range(_ATTEMPTS):
            decided = reserved(state, cost, paid, now)
            if isinstance(decided, Refusal):
                return decided
            after, reservation = decided
            written, before = _update(self._once, self._spending(state, after, cost, paid))
            if written is not None:
                return reservation
            # Somebody came first. What it has become tells whether there is still room.
            state = _state(before) if before else AiUseState(ai_use=state.ai_use)
        raise Contention("others keep spending the same budget")

    def _spending(
        self, before: AiUseState, after: AiUseState, cost: int, paid: PaidModel
    ) -> dict[str, Any]:
        """One update, on condition that what it was decided on still holds.

        What others spend on the same day does not disturb it while there is room.
        """
        assert after.day is not None
        conditions = [_IS_ON]
        values: dict[str, object] = {"yes": True}
        set_: dict[str, object] = {}
        add: dict[str, object] = {}
        if before.day == after.day:
            conditions.append("#day = :day AND #spent <= :room")
            values |= {"day": after.day.isoformat(), "room": paid.daily_budget - cost}
            add["spent"] = cost
        else:
            conditions.append(_unchanged("day", before.day))
            values |= {"was_day": before.day.isoformat()} if before.day else {}
            set_ |= {"day": after.day.isoformat(), "spent": cost}
        conditions.append(_unchanged("open_until", before.open_until))
        if before.open_until is not None and after.open_until is not None:
            values["was_open_until"] = isoformat(before.open_until)
            set_["open_until"] = isoformat(after.open_until)
        return dynamo.update(
            {"ai_use": before.ai_use},
            table=self._table,
            set_=set_,
            add=add,
            remove=["event"],
            condition=" AND ".join(conditions),
            values=values,
        )

    def settle(
        self,
        reservation: Reservation,
        cost: int,
        paid: PaidModel,
        now: datetime,
        *,
        failed: bool,
    ) -> None:
        """If the second write of a failure is lost, the next failure opens the breaker."""
        correction = {"spent": cost - reservation.cost}
        ends: dict[str, Any] = {"add": {}, "remove": ["event", "failures", "open_until"]}
        if failed:
            ends = {"add": {"failures": 1}, "remove": ["event"]}
        key = {"ai_use": reservation.ai_use}
        written, before = _update(
            self._once,
            dynamo.update(
                key,
                table=self._table,
                add=ends["add"] | correction,
                remove=ends["remove"],
                condition="#day = :day",
                values={"day": reservation.day.isoformat()},
            ),
        )
        if written is None and before is not None:
            # Another day has begun, and the sum of the one it was reserved on is gone.
            written, _ = _update(self._once, dynamo.update(key, table=self._table, **ends))
        if failed and written and written["failures"] >= paid.breaker.failures:
            _update(
                self._once,
                dynamo.update(
                    key,
                    table=self._table,
                    set_={"open_until": isoformat(now + paid.breaker.open_for)},
                    remove=["event"],
                    condition="#failures >= :limit",
                    values={"limit": paid.breaker.failures},
                ),
            )


def _update(
    client: Any, parameters: dict[str, Any]
) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """The item as written; where the condition failed, nothing and the item as it is."""
    if "ConditionExpression" in parameters:
        parameters["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
    try:
        answer = client.update_item(ReturnValues="ALL_NEW", **parameters)
    except ClientError as error:
        if not dynamo.condition_failed(error):
            raise
        item = cast(dict[str, Any], error.response).get("Item")
        return None, dynamo.plain(item) if item else None
    return dynamo.plain(answer["Attributes"]), None


def _unchanged(name: str, before: date | datetime | None) -> str:
    return f"attribute_not_exists(#{name})" if before is None else f"#{name} = :was_{name}"


def _state(item: dict[str, Any]) -> AiUseState:
    switch = {name: item[name] for name in Switch.model_fields if name in item}
    state = {name: item[name] for name in AiUseState.model_fields if name in item}
    return AiUseState.model_validate(state | ({"switch": switch} if switch else {}))
