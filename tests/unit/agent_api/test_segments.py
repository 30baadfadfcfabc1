import csv
import json
from datetime import timedelta
from io import StringIO

import pytest

from functions.agent_api.segments import NEXT_CURSOR
from shared.domain.model import ProfileId
from shared.domain.profile import Profile
from shared.domain.segment import Membership
from tests import builders
from tests.builders import NOON
from tests.fakes import World
from tests.unit.agent_api.client import Client

SEGMENT = "valued_customers"
PATH = f"/v1/segments/{SEGMENT}"
MEMBERS = ["p1", "p2", "p3"]


@pytest.fixture(autouse=True)
def memberships(world: World) -> None:
    """Three valued customers; the first is also losing patience, and in what no longer is."""
    segments = [(name, SEGMENT) for name in MEMBERS]
    for hour, (name, segment) in enumerate(
        [*segments, ("p1", "losing_patience"), ("p1", "of_last_year")]
    ):
        world.segments.put(
            Membership(
                profile_id=ProfileId(name),
                segment=segment,
                since=NOON + timedelta(hours=hour),
                reasons=(f"reason {hour}",),
            )
        )
    ids = {"profile_id": "p1", "profile_ids": ("p1", "p9"), "created_at": NOON}
    world.profiles.put(Profile.model_validate(ids))


def test_those_there_are(client: Client) -> None:
    items = client.get("/v1/segments").body["items"]
    assert {one["name"]: one["description"] for one in items} == {
        name: one.description for name, one in builders.policies().segments.segments.items()
    }


def test_members_page(client: Client) -> None:
    first = client.get(f"{PATH}/members", limit=2).body
    assert first["items"] == [
        {"profile_id": "p1", "since": "2026-11-23T12:00:00Z"},
        {"profile_id": "p2", "since": "2026-11-23T13:00:00Z"},
    ]
    second = client.get(f"{PATH}/members", limit=2, cursor=first["cursor"]).body
    assert [one["profile_id"] for one in second["items"]] == ["p3"]
    assert second["cursor"] is None


@pytest.mark.parametrize("what", ["members", "export"])
def test_of_a_segment_there_is_not(client: Client, what: str) -> None:
    assert client.get(f"/v1/segments/of_last_year/{what}").status == 404


@pytest.mark.parametrize("what", ["members", "export"])
def test_a_cursor_that_is_none_of_ours(client: Client, what: str) -> None:
    answer = client.get(f"{PATH}/{what}", cursor="garbage")
    assert (answer.status, answer.fields) == (400, ["cursor"])


@pytest.mark.parametrize("limit", [1, 2, 1000])
@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_the_parts_of_an_export_are_one_file(client: Client, form: str, limit: int) -> None:
    parts: list[str] = []
    query: dict[str, str] = {}
    while True:
        answer = client.get(f"{PATH}/export", format=form, limit=limit, **query)
        assert answer.status == 200
        parts.append(answer.body)
        if NEXT_CURSOR not in answer.headers:
            break
        query = {"cursor": answer.headers[NEXT_CURSOR]}
    text = "".join(parts)
    if form == "csv":
        lines = list(csv.DictReader(StringIO(text)))
    else:
        lines = [json.loads(line) for line in text.splitlines()]
    assert [one["profile_id"] for one in lines] == MEMBERS
    assert lines[0]["since"] == "2026-11-23T12:00:00Z"


@pytest.mark.parametrize(
    ("query", "field"), [({"format": "xml"}, "format"), ({"limit": 1001}, "limit")]
)
def test_an_export_in_no_form_we_know(
    client: Client, query: dict[str, str | int], field: str
) -> None:
    answer = client.get(f"{PATH}/export", **query)
    assert (answer.status, answer.fields) == (422, [field])


def test_of_a_person_with_reasons(client: Client) -> None:
    items = client.get("/v1/profiles/p1/segments").body["items"]
    assert [one["segment"] for one in items] == ["losing_patience", SEGMENT]
    assert items[1] == {
        "segment": SEGMENT,
        "description": "Spent over 500 euros",
        "since": "2026-11-23T12:00:00Z",
        "reasons": ["reason 0"],
    }


def test_of_nobody(client: Client) -> None:
    assert client.get("/v1/profiles/p7/segments").status == 404
