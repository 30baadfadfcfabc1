"""Consents and suppressions on DynamoDB, in the table of the profiles.

A statement of consent is an item of its own under its profile, so the ledger only grows. What stops
a message is one item under its subject: all kinds of suppression in one, so that the send gate
reads one item for an endpoint, and `version` makes every change one conditional write.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from shared.adapters import dynamo
from shared.adapters.clock import SystemClock
from shared.adapters.contact_counts import count_update
from shared.adapters.ledger_items import outbound_values
from shared.domain.consent import Consent
from shared.domain.errors import Contention
from shared.domain.model import ProfileId
from shared.domain.retention import RetentionPolicy, end_of
from shared.domain.suppression import (
    Notice,
    NoticeState,
    Release,
    Suppression,
    SuppressionRecord,
)
from shared.domain.touchpoint import Touchpoint
from shared.events.catalogue import ConsentStated
from shared.events.envelope import Event
from shared.ports.providers import Clock

ATTEMPTS = 5
"""Of a change that somebody else's overtook."""

_NEVER = float("inf")

Change = Callable[[SuppressionRecord], SuppressionRecord | None]
"""The record after, or None where nothing is to be written."""


class DynamoConsentStore:
    def __init__(
        self,
        client: Any,
        table: str,
        touchpoints_table: str = "",
        retention: RetentionPolicy | None = None,
        clock: Callable[[], Clock] = SystemClock,
    ) -> None:
        """`touchpoints_table` is for `end_notice`, which keeps what was sent; without `retention`
        nothing expires.
        """
        self._client = client
        self._retention = retention
        self._clock = clock
        self._table = table
        self._touchpoints_table = touchpoints_table

    # The ledger of consents

    def state(self, profile_id: ProfileId, consent: Consent) -> None:
        event = ConsentStated(
            profile_id=profile_id,
            purpose=consent.purpose,
            channel=consent.channel,
            state=consent.state,
        )
        item: dict[str, object] = {
            "pk": f"profile#{profile_id}",
            "sk": f"consent#{consent.key}",
            "consent": consent.model_dump_json(exclude_none=True),
            "event": event.carried(),
        }
        if self._retention is not None:
            item["expires_at"] = end_of(consent.at, self._retention.consent)
        condition = "attribute_not_exists(pk)"
        try:
            self._client.put_item(**dynamo.put(item, table=self._table, condition=condition))
        except ClientError as error:
            # The very same statement is there.
            if not dynamo.condition_failed(error):
                raise

    def of(self, profile_ids: Sequence[ProfileId]) -> list[Consent]:
        found = [one for profile_id in profile_ids for one in self._of(profile_id)]
        return sorted(found, key=lambda one: one.key)

    def _of(self, profile_id: ProfileId) -> list[Consent]:
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :sk)",
            ExpressionAttributeValues=dynamo.attributes(
                {":pk": f"profile#{profile_id}", ":sk": "consent#"}
            ),
            ConsistentRead=True,
        )
        items = [dynamo.plain(item) for page in pages for item in page["Items"]]
        found = [(Consent.model_validate_json(item["consent"]), item) for item in items]
        return [consent for consent, item in found if not self._is_over(consent, item)]

    def _is_over(self, consent: Consent, item: Mapping[str, Any]) -> bool:
        """Whether its time has come, by what stands on it or by the policy of today.

        The table deletes within days, and in no order: a consent that it still holds must not stand
        again because the withdrawal after it is gone already.
        """
        ends = [item["expires_at"]] if "expires_at" in item else []
        if self._retention is not None:
            ends.append(end_of(consent.at, self._retention.consent))
        return min(ends, default=_NEVER) <= self._clock().now().timestamp()

    # What stops a message

    def records(self, subjects: Sequence[str]) -> dict[str, SuppressionRecord]:
        keys = [_key(subject) for subject in subjects]
        items = dynamo.batch_get(self._client, self._table, keys, consistent=True)
        return {item["pk"]: _record(item) for item in items}

    def tell(
        self,
        subject: str,
        *statements: Suppression | Release,
        notice: Notice | None = None,
        event: Event | None = None,
    ) -> bool:
        differs = False

        def change(before: SuppressionRecord) -> SuppressionRecord | None:
            nonlocal differs
            after = before.told(*statements)
            differs = after.differs(before)
            confirms = differs and notice is not None and before.may_confirm(notice)
            if confirms and notice is not None:
                after = after.with_notice(notice)
            return after if after != before else None

        self._change(subject, change, lambda: event if differs else None)
        return differs

    def call_for_help(self, subject: str, notice: Notice, event: Event) -> bool:
        wanted = False

        def change(before: SuppressionRecord) -> SuppressionRecord | None:
            nonlocal wanted
            wanted = before.wants_help(notice)
            return before.with_notice(notice) if wanted else None

        self._change(subject, change, lambda: event)
        return wanted

    def move_notice(self, subject: str, notice: Notice, expected: NoticeState) -> None:
        def change(before: SuppressionRecord) -> SuppressionRecord:
            known = before.notices.get(notice.about)
            same = known is not None and known.touchpoint_id == notice.touchpoint_id
            if known is None or not same or known.state is not expected:
                raise Contention("the notice is no longer where it was")
            return before.with_notice(notice)

        self._change(subject, change, lambda: None)

    def end_notice(
        self, subject: str, notice: Notice, *, sent: Touchpoint, profile_id: ProfileId | None
    ) -> None:
        item, before = self._read(subject)
        known = before.notices.get(notice.about)
        writes: list[dict[str, Any]] = []
        if known is not None and known.touchpoint_id == notice.touchpoint_id:
            writes.append({"Put": self._put(subject, before.with_notice(notice), item, None)})
        values = outbound_values(sent, profile_id or ProfileId(""), self._retention)
        if profile_id is None:
            # An index takes no empty key: nobody's timeline holds it.
            values |= {"profile_id": None, "timeline": None}
        else:
            writes.append({"Update": count_update(profile_id, sent, table=self._table)})
        outbound = dynamo.update(
            {"touchpoint_id": sent.touchpoint_id},
            table=self._touchpoints_table,
            set_=values,
            remove=["event"],
        )
        dynamo.transact(self._client, [*writes, {"Update": outbound}], refusals={})

    def _change(self, subject: str, change: Change, event: Callable[[], Event | None]) -> None:
        for _ in range(ATTEMPTS):
            item, before = self._read(subject)
            after = change(before)
            if after is None:
                return
            try:
                self._client.put_item(**self._put(subject, after, item, event()))
            except ClientError as error:
                if not dynamo.condition_failed(error):
                    with dynamo.contention():
                        raise
            else:
                return
        raise Contention("others keep writing the same suppression")

    def _read(self, subject: str) -> tuple[Mapping[str, Any], SuppressionRecord]:
        answer = self._client.get_item(
            TableName=self._table, Key=dynamo.attributes(_key(subject)), ConsistentRead=True
        )
        item = dynamo.plain(answer.get("Item", {}))
        return item, _record(item) if item else SuppressionRecord()

    def _put(
        self,
        subject: str,
        record: SuppressionRecord,
        before: Mapping[str, Any],
        event: Event | None,
    ) -> dict[str, Any]:
        version = before.get("version", 0)
        item: dict[str, object] = {
            **_key(subject),
            "record": dynamo.compressed(record.model_dump_json(exclude_none=True)),
            "version": version + 1,
        }
        if event is not None:
            item["event"] = event.carried()
        if version:
            return dynamo.put(
                item,
                table=self._table,
                condition="#version = :version",
                values={"version": version},
            )
        return dynamo.put(item, table=self._table, condition="attribute_not_exists(pk)")


def _key(subject: str) -> dict[str, str]:
    return {"pk": subject, "sk": "suppression"}


def _record(item: Mapping[str, Any]) -> SuppressionRecord:
    return SuppressionRecord.model_validate_json(dynamo.decompressed(item["record"]))
