"""Files of the bucket, read whole."""

from typing import Any

from botocore.exceptions import ClientError

from shared.adapters import dynamo
from shared.domain.errors import NotFound


def read_object(s3: Any, bucket: str, key: str) -> bytes:
    """Raises NotFound where it was deleted: what points to a file goes after it."""
    try:
        content: bytes = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    except ClientError as error:
        if dynamo.error_code(error) != "NoSuchKey":
            raise
        raise NotFound("this file was deleted") from None
    return content
