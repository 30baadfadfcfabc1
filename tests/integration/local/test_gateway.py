"""The HTTP side: routes, events, the JWT authoriser, and what only a laptop has."""

import json
from base64 import b64decode
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jwt
import pytest
import urllib3

from infra.local.cloud import LocalCloud
from infra.local.gateway import LARGEST_BODY
from infra.local.server import PortTaken
from tests.integration.local import standins
from tests.integration.local.conftest import TEMPLATE


def _event() -> dict[str, Any]:
    event: dict[str, Any] = standins.given["intake"][-1]
    return event


def test_a_request_becomes_the_event_of_payload_format_2(small: LocalCloud) -> None:
    standins.answers["intake"] = lambda _: {
        "statusCode": 202,
        "headers": {"X-Answer": "yes"},
        "body": "ok",
    }
    with urllib3.PoolManager() as pool:
        answer = pool.request(
            "POST",
            f"{small.url}/open/caf%C3%A9/a/b?x=1&x=2&y=",
            body="Grüße".encode(),
            headers={"Content-Type": "text/plain", "X-Case": "Kept", "Cookie": "a=1; b=2"},
        )
    assert (answer.status, answer.headers["x-answer"], answer.data) == (202, "yes", b"ok")
    event = _event()
    assert event["routeKey"] == "ANY /open/{name}/{rest+}"
    assert event["pathParameters"] == {"name": "café", "rest": "a/b"}
    assert event["rawPath"] == "/open/caf%C3%A9/a/b"
    assert event["rawQueryString"] == "x=1&x=2&y="
    assert event["queryStringParameters"] == {"x": "1,2", "y": ""}
    assert event["headers"]["x-case"] == "Kept"
    assert event["cookies"] == ["a=1", "b=2"]
    assert (event["body"], event["isBase64Encoded"]) == ("Grüße", False)
    assert event["requestContext"]["http"]["method"] == "POST"


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"\xff\xfe", {"content-type": "application/json"}),
        (b"a=1&b=2", {"content-type": "application/x-www-form-urlencoded"}),
        (b"{}", {"content-type": "application/json", "content-encoding": "gzip"}),
    ],
    ids=["no UTF-8", "a form", "compressed"],
)
def test_what_is_no_plain_text_travels_as_base64(
    small: LocalCloud, body: bytes, headers: dict[str, str]
) -> None:
    small.post("/open/a/b", body, headers)
    assert _event()["isBase64Encoded"] is True
    assert b64decode(_event()["body"]) == body


def test_a_chunked_body_is_put_together(small: LocalCloud) -> None:
    with urllib3.PoolManager() as pool:
        pool.request("POST", f"{small.url}/open/a/b", body=iter([b"one ", b"two"]), chunked=True)
    assert b64decode(_event()["body"]) == b"one two"


def test_too_large_unknown_and_broken_have_their_own_status(small: LocalCloud) -> None:
    assert small.post("/open/a/b", b"x" * (LARGEST_BODY + 1)).status == 413
    assert small.get("/nowhere").status == 404
    assert standins.given["intake"] == []
    standins.answers["intake"] = lambda _: 1 / 0
    assert small.get("/open/a/b").status == 500


def test_only_a_token_of_the_pool_opens_a_closed_route(small: LocalCloud) -> None:
    token = json.loads(small.get("/_local/token").body)["token"]
    assert small.get("/closed").status == 401
    assert small.get("/closed", {"authorization": f"Bearer {token}x"}).status == 401
    forged = jwt.encode(
        jwt.decode(token, options={"verify_signature": False}), "k" * 32, algorithm="HS256"
    )
    assert small.get("/closed", {"authorization": f"Bearer {forged}"}).status == 401
    assert standins.given["intake"] == []
    assert small.get("/closed", {"authorization": f"Bearer {token}"}).status == 200
    claims = _event()["requestContext"]["authorizer"]["jwt"]["claims"]
    assert claims["sub"]
    assert all(isinstance(value, str) for value in claims.values())


def test_many_at_once_over_connections_that_stay_open(small: LocalCloud) -> None:
    standins.answers["intake"] = lambda event: {"statusCode": 200, "body": event["rawPath"]}

    def ask(number: int) -> bool:
        path = f"/open/a/{number}"
        return pool.request("GET", small.url + path).data == path.encode()

    with urllib3.PoolManager(maxsize=8) as pool, ThreadPoolExecutor(8) as threads:
        assert all(threads.map(ask, range(200)))


def test_a_port_that_is_taken_is_named(small: LocalCloud) -> None:
    port = int(small.url.rpartition(":")[2])
    small.__exit__(None, None, None)
    with LocalCloud(TEMPLATE, port=port, secrets={}) as again:
        assert again.url == small.url
        from infra.local.server import Server

        with pytest.raises(PortTaken, match=f"port {port} .* is not free"):
            Server(again.gateway.answer, port)


@pytest.mark.parametrize(
    "body",
    [
        '{"advance": "soon"}',
        '{"advance": 5}',
        '{"advance": "-PT1H"}',
        '{"advance": "P9999Y"}',
        "{}",
    ],
)
def test_a_bad_duration_is_a_problem_that_names_its_field(small: LocalCloud, body: str) -> None:
    before = small.clock.offset
    answer = small.post("/_local/clock", body)
    assert answer.status == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert json.loads(answer.body)["errors"][0]["field"] == "advance"
    assert small.clock.offset == before


@pytest.mark.parametrize("body", ["not json", "[]", "\x00"])
def test_a_body_that_is_no_object_is_a_problem(small: LocalCloud, body: str) -> None:
    answer = small.post("/_local/clock", body)
    assert json.loads(answer.body)["errors"][0]["field"] == "body"


def test_the_clock_moves_and_tells(small: LocalCloud) -> None:
    answer = small.post("/_local/clock", '{"advance": "PT72H"}')
    told = json.loads(answer.body)
    assert answer.status == 200
    assert told["ahead_of_real_time_seconds"] == 72 * 3600
    assert json.loads(small.get("/_local/clock").body)["now"] >= told["now"]


def test_another_site_cannot_move_the_clock(small: LocalCloud) -> None:
    for headers in ({"sec-fetch-site": "cross-site"}, {"host": "rebound.example:8080"}):
        assert small.post("/_local/clock", '{"advance": "PT1H"}', headers).status == 403
    assert small.post("/_local/nothing").status == 404
    assert small.post("/_local/outbox").status == 405
