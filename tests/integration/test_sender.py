"""What leaves: over real HTTP to a server that misbehaves on command, and by Amazon SES's model.

One promise above all: whatever may have been taken is not sent again.
"""

import json
import socket
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import (
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ReadTimeoutError,
)
from botocore.stub import Stubber

from shared.adapters.sender import ProviderSender
from shared.domain.errors import SendDelayed, SendRefused, SendUnconfirmed
from shared.providers.base import HttpRequest, MailRequest, NothingToTransmit, PushRequest

TAKEN = json.dumps({"messages": [{"id": "wamid.1"}]}).encode()
BUSY = json.dumps({"error": {"code": 130429}}).encode()


@dataclass
class Answer:
    """What the server does with one request. `cut` breaks the connection instead, or within."""

    status: int = 200
    body: bytes = TAKEN
    headers: dict[str, str] = field(default_factory=dict)
    cut: str = ""


@dataclass
class Received:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    connection: int
    """The client's port: requests of one connection share it."""


class ProviderServer(ThreadingHTTPServer):
    """Gives its answers one after the other, the last one for ever."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers = [Answer()]
        self.received: list[Received] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: ProviderServer
    protocol_version = "HTTP/1.1"
    """With connections that stay open for the next request."""

    def do_POST(self) -> None:
        answers, received = self.server.answers, self.server.received
        answer = answers[min(len(received), len(answers) - 1)]
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        received.append(Received(self.command, self.path, headers, body, self.client_address[1]))
        self.close_connection = bool(answer.cut)
        if answer.cut == "before":
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        missing = 100 if answer.cut == "within" else 0
        self.send_header("content-length", str(len(answer.body) + missing))
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, *_: object) -> None:
        """Nothing on the screen."""


@pytest.fixture
def server() -> Iterator[ProviderServer]:
    with ProviderServer() as running:
        thread = Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def waited(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds urllib3 would have waited between its attempts."""
    seconds: list[float] = []
    monkeypatch.setattr("urllib3.util.retry.time.sleep", seconds.append)
    return seconds


def no_aws() -> Any:
    raise AssertionError("nothing is to be sent by AWS")


def transmit(server: ProviderServer, *answers: Answer) -> str:
    if answers:
        server.answers = list(answers)
    return ProviderSender(no_aws, no_aws, gateway=server.url).transmit("whatsapp_cloud", request())


def request() -> HttpRequest:
    return HttpRequest(
        method="POST",
        url="https://graph.facebook.com/v26.0/106540352242922/messages?a=1",
        headers={"authorization": "Bearer t0ken", "content-type": "application/json"},
        body='{"text": "Réponse"}'.encode(),
    )


class TestHttp:
    def test_the_request_arrives_as_it_was_prepared(self, server: ProviderServer) -> None:
        assert transmit(server) == "wamid.1"
        (seen,) = server.received
        assert seen.method == "POST"
        assert seen.path == "/graph.facebook.com/v26.0/106540352242922/messages?a=1"
        assert seen.body == request().body
        assert seen.headers["authorization"] == "Bearer t0ken"
        assert seen.headers["content-type"] == "application/json"

    def test_without_a_gateway_it_goes_to_the_url_itself(self, server: ProviderServer) -> None:
        direct = HttpRequest(method="POST", url=f"{server.url}/v26.0/x", headers={}, body=b"{}")
        assert (
            ProviderSender(no_aws, no_aws, gateway="").transmit("whatsapp_cloud", direct)
            == "wamid.1"
        )
        assert server.received[0].path == "/v26.0/x"

    def test_no_connection_outlives_its_message(self, server: ProviderServer) -> None:
        """A function may be frozen in between, and find a dead connection when it wakes."""
        sender = ProviderSender(no_aws, no_aws, gateway=server.url)
        for _ in range(2):
            sender.transmit("whatsapp_cloud", request())
        first, second = server.received
        assert first.connection != second.connection

    def test_a_refusal_is_final_and_has_the_providers_code(self, server: ProviderServer) -> None:
        error = json.dumps({"error": {"code": 131026, "message": "to +33612345678"}}).encode()
        with pytest.raises(SendRefused) as raised:
            transmit(server, Answer(400, error))
        assert raised.value.code == "131026"
        assert "+33612345678" not in str(raised.value)
        assert len(server.received) == 1

    @pytest.mark.parametrize("status", [429, 503])
    @pytest.mark.parametrize("seconds", ["0", "2", "3600"])
    def test_busy_is_put_off_and_not_asked_again_meanwhile(
        self, server: ProviderServer, waited: list[float], status: int, seconds: str
    ) -> None:
        with pytest.raises(SendDelayed):
            transmit(server, Answer(status, BUSY, {"Retry-After": seconds}), Answer())
        assert len(server.received) == 1
        assert not waited, "the follow-up waits, not the function"

    @pytest.mark.parametrize("status", [500, 502, 504])
    def test_any_other_failure_may_have_taken_it_so_it_is_not_repeated(
        self, server: ProviderServer, status: int
    ) -> None:
        with pytest.raises(SendUnconfirmed):
            transmit(server, Answer(status, b"<html>oops</html>"))
        assert len(server.received) == 1

    @pytest.mark.parametrize("cut", ["before", "within"])
    def test_ma_11763_a_connection_that_breaks_after_the_request_is_not_repeated(
        self, server: ProviderServer, cut: str
    ) -> None:
        with pytest.raises(SendUnconfirmed):
            transmit(server, Answer(cut=cut))
        assert len(server.received) == 1

    def test_a_redirect_is_not_followed(self, server: ProviderServer) -> None:
        """It would carry the credentials to another host."""
        with pytest.raises(SendUnconfirmed):
            transmit(server, Answer(302, b"", {"Location": f"{server.url}/elsewhere"}))
        assert len(server.received) == 1

    def test_nobody_there_is_put_off(self, waited: list[float]) -> None:
        with closing(socket.socket()) as free:
            free.bind(("127.0.0.1", 0))
            nobody = f"http://127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(SendDelayed, match="the provider cannot be reached") as raised:
            ProviderSender(no_aws, no_aws, gateway=nobody).transmit("whatsapp_cloud", request())
        assert raised.value.__cause__ is None
        assert waited, "a connection that failed is tried again first"

    def test_a_token_in_a_url_is_not_logged_when_it_is_tried_again(
        self, waited: list[float], caplog: pytest.LogCaptureFixture
    ) -> None:
        """urllib3 warns of each attempt with the path, and Telegram's token stands in the path."""
        token = "1234567890:token-that-nobody-may-read"
        with closing(socket.socket()) as free:
            free.bind(("127.0.0.1", 0))
            nobody = f"http://127.0.0.1:{free.getsockname()[1]}"
        url = f"https://api.telegram.org/bot{token}/sendMessage"
        sending = HttpRequest(method="POST", url=url, headers={}, body=b"{}")
        with caplog.at_level("DEBUG"), pytest.raises(SendDelayed) as raised:
            ProviderSender(no_aws, no_aws, gateway=nobody).transmit("telegram", sending)
        assert waited
        assert token not in caplog.text
        assert token not in str(raised.value)


def test_what_is_fetched_by_its_recipient_goes_nowhere() -> None:
    waiting = NothingToTransmit(message_id="m-1")
    assert ProviderSender(no_aws, no_aws, gateway="").transmit("web_chat", waiting) == "m-1"


MAIL = MailRequest(
    sender="support@boutique.example",
    recipient="awa@example.com",
    mime=b"Subject: x\r\n\r\nBonjour",
)


class TestMail:
    @pytest.fixture
    def stub(self) -> Iterator[Stubber]:
        client = boto3.client("sesv2", config=Config(retries={"total_max_attempts": 1}))
        with Stubber(client) as stubbed:
            yield stubbed

    def transmit(self, stub: Stubber) -> str:
        return ProviderSender(lambda: stub.client, no_aws, gateway="").transmit("email_ses", MAIL)

    def test_the_mime_leaves_as_it_is_and_the_id_comes_back(self, stub: Stubber) -> None:
        expected = {
            "FromEmailAddress": MAIL.sender,
            "Destination": {"ToAddresses": [MAIL.recipient]},
            "Content": {"Raw": {"Data": MAIL.mime}},
        }
        stub.add_response("send_email", {"MessageId": "0102"}, expected)
        assert self.transmit(stub) == "0102"

    @pytest.mark.parametrize(
        ("code", "reason"),
        [
            ("MessageRejected", "content"),
            ("MailFromDomainNotVerifiedException", "unauthorized"),
            ("BadRequestException", "content"),
            ("SomethingNewException", "unknown"),
        ],
    )
    def test_a_refusal_is_final_and_says_nothing_of_anybody(
        self, stub: Stubber, code: str, reason: str
    ) -> None:
        told = "Email address is not verified: awa@example.com"
        stub.add_client_error("send_email", code, told, http_status_code=400)
        with pytest.raises(SendRefused) as raised:
            self.transmit(stub)
        assert (raised.value.code, raised.value.reason) == (code, reason)
        assert "awa@example.com" not in str(raised.value)

    @pytest.mark.parametrize(
        ("code", "status"),
        [
            ("TooManyRequestsException", 429),
            ("LimitExceededException", 400),
            ("SendingPausedException", 400),
            ("ThrottlingException", 400),
        ],
    )
    def test_a_limit_is_waited_out(self, stub: Stubber, code: str, status: int) -> None:
        stub.add_client_error("send_email", code, http_status_code=status)
        with pytest.raises(SendDelayed):
            self.transmit(stub)

    @pytest.mark.parametrize("status", [500, 503])
    def test_a_failure_on_their_side_may_have_taken_it(self, stub: Stubber, status: int) -> None:
        stub.add_client_error("send_email", "InternalFailure", http_status_code=status)
        with pytest.raises(SendUnconfirmed):
            self.transmit(stub)

    @pytest.mark.parametrize(
        ("error", "kind"),
        [
            (EndpointConnectionError(endpoint_url="https://ses"), SendDelayed),
            (ConnectTimeoutError(endpoint_url="https://ses"), SendDelayed),
            (ReadTimeoutError(endpoint_url="https://ses"), SendUnconfirmed),
            (ConnectionClosedError(endpoint_url="https://ses"), SendUnconfirmed),
        ],
    )
    def test_how_far_the_connection_came_decides(
        self, error: Exception, kind: type[Exception]
    ) -> None:
        with pytest.raises(kind):
            ProviderSender(lambda: Unreachable(error), no_aws, gateway="").transmit(
                "email_ses", MAIL
            )


class Unreachable:
    """A client whose connection fails."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def send_email(self, **_: object) -> dict[str, Any]:
        raise self._error


PUSH = PushRequest(
    endpoint_arn="arn:aws:sns:eu-west-1:123456789012:endpoint/APNS/Boutique/3f08fd15",
    message='{"default": "Bonjour"}',
    attributes={"AWS.SNS.MOBILE.APNS.PUSH_TYPE": "alert"},
)


class TestPush:
    @pytest.fixture
    def stub(self) -> Iterator[Stubber]:
        client = boto3.client(
            "sns", region_name="eu-west-1", config=Config(retries={"total_max_attempts": 1})
        )
        with Stubber(client) as stubbed:
            yield stubbed

    def transmit(self, stub: Stubber) -> str:
        return ProviderSender(no_aws, lambda: stub.client, gateway="").transmit("push_sns", PUSH)

    def test_it_goes_to_the_device_and_the_id_comes_back(self, stub: Stubber) -> None:
        attribute = {"DataType": "String", "StringValue": "alert"}
        expected = {
            "TargetArn": PUSH.endpoint_arn,
            "MessageStructure": "json",
            "Message": PUSH.message,
            "MessageAttributes": {"AWS.SNS.MOBILE.APNS.PUSH_TYPE": attribute},
        }
        stub.add_response("publish", {"MessageId": "0102"}, expected)
        assert self.transmit(stub) == "0102"

    @pytest.mark.parametrize(
        ("code", "status", "reason"),
        [
            ("EndpointDisabled", 400, "unreachable"),
            ("NotFound", 404, "invalid_recipient"),
            ("PlatformApplicationDisabled", 400, "unauthorized"),
            ("AuthorizationError", 403, "unauthorized"),
            ("SomethingNew", 400, "unknown"),
        ],
    )
    def test_a_refusal_is_final(self, stub: Stubber, code: str, status: int, reason: str) -> None:
        stub.add_client_error("publish", code, PUSH.endpoint_arn, http_status_code=status)
        with pytest.raises(SendRefused) as raised:
            self.transmit(stub)
        assert (raised.value.code, raised.value.reason) == (code, reason)
        assert PUSH.endpoint_arn not in str(raised.value)

    def test_a_limit_is_waited_out(self, stub: Stubber) -> None:
        stub.add_client_error("publish", "Throttled", http_status_code=429)
        with pytest.raises(SendDelayed):
            self.transmit(stub)

    def test_a_failure_on_their_side_may_have_taken_it(self, stub: Stubber) -> None:
        stub.add_client_error("publish", "InternalError", http_status_code=500)
        with pytest.raises(SendUnconfirmed):
            self.transmit(stub)
