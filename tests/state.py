"""The state of the house as a comparable value: what the tables hold, without what chance decides.

Left out are versions and the moments at which something was written; everything a person could
see or owe stays.
"""

from typing import Any

from shared.adapters import dynamo
from shared.adapters.identity_graphs import stored_graph
from shared.adapters.ledger_reading import LedgerReader
from shared.adapters.profiles import DynamoProfileStore
from shared.adapters.tickets import follow_up_of, ticket_of
from shared.domain.model import ProfileId
from shared.domain.profile import MergeSuggestion

State = dict[str, Any]


def scan(client: Any, table: str) -> list[dict[str, Any]]:
    pages = client.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
    return [dynamo.plain(item) for page in pages for item in page["Items"]]


def state_of(client: Any, *, touchpoints: str, profiles: str, tickets: str) -> State:
    profile_items = scan(client, profiles)
    ticket_items = scan(client, tickets)
    ledger = LedgerReader(client, lambda: None, touchpoints, "")
    store = DynamoProfileStore(client, profiles, touchpoints)
    return {
        "touchpoints": {
            item["touchpoint_id"]: _touchpoint(ledger, item)
            for item in scan(client, touchpoints)
            if "state" in item
        },
        "profiles": {
            item["pk"]: _profile(store, ProfileId(item["pk"].removeprefix("profile#")))
            for item in profile_items
            if item["sk"] == "profile" and "created_at" in item
        },
        "persons": sorted(
            sorted(person.identifiers)
            for item in profile_items
            if item["sk"] == "graph"
            for person in stored_graph(item).graph.persons
        ),
        "suggestions": sorted(one.profile_ids for one in open_suggestions(store)),
        "tickets": {
            item["pk"]: ticket_of(item).model_dump(mode="json", exclude={"version"})
            for item in ticket_items
            if item["sk"] == "ticket"
        },
        "pointers": {
            (item["pk"], item["sk"]): (item["ticket_id"], item["sequence"], item["open"])
            for item in ticket_items
            if item["sk"].startswith("queue#")
        },
        "follow_ups": {
            item["sk"]: follow_up_of(item).model_dump(mode="json")
            for item in ticket_items
            if item["sk"].startswith("follow_up#")
        },
    }


def open_suggestions(store: DynamoProfileStore) -> list[MergeSuggestion]:
    page = store.suggestions_open(limit=100)
    found = page.items
    while page.cursor is not None:
        page = store.suggestions_open(limit=100, cursor=page.cursor)
        found += page.items
    return found


def _touchpoint(ledger: LedgerReader, item: dict[str, Any]) -> dict[str, Any]:
    outcome = ledger.read(item["touchpoint_id"])
    steps = (outcome.outcome or {}) if outcome else {}
    classified = (steps.get("ai_classification") or {}).get("classification")
    return {
        "state": item["state"],
        "profile_id": item.get("profile_id"),
        "timeline": item.get("timeline"),
        "classification": classified,
        "ticket_id": (steps.get("ticket_creation") or {}).get("ticket_id"),
    }


def _profile(store: DynamoProfileStore, profile_id: ProfileId) -> dict[str, Any]:
    profile = store.read(profile_id)
    assert profile is not None
    contacts = {f"{way}/{channel}": count for (way, channel), count in profile.contacts.items()}
    seen = profile.model_dump(mode="json", exclude={"created_at", "contacts"})
    return seen | {"contacts": contacts}
