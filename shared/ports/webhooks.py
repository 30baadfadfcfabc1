"""The company's own systems that are told what happens here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

# Every function imports this module; those that know nothing of tickets need not build theirs.
if TYPE_CHECKING:
    from shared.domain.webhook import Answer, Subscription, WebhookDelivery
    from shared.events.envelope import Event
from shared.ports.paging import Page


class Webhooks(Protocol):
    """Subscriptions of the company's own systems, and what became of each delivery."""

    def subscriptions(self) -> list[Subscription]:
        """All of them, by name."""

    def subscription(self, name: str) -> Subscription | None:
        """Strongly consistent."""

    def save(self, subscription: Subscription, event: Event | None = None) -> None:
        """As the next version of what is there. Raises Contention."""

    def remove(self, name: str) -> None:
        """Its deliveries stay until they expire. What is not there is removed already."""

    def delivery(self, subscription: str, delivery_id: str) -> WebhookDelivery | None:
        """Strongly consistent."""

    def keep(self, delivery: WebhookDelivery, event: Event | None = None) -> None:
        """As the next version of what is there. Raises Contention."""

    def deliveries(
        self, subscription: str, *, limit: int, cursor: str | None = None
    ) -> Page[WebhookDelivery]:
        """The latest events first. Raises InvalidInput for a cursor of another list."""


class EventRules(Protocol):
    """Which events the bus hands to whom."""

    def listen(self, name: str, types: Sequence[str]) -> None:
        """From now on those of these types, or all; what was said before counts no more."""

    def stop(self, name: str) -> None:
        """Nothing from now on."""


class WebhookReceivers(Protocol):
    def post(self, url: str, delivery_id: str, body: bytes, secrets: Sequence[str]) -> Answer:
        """Sign with each of the secrets and post, once. Never raises."""


class Bus(Protocol):
    def publish(self, events: Iterable[tuple[str, Mapping[str, Any]]]) -> list[bool]:
        """Put each (detail-type, detail) on the bus; True where the bus took it."""
