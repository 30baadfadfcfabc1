"""A POST to a system of the company, wherever on the public internet that is.

Whoever may make a subscription chooses the address, so it must not lead to where only this function
can go (`public_hosts`). A redirect is no answer.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import urllib3

from shared.adapters import public_hosts
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
_NEARBY = "127.0.0.1"
_LOOPBACK = {_NEARBY, "localhost", "::1"}


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
            host = parts.hostname or ""
            address = _NEARBY if local else public_hosts.public_address(public_hosts.resolve(host))
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
        except public_hosts.NotPublic:
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


def _pool(url: str, address: str, *, plain: bool) -> urllib3.HTTPConnectionPool:
    """A connection of its own: one kept while the function was frozen may be dead."""
    parts = urlsplit(url)
    if plain:
        return urllib3.HTTPConnectionPool(address, parts.port or 80, timeout=_TIMEOUT)
    return public_hosts.connections(
        parts.hostname or "", address, port=parts.port or 443, timeout=_TIMEOUT
    )
