"""The HTTP server: threads, keep-alive, nothing but loopback."""

import socket
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any

from infra.local.gateway import Request, Response

ADDRESS = "127.0.0.1"
LARGEST_REQUEST = 32 * 1024 * 1024
"""Bytes read before a request is refused unread; the gateway's own limit is lower."""
_IDLE_SECONDS = 60

Application = Callable[[Request], Response]


class HangUp(Exception):
    """Raised by the application: the connection ends, and nobody gets an answer."""


class PortTaken(Exception):
    """Somebody else listens on that port."""


class Server:
    """Serves `application` on 127.0.0.1; port 0 takes a free one."""

    def __init__(self, application: Application, port: int) -> None:
        try:
            self._server = _Threads((ADDRESS, port), _Handler)
        except OSError as error:
            raise PortTaken(
                f"port {port} of {ADDRESS} is not free ({error.strerror}); PORT=… chooses another"
            ) from None
        self._server.application = application
        self._thread = Thread(target=self._server.serve_forever, args=(0.1,), name="http")

    @property
    def url(self) -> str:
        return f"http://{ADDRESS}:{self._server.server_address[1]}"

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        """Answer nobody any more, and wait until every connection is closed."""
        if self._thread.ident is not None:
            self._server.shutdown()
            self._thread.join()
        self._server.hang_up()
        self._server.server_close()


class _Threads(ThreadingHTTPServer):
    application: Application
    daemon_threads = False
    request_queue_size = 256

    def __init__(self, *arguments: Any) -> None:
        self._open: set[socket.socket] = set()
        self._lock = Lock()
        super().__init__(*arguments)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        """Close what clients keep open, so that their threads end."""
        with self._lock:
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RD)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no error of ours."""


class _Handler(BaseHTTPRequestHandler):
    server: _Threads
    protocol_version = "HTTP/1.1"
    server_version = "Passerelle"
    sys_version = ""
    timeout = _IDLE_SECONDS
    # Head and body leave in one packet, and at once.
    wbufsize = -1
    disable_nagle_algorithm = True

    def _serve(self) -> None:
        body = self._read_body()
        if body is None:
            return
        path, _, query = self.path.partition("?")
        headers: dict[str, str] = {}
        for name, value in self.headers.items():
            key = name.lower()
            headers[key] = f"{headers[key]},{value}" if key in headers else value
        request = Request(
            method=self.command,
            path=path,
            query=query,
            headers=headers,
            body=body,
            address=self.client_address[0],
        )
        try:
            response = self.server.application(request)
        except HangUp:
            self.close_connection = True
            return
        self._write(response)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = _serve

    def _read_body(self) -> bytes | None:
        """The whole body; None where the request was refused."""
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            return self._read_chunks()
        length = self.headers.get("Content-Length", "0")
        if not length.isascii() or not length.isdigit():
            self._refuse(400, b"Content-Length is not a number")
            return None
        if int(length) > LARGEST_REQUEST:
            self._refuse(413, b"Request Entity Too Large")
            return None
        return self.rfile.read(int(length))

    def _read_chunks(self) -> bytes | None:
        body = bytearray()
        while True:
            head = self.rfile.readline(1000).split(b";")[0].strip()
            try:
                size = int(head, 16)
            except ValueError:
                self._refuse(400, b"the chunks are not readable")
                return None
            if size < 0 or len(body) + size > LARGEST_REQUEST:
                self._refuse(413, b"Request Entity Too Large")
                return None
            body += self.rfile.read(size)
            # After the last chunk come trailers up to an empty line.
            while self.rfile.readline(8000) not in {b"\r\n", b"\n", b""}:
                pass
            if size == 0:
                return bytes(body)

    def _refuse(self, status: int, text: bytes) -> None:
        self.close_connection = True
        self._write(Response(status, {"content-type": "text/plain", "connection": "close"}, text))

    def _write(self, response: Response) -> None:
        self.send_response(response.status)
        for name, value in response.headers.items():
            # Whatever a handler answers, a header stays one line.
            self.send_header(name, value.replace("\r", " ").replace("\n", " "))
        bare = response.status in {204, 304}
        if not bare:
            self.send_header("Content-Length", str(len(response.body)))
        self.end_headers()
        if not bare and self.command != "HEAD":
            self.wfile.write(response.body)
        self.wfile.flush()

    def log_message(self, *_: Any) -> None:
        """The gateway of a laptop keeps no access log."""
