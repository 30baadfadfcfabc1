"""What one more touchpoint costs a profile with a short history, and one with a long one."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from infra.local import provision
from infra.local.cloud import LocalCloud
from shared.adapters import dynamo
from shared.adapters.contact_counts import count_update
from shared.adapters.ledger_items import outbound_values
from shared.domain.model import ProfileId
from shared.domain.touchpoint import Channel, Direction, PageView, Touchpoint
from tests.bench.costs import UNTIL_THE_LAST_FOLLOW_UP, post, recorded_cloud
from tests.bench.recorder import Recorder
from tests.bench.traffic import Customer, Kind, Traffic, Webhook

SHORT, LONG = 10, 10_000
WRITES_SMS = Customer(1)
OLDEST, NEWEST = timedelta(days=1000), timedelta(days=40)
"""How long ago the history lies: before what any policy looks back at."""


class History(NamedTuple):
    """Write and read units of one more touchpoint, by kind."""

    touchpoints: int
    units: Mapping[Kind, float]

    @property
    def total(self) -> float:
        return sum(self.units.values())


def measure(template: Mapping[str, Any], tell: Callable[[str], None]) -> list[History]:
    """The short history and the long one, each in a cloud of its own, asked the same."""
    return [_measure(template, tell, number) for number in (SHORT, LONG)]


def _measure(template: Mapping[str, Any], tell: Callable[[str], None], touchpoints: int) -> History:
    tell(f"history: a profile of {touchpoints} touchpoints")
    with recorded_cloud(template) as (cloud, recorder):
        traffic = Traffic(cloud.url, series=5)
        now = cloud.clock.now()
        post(cloud, traffic.purchase(WRITES_SMS, now))
        created = next(one for one in cloud.events if one["detail-type"] == "ProfileUpdated")
        profile_id = ProfileId(created["detail"]["data"]["profile_id"])
        _live(cloud, profile_id, touchpoints - 1, now)
        opening, joining = traffic.opening(WRITES_SMS, now), traffic.joining(WRITES_SMS, now)
        units = {
            Kind.PASSIVE_SINGLE: _units(cloud, recorder, traffic.purchase(WRITES_SMS, now)),
            Kind.MESSAGE_THAT_OPENS: _units(
                cloud, recorder, opening, then=UNTIL_THE_LAST_FOLLOW_UP
            ),
            Kind.MESSAGE_THAT_JOINS: _units(cloud, recorder, joining),
        }
        if len(cloud.outbox.all()) != 1:
            raise RuntimeError("the follow-up of the ticket did not reach its customer")
    return History(touchpoints, units)


def _units(
    cloud: LocalCloud,
    recorder: Recorder,
    webhook: Webhook,
    *,
    then: timedelta | None = None,
) -> float:
    with recorder.recording() as counted:
        post(cloud, webhook)
        if then is not None:
            cloud.advance(then)
    return counted.write_units + counted.read_units


def _live(cloud: LocalCloud, profile_id: ProfileId, number: int, now: datetime) -> None:
    """A past of `number` touchpoints, as the ledger and the profile hold it when journeys are over.

    Written by hand, since that many journeys would take minutes: the ledger's own attributes, and
    the profile's counter at once.
    """
    client = provision.client("dynamodb")
    tables = cloud.made.tables
    touchpoints_table = next(one for one in tables if "touchpoints" in one)
    profiles_table = next(one for one in tables if "profiles" in one)
    for position in range(number):
        seen = _seen(position, now - OLDEST + (OLDEST - NEWEST) * position / number)
        values = {"touchpoint_id": seen.touchpoint_id, **outbound_values(seen, profile_id)}
        client.put_item(TableName=touchpoints_table, Item=dynamo.attributes(values))
    counting = count_update(profile_id, seen, table=profiles_table)
    values = counting["ExpressionAttributeValues"]
    (counter,) = (token for token, value in values.items() if "N" in value)
    values[counter] = {"N": str(number)}
    client.update_item(**counting)


def _seen(position: int, at: datetime) -> Touchpoint:
    return Touchpoint(
        provider="segment",
        account="shop-web",
        provider_event_id=f"history-{position}",
        channel=Channel.WEB,
        direction=Direction.PASSIVE,
        occurred_at=at,
        received_at=at,
        content=PageView(name="Home", url="https://www.boutique.example/"),
    )
