"""Files of messages on S3."""

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from shared.adapters.objects import LINK_SECONDS, delete_objects, read_object
from shared.domain.errors import NotFound
from shared.domain.model import TouchpointId


class S3MediaFiles:
    def __init__(self, s3: Callable[[], Any], bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    def keep(
        self, touchpoint_id: TouchpointId, name: str, content: bytes, content_type: str
    ) -> str:
        key = f"{attachments_prefix(touchpoint_id)}{name}"
        self._s3().put_object(
            Bucket=self._bucket,
            Key=key,
            Body=content,
            ContentType=content_type,
            # Saved, never shown: what is in it must not run under the bucket's address.
            ContentDisposition="attachment",
        )
        return key

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
        named = f"attachment; filename*=UTF-8''{quote(name or 'attachment', safe='')}"
        url: str = self._s3().generate_presigned_url(
            "get_object",
            Params={
                "Bucket": self._bucket,
                "Key": object_key,
                "ResponseContentDisposition": named,
            },
            ExpiresIn=LINK_SECONDS,
        )
        return url


def attachments_prefix(touchpoint_id: str) -> str:
    """With what the keys of its files begin. An erasure looks there."""
    return f"attachments/{touchpoint_id}/"
