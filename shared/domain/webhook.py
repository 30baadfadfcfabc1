"""Webhooks of ours: a company's own systems subscribe to what happens here.

Each is signed as Standard Webhooks says, keeps its id through all attempts, and is tried for a day.
https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md (2026-11)
"""

import hmac
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Annotated, Literal, NamedTuple

from pydantic import Field, StringConstraints

from shared.domain.errors import MissingSecret
from shared.domain.model import Instant, Model, derived_id, isoformat

SECRET = "webhooks"
"""Its name in Secrets Manager: `{"key": "…"}`."""

WAITS = (
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=7),
    timedelta(hours=9),
)
"""Before each further attempt: the last one is made 23 hours and 36 minutes after the first."""
LONGEST_WAIT = timedelta(hours=9)
"""Whatever a receiver asks for; it would otherwise put an end to being asked."""
OVERLAP = timedelta(days=1)
"""After a rotation both secrets sign, as long as the oldest attempt may still be under way."""
MOST_ATTEMPTS_SHOWN = 30

SubscriptionName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,39}$")]


class Subscription(Model):
    """One system of the company, and what it wants to hear."""

    name: SubscriptionName
    url: str
    events: tuple[str, ...] = ()
    """Names of the catalogue; none: every event."""
    description: str = ""
    state: Literal["active", "disabled"] = "active"
    disabled_because: str | None = None
    made_by: str
    made_at: Instant
    key_version: int = Field(default=1, ge=1)
    rotated_at: Instant | None = None
    version: int = Field(default=1, ge=1)
    """Counts the writes, so that two of them at once do not undo each other."""

    def key_versions(self, now: datetime) -> tuple[int, ...]:
        """Those that sign now, the newest first."""
        overlaps = self.rotated_at is not None and now < self.rotated_at + OVERLAP
        return (self.key_version, self.key_version - 1) if overlaps else (self.key_version,)


class Attempt(Model):
    at: Instant
    status: int | None = None
    """None where nobody answered."""
    error: str | None = None


class WebhookDelivery(Model):
    """One event on its way to one subscription.

    `delivery_id` begins with when the event happened, so deliveries sort by that, and derives from
    both: however often the event arrives, it is one delivery, and `webhook-id` is this.
    """

    subscription: SubscriptionName
    delivery_id: str
    event: str
    body: str
    state: Literal["pending", "delivered", "failed"] = "pending"
    attempts: tuple[Attempt, ...] = ()
    round: int = 0
    """Attempts since it was last begun anew; a replay begins with none."""
    next_at: Instant | None = None
    version: int = 0

    @property
    def cause(self) -> str:
        """Names the schedule of the next attempt: the same attempt sets the same one.

        By the version, for of many attempts only the latest are here.
        """
        return derived_id("webhook", self.subscription, self.delivery_id, str(self.version))


class Answer(NamedTuple):
    """What came back. `status` is None where nothing did."""

    status: int | None
    retry_after: timedelta | None = None
    error: str | None = None


def delivery_id(subscription: str, event_id: str, at: datetime) -> str:
    return f"{at:%Y%m%dT%H%M%S%f}-{derived_id('delivery', subscription, event_id)}"


def after(delivery: WebhookDelivery, answer: Answer, now: datetime) -> WebhookDelivery:
    """What an attempt makes of a delivery: delivered, tried again later, or failed.

    410 means that nobody wants it any more. Everything else that is not a 2xx may pass: a system is
    deployed, its secret is not there yet.
    """
    attempt = Attempt(at=now, status=answer.status, error=answer.error)
    attempts = (*delivery.attempts, attempt)[-MOST_ATTEMPTS_SHOWN:]
    made = delivery.round + 1
    state: Literal["pending", "delivered", "failed"] = "pending"
    next_at = None
    if answer.status is not None and 200 <= answer.status < 300:
        state = "delivered"
    elif answer.status == 410 or made > len(WAITS):
        state = "failed"
    else:
        asked = min(answer.retry_after or timedelta(0), LONGEST_WAIT)
        next_at = now + max(WAITS[made - 1], asked)
    return delivery.model_copy(
        update={
            "attempts": attempts,
            "round": made,
            "state": state,
            "next_at": next_at,
            "version": delivery.version + 1,
        }
    )


def begun_anew(delivery: WebhookDelivery) -> WebhookDelivery:
    """For a replay: with all its attempts before it, under the same id."""
    return delivery.model_copy(
        update={"state": "pending", "round": 0, "next_at": None, "version": delivery.version + 1}
    )


def signing_secrets(
    content: Mapping[str, str] | None, subscription: Subscription, now: datetime
) -> list[str]:
    """Those that sign now, the newest first, derived from the key of this account: none is stored,
    and the one that is shown is the one that signs. A subscription of the same name that is made
    later has others. Raises MissingSecret where the account has no key.
    """
    key = (content or {}).get("key")
    if not key:
        raise MissingSecret("there is no key for the signatures of webhooks")
    return [
        _signing_secret(key, subscription.name, isoformat(subscription.made_at), str(version))
        for version in subscription.key_versions(now)
    ]


def _signing_secret(key: str, *of: str) -> str:
    digest = hmac.digest(key.encode(), "\x1f".join(("webhook", *of)).encode(), sha256)
    return "whsec_" + b64encode(digest).decode()


def signatures(secrets: Iterable[str], delivery_id: str, at: datetime, body: bytes) -> str:
    """The header: one `v1` signature for each secret, between spaces."""
    signed = f"{delivery_id}.{int(at.timestamp())}.".encode() + body
    return " ".join(
        "v1," + b64encode(hmac.digest(_key(secret), signed, sha256)).decode() for secret in secrets
    )


def _key(secret: str) -> bytes:
    return b64decode(secret.removeprefix("whsec_"))


def headers(secrets: Sequence[str], delivery_id: str, at: datetime, body: bytes) -> dict[str, str]:
    return {
        "content-type": "application/json",
        "user-agent": "Passerelle",
        "webhook-id": delivery_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": signatures(secrets, delivery_id, at, body),
    }
