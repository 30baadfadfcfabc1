"""Sign, post, keep how that went, and come back later where it did not arrive.

Nothing is written before the first attempt: if the function dies on the way, Lambda hands it the
same event again, which is the same delivery under the same id.
"""

import json
from contextlib import suppress
from typing import NamedTuple

from shared.domain.errors import Contention
from shared.domain.model import Model, isoformat
from shared.domain.webhook import (
    SECRET,
    Subscription,
    SubscriptionName,
    WebhookDelivery,
    after,
    delivery_id,
    signing_secrets,
)
from shared.events.catalogue import WebhookSubscriptionDisabled
from shared.events.envelope import Envelope
from shared.ports.providers import Clock, Secrets
from shared.ports.tickets import Timer
from shared.ports.webhooks import WebhookReceivers, Webhooks


class Begun(Model):
    """What the rule of a subscription hands over."""

    subscription: SubscriptionName
    type: str
    detail: Envelope


class Due(Model):
    """A further attempt, or a replay."""

    subscription: SubscriptionName
    delivery_id: str


class Ports(NamedTuple):
    webhooks: Webhooks
    receivers: WebhookReceivers
    secrets: Secrets
    timer: Timer
    clock: Clock


def begin(begun: Begun, ports: Ports) -> str:
    """The first attempt. The bus may hand over an event twice: then it is under way already."""
    subscription = ports.webhooks.subscription(begun.subscription)
    if subscription is None or subscription.state != "active":
        return "not wanted"
    metadata = begun.detail.metadata
    key = delivery_id(subscription.name, metadata.event_id, metadata.at)
    if ports.webhooks.delivery(subscription.name, key) is not None:
        return "known"
    told = {
        "type": begun.type,
        "timestamp": isoformat(metadata.at),
        "data": begun.detail.data,
    }
    delivery = WebhookDelivery(
        subscription=subscription.name,
        delivery_id=key,
        event=begun.type,
        body=json.dumps(told, ensure_ascii=False, separators=(",", ":")),
    )
    return _attempt(subscription, delivery, ports)


def go_on(due: Due, ports: Ports) -> str:
    """What was delivered meanwhile, or is wanted no more, is not tried again."""
    subscription = ports.webhooks.subscription(due.subscription)
    if subscription is None or subscription.state != "active":
        return "not wanted"
    delivery = ports.webhooks.delivery(due.subscription, due.delivery_id)
    if delivery is None or delivery.state != "pending":
        return "ended"
    if delivery.next_at is not None and delivery.next_at > ports.clock.now():
        # A schedule that came late, or stood before a replay: the next attempt has one of its own.
        return "not due"
    return _attempt(subscription, delivery, ports)


def _attempt(subscription: Subscription, delivery: WebhookDelivery, ports: Ports) -> str:
    """The next attempt is scheduled before this one is kept: if the write fails, the function is
    tried again, and the schedule of that name is there already.
    """
    now = ports.clock.now()
    secrets = signing_secrets(ports.secrets.read(SECRET), subscription, now)
    answer = ports.receivers.post(
        subscription.url, delivery.delivery_id, delivery.body.encode(), secrets
    )
    made = after(delivery, answer, now)
    if made.next_at is not None:
        due = Due(subscription=subscription.name, delivery_id=delivery.delivery_id)
        ports.timer.schedule(f"webhook-{made.cause}", made.next_at, due.model_dump())
    # Somebody else made the same attempt at the same time, and kept it.
    with suppress(Contention):
        ports.webhooks.keep(made)
    if answer.status == 410:
        _disable(subscription, ports)
    return made.state


def _disable(subscription: Subscription, ports: Ports) -> None:
    """410: its owner took it away. Where somebody changed it at this moment, that counts."""
    disabled = subscription.model_copy(
        update={
            "state": "disabled",
            "disabled_because": "it answered 410 Gone",
            "version": subscription.version + 1,
        }
    )
    with suppress(Contention):
        ports.webhooks.save(disabled, WebhookSubscriptionDisabled(subscription=subscription.name))
