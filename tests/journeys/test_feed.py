"""Touchpoints that come shuffled, doubled and at once end in the state of the calm feed.

Two hundred of them, and a thousand in `make prove`.
"""

import os
import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

from infra.local.clients.base import Call
from infra.local.cloud import LocalCloud
from shared.runtime import wiring
from tests.journeys.webhooks import segment_batch, told, whatsapp
from tests.state import State, state_of

TOUCHPOINTS = 1_000 if "PROVE" in os.environ else 200
PEOPLE = TOUCHPOINTS // 10
SENDERS = 8
WORDS = (
    "Ma commande n'est toujours pas arrivée",
    "Where is my order? It should have been here on Monday",
    "Je veux être remboursé pour l'article cassé",
    "I was charged twice for the same invoice",
    "Ho bisogno di spostare il mio appuntamento",
    "Je n'arrive plus à me connecter à mon compte",
)
"""Each says enough by itself: what merely continues depends on what came before."""


def calls(cloud: LocalCloud, day: datetime) -> list[Call]:
    """A tenth as many people, ten touchpoints each: messages, purchases, and what a browser saw.

    Every moment stands in the webhook, so two runs observe the same. A browser's batch holds five
    touchpoints, and a person's phone or card is in all that names them.
    """
    made: list[Call] = []
    for person in range(PEOPLE):
        phone = f"+336120{person:05}"
        for n in range(4):
            at = day + timedelta(minutes=11 * n, seconds=person)
            text = WORDS[(person + n) % len(WORDS)]
            made.append(whatsapp(cloud, text, phone=phone, key=f"{person}-{n}", at=at))
        number = f"C-{person}"
        customer = {"customer_number": number, "phone": phone, "loyalty_card": f"card-{person}"}
        bought = {"number": f"R-{person}", "total": "12.50", "currency": "EUR"}
        at = day + timedelta(minutes=5, seconds=person)
        data = bought | {"customer": customer}
        made.append(
            told(cloud, "purchase.completed", data, key=f"p-{person}", at=at, source="till")
        )
        made.append(segment_batch(cloud, [view(person, n, at) for n in range(5)]))
    return made


def view(person: int, n: int, at: datetime) -> dict[str, Any]:
    return {
        "type": "page",
        "messageId": f"page-{person}-{n}",
        "userId": f"user-{person}",
        "name": f"page {n}",
        "timestamp": (at + timedelta(seconds=n)).isoformat(),
    }


def run(template: dict[str, Any], day: datetime, *, wild: bool) -> State:
    with LocalCloud(template, pace=0.01) as cloud:
        deliveries = calls(cloud, day) * (2 if wild else 1)
        if wild:
            random.Random(4512).shuffle(deliveries)
        post(cloud, deliveries, senders=SENDERS if wild else 1)
        cloud.settle()
        assert not cloud.dead_letters and not cloud.failed_journeys
        balance = cloud.stories.balance()
        assert balance["holds"]
        assert balance["received"] == TOUCHPOINTS * (2 if wild else 1)
        assert balance["processed"] == TOUCHPOINTS
        return state_of(wiring.client("dynamodb"), **tables(cloud))


def tables(cloud: LocalCloud) -> dict[str, str]:
    api = next(one for one in cloud.lambdas.all() if one.name.endswith("-agent_api"))
    names = ("touchpoints", "profiles", "tickets")
    return {name: api.variables[f"{name.upper()}_TABLE"] for name in names}


def post(cloud: LocalCloud, deliveries: Sequence[Call], *, senders: int) -> None:
    with ThreadPoolExecutor(max_workers=senders) as pool:
        answers = list(pool.map(cloud.receive, deliveries))
    assert {answer.status for answer in answers} == {200}


def test_shuffled_doubled_and_at_once_ends_as_in_calm_order(template: dict[str, Any]) -> None:
    day = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=6)
    calm, wild = run(template, day, wild=False), run(template, day, wild=True)
    assert len(calm["tickets"]) > PEOPLE
    assert len(calm["suggestions"]) == PEOPLE, "whom the till stated a phone of has written by it"
    for part in calm:
        assert wild[part] == calm[part], part
