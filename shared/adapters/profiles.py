"""Profiles on DynamoDB: one item a profile, one an identifier, one a suggestion, one a suppressed
endpoint.

Counters are one number each, so that they change by atomic addition and two journeys of one person
commute.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from shared.adapters import dynamo
from shared.adapters.ledger import timeline_key
from shared.domain.errors import Conflict
from shared.domain.identity import Identifier
from shared.domain.model import ProfileId, TouchpointId, isoformat
from shared.domain.profile import LearnedLanguage, MergeSuggestion, Profile, Suppression, Trait
from shared.domain.touchpoint import Channel, Direction, Endpoint, Touchpoint, TouchpointState
from shared.ports import ProfileTie

_COUNT = "count#"
_TRAIT = "trait#"


class DynamoProfileStore:
    def __init__(self, client: Any, table: str, touchpoints_table: str) -> None:
        self._client = client
        self._table = table
        self._touchpoints_table = touchpoints_table

    def find(self, identifiers: Sequence[Identifier]) -> dict[Identifier, ProfileId]:
        keys = [_link_key(identifier) for identifier in identifiers]
        items = dynamo.batch_get(self._client, self._table, keys, consistent=True)
        owners = {item["pk"]: ProfileId(item["profile_id"]) for item in items}
        return {one: owners[pk] for one in identifiers if (pk := _link_key(one)["pk"]) in owners}

    def read(self, profile_id: ProfileId) -> Profile | None:
        answer = self._client.get_item(
            TableName=self._table,
            Key=dynamo.attributes(_profile_key(profile_id)),
            ConsistentRead=True,
        )
        return _profile(profile_id, dynamo.plain(answer["Item"])) if "Item" in answer else None

    def attach(self, tie: ProfileTie) -> None:
        touchpoint = tie.touchpoint
        writes = [
            {"Update": self._touchpoint_update(tie)},
            {"Update": self._profile_update(tie)},
            *(
                {
                    "Put": {
                        "TableName": self._table,
                        "Item": dynamo.attributes(
                            _link_key(identifier)
                            | {
                                "profile_id": tie.profile_id,
                                "touchpoint_id": touchpoint.touchpoint_id,
                                "at": isoformat(touchpoint.occurred_at),
                            }
                        ),
                        "ConditionExpression": "attribute_not_exists(pk)",
                    }
                }
                for identifier in tie.new_identifiers
            ),
        ]
        if tie.suggestion is not None:
            writes += self._suggestion_puts(tie.suggestion)
        taken = Conflict("this touchpoint has its profile already")
        dynamo.transact(self._client, writes, refusals={0: taken})

    def _touchpoint_update(self, tie: ProfileTie) -> dict[str, Any]:
        return dynamo.update(
            {"touchpoint_id": tie.touchpoint.touchpoint_id},
            table=self._touchpoints_table,
            set_={
                "profile_id": tie.profile_id,
                "timeline": timeline_key(tie.touchpoint),
                "state": TouchpointState.PROCESSED if tie.finished else None,
            },
            remove=["event"],
            condition="attribute_not_exists(#profile_id)",
        )

    def _profile_update(self, tie: ProfileTie) -> dict[str, Any]:
        touchpoint = tie.touchpoint
        add: dict[str, object] = {_count_name(touchpoint): 1}
        if tie.new_identifiers:
            add["identifiers"] = frozenset(one.key for one in tie.new_identifiers)
        traits = {f"{_TRAIT}{name}": trait.model_dump_json() for name, trait in tie.traits.items()}
        stamps = {f"at#{name}": isoformat(trait.at) for name, trait in tie.traits.items()}
        newer = [
            f"(attribute_not_exists({token}) OR {token} < :{token[1:]})"
            for token in map(dynamo.token, stamps)
        ]
        event = tie.event.carried() if tie.event else None
        return dynamo.update(
            _profile_key(tie.profile_id),
            table=self._table,
            set_={**traits, **stamps, "event": event},
            set_once={"created_at": isoformat(touchpoint.received_at)},
            add=add,
            remove=[] if event else ["event"],
            condition=" AND ".join(newer),
        )

    def _suggestion_puts(self, suggestion: MergeSuggestion) -> list[dict[str, Any]]:
        """One item under each of the two, so that both show it."""
        one, other = suggestion.profile_ids
        kept = suggestion.model_dump_json()
        items = [
            {"pk": f"profile#{here}", "sk": f"suggestion#{there}", "suggestion": kept}
            for here, there in ((one, other), (other, one))
        ]
        return [{"Put": dynamo.put(item, table=self._table)} for item in items]

    def finish(self, touchpoint_id: TouchpointId) -> None:
        self._client.update_item(
            **dynamo.update(
                {"touchpoint_id": touchpoint_id},
                table=self._touchpoints_table,
                set_={"state": TouchpointState.PROCESSED},
                remove=["event"],
                condition="attribute_exists(touchpoint_id)",
            )
        )

    def learn_language(self, profile_id: ProfileId, language: str, at: datetime) -> None:
        try:
            self._client.update_item(
                **dynamo.update(
                    _profile_key(profile_id),
                    table=self._table,
                    set_={"language": language, "language_at": isoformat(at)},
                    remove=["event"],
                    condition="attribute_exists(pk) AND "
                    "(attribute_not_exists(#language_at) OR #language_at < :language_at)",
                )
            )
        except ClientError as error:
            # A later message taught one already.
            if not dynamo.condition_failed(error):
                with dynamo.contention():
                    raise

    def suppress(self, suppression: Suppression) -> None:
        item = {
            **_suppression_key(suppression.endpoint),
            "suppression": suppression.model_dump_json(),
        }
        self._client.put_item(TableName=self._table, Item=dynamo.attributes(item))

    def suppression(self, endpoint: Endpoint) -> Suppression | None:
        answer = self._client.get_item(
            TableName=self._table,
            Key=dynamo.attributes(_suppression_key(endpoint)),
            ConsistentRead=True,
        )
        if "Item" not in answer:
            return None
        return Suppression.model_validate_json(answer["Item"]["suppression"]["S"])

    def suggestions(self, profile_id: ProfileId) -> list[MergeSuggestion]:
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :sk)",
            ExpressionAttributeValues=dynamo.attributes(
                {":pk": f"profile#{profile_id}", ":sk": "suggestion#"}
            ),
        )
        return [
            MergeSuggestion.model_validate_json(item["suggestion"]["S"])
            for page in pages
            for item in page["Items"]
        ]


def _profile_key(profile_id: ProfileId) -> dict[str, str]:
    return {"pk": f"profile#{profile_id}", "sk": "profile"}


def _link_key(identifier: Identifier) -> dict[str, str]:
    return {"pk": f"identifier#{identifier.key}", "sk": "link"}


def _suppression_key(endpoint: Endpoint) -> dict[str, str]:
    return {"pk": f"endpoint#{endpoint.key}", "sk": "suppression"}


def _count_name(touchpoint: Touchpoint) -> str:
    return f"{_COUNT}{touchpoint.direction}#{touchpoint.channel}"


def count_update(profile_id: ProfileId, touchpoint: Touchpoint, *, table: str) -> dict[str, Any]:
    """One more contact on a profile that exists, as a part of another's transaction."""
    return dynamo.update(
        _profile_key(profile_id), table=table, add={_count_name(touchpoint): 1}, remove=["event"]
    )


def _profile(profile_id: ProfileId, item: dict[str, Any]) -> Profile:
    contacts: dict[tuple[Direction, Channel], int] = {}
    for name, value in item.items():
        if name.startswith(_COUNT):
            direction, channel = name.removeprefix(_COUNT).split("#")
            contacts[Direction(direction), Channel(channel)] = value
    learned = (
        LearnedLanguage(language=item["language"], at=item["language_at"])
        if "language" in item
        else None
    )
    return Profile(
        profile_id=profile_id,
        created_at=item["created_at"],
        identifiers=tuple(Identifier.from_key(key) for key in sorted(item.get("identifiers", ()))),
        traits={
            name.removeprefix(_TRAIT): Trait.model_validate_json(value)
            for name, value in sorted(item.items())
            if name.startswith(_TRAIT)
        },
        contacts=contacts,
        learned_language=learned,
    )
