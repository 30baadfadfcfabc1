"""A shop tells of its orders in versions, as they come: the profile ends with the newest."""

import json
import random
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from infra.local.clients.base import Call
from infra.local.cloud import LocalCloud
from tests.journeys.webhooks import told

CUSTOMER = {"customer_number": "C-77"}
LIFE = ("placed", "paid", "shipped", "delivered")


def versions(cloud: LocalCloud, day: datetime) -> list[Call]:
    """Three orders: one delivered, one cancelled on its way, one paid; and what came of the first.

    Only the first version says what it costs, as a warehouse knows no prices.
    """
    made = []
    for number, life in (
        ("4512", LIFE),
        ("4513", (*LIFE[:3], "cancelled")),
        ("4514", LIFE[:2]),
    ):
        for n, status in enumerate(life):
            at = day + timedelta(hours=n)
            data: dict[str, Any] = {"number": number, "updated_at": at.isoformat()}
            if status == "placed":
                data |= {"total": "64.80", "currency": "EUR"}
            made.append(version(cloud, f"order.{status}", data, at))
    at = day + timedelta(hours=9)
    made.append(version(cloud, "return.requested", {"number": "R-1", "order_number": "4512"}, at))
    claim = {"number": "W-1", "product": "kettle"}
    made.append(version(cloud, "warranty_claim.opened", claim, at))
    made.append(version(cloud, "warranty_claim.replaced", claim, at + timedelta(hours=1)))
    made.append(version(cloud, "contract.active", {"number": "K-1", "product": "Care"}, at))
    return made


def version(cloud: LocalCloud, type_: str, data: dict[str, Any], at: datetime) -> Call:
    key = f"{type_}-{data['number']}"
    return told(cloud, type_, data | {"customer": CUSTOMER}, key=key, at=at, source="app")


def test_versions_in_any_order_end_in_the_newest(cloud: LocalCloud) -> None:
    day = cloud.clock.now() - timedelta(days=2)
    calls = versions(cloud, day) * 2
    random.Random(4512).shuffle(calls)
    for call in calls:
        assert cloud.receive(call).status == 200
    cloud.settle()
    assert not cloud.dead_letters and not cloud.failed_journeys

    token = json.loads(cloud.get("/_local/token").body)["token"]
    signed_in = {"authorization": f"Bearer {token}"}

    def get(path: str) -> Any:
        answer = cloud.get(path, signed_in)
        assert answer.status == 200, answer.body
        return json.loads(answer.body)

    (person,) = get(f"/v1/profiles?identifier={quote('customer_number:C-77')}")["items"]
    assert (person["purchases"], person["spend"]) == (2, {"EUR": "129.60"})
    assert person["open_obligations"] == {"order": ["4514"], "return": ["R-1"]}
    assert person["days_since_last_purchase"] == 1

    path = f"/v1/profiles/{person['profile_id']}/records"
    orders = get(f"{path}?kind=order")["items"]
    assert [(one["number"], one["status"], one["open"]) for one in orders] == [
        ("4512", "delivered", False),
        ("4513", "cancelled", False),
        ("4514", "paid", True),
    ]
    assert {one["details"]["total"] for one in orders} == {"64.80 EUR"}
    others = get(path)["items"]
    assert [(one["kind"], one["status"]) for one in others if one["kind"] != "order"] == [
        ("contract", "active"),
        ("return", "requested"),
        ("warranty_claim", "replaced"),
    ]
