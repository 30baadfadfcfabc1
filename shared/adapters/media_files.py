"""Files of messages on S3."""

from collections.abc import Callable
from hashlib import sha256
from typing import Any
from urllib.parse import quote, unquote

from botocore.exceptions import ClientError

from shared.adapters import dynamo
from shared.adapters.objects import LINK_SECONDS, delete_objects, put_once, read_object
from shared.domain.errors import MediumTooLarge, NotFound
from shared.domain.media import OFFERED_FOR
from shared.domain.model import TicketId, TouchpointId
from shared.ports.ledger import Upload, UploadForm

ADDRESS_SECONDS = 3600
"""Providers fetch a file with the request that names it, or once its turn comes in their queue; a
page, while it is open. What our own credentials sign ends with these at the latest.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-presigned-url.html
"""
UPLOADS = "uploads/"
_UNKNOWN_TYPE = "application/octet-stream"
_SAVED = "attachment"
"""Never shown: what is in a file must not run under the bucket's address."""


class S3MediaFiles:
    def __init__(self, s3: Callable[[], Any], bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    def offer(self, upload_id: str, name: str, content_type: str, largest: int) -> UploadForm:
        """S3 itself holds the file to it: what comes is of one key, one type, and no larger.

        https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html
        """
        fields = {
            "Content-Type": content_type,
            "Content-Disposition": _SAVED,
            "x-amz-meta-name": quote(name, safe=""),
        }
        post = self._s3().generate_presigned_post(
            self._bucket,
            f"{UPLOADS}{upload_id}",
            Fields=dict(fields),
            Conditions=[
                *({field: value} for field, value in fields.items()),
                ["content-length-range", 1, largest],
            ],
            ExpiresIn=int(OFFERED_FOR.total_seconds()),
        )
        return UploadForm(post["url"], post["fields"])

    def upload(self, upload_id: str, largest: int) -> Upload | None:
        try:
            found = self._s3().get_object(Bucket=self._bucket, Key=f"{UPLOADS}{upload_id}")
        except ClientError as error:
            if dynamo.error_code(error) != "NoSuchKey":
                raise
            return None
        if found["ContentLength"] > largest:
            found["Body"].close()
            raise MediumTooLarge(f"it has more than {largest} bytes")
        name = unquote(found["Metadata"].get("name", ""))
        return Upload(found["Body"].read(), name, found["ContentType"])

    def keep_to_send(self, ticket_id: TicketId, content: bytes, content_type: str) -> str:
        # By its content: what was looked at is what leaves, whatever is put in the upload's place.
        key = f"{ticket_prefix(ticket_id)}{sha256(content).hexdigest()}"
        self._put(key, content, content_type)
        return key

    def keep_as_it_came(self, touchpoint_id: TouchpointId, name: str, content: bytes) -> str:
        """A file that nobody has looked at. One that lies there, looked at or not, stays."""
        key = f"{attachments_prefix(touchpoint_id)}{name}"
        put_once(
            self._s3(),
            self._bucket,
            key,
            content,
            ContentType=_UNKNOWN_TYPE,
            ContentDisposition=_SAVED,
        )
        return key

    def keep(
        self, touchpoint_id: TouchpointId, name: str, content: bytes, content_type: str
    ) -> str:
        key = f"{attachments_prefix(touchpoint_id)}{name}"
        self._put(key, content, content_type)
        return key

    def _put(self, key: str, content: bytes, content_type: str) -> None:
        self._s3().put_object(
            Bucket=self._bucket,
            Key=key,
            Body=content,
            ContentType=content_type,
            ContentDisposition=_SAVED,
        )

    def read(self, object_key: str) -> bytes | None:
        try:
            return read_object(self._s3(), self._bucket, object_key)
        except NotFound:
            return None

    def drop(self, object_key: str) -> None:
        self._s3().delete_object(Bucket=self._bucket, Key=object_key)

    def discard(self, touchpoint_id: TouchpointId) -> None:
        delete_objects(self._s3(), self._bucket, attachments_prefix(touchpoint_id))

    def link(self, object_key: str, name: str) -> str:
        return self._signed(object_key, name, LINK_SECONDS)

    def address(self, object_key: str, name: str) -> str:
        return self._signed(object_key, name, ADDRESS_SECONDS)

    def _signed(self, object_key: str, name: str, seconds: int) -> str:
        named = f"{_SAVED}; filename*=UTF-8''{quote(name or 'attachment', safe='')}"
        url: str = self._s3().generate_presigned_url(
            "get_object",
            Params={
                "Bucket": self._bucket,
                "Key": object_key,
                "ResponseContentDisposition": named,
            },
            ExpiresIn=seconds,
        )
        return url


def attachments_prefix(touchpoint_id: str) -> str:
    """With what the keys of its files begin. An erasure looks there."""
    return f"attachments/{touchpoint_id}/"


def ticket_prefix(ticket_id: str) -> str:
    """With what the keys of the files begin that its replies sent along."""
    return f"attachments/tickets/{ticket_id}/"
