"""The state of the AI uses on DynamoDB: one item for each, in a table without personal data.

Every write is what the rules of the domain make of what was read, on condition that it still holds:
many functions at once spend no more than the budget and let one call through an open breaker. A use
without an item is on and has spent nothing. A switch carries its event; what is spent leaves in
silence.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
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
    settled,
    switched,
)
from shared.domain.errors import Contention
from shared.domain.model import isoformat
from shared.events.envelope import Event

_ATTEMPTS = 8
_IS_ON = "(attribute_not_exists(#on) OR #on = :yes)"
_KEPT = ("day", "failures", "open_until", "opened_at")
"""Of a state, beside the switch and what was spent."""


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
        """Done twice, because the first answer was lost, it finds itself done."""
        state = self.states([ai_use])[ai_use]
        for _ in range(_ATTEMPTS):
            after = switched(state, switch)
            if after is state:
                return state
            parameters = dynamo.update(
                {"ai_use": ai_use},
                table=self._table,
                set_={**_turned(switch), "event": event.carried()},
                condition=_unchanged("on", state.switch),
                values={"was_on": state.is_on} if state.switch else None,
            )
            written, before = _update(self._client, parameters)
            if written is not None:
                return _state(written)
            state = _found(ai_use, before)
        raise Contention("others keep turning the same switch")

    def reserve(
        self, state: AiUseState, cost: int, paid: PaidModel, now: datetime
    ) -> Reservation | Refusal:
        for _ in range(_ATTEMPTS):
            decided = reserved(state, cost, paid, now)
            if isinstance(decided, Refusal):
                return decided
            after, reservation = decided
            room = paid.daily_budget - cost if state.day == after.day else None
            written, before = _update(self._once, self._spending(state, after, room))
            if written is not None:
                return reservation
            # Somebody came first. What it has become tells whether there is still room.
            state = _found(state.ai_use, before)
        raise Contention("others keep spending the same budget")

    def _spending(self, before: AiUseState, after: AiUseState, room: int | None) -> dict[str, Any]:
        """On condition that the switch is on, and that there is room beside what others spent."""
        condition = _IS_ON if room is None else f"{_IS_ON} AND #spent <= :room"
        values: dict[str, object] = {"yes": True} | ({} if room is None else {"room": room})
        return self._change(before, after, ("day", "open_until"), condition, values)

    def settle(
        self,
        reservation: Reservation,
        cost: int,
        paid: PaidModel,
        now: datetime,
        *,
        failed: bool,
    ) -> None:
        """Where others were quicker every time, they have told how the service is: only the money
        is put right then.
        """
        state = reservation.left
        for _ in range(_ATTEMPTS):
            after = settled(state, reservation, cost, paid, now, failed=failed)
            if after == state:
                return
            change = self._change(state, after, ("day", "failures", "open_until"))
            written, before = _update(self._once, change)
            if written is not None:
                return
            state = _found(reservation.ai_use, before)
        after = settled(state, reservation, cost, paid, now, failed=failed)
        put_right = state.model_copy(update={"spent": after.spent})
        if put_right != state:
            # Refused where another day has begun: there is nothing to put right then.
            _update(self._once, self._change(state, put_right, ("day",)))

    def _change(
        self,
        before: AiUseState,
        after: AiUseState,
        read: Sequence[str],
        condition: str = "",
        values: Mapping[str, object] | None = None,
    ) -> dict[str, Any]:
        """One update from one state to the other, on condition that what was `read` still holds.

        What is spent on the same day is added, so that calls which only spend never meet.
        """
        is_same_day = before.day == after.day
        changed = [one for one in _KEPT if getattr(before, one) != getattr(after, one)]
        new = {one: _stored(getattr(after, one)) for one in changed}
        was = {f"was_{one}": _stored(getattr(before, one)) for one in read}
        holds = [_unchanged(one, getattr(before, one)) for one in read]
        spent = after.spent - before.spent if is_same_day else 0
        return dynamo.update(
            {"ai_use": before.ai_use},
            table=self._table,
            set_=new if is_same_day else {**new, "spent": after.spent},
            add={"spent": spent} if spent else None,
            remove=["event", *(one for one in changed if new[one] is None)],
            condition=" AND ".join([*holds, *([condition] if condition else [])]),
            values={**(values or {}), **{one: value for one, value in was.items() if value}},
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


def _unchanged(name: str, before: object) -> str:
    return f"#{name} = :was_{name}" if before else f"attribute_not_exists(#{name})"


def _stored(value: date | datetime | int | None) -> str | int | None:
    """None for what stands in no attribute: nothing, and no failure."""
    if isinstance(value, datetime):
        return isoformat(value)
    return value.isoformat() if isinstance(value, date) else value or None


def _turned(switch: Switch) -> dict[str, object]:
    return {
        "on": switch.on,
        "by": switch.by,
        "at": isoformat(switch.at),
        "because": switch.because,
    }


def _found(ai_use: AiUseName, item: dict[str, Any] | None) -> AiUseState:
    return _state(item) if item else AiUseState(ai_use=ai_use)


def _state(item: dict[str, Any]) -> AiUseState:
    switch = {name: item[name] for name in Switch.model_fields if name in item}
    state = {name: item[name] for name in AiUseState.model_fields if name in item}
    return AiUseState.model_validate(state | ({"switch": switch} if switch else {}))
