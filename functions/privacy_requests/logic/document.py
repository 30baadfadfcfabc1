"""The collected pages as one document: JSON for machines, HTML for people.

Both are made record by record, so that the longest history needs no more memory than a page of it.
The format is described in docs/export.md; SCHEMA_VERSION is raised with every change of it.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from itertools import chain, groupby
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from shared.domain.model import isoformat
from shared.domain.privacy import Export

SCHEMA = "passerelle/export"
SCHEMA_VERSION = 1
SMALL = ("person", "identity", "consents", "segments", "records", "suggestions", "profile_items")
"""Sections that are gathered before they are written; those after them stream."""
LONG = ("tickets", "follow_ups", "touchpoints")
SECTIONS = (*SMALL, *LONG, "suppressions")
CLOSED = frozenset({"channel", "direction", "state", "type"})
"""Fields whose values are words of ours, which the page translates. All others are left alone."""
LANGUAGES = ("en", "fr", "it", "es", "pt", "de")

Part = Mapping[str, list[Any]]
Record = tuple[str, Any]
"""A section and one record of it."""


def records(parts: Iterable[Part]) -> Iterator[Record]:
    """Each record once, the sections one after the other in the order of SECTIONS."""
    gathered: dict[str, list[Any]] = {name: [] for name in SMALL}
    stops: dict[str, Any] = {}
    for part in parts:
        for name in SMALL:
            gathered[name] += part.get(name, [])
        stops |= {one["subject"]: one for one in part.get("suppressions", [])}
        if any(name in part for name in LONG):
            yield from _flushed(gathered)
            yield from ((name, one) for name in LONG for one in part.get(name, []))
    yield from _flushed(gathered)
    yield from (("suppressions", one) for one in stops.values())


def _flushed(gathered: dict[str, list[Any]]) -> Iterator[Record]:
    for name, found in gathered.items():
        yield from ((name, one) for one in found)
        found.clear()


def as_json(export: Export, parts: Iterable[Part]) -> Iterator[bytes]:
    head = {
        "schema": SCHEMA,
        "version": SCHEMA_VERSION,
        "export_id": export.export_id,
        "made_at": isoformat(export.requested_at),
        "profile_ids": list(export.profile_ids),
    }
    yield json.dumps(head, ensure_ascii=False)[:-1].encode()
    seen = set()
    for section, found in groupby(records(parts), key=lambda record: record[0]):
        seen.add(section)
        yield f',\n"{section}": [\n'.encode()
        for number, (_, record) in enumerate(found):
            yield (",\n" if number else "").encode()
            yield json.dumps(record, ensure_ascii=False).encode()
        yield b"]"
    for section in SECTIONS:
        if section not in seen:
            yield f',\n"{section}": []'.encode()
    yield b"}\n"


def as_html(export: Export, parts: Iterable[Part]) -> Iterator[bytes]:
    language = export.language if export.language in LANGUAGES else LANGUAGES[0]
    words = {key: said[language] for key, said in _words().items()}
    sections = (
        (section, (record for _, record in found))
        for section, found in groupby(records(parts), key=lambda record: record[0])
    )
    page = _page().generate(
        language=language,
        words=words,
        closed=CLOSED,
        made_at=isoformat(export.requested_at),
        sections=sections,
    )
    return (piece.encode() for piece in page)


def attachments(parts: Iterable[Part]) -> Iterator[str]:
    """The stored files that came along with touchpoints, and with replies that never left: their
    names in the bucket and in the archive alike, each once.
    """
    known: set[str] = set()
    for part in parts:
        came = [one["content"].get("attachments", []) for one in part.get("touchpoints", [])]
        promised = [one["action"].get("files", []) for one in part.get("follow_ups", [])]
        for one in chain(*came, *promised):
            if (key := one.get("object_key", "")) and key not in known:
                known.add(key)
                yield key


@cache
def _page() -> Any:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["without_shown"] = _without_shown
    return environment.get_template("export.html.j2")


def _without_shown(touchpoint: Mapping[str, Any]) -> dict[str, Any]:
    """What the page has not said in the heading and the quotation, less the raw request."""
    shown = {"raw", "occurred_at", "channel", "direction"}
    content = {key: one for key, one in touchpoint["content"].items() if key != "text"}
    return {k: one for k, one in touchpoint.items() if k not in shown} | {"content": content}


@cache
def _words() -> dict[str, dict[str, str]]:
    text = (Path(__file__).parent / "labels.yaml").read_text(encoding="utf-8")
    words: dict[str, dict[str, str]] = yaml.load(text, Loader=yaml.CBaseLoader)
    return words
