"""/v1/webhook-subscriptions"""

from typing import Annotated

from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.event_handler.openapi.params import Body, Path

from functions.agent_api.logic import webhooks as logic
from functions.agent_api.logic.paging import Listing
from functions.agent_api.logic.webhooks import (
    DeliveryView,
    SecretsView,
    SubscriptionChange,
    SubscriptionView,
)
from functions.agent_api.parameters import DEFAULT_LIMIT, Cursor, Limit
from functions.agent_api.ports import (
    Administrator,
    ClockPort,
    EventRulesPort,
    LoopbackWebhooks,
    Person,
    SecretsPort,
    WebhooksPort,
)
from shared.domain.webhook import SECRET
from shared.events.catalogue import EVENTS

router = Router()
TAGS = ["webhooks"]

NamePath = Annotated[str, Path(pattern=r"^[a-z][a-z0-9-]{0,39}$")]
DeliveryPath = Annotated[str, Path(max_length=100)]
ChangeBody = Annotated[
    SubscriptionChange,
    Body(
        openapi_examples={
            "tickets": {
                "value": {
                    "url": "https://crm.example.com/passerelle",
                    "events": ["TicketOpened", "TicketChanged"],
                    "description": "the CRM's own view of what is owed",
                }
            }
        }
    ),
]


@router.get(
    "/v1/webhook-subscriptions",
    tags=TAGS,
    operation_id="list_webhook_subscriptions",
    summary="The company's own systems that are told what happens here",
)
def list_subscriptions(webhooks: WebhooksPort, person: Person) -> Listing[SubscriptionView]:
    return logic.list_subscriptions(webhooks=webhooks)


@router.get(
    "/v1/webhook-subscriptions/<name>",
    tags=TAGS,
    operation_id="read_webhook_subscription",
    summary="One of them",
)
def read_subscription(name: NamePath, webhooks: WebhooksPort, person: Person) -> SubscriptionView:
    return logic.read_subscription(name, webhooks=webhooks)


@router.put(
    "/v1/webhook-subscriptions/<name>",
    tags=TAGS,
    operation_id="subscribe_webhook",
    summary="Subscribe a system, or change what it hears; if it was disabled it is active again",
)
def subscribe(
    name: NamePath,
    body: ChangeBody,
    webhooks: WebhooksPort,
    rules: EventRulesPort,
    loopback: LoopbackWebhooks,
    clock: ClockPort,
    administrator: Administrator,
) -> SubscriptionView:
    return logic.subscribe(
        name,
        body,
        webhooks=webhooks,
        rules=rules,
        known=[event.__name__ for event in EVENTS],
        loopback=loopback,
        by=administrator,
        now=clock.now(),
    )


@router.delete(
    "/v1/webhook-subscriptions/<name>",
    tags=TAGS,
    operation_id="unsubscribe_webhook",
    summary="Tell a system nothing more; its log stays for thirty days",
)
def unsubscribe(
    name: NamePath, webhooks: WebhooksPort, rules: EventRulesPort, administrator: Administrator
) -> SubscriptionView:
    return logic.unsubscribe(name, webhooks=webhooks, rules=rules)


@router.get(
    "/v1/webhook-subscriptions/<name>/secrets",
    tags=TAGS,
    operation_id="read_webhook_secrets",
    summary="What the system verifies signatures with (Standard Webhooks)",
)
def read_secrets(
    name: NamePath,
    webhooks: WebhooksPort,
    secrets: SecretsPort,
    clock: ClockPort,
    administrator: Administrator,
) -> SecretsView:
    return logic.read_secrets(name, webhooks=webhooks, secret=secrets.read(SECRET), now=clock.now())


@router.post(
    "/v1/webhook-subscriptions/<name>/rotate",
    tags=TAGS,
    operation_id="rotate_webhook_secret",
    summary="A new secret; the old one signs beside it for a day",
)
def rotate_secret(
    name: NamePath,
    webhooks: WebhooksPort,
    secrets: SecretsPort,
    clock: ClockPort,
    administrator: Administrator,
) -> SecretsView:
    return logic.rotate_secret(
        name, webhooks=webhooks, secret=secrets.read(SECRET), now=clock.now()
    )


@router.get(
    "/v1/webhook-subscriptions/<name>/deliveries",
    tags=TAGS,
    operation_id="list_webhook_deliveries",
    summary="What was sent to it, each attempt and how it ended; the latest events first",
)
def list_deliveries(
    name: NamePath,
    webhooks: WebhooksPort,
    person: Person,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Listing[DeliveryView]:
    return logic.list_deliveries(name, limit=limit, cursor=cursor, webhooks=webhooks)


@router.post(
    "/v1/webhook-subscriptions/<name>/deliveries/<delivery_id>/replay",
    tags=TAGS,
    operation_id="replay_webhook_delivery",
    summary="Send it again, under the same id",
)
def replay(
    name: NamePath, delivery_id: DeliveryPath, webhooks: WebhooksPort, administrator: Administrator
) -> DeliveryView:
    return logic.replay(name, delivery_id, webhooks=webhooks)
