"""`python -m infra.event_docs` writes docs/events.md from the event classes."""

from pathlib import Path
from typing import Any

from shared.events.catalogue import EVENTS
from shared.events.envelope import SOURCE, VERSION, Event

PAGE = Path(__file__).parents[1] / "docs" / "events.md"

INTRODUCTION = f"""\
# Events

Generated from `shared/events` by `python -m infra.event_docs`; a test fails when it is stale.

Everything that happens leaves on one EventBridge bus with source `{SOURCE}`. The detail-type is
the name of the event. The `detail` is an envelope of version {VERSION}: `metadata.event_id` derives
from the write that stated the fact, so an event that is delivered twice carries the same id twice;
`metadata.at` is when the fact was written; `data` holds the fields below, all of them. An event
holds ids and small facts, never a text, a name, a number or an address: read those from the API.

A system of the company subscribes by the API ([outgoing-webhooks.md](outgoing-webhooks.md)). Within
the account, add a rule to the bus. The pattern of an event, in CDK `TicketOpened.event_pattern()`:

    {{"source": ["{SOURCE}"], "detail-type": ["TicketOpened"]}}
"""


def page() -> str:
    return "\n".join([INTRODUCTION, *map(_section, EVENTS)])


def _section(event: type[Event]) -> str:
    lines = [f"## {event.__name__}", ""]
    # Without a docstring of its own an event would show its base's.
    if "__doc__" in vars(event) and event.__doc__:
        lines += [" ".join(event.__doc__.split()), ""]
    lines += ["| field | |", "|---|---|"]
    fields = event.model_json_schema()["properties"]
    return "\n".join(
        [*lines, *(f"| `{name}` | {_type(one)} |" for name, one in fields.items()), ""]
    )


def _type(field: dict[str, Any]) -> str:
    if "anyOf" in field:
        (given,) = (one for one in field["anyOf"] if one["type"] != "null")
        return f"{_type(given)}, or absent"
    if "enum" in field:
        return "one of " + ", ".join(f"`{value}`" for value in field["enum"])
    if field.get("format") == "date-time":
        return "moment, ISO 8601 in UTC"
    return str(field["type"])


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
