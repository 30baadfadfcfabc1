"""A load generator in a process of its own: `python -m tests.bench.load` reads its orders from
standard input, signs everything beforehand, and sends over keep-alive connections.
"""

import json
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from http.client import HTTPConnection
from itertools import chain
from queue import Empty, SimpleQueue
from subprocess import PIPE, Popen
from time import perf_counter
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from infra.local.clients.base import Call
from infra.local.synthesis import ROOT
from tests.bench.traffic import Kind, Traffic, feed, signed


class Load(NamedTuple):
    """What came of it."""

    requests: int
    touchpoints: int
    accepted: int
    """Requests answered with 200."""
    seconds: float
    latencies: list[float]
    """Milliseconds, one for each request."""
    providers: dict[str, int]
    """Requests by provider."""

    @property
    def per_second(self) -> float:
        return self.accepted / self.seconds


class Generator:
    """Started beforehand, so that signing is done when `go` is called."""

    def __init__(
        self,
        url: str,
        secrets: Mapping[str, Any],
        *,
        mix: Mapping[Kind, float],
        touchpoints: int,
        connections: int,
        series: int,
    ) -> None:
        self._process = Popen(
            [sys.executable, "-m", "tests.bench.load"],
            cwd=ROOT,
            stdin=PIPE,
            stdout=PIPE,
            text=True,
        )
        orders = {
            "url": url,
            "secrets": secrets,
            "mix": mix,
            "touchpoints": touchpoints,
            "connections": connections,
            "series": series,
        }
        self._tell(json.dumps(orders))
        self._hear()

    def go(self) -> Load:
        """Send everything; back when the last answer is there."""
        self._tell("go")
        load = Load(**self._hear())
        self._process.communicate()
        return load

    def _tell(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def _hear(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the load generator ended with {self._process.wait()}")
        return json.loads(line)


def send(calls: list[Call], url: str, connections: int) -> list[tuple[int, float]]:
    """Status and milliseconds of each, in no order. Each connection sends the next when it can."""
    waiting: SimpleQueue[Call] = SimpleQueue()
    for call in calls:
        waiting.put(call)
    host = urlsplit(url).netloc

    def work(_: int) -> list[tuple[int, float]]:
        done = []
        connection = HTTPConnection(host, timeout=60)
        try:
            while True:
                call = waiting.get_nowait()
                path = call.url.removeprefix(url)
                began = perf_counter()
                connection.request(call.method, path, call.body, call.headers)
                answer = connection.getresponse()
                answer.read()
                done.append((answer.status, (perf_counter() - began) * 1000))
        except Empty:
            return done
        finally:
            connection.close()

    with ThreadPoolExecutor(connections) as pool:
        return list(chain.from_iterable(pool.map(work, range(connections))))


def main() -> None:
    orders = json.loads(sys.stdin.readline())
    url, now = orders["url"], datetime.now(UTC)
    traffic = Traffic(url, series=orders["series"])
    mix = {Kind(name): share for name, share in orders["mix"].items()}
    webhooks = feed(traffic, mix, orders["touchpoints"], now, seed=orders["series"])
    calls = [signed(one, orders["secrets"], now) for one in webhooks]
    print(json.dumps("ready"), flush=True)
    if sys.stdin.readline().strip() != "go":
        return
    began = perf_counter()
    answers = send(calls, url, orders["connections"])
    providers: dict[str, int] = {}
    for one in webhooks:
        providers[one.provider] = providers.get(one.provider, 0) + 1
    load = Load(
        requests=len(calls),
        touchpoints=sum(one.touchpoints for one in webhooks),
        accepted=sum(status == 200 for status, _ in answers),
        seconds=perf_counter() - began,
        latencies=[milliseconds for _, milliseconds in answers],
        providers=providers,
    )
    print(json.dumps(load._asdict()), flush=True)


if __name__ == "__main__":
    main()
