"""Segment's own Python library, sending over real HTTP, is accepted and understood."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from segment.analytics.client import Client

from shared.domain.touchpoint import Identification, TrackedEvent
from shared.providers.base import Outcome, WebhookRequest
from shared.providers.segment import PROVIDER

SECRET = PROVIDER.read_secret(
    {"write_keys": [{"source": "shop", "key": "a-write-key", "trusted": True}]}
)
WRITTEN_AT = datetime(2026, 11, 20, 9, tzinfo=UTC)
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


class Receiver(HTTPServer):
    """Answers as our intake does, and keeps what came."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Reception)
        self.requests: list[WebhookRequest] = []


class Reception(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        self.server.requests.append(
            WebhookRequest(
                method="POST",
                url=f"https://example.com{self.path}",
                path=self.path.removeprefix("/webhooks/segment").strip("/"),
                headers={name.lower(): value for name, value in self.headers.items()},
                query=(),
                body=self.rfile.read(int(self.headers["content-length"])),
                arrived_at=NOON,
            )
        )
        answer = PROVIDER.respond(Outcome.ACCEPTED, [])
        self.send_response(answer.status)
        self.send_header("content-type", answer.content_type)
        self.end_headers()
        self.wfile.write(answer.body.encode())

    def log_message(self, format: str, *args: Any) -> None:
        """Into a test's output belongs nothing."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def no_network(url: str) -> bytes:
    raise AssertionError("nothing is to be fetched")


@pytest.mark.parametrize("gzip", [False, True])
def test_the_genuine_library_is_accepted(receiver: Receiver, gzip: bool) -> None:
    library = Client(
        "a-write-key",
        host=f"http://127.0.0.1:{receiver.server_port}/webhooks/segment",
        gzip=gzip,
        sync_mode=True,
        max_retries=0,
    )
    library.identify("u1", {"email": "ada@example.org"}, timestamp=WRITTEN_AT)
    library.track("u1", "Cart Abandoned", {"value": 12.5}, timestamp=WRITTEN_AT, message_id="m2")

    identified, tracked = receiver.requests
    for request in (identified, tracked):
        PROVIDER.check_size(request)
        PROVIDER.verify(request, SECRET, no_network)
    # The library says by this machine's clock when it sends, and nothing comes before that.
    arrived = max(NOON, datetime.now(UTC))
    (who,) = PROVIDER.parse(identified, SECRET, arrived)
    (what,) = PROVIDER.parse(tracked, SECRET, arrived)

    assert identified.path == "v1/batch"
    assert identified.header("content-encoding") == ("gzip" if gzip else "")
    assert who.touchpoint.content == Identification(traits={"email": "ada@example.org"})
    assert [one.value for one in who.touchpoint.identifiers] == ["u1", "ada@example.org"]
    assert what.touchpoint.content == TrackedEvent(
        name="Cart Abandoned", properties={"value": 12.5}
    )
    assert what.touchpoint.occurred_at == WRITTEN_AT
    assert what.touchpoint.provider_event_id == "m2"
