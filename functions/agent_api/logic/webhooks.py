"""Subscriptions of the company's own systems, their secrets, and the log of what was sent."""

import re
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, StringConstraints

from functions.agent_api.logic.paging import Listing
from shared.domain.errors import InvalidInput, NotFound, Unlisted
from shared.domain.model import Instant, Model
from shared.domain.webhook import (
    Attempt,
    Subscription,
    WebhookDelivery,
    begun_anew,
    signing_secrets,
)
from shared.events.catalogue import WebhookReplayRequested
from shared.ports.webhooks import EventRules, Webhooks

LONGEST_URL = 2000
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}
_PRINTED = re.compile("[!-~]+")
_HOST_NAME = re.compile(r"([a-z0-9_-]+\.)+[a-z][a-z0-9-]+\.?")
"""Of the public internet: no address, in whatever notation, and no name of one network only."""


class SubscriptionChange(Model):
    """Where to, and what. A subscription that was disabled is active again."""

    url: Annotated[str, StringConstraints(max_length=LONGEST_URL)] = Field(
        description="https, on the public internet."
    )
    events: tuple[str, ...] = Field(
        default=(), max_length=100, description="Names of docs/events.md; none: every event."
    )
    description: str = Field(default="", max_length=200)


class SubscriptionView(Model):
    name: str
    url: str
    events: tuple[str, ...]
    description: str
    state: Literal["active", "disabled"]
    disabled_because: str | None
    made_by: str
    made_at: Instant
    rotated_at: Instant | None


class SecretsView(Model):
    """What signs now."""

    signing_secrets: tuple[str, ...] = Field(
        description="The newest first; during the day after a rotation both sign."
    )


class DeliveryView(Model):
    """One event on its way to one system."""

    delivery_id: str = Field(description="The `webhook-id` of every attempt.")
    event: str
    state: Literal["pending", "delivered", "failed"]
    attempts: tuple[Attempt, ...]
    next_at: Instant | None
    body: str


def list_subscriptions(*, webhooks: Webhooks) -> Listing[SubscriptionView]:
    return Listing(items=tuple(_view(one) for one in webhooks.subscriptions()))


def read_subscription(name: str, *, webhooks: Webhooks) -> SubscriptionView:
    return _view(_existing(name, webhooks))


def subscribe(
    name: str,
    change: SubscriptionChange,
    *,
    webhooks: Webhooks,
    rules: EventRules,
    known: Collection[str],
    loopback: bool,
    by: str,
    now: datetime,
) -> SubscriptionView:
    """Made, or changed. It is kept before the bus hears of it: if that fails, doing it again puts
    it right, and until then nothing is sent.
    """
    _check_url(change.url, loopback=loopback)
    if unknown := sorted(set(change.events) - set(known)):
        raise Unlisted(f"there is no event {', '.join(unknown)[:200]}", field="events")
    before = webhooks.subscription(name)
    after = Subscription(
        name=name,
        url=change.url,
        events=tuple(sorted(set(change.events))),
        description=change.description,
        made_by=before.made_by if before else f"agent:{by}",
        made_at=before.made_at if before else now,
        key_version=before.key_version if before else 1,
        rotated_at=before.rotated_at if before else None,
        version=before.version + 1 if before else 1,
    )
    webhooks.save(after)
    rules.listen(name, after.events)
    return _view(after)


def unsubscribe(name: str, *, webhooks: Webhooks, rules: EventRules) -> SubscriptionView:
    """As it was. The bus stops first: without a subscription what it hands over is dropped."""
    subscription = _existing(name, webhooks)
    rules.stop(name)
    webhooks.remove(name)
    return _view(subscription)


def read_secrets(
    name: str, *, webhooks: Webhooks, secret: Mapping[str, str] | None, now: datetime
) -> SecretsView:
    subscription = _existing(name, webhooks)
    return SecretsView(signing_secrets=tuple(signing_secrets(secret, subscription, now)))


def rotate_secret(
    name: str, *, webhooks: Webhooks, secret: Mapping[str, str] | None, now: datetime
) -> SecretsView:
    before = _existing(name, webhooks)
    after = before.model_copy(
        update={
            "key_version": before.key_version + 1,
            "rotated_at": now,
            "version": before.version + 1,
        }
    )
    found = SecretsView(signing_secrets=tuple(signing_secrets(secret, after, now)))
    webhooks.save(after)
    return found


def list_deliveries(
    name: str, *, limit: int, cursor: str | None, webhooks: Webhooks
) -> Listing[DeliveryView]:
    """The latest events first; also of a subscription that is no more."""
    page = webhooks.deliveries(name, limit=limit, cursor=cursor)
    return Listing(items=tuple(_shown(one) for one in page.items), cursor=page.cursor)


def replay(name: str, delivery_id: str, *, webhooks: Webhooks) -> DeliveryView:
    """Sent again under its id, whatever became of it: who has it already drops it."""
    _existing(name, webhooks)
    delivery = webhooks.delivery(name, delivery_id)
    if delivery is None:
        raise NotFound("there is no such delivery, or no longer")
    again = begun_anew(delivery)
    webhooks.keep(again, WebhookReplayRequested(subscription=name, delivery_id=delivery_id))
    return _shown(again)


def _check_url(url: str, *, loopback: bool) -> None:
    """What can be told without asking anybody; the address is looked at with each delivery."""
    # Python's parser drops line breaks and tabs without a word.
    if not _PRINTED.fullmatch(url):
        raise InvalidInput("this is no address: a character has to be encoded", field="url")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise InvalidInput("this is no address", field="url") from None
    if loopback and host in _LOOPBACK and parts.scheme in {"http", "https"}:
        return
    if parts.scheme != "https":
        raise InvalidInput("only https is sent to", field="url")
    if parts.username is not None or not _HOST_NAME.fullmatch(host or ""):
        raise InvalidInput("a host name without a login is wanted", field="url")


def _existing(name: str, webhooks: Webhooks) -> Subscription:
    found = webhooks.subscription(name)
    if found is None:
        raise NotFound("there is no such subscription")
    return found


def _view(subscription: Subscription) -> SubscriptionView:
    names = SubscriptionView.model_fields
    return SubscriptionView(**{name: getattr(subscription, name) for name in names})


def _shown(delivery: WebhookDelivery) -> DeliveryView:
    return DeliveryView(**{name: getattr(delivery, name) for name in DeliveryView.model_fields})
