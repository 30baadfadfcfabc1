"""Files of the bucket: read whole, linked, deleted."""

from typing import Any

from botocore.exceptions import ClientError

from shared.adapters import dynamo
from shared.domain.errors import NotFound

LINK_SECONDS = 300
"""How long a link to a file works."""


def read_object(s3: Any, bucket: str, key: str) -> bytes:
    """Raises NotFound where it was deleted: what points to a file goes after it."""
    try:
        content: bytes = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    except ClientError as error:
        if dynamo.error_code(error) != "NoSuchKey":
            raise
        raise NotFound("this file was deleted") from None
    return content


def put_once(s3: Any, bucket: str, key: str, content: bytes, **told: str) -> None:
    """Unless something lies there. What comes a second time under the id of the first, and is
    something else, must not take its place: whoever looked at the first would answer for it. Of two
    at the same moment one may be refused, which rises: its request comes again.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
    """
    try:
        s3.put_object(Bucket=bucket, Key=key, Body=content, IfNoneMatch="*", **told)
    except ClientError as error:
        if dynamo.error_code(error) != "PreconditionFailed":
            raise


def object_keys(s3: Any, bucket: str, prefix: str) -> list[str]:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return [one["Key"] for page in pages for one in page.get("Contents", [])]


def delete_objects(s3: Any, bucket: str, prefix: str, *keys: str) -> int:
    """Delete what begins so, and `keys`; how many there were.

    Raises OSError where the bucket kept one of them.
    """
    found = [*keys, *object_keys(s3, bucket, prefix)]
    for start in range(0, len(found), 1000):
        objects = [{"Key": key} for key in found[start : start + 1000]]
        answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True})
        if answer.get("Errors"):
            raise OSError("the bucket did not delete a file")
    return len(found)
