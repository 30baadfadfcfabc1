"""The breakers of the providers' accounts on DynamoDB: one item each, beside the tickets, where
whoever sends reads and writes anyway. Nobody is named in it.

An account without an item has a closed breaker. One that is closed again keeps its item.
"""

from typing import Any

from shared.adapters import dynamo
from shared.domain.breaker import BreakerState
from shared.domain.errors import Contention
from shared.events.envelope import Event


class DynamoAccountBreakers:
    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table

    def state(self, provider: str, account: str) -> BreakerState:
        answer = self._client.get_item(
            TableName=self._table,
            Key=dynamo.attributes(_key(provider, account)),
            ConsistentRead=True,
        )
        item = dynamo.plain(answer.get("Item", {}))
        return BreakerState.model_validate_json(item["breaker"]) if item else BreakerState()

    def change(
        self,
        provider: str,
        account: str,
        before: BreakerState,
        after: BreakerState,
        event: Event | None = None,
    ) -> bool:
        """Done twice, because the first answer was lost, it says that somebody else was there: the
        state is read again then, and has nothing left to change.
        """
        item = {**_key(provider, account), "breaker": _stored(after)}
        unchanged = "#breaker = :before"
        if before == BreakerState():
            unchanged = f"attribute_not_exists(pk) OR {unchanged}"
        put = dynamo.put(
            item | ({"event": event.carried()} if event else {}),
            table=self._table,
            condition=unchanged,
            values={"before": _stored(before)},
        )
        try:
            with dynamo.contention():
                self._client.put_item(**put)
        except Contention:
            return False
        return True


def _key(provider: str, account: str) -> dict[str, str]:
    return {"pk": f"account#{provider}#{account}", "sk": "breaker"}


def _stored(state: BreakerState) -> str:
    return state.model_dump_json(exclude_defaults=True)
