"""What is refused before a route, and what goes wrong behind one."""

import base64
import io
import json
import logging

import pytest

from functions.agent_api import ports
from shared.domain.errors import MissingSecret, PasserelleError, PolicyError
from shared.domain.model import TicketId
from shared.domain.ticket import Ticket
from shared.runtime.http import problem_of
from shared.runtime.observability import logger
from tests import builders
from tests.fake_tickets import FakeTicketStore
from tests.unit.agent_api.client import Client

REPLIES = "/v1/tickets/ticket-1/replies"


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/", "/v1/ticket", "/v1/tickets/a/b", "/../x"])
def test_a_path_there_is_not(client: Client, path: str) -> None:
    answer = client.get(path)
    assert (answer.status, answer.body["title"]) == (404, "Not Found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/v1/tickets/ticket-1", "GET, PATCH"),
        ("GET", REPLIES, "POST"),
        ("PUT", "/docs", "GET"),
    ],
)
def test_a_method_the_path_does_not_take(
    client: Client, method: str, path: str, allowed: str
) -> None:
    answer = client.call(method, path)
    assert (answer.status, answer.headers["allow"]) == (405, allowed)


@pytest.mark.parametrize("path", ["/v1/tickets", "/v1/nothing"])
def test_without_a_token(client: Client, path: str) -> None:
    answer = client.call("GET", path, token=False)
    assert (answer.status, answer.body["status"]) == (401, 401)


@pytest.mark.parametrize(
    "body",
    [
        "not json",
        '{"text": "secret"',
        '{"text": NaN}',
        "[" * 5000,
        '{"text": "\\ud800"}',
        '{"text": "\ud800"}',
        "\x00",
    ],
)
def test_a_body_that_is_no_json(client: Client, body: str) -> None:
    answer = client.call("POST", REPLIES, body=body)
    assert (answer.status, answer.body["title"]) == (400, "Bad Request")
    assert "secret" not in answer.body["detail"]


def test_a_body_the_gateway_encoded(client: Client) -> None:
    body = base64.b64encode(b'{"text": ""}').decode()
    answer = client.call("POST", REPLIES, body=body, encoded=True)
    assert (answer.status, answer.fields) == (422, ["text"])


@pytest.mark.parametrize("body", ["%%%", base64.b64encode(b"\xff\xfe").decode()])
def test_a_body_that_is_no_text(client: Client, body: str) -> None:
    assert client.call("POST", REPLIES, body=body, encoded=True).status == 400


def test_no_body_at_all(client: Client) -> None:
    answer = client.call("POST", REPLIES)
    assert (answer.status, answer.fields) == (422, ["body"])


def test_a_body_that_is_too_large(client: Client) -> None:
    answer = client.call("POST", REPLIES, body=json.dumps({"text": "x" * 64_000}))
    assert answer.status == 413


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "é"]
)
def test_a_body_of_another_kind(client: Client, kind: str) -> None:
    answer = client.call("POST", REPLIES, body="text=hi", headers={"content-type": kind})
    assert answer.status == 415


def test_the_kind_of_a_body_may_have_parameters(client: Client) -> None:
    kind = {"content-type": "Application/JSON; charset=utf-8"}
    assert client.call("POST", REPLIES, body='{"text": "hi"}', headers=kind).status == 404


class Broken(FakeTicketStore):
    def read(self, ticket_id: TicketId) -> Ticket | None:
        raise self.error

    error: Exception = RuntimeError("+33612345678 could not be read")


class BrokenPolicy(Broken):
    error = PolicyError("routing.yaml, line 3")


class Nonsense(FakeTicketStore):
    """Its tickets have a priority there is not: an answer that breaks our own document."""

    def read(self, ticket_id: TicketId) -> Ticket | None:
        return builders.ticket().model_copy(update={"assignee": 7})


@pytest.fixture
def log() -> io.StringIO:
    kept = io.StringIO()
    handler = logger().handlers[0]
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(kept)
    return kept


@pytest.mark.parametrize("store", [Broken(), BrokenPolicy(), Nonsense()])
def test_what_is_our_fault_says_nothing_internal(
    client: Client, store: FakeTicketStore, log: io.StringIO
) -> None:
    client.override(ports.tickets, store)
    answer = client.get("/v1/tickets/ticket-1")
    assert answer.status == 500
    assert answer.body["detail"] == "something went wrong on our side"
    line = json.loads(log.getvalue())
    assert line["message"] == "request_failed"
    assert "33612345678" not in log.getvalue()


def test_an_error_without_a_status_is_internal() -> None:
    assert problem_of(PasserelleError("secret"))["statusCode"] == 500
    assert "secret" not in problem_of(PasserelleError("secret"))["body"]
    assert problem_of(MissingSecret("there is no secret for twilio"))["statusCode"] == 503
