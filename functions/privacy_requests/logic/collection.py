"""Collecting everything known of a person, page by page, each page in a file of its own.

What has a length of its own is collected section by section; the rest is small, and comes first.
"""

from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from functions.privacy_requests.logic.steps import Ports
from shared.domain.model import Model, TouchpointId
from shared.domain.privacy import Export
from shared.domain.suppression import person_subject, subjects_of
from shared.domain.ticket import Ticket
from shared.ports.ledger import LedgerEntry

Records = dict[str, list[Any]]
"""By section of the document."""

SECTION_OF = {
    "consent": "consents",
    "segment": "segments",
    "record": "records",
    "suggestion": "suggestions",
}
"""Where an item under a profile belongs, by its kind; everything else is in `profile_items`."""
TICKETS = 20
FOLLOW_UPS = 50
TOUCHPOINTS = 25
"""Of one page. A touchpoint comes with the request it came from, which may be megabytes."""


class Collected(NamedTuple):
    records: Records
    position: str | None
    """Where this collector goes on; None where it is through."""


def _person(export: Export, ports: Ports) -> Collected:
    profile = ports.profiles.read(export.profile_ids[0])
    known = ports.profiles.known(export.profile_ids)
    graphs = {one.graph_id: one.graph for one in known.graphs.values()}.values()
    keys = (
        {one.key for one in (*profile.identifiers, *profile.stated_identifiers)}
        if profile
        else set()
    )
    ties = [_json(tie) for graph in graphs for tie in graph.ties if set(tie.pair) & keys]
    suggestions = [_json(one) for one in ports.profiles.suggestions(export.profile_ids)]
    person = [_json(profile)] if profile else []
    stops = _suppressions(map(person_subject, export.profile_ids), ports)
    return Collected(
        {"person": person, "identity": ties, "suggestions": suggestions, "suppressions": stops},
        None,
    )


def _items(export: Export, ports: Ports) -> Collected:
    """Whatever is kept under a profile, whoever put it there."""
    number = int(export.position or 0)
    profile_id = export.profile_ids[number]
    found: Records = {}
    for item in ports.data.items(profile_id):
        kind, _, name = item["sk"].partition("#")
        section = SECTION_OF.get(kind, "profile_items") if name else "profile_items"
        found.setdefault(section, []).append({"profile_id": profile_id, **_told(item)})
    found.pop("suggestions", None)
    last = number + 1 == len(export.profile_ids)
    return Collected(found, None if last else str(number + 1))


def _told(item: Mapping[str, Any]) -> dict[str, Any]:
    """Without the keys of the store, and with the kind and name that they hold."""
    kind, _, name = item["sk"].partition("#")
    rest = {key: value for key, value in item.items() if key not in {"pk", "sk"}}
    return {"kind": kind, **({"name": name} if name else {}), **rest}


def _tickets(export: Export, ports: Ports) -> Collected:
    page = ports.tickets.by_profiles(export.profile_ids, limit=TICKETS, cursor=export.position)
    return Collected({"tickets": [_ticket(one, ports) for one in page.items]}, page.cursor)


def _ticket(ticket: Ticket, ports: Ports) -> dict[str, Any]:
    log = [_json(entry) for entry in ports.tickets.log(ticket.ticket_id)]
    return {**_json(ticket), "log": log}


def _follow_ups(export: Export, ports: Ports) -> Collected:
    page = ports.tickets.follow_ups_of_profiles(
        export.profile_ids, limit=FOLLOW_UPS, cursor=export.position
    )
    return Collected({"follow_ups": list(map(_json, page.items))}, page.cursor)


def _touchpoints(export: Export, ports: Ports) -> Collected:
    page = ports.ledger.timeline(export.profile_ids, limit=TOUCHPOINTS, cursor=export.position)
    raw = ports.data.raw([one.touchpoint.touchpoint_id for one in page.items])
    subjects = {
        subject
        for one in page.items
        if one.touchpoint.endpoint is not None
        for subject in subjects_of(one.touchpoint.endpoint, ())
    }
    touchpoints = [_entry(one, raw) for one in page.items]
    stops = _suppressions(sorted(subjects), ports)
    return Collected({"touchpoints": touchpoints, "suppressions": stops}, page.cursor)


def _suppressions(subjects: Iterable[str], ports: Ports) -> list[dict[str, Any]]:
    found = ports.consents.records(list(subjects))
    return [{"subject": subject, **_json(record)} for subject, record in sorted(found.items())]


def _entry(entry: LedgerEntry, raw: Mapping[TouchpointId, bytes]) -> dict[str, Any]:
    """In its one form, as what it was understood, and as the provider sent it."""
    touchpoint = entry.touchpoint
    return {
        "touchpoint_id": touchpoint.touchpoint_id,
        **_json(touchpoint),
        **_json(entry, exclude={"touchpoint"}),
        "raw": _text(raw.get(touchpoint.touchpoint_id, b"")),
    }


def _text(raw: bytes) -> str | dict[str, str]:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return {"base64": b64encode(raw).decode()}


def _json(one: Model, **options: Any) -> dict[str, Any]:
    return one.model_dump(mode="json", exclude_none=True, **options)


COLLECTORS: tuple[Callable[[Export, Ports], Collected], ...] = (
    _person,
    _items,
    _tickets,
    _follow_ups,
    _touchpoints,
)


def collect_page(export: Export, ports: Ports) -> Export:
    """Keep the next page; the export as it then stands."""
    collected = COLLECTORS[export.section](export, ports)
    ports.requests.keep_part(export, collected.records)
    through = collected.position is None
    return export.model_copy(
        update={
            "section": export.section + through,
            "position": collected.position,
            "parts": export.parts + 1,
        }
    )


def is_collected(export: Export) -> bool:
    return export.section == len(COLLECTORS)
