"""Fetching a public document: over TLS, from a server on this machine."""

import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
import urllib3
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from shared.adapters.web import LARGEST_DOCUMENT, get
from shared.domain.errors import NotFound

ANSWERS = {
    "/document": (200, b"the document"),
    "/largest": (200, b"x" * LARGEST_DOCUMENT),
    "/too-large": (200, b"x" * (LARGEST_DOCUMENT + 1)),
    "/moved": (302, b""),
    "/gone": (404, b""),
    "/busy": (429, b""),
    "/broken": (500, b""),
}


class Reception(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        status, body = ANSWERS[self.path]
        self.send_response(status)
        self.send_header("location", "/document")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Into a test's output belongs nothing."""


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Key and certificate of 127.0.0.1, which only this test trusts."""
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    names = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2120, 1, 1, tzinfo=UTC))
        .add_extension(names, critical=False)
        .sign(key, SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "server.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(private + signed.public_bytes(Encoding.PEM))
    return file


@pytest.fixture(scope="module")
def server(certificate: Path) -> Iterator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with HTTPServer(("127.0.0.1", 0), Reception) as listening:
        listening.socket = context.wrap_socket(listening.socket, server_side=True)
        thread = threading.Thread(target=listening.serve_forever)
        thread.start()
        yield f"https://127.0.0.1:{listening.server_port}"
        listening.shutdown()
        thread.join()


@pytest.fixture
def pool(certificate: Path) -> Iterator[urllib3.PoolManager]:
    with urllib3.PoolManager(ca_certs=str(certificate), retries=0, timeout=5) as trusting:
        yield trusting


@pytest.mark.parametrize("path", ["/document", "/largest"])
def test_a_document_is_fetched(server: str, pool: urllib3.PoolManager, path: str) -> None:
    assert get(pool, server + path) == ANSWERS[path][1]


@pytest.mark.parametrize("path", ["/gone", "/moved", "/too-large"])
def test_what_is_not_there_is_not_found(server: str, pool: urllib3.PoolManager, path: str) -> None:
    with pytest.raises(NotFound):
        get(pool, server + path)


@pytest.mark.parametrize("path", ["/busy", "/broken"])
def test_a_host_in_trouble_is_to_be_asked_again(
    server: str, pool: urllib3.PoolManager, path: str
) -> None:
    with pytest.raises(ConnectionError):
        get(pool, server + path)


def test_a_host_nobody_vouches_for_is_not_believed(server: str) -> None:
    with (
        urllib3.PoolManager(retries=0, timeout=5) as ordinary,
        pytest.raises(ConnectionError) as raised,
    ):
        get(ordinary, f"{server}/document")
    assert "127.0.0.1" not in str(raised.value)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/document", "file:///etc/hostname", "document"])
def test_only_https_is_fetched(pool: urllib3.PoolManager, url: str) -> None:
    with pytest.raises(NotFound, match="https"):
        get(pool, url)
