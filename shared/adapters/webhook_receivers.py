"""A POST to a system of the company, wherever on the public internet that is.

Whoever may make a subscription chooses the address, so it must not lead to where only this function
can go: every address behind the name must be public, and the connection goes to the one that was
looked at. A redirect is no answer.
"""

import socket
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from urllib.parse import urlsplit

import urllib3

from shared.adapters.haste import started
from shared.domain.webhook import Answer, headers
from shared.providers.base import HttpResponse, retry_after

_TIMEOUT = urllib3.Timeout(connect=3, read=10, total=12)
_LONGEST = 15.0
"""Seconds, however the answer comes: the time of one read begins anew with each byte. A function
that ran out of its own time would keep no attempt, and make none after it.
"""
_LARGEST_ANSWER = 64 * 1024
"""Bytes that are read before the connection is dropped. What the answer says is not used."""
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


class HttpWebhookReceivers:
    """`loopback`: this machine may be a receiver too, over plain HTTP. Only on a laptop."""

    def __init__(self, *, loopback: bool = False, longest: float = _LONGEST) -> None:
        self._loopback = loopback
        self._longest = longest

    def post(self, url: str, delivery_id: str, body: bytes, secrets: Sequence[str]) -> Answer:
        answer = started(lambda: self._post(url, delivery_id, body, secrets))
        try:
            return answer.result(self._longest)
        except TimeoutError:
            return Answer(None, error="it took too long")

    def _post(self, url: str, delivery_id: str, body: bytes, secrets: Sequence[str]) -> Answer:
        # The receiver holds the time against its own clock, so it is the real one.
        signed = headers(secrets, delivery_id, datetime.now(UTC), body)
        parts = urlsplit(url)
        local = self._loopback and parts.hostname in _LOOPBACK
        try:
            address = "127.0.0.1" if local else _public_address(parts.hostname or "", parts.port)
            with _pool(url, address, plain=local and parts.scheme == "http") as pool:
                answer = pool.request(
                    "POST",
                    f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}",
                    body=body,
                    headers={**signed, "host": parts.netloc.rpartition("@")[2]},
                    retries=False,
                    redirect=False,
                    preload_content=False,
                )
                answer.read(_LARGEST_ANSWER)
                answer.close()
        except _NotPublic:
            return Answer(None, error="its address is not public")
        except (OSError, UnicodeError):
            return Answer(None, error="its name is not known")
        except urllib3.exceptions.NewConnectionError:
            return Answer(None, error="nobody listens there")
        except urllib3.exceptions.TimeoutError:
            return Answer(None, error="it took too long")
        except urllib3.exceptions.HTTPError as error:
            return Answer(None, error=f"no connection: {type(error).__name__}")
        told = HttpResponse(status=answer.status, headers=dict(answer.headers), body=b"")
        asked: timedelta | None = retry_after(told)
        return Answer(answer.status, asked)


class _NotPublic(Exception):
    pass


def _public_address(host: str, port: int | None) -> str:
    """Raises _NotPublic where any address of that name is not, OSError where there is none."""
    found = socket.getaddrinfo(host, port or 443, type=socket.SOCK_STREAM)
    addresses = [str(one[4][0]) for one in found]
    if not all(_is_public(one) for one in addresses):
        raise _NotPublic
    return addresses[0]


def _is_public(address: str) -> bool:
    ip = ip_address(address.partition("%")[0])
    mapped = getattr(ip, "ipv4_mapped", None) or getattr(ip, "sixtofour", None)
    return ip.is_global and not ip.is_multicast and (mapped is None or mapped.is_global)


def _pool(url: str, address: str, *, plain: bool) -> urllib3.HTTPConnectionPool:
    """A connection of its own: one kept while the function was frozen may be dead."""
    parts = urlsplit(url)
    if plain:
        return urllib3.HTTPConnectionPool(address, parts.port or 80, timeout=_TIMEOUT)
    return urllib3.HTTPSConnectionPool(
        address,
        parts.port or 443,
        timeout=_TIMEOUT,
        server_hostname=parts.hostname,
        assert_hostname=parts.hostname,
    )
