"""Identity graphs on DynamoDB: one item a graph, and a pointer to it on each profile that is in it.

Whoever changes a graph must have read the very version that is there, so its persons always follow
from all of its ties. Merging and separating people writes this one item and moves nothing.
"""

import json
from collections.abc import Mapping
from typing import Any

from shared.adapters import dynamo
from shared.adapters.contact_counts import profile_key
from shared.domain.identity import Identifier
from shared.domain.identity_graph import IdentityGraph
from shared.domain.model import ProfileId, derived_id
from shared.ports.profiles import GraphChange, StoredGraph

Write = dict[str, Any]


def graph_key(graph_id: str) -> dict[str, str]:
    return {"pk": f"graph#{graph_id}", "sk": "graph"}


def stored_graph(item: Mapping[str, Any]) -> StoredGraph:
    graph = IdentityGraph.model_validate_json(dynamo.decompressed(item["graph"]))
    return StoredGraph(item["pk"].removeprefix("graph#"), item["version"], graph)


def graph_id_after(change: GraphChange) -> str:
    """One of the graphs takes the others in; a new one is named after its first identifier."""
    if change.before:
        return min(one.graph_id for one in change.before)
    return derived_id("graph", min(change.after.identifiers))


def graph_writes(
    table: str, change: GraphChange, *, besides: ProfileId | None = None
) -> list[Write]:
    """The graph itself, those it took in, and the pointers of what is new in it.

    `besides` is a profile whose item the caller writes itself.
    """
    graph_id = graph_id_after(change)
    kept = next((one for one in change.before if one.graph_id == graph_id), None)
    writes = [_put(table, graph_id, kept, change)]
    writes += [
        {
            "Delete": {
                "TableName": table,
                "Key": dynamo.attributes(graph_key(one.graph_id)),
                "ConditionExpression": "version = :version",
                "ExpressionAttributeValues": dynamo.attributes({":version": one.version}),
            }
        }
        for one in change.before
        if one.graph_id != graph_id
    ]
    was_in = {key: one.graph_id for one in change.before for key in one.graph.identifiers}
    for key in sorted(change.after.identifiers):
        profile_id = Identifier.from_key(key).profile_id
        if was_in.get(key) != graph_id and profile_id != besides:
            history = key in change.after.homes
            pointer = _pointer(table, key, graph_id, was_in=was_in.get(key), history=history)
            writes.append({"Update": pointer})
    return writes


def _put(table: str, graph_id: str, kept: StoredGraph | None, change: GraphChange) -> Write:
    item: dict[str, object] = {
        **graph_key(graph_id),
        "graph": dynamo.compressed(_as_json(change.after)),
        "version": kept.version + 1 if kept else 1,
    }
    if change.event is not None:
        item["event"] = change.event.carried()
    if kept is None:
        return {"Put": dynamo.put(item, table=table, condition="attribute_not_exists(pk)")}
    return {
        "Put": dynamo.put(
            item, table=table, condition="version = :before", values={"before": kept.version}
        )
    }


def _as_json(graph: IdentityGraph) -> str:
    """Sets in order, so that equal graphs are equal bytes."""
    fields = graph.model_dump(mode="json", exclude_defaults=True)
    return json.dumps(
        {
            **fields,
            "identifiers": sorted(graph.identifiers),
            "homes": sorted(graph.homes),
            "persons": [
                {
                    "profile_id": one.profile_id,
                    "identifiers": sorted(one.identifiers),
                    "homes": sorted(one.homes),
                }
                for one in graph.persons
            ],
        },
        separators=(",", ":"),
    )


def _pointer(
    table: str, key: str, graph_id: str, *, was_in: str | None, history: bool
) -> dict[str, Any]:
    """Whether it had a history, and in which graph it was, is what was read: a first touchpoint of
    it at this very moment must not go unseen.
    """
    seen = f"attribute_{'exists' if history else 'not_exists'}(created_at)"
    condition = f"attribute_not_exists(#graph) AND {seen}" if was_in is None else "#graph = :was_in"
    return dynamo.update(
        profile_key(Identifier.from_key(key).profile_id),
        table=table,
        set_={"identifier": key, "graph": graph_id},
        remove=["event"],
        condition=condition,
        values={} if was_in is None else {"was_in": was_in},
    )
