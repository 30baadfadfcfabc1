"""Files of messages from where their providers keep them, over HTTP.

The address may come out of a request's body, so it is not believed: https alone, at hosts of the
provider, never at an address of a network that is not public.
"""

from collections.abc import Callable, Collection
from time import monotonic
from urllib.parse import SplitResult, urljoin, urlsplit

import urllib3

from shared.adapters import public_hosts
from shared.domain.errors import MediumElsewhere, MediumTooLarge, MediumUnreachable
from shared.providers.base import HttpRequest, HttpResponse

SECONDS = 60.0
"""For one file, however slowly it comes."""
MOST_REDIRECTS = 3
_REDIRECTS = {301, 302, 303, 307, 308}
_PIECE = 64 * 1024
_TIMEOUT = urllib3.Timeout(connect=3, read=10)
_NOT_ENCODED = {"accept-encoding": "identity"}
"""A small answer that unpacks to a large one would be read until it passes the limit."""


def lies_at(url: str, hosts: Collection[str]) -> bool:
    """Whether it is https at one of the hosts; `*.` stands for all below one."""
    parts = _https(url)
    host = (parts.hostname or "") if parts else ""
    return any(
        host.endswith(one[1:]) if one.startswith("*.") else host == one for one in hosts if host
    )


class HttpMedia:
    """`gateway`, where set, stands in front of every provider's host: `{gateway}/{host}{path}`."""

    port = 443

    def __init__(
        self,
        *,
        gateway: str = "",
        resolve: public_hosts.Resolve = public_hosts.resolve,
        elapsed: Callable[[], float] = monotonic,
        trusted: str | None = None,
    ) -> None:
        """`trusted` is a file of certificates instead of the usual ones."""
        self._gateway = gateway.rstrip("/")
        self._resolve = resolve
        self._elapsed = elapsed
        self._trusted = trusted

    def fetch(self, request: HttpRequest, *, hosts: Collection[str], largest: int) -> HttpResponse:
        if not lies_at(request.url, hosts):
            raise MediumElsewhere("it lies at a host that is not its provider's")
        ends = self._elapsed() + SECONDS
        url, headers = request.url, dict(request.headers)
        for _ in range(MOST_REDIRECTS + 1):
            answer = self._get(url, headers, largest, ends)
            location = answer.headers.get("location", "")
            if answer.status not in _REDIRECTS or not location:
                return answer
            url = urljoin(url, location)
            if not lies_at(url, hosts):
                # The provider says where, and what proves us to it is nobody else's business.
                headers = {}
        raise MediumUnreachable("it is sent on and on")

    def _get(self, url: str, headers: dict[str, str], largest: int, ends: float) -> HttpResponse:
        parts = _https(url)
        if parts is None or not parts.hostname:
            raise MediumElsewhere("only https is fetched")
        path = f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
        try:
            if self._gateway:
                with urllib3.PoolManager(retries=False, timeout=_TIMEOUT) as manager:
                    target = f"{self._gateway}/{parts.hostname}{path}"
                    return self._read(manager, target, headers, largest, ends)
            with self._pool(parts.hostname) as pool:
                named = {**headers, "host": parts.hostname}
                return self._read(pool, path, named, largest, ends)
        except urllib3.exceptions.HTTPError:
            # Without its cause: the message of a foreign error quotes the URL, which may hold a
            # token.
            raise MediumUnreachable("the connection failed") from None

    def is_public(self, address: str) -> bool:
        return public_hosts.is_public(address)

    def _pool(self, host: str) -> urllib3.HTTPSConnectionPool:
        try:
            address = public_hosts.public_address(self._resolve(host), self.is_public)
        except OSError:
            raise MediumUnreachable("its host has no address") from None
        except public_hosts.NotPublic:
            raise MediumElsewhere("it lies in a network that is not public") from None
        return public_hosts.connections(
            host, address, port=self.port, timeout=_TIMEOUT, trusted=self._trusted
        )

    def _read(
        self,
        pool: urllib3.PoolManager | urllib3.HTTPSConnectionPool,
        url: str,
        headers: dict[str, str],
        largest: int,
        ends: float,
    ) -> HttpResponse:
        """What a length promises is not believed: it is counted what comes."""
        answer = pool.request(
            "GET", url, headers={**headers, **_NOT_ENCODED}, preload_content=False, redirect=False
        )
        body = bytearray()
        try:
            # What is there, and no waiting until a piece is whole: it may come byte by byte.
            while piece := answer.read1(_PIECE, decode_content=False):
                body += piece
                if len(body) > largest:
                    raise MediumTooLarge(f"it has more than {largest} bytes")
                if self._elapsed() > ends:
                    raise MediumUnreachable("it comes too slowly")
        finally:
            answer.close()
        told = {name.lower(): value for name, value in answer.headers.items()}
        return HttpResponse(status=answer.status, headers=told, body=bytes(body))


def _https(url: str) -> SplitResult | None:
    """None for what is no plain https address."""
    try:
        parts = urlsplit(url)
        plain = parts.port in {None, 443} and parts.username is None
    except ValueError:
        return None
    return parts if parts.scheme == "https" and plain else None
