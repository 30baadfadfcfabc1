"""Files of providers: over HTTP and TLS from servers of this machine, which do as they should not.

The address comes from a request's body, so whoever may send requests must reach nothing by it.
"""

import ssl
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from shared.adapters.media import MOST_REDIRECTS, SECONDS, HttpMedia, lies_at
from shared.adapters.public_hosts import resolve
from shared.domain.errors import MediumElsewhere, MediumTooLarge, MediumUnreachable
from shared.providers.base import HttpRequest, HttpResponse
from tests.integration.test_web import certificate

__all__ = ["certificate"]
HOSTS = ("api.example", "*.cdn.example")
LOGIN = {"authorization": "Bearer token"}


@dataclass
class Answer:
    status: int = 200
    body: bytes = b"file"
    headers: dict[str, str] = field(default_factory=dict)
    length: int | None = None
    """What it says it has, where that is not so."""
    goes_on: bool = False
    """Whether more would come, once the test has seen what it wants."""


class Keeper(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: dict[str, Answer] = {}
        self.looked_at = Event()
        self.received: list[tuple[str, dict[str, str]]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Keeper

    def do_GET(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.received.append((self.path, headers))
        answer = self.server.answers.get(self.path, Answer())
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        length = len(answer.body) if answer.length is None else answer.length
        if length >= 0:
            self.send_header("content-length", str(length))
        self.end_headers()
        self.wfile.write(answer.body)
        if answer.goes_on:
            self.wfile.flush()
            self.server.looked_at.wait(30)

    def log_message(self, format: str, *args: Any) -> None:
        """Into a test's output belongs nothing."""


@pytest.fixture
def keeper() -> Iterator[Keeper]:
    server = Keeper()
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def get(
    media: HttpMedia, url: str = "https://api.example/file", *, largest: int = 100
) -> HttpResponse:
    request = HttpRequest(method="GET", url=url, headers=LOGIN, body=b"")
    return media.fetch(request, hosts=HOSTS, largest=largest)


class TestThroughAGateway:
    """As the local cloud has one: what is asked for stands in the path."""

    @pytest.fixture
    def media(self, keeper: Keeper) -> HttpMedia:
        return HttpMedia(gateway=keeper.url)

    def test_a_file_comes_with_its_status_and_headers(
        self, media: HttpMedia, keeper: Keeper
    ) -> None:
        keeper.answers["/api.example/file?a=1"] = Answer(201, b"file", {"X-Type": "t"})
        found = get(media, "https://api.example/file?a=1")
        assert (found.status, found.body, found.headers["x-type"]) == (201, b"file", "t")
        assert keeper.received[0][1]["authorization"] == "Bearer token"

    @pytest.mark.parametrize("status", [401, 404, 429, 503])
    def test_a_refusal_is_an_answer_too(
        self, media: HttpMedia, keeper: Keeper, status: int
    ) -> None:
        keeper.answers["/api.example/file"] = Answer(status, b"no")
        assert get(media).status == status

    @pytest.mark.parametrize(
        "url",
        [
            "http://api.example/file",
            "https://evil.example/file",
            "https://api.example.evil.example/file",
            "https://evil.example/api.example",
            "https://api.example@evil.example/file",
            "https://user@api.example/file",
            "https://api.example:8443/file",
            "https://api.example:port/file",
            "https://cdn.example/file",
            "https://xcdn.example/file",
            "https://169.254.169.254/latest/meta-data",
            "https://[::1]/file",
            "https://[::1/file",
            "file:///etc/passwd",
            "//api.example/file",
            "",
        ],
    )
    def test_only_the_providers_own_hosts_are_asked(
        self, media: HttpMedia, keeper: Keeper, url: str
    ) -> None:
        with pytest.raises(MediumElsewhere):
            get(media, url)
        assert keeper.received == []

    @pytest.mark.parametrize("length", [None, 3, -1])
    def test_what_is_too_large_is_not_read_on_whatever_it_says_of_itself(
        self, media: HttpMedia, keeper: Keeper, length: int | None
    ) -> None:
        if length == 3:
            keeper.answers["/api.example/file"] = Answer(body=b"x" * 3, length=3)
            assert get(media, largest=3).body == b"xxx"
            return
        keeper.answers["/api.example/file"] = Answer(body=b"x" * 101, length=length)
        with pytest.raises(MediumTooLarge):
            get(media)

    def test_what_is_packed_is_not_unpacked(self, media: HttpMedia, keeper: Keeper) -> None:
        packed = Answer(body=b"\x1f\x8b-not-really", headers={"content-encoding": "gzip"})
        keeper.answers["/api.example/file"] = packed
        assert get(media).body == b"\x1f\x8b-not-really"
        assert keeper.received[0][1]["accept-encoding"] == "identity"

    def test_what_breaks_off_may_come_another_time(self, media: HttpMedia, keeper: Keeper) -> None:
        keeper.answers["/api.example/file"] = Answer(body=b"half", length=50)
        with pytest.raises(MediumUnreachable) as raised:
            get(media)
        assert raised.value.__cause__ is None and "example" not in str(raised.value)

    def test_nobody_is_there(self) -> None:
        with pytest.raises(MediumUnreachable):
            get(HttpMedia(gateway="http://127.0.0.1:1"))

    def test_it_may_not_take_for_ever(self, keeper: Keeper) -> None:
        moments = iter([0.0, SECONDS + 1])
        with pytest.raises(MediumUnreachable, match="too slowly"):
            get(HttpMedia(gateway=keeper.url, elapsed=lambda: next(moments)))

    def test_nor_come_byte_by_byte(self, keeper: Keeper) -> None:
        """The time of one read begins anew with each byte: it is the whole that counts."""
        keeper.answers["/api.example/file"] = Answer(body=b"f", length=50, goes_on=True)
        moments = iter([0.0, SECONDS + 1])
        with pytest.raises(MediumUnreachable, match="too slowly"):
            get(HttpMedia(gateway=keeper.url, elapsed=lambda: next(moments)))
        keeper.looked_at.set()

    @pytest.mark.parametrize(
        ("location", "path", "shown"),
        [
            ("https://a.cdn.example/f", "/a.cdn.example/f", True),
            ("/other", "/api.example/other", True),
            ("https://elsewhere.example/f", "/elsewhere.example/f", False),
        ],
    )
    def test_a_redirect_is_followed_and_the_login_stays_with_the_provider(
        self, media: HttpMedia, keeper: Keeper, location: str, path: str, shown: bool
    ) -> None:
        keeper.answers["/api.example/file"] = Answer(302, b"", {"location": location})
        keeper.answers[path] = Answer(body=b"here")
        assert get(media).body == b"here"
        (_, headers) = keeper.received[1]
        assert ("authorization" in headers) is shown

    def test_a_login_that_was_dropped_does_not_come_back(
        self, media: HttpMedia, keeper: Keeper
    ) -> None:
        away, back = "https://elsewhere.example/f", "https://api.example/again"
        keeper.answers["/api.example/file"] = Answer(302, b"", {"location": away})
        keeper.answers["/elsewhere.example/f"] = Answer(302, b"", {"location": back})
        get(media)
        assert "authorization" not in keeper.received[2][1]

    @pytest.mark.parametrize("location", ["http://api.example/f", "ftp://api.example/f"])
    def test_a_redirect_to_what_is_no_https_is_not_followed(
        self, media: HttpMedia, keeper: Keeper, location: str
    ) -> None:
        keeper.answers["/api.example/file"] = Answer(302, b"", {"location": location})
        with pytest.raises(MediumElsewhere):
            get(media)
        assert len(keeper.received) == 1

    def test_redirects_end(self, media: HttpMedia, keeper: Keeper) -> None:
        keeper.answers["/api.example/file"] = Answer(302, b"", {"location": "/file"})
        with pytest.raises(MediumUnreachable):
            get(media)
        assert len(keeper.received) == MOST_REDIRECTS + 1


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.0.0.7", "172.16.1.1", "192.168.1.1", "169.254.169.254", "0.0.0.0",
     "100.64.0.1", "224.0.0.1", "255.255.255.255", "::1", "fd00::1", "fe80::1", "::ffff:10.0.0.1"],
)  # fmt: skip
def test_a_host_that_leads_into_a_private_network_is_not_asked(address: str) -> None:
    """Neither where it is the only address nor among others."""
    for addresses in ([address], ["93.184.215.14", address]):
        with pytest.raises(MediumElsewhere, match="not public"):
            get(HttpMedia(resolve={"api.example": addresses}.__getitem__))


def test_a_redirect_into_a_private_network_is_not_followed(keeper: Keeper) -> None:
    """The gateway is left out here: the second host is looked up like the first."""
    asked: list[str] = []

    def look_up(host: str) -> Collection[str]:
        asked.append(host)
        return ["10.0.0.1"]

    with pytest.raises(MediumElsewhere):
        get(HttpMedia(resolve=look_up), "https://a.cdn.example/file")
    assert asked == ["a.cdn.example"]


def test_a_host_without_an_address() -> None:
    def nowhere(host: str) -> Collection[str]:
        raise OSError("unknown")

    with pytest.raises(MediumUnreachable):
        get(HttpMedia(resolve=nowhere))
    with pytest.raises(MediumElsewhere):
        get(HttpMedia(resolve=lambda host: []))


def test_the_address_that_was_looked_at_is_the_one_that_is_asked(
    keeper: Keeper, certificate: Path
) -> None:
    """And its certificate must be the host's: that of 127.0.0.1 does not do for api.example."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    keeper.socket = context.wrap_socket(keeper.socket, server_side=True)

    class Nearby(HttpMedia):
        """Takes this machine for a public one."""

        port = keeper.server_port

        def is_public(self, address: str) -> bool:
            return True

    media = Nearby(resolve=lambda host: ["127.0.0.1"], trusted=str(certificate))
    with pytest.raises(MediumUnreachable):
        get(media)
    request = HttpRequest(method="GET", url="https://localhost/file", headers=LOGIN, body=b"")
    with pytest.raises(MediumUnreachable):
        media.fetch(request, hosts=("localhost",), largest=10)
    request = HttpRequest(method="GET", url="https://127.0.0.1/file", headers=LOGIN, body=b"")
    assert media.fetch(request, hosts=("127.0.0.1",), largest=10).body == b"file"
    assert keeper.received[-1][1]["host"] == "127.0.0.1"


def test_a_host_below_another_is_meant_by_a_star() -> None:
    assert lies_at("https://a.b.cdn.example/x", HOSTS)
    assert lies_at("https://API.example:443/x", HOSTS)
    assert not lies_at("https://.cdn.example.evil/x", HOSTS)


def test_this_machine_is_known_by_its_own_address() -> None:
    assert list(resolve("localhost")) == ["127.0.0.1"]
