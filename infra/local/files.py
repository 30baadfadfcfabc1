"""What signed links to a bucket fetch, and signed forms put there. On AWS the bucket answers them;
here this server does.
"""

from collections.abc import Collection

import requests

from infra.local.gateway import Request, Response
from infra.local.posted_files import RefusedPost, posted_file
from infra.local.provision import client
from infra.local.template import REGION
from infra.local.wire import Wire

FILES = "/_local/files/"
_TIMEOUT_SECONDS = 30
_TOLD = ("content-type", "content-disposition")


class Files:
    """`buckets` are those whose links are looked for, `url` is where this server is."""

    def __init__(self, wire: Wire, url: str, buckets: Collection[str]) -> None:
        self._wire = wire
        self._url = url
        self._buckets = buckets

    def within_reach(self, response: Response) -> Response:
        """The same answer, its links leading here instead of to AWS."""
        body = response.body
        for bucket in self._buckets:
            body = body.replace(_address(bucket).encode(), f"{self._url}{FILES}{bucket}/".encode())
        return (
            response if body == response.body else Response(response.status, response.headers, body)
        )

    def answer(self, request: Request) -> Response:
        """As the bucket answers that link: without a signature, 403."""
        bucket, _, key = request.path.removeprefix(FILES).partition("/")
        if bucket not in self._buckets:
            return Response(404, {"content-type": "text/plain"}, b"there is no such bucket")
        if request.method == "POST":
            return self._take(bucket, request)
        with self._wire.lock:
            # Moto answers this in process.
            url = f"{_address(bucket)}{key}?{request.query}"
            found = requests.get(url, timeout=_TIMEOUT_SECONDS)
        told = {name: found.headers[name] for name in _TOLD if name in found.headers}
        return Response(found.status_code, told, found.content)

    def _take(self, bucket: str, request: Request) -> Response:
        """A file by a signed form. Moto would take any, signed or not."""
        try:
            file = posted_file(request, bucket)
        except RefusedPost as refused:
            body = f"<Error><Code>{refused.code}</Code><Message>{refused}</Message></Error>"
            return Response(refused.status, {"content-type": "application/xml"}, body.encode())
        with self._wire.lock:
            client("s3").put_object(Bucket=bucket, **file)
        return Response(204, {}, b"")


def _address(bucket: str) -> str:
    return f"https://{bucket}.s3.{REGION}.amazonaws.com/"
