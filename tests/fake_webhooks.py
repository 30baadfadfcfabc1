"""Outgoing webhooks in memory, true to their ports."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from shared.domain.errors import Contention, InvalidInput
from shared.domain.webhook import Answer, Subscription, WebhookDelivery
from shared.events.envelope import Event
from shared.ports.paging import Page


class FakeWebhooks:
    def __init__(self, events: list[Event] | None = None) -> None:
        self.events: list[Event] = events if events is not None else []
        self._subscriptions: dict[str, Subscription] = {}
        self._deliveries: dict[tuple[str, str], WebhookDelivery] = {}

    def subscriptions(self) -> list[Subscription]:
        return [self._subscriptions[name] for name in sorted(self._subscriptions)]

    def subscription(self, name: str) -> Subscription | None:
        return self._subscriptions.get(name)

    def save(self, subscription: Subscription, event: Event | None = None) -> None:
        before = self._subscriptions.get(subscription.name)
        if subscription.version != (before.version if before else 0) + 1:
            raise Contention("somebody else changed the item first")
        self._subscriptions[subscription.name] = subscription
        self.events += [event] if event else []

    def remove(self, name: str) -> None:
        self._subscriptions.pop(name, None)

    def delivery(self, subscription: str, delivery_id: str) -> WebhookDelivery | None:
        return self._deliveries.get((subscription, delivery_id))

    def keep(self, delivery: WebhookDelivery, event: Event | None = None) -> None:
        key = (delivery.subscription, delivery.delivery_id)
        before = self._deliveries.get(key)
        if delivery.version != (before.version if before else 0) + 1:
            raise Contention("somebody else changed the item first")
        self._deliveries[key] = delivery
        self.events += [event] if event else []

    def deliveries(
        self, subscription: str, *, limit: int, cursor: str | None = None
    ) -> Page[WebhookDelivery]:
        found = sorted(
            (one for (name, _), one in self._deliveries.items() if name == subscription),
            key=lambda one: one.delivery_id,
            reverse=True,
        )
        ids = [one.delivery_id for one in found]
        if cursor is not None and cursor not in ids:
            raise InvalidInput("this is no cursor of this list", field="cursor")
        start = ids.index(cursor) + 1 if cursor else 0
        items = found[start : start + limit]
        more = start + limit < len(found)
        return Page(items, items[-1].delivery_id if more else None)


@dataclass
class FakeEventRules:
    """`heard` are the types each listens to. While `broken`, whatever is asked raises it."""

    heard: dict[str, tuple[str, ...]] = field(default_factory=dict)
    broken: Exception | None = None

    def listen(self, name: str, types: Sequence[str]) -> None:
        if self.broken is not None:
            raise self.broken
        self.heard[name] = tuple(types)

    def stop(self, name: str) -> None:
        self.heard.pop(name, None)


@dataclass
class FakeReceivers:
    """Answers with each of `answers` in turn, then with 200; keeps what it was sent."""

    answers: list[Answer] = field(default_factory=list)
    posts: list[tuple[str, str, bytes, tuple[str, ...]]] = field(default_factory=list)

    def post(self, url: str, delivery_id: str, body: bytes, secrets: Sequence[str]) -> Answer:
        self.posts.append((url, delivery_id, body, tuple(secrets)))
        return self.answers.pop(0) if self.answers else Answer(200)
