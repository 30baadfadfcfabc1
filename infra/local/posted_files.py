"""A form that puts a file into a bucket: read, and held to its signed policy, as S3 does it.

https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html
https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectPOST.html
"""

import hmac
import json
import os
from base64 import b64decode
from collections.abc import Mapping
from datetime import UTC, datetime
from email import message_from_bytes, policy
from hashlib import sha256
from typing import Any

from infra.local.gateway import Request

_HEADERS = {"content-type": "ContentType", "content-disposition": "ContentDisposition"}
_OF_THE_USER = "x-amz-meta-"
_NO_CONDITION = {"policy", "x-amz-signature", "file"}
"""Fields that the policy need not speak of."""


class RefusedPost(Exception):
    """In the words of S3."""

    def __init__(self, code: str, message: str, *, status: int = 400) -> None:
        super().__init__(message)
        self.code, self.status = code, status


def posted_file(request: Request, bucket: str) -> dict[str, Any]:
    """What `put_object` takes beside the bucket. Raises RefusedPost."""
    fields = _fields(request)
    if "file" not in fields:
        raise RefusedPost("InvalidArgument", "POST requires exactly one file upload per request.")
    content = fields["file"]
    told = {name: value.decode() for name, value in fields.items() if name != "file"}
    _check_signature(told)
    _check_policy(told, bucket, len(content))
    known = {_HEADERS[name]: value for name, value in told.items() if name in _HEADERS}
    metadata = {
        name.removeprefix(_OF_THE_USER): value
        for name, value in told.items()
        if name.startswith(_OF_THE_USER)
    }
    return {"Key": told["key"], "Body": content, "Metadata": metadata, **known}


def _fields(request: Request) -> dict[str, bytes]:
    """By their names in lower case."""
    declared = request.headers.get("content-type", "")
    if not declared.startswith("multipart/form-data"):
        raise RefusedPost(
            "PreconditionFailed",
            "Bucket POST must be of the enclosure-type multipart/form-data",
            status=412,
        )
    head = f"content-type: {declared}\r\n\r\n".encode()
    form = message_from_bytes(head + request.body, policy=policy.HTTP)
    return {
        str(part.get_param("name", header="content-disposition")).lower(): bytes(
            part.get_payload(decode=True) or b""
        )
        for part in form.iter_parts()
    }


def _check_signature(told: Mapping[str, str]) -> None:
    scope = told.get("x-amz-credential", "").split("/")[1:]
    if len(scope) != 4 or "policy" not in told:
        raise RefusedPost("AccessDenied", "Access Denied", status=403)
    key = f"AWS4{os.environ['AWS_SECRET_ACCESS_KEY']}".encode()
    for part in (*scope, told["policy"]):
        key = hmac.digest(key, part.encode(), sha256)
    if not hmac.compare_digest(key.hex(), told.get("x-amz-signature", "")):
        raise RefusedPost(
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided.",
            status=403,
        )


def _check_policy(told: Mapping[str, str], bucket: str, size: int) -> None:
    said = json.loads(b64decode(told["policy"]))
    if datetime.fromisoformat(said["expiration"]) < datetime.now(UTC):
        raise _denied("Policy expired.")
    given = {**told, "bucket": bucket}
    spoken_of = set()
    for condition in said["conditions"]:
        if isinstance(condition, dict):
            (name, value), *_ = condition.items()
            spoken_of.add(name.lower())
            if given.get(name.lower()) != value:
                raise _denied(f"Policy Condition failed: {json.dumps(condition)}")
        elif condition[0] == "content-length-range":
            _check_size(size, *map(int, condition[1:]))
        else:
            raise RefusedPost("InvalidPolicyDocument", "this stand-in knows no such condition")
    if extra := sorted(set(told) - spoken_of - _NO_CONDITION):
        raise _denied(f"Extra input fields: {', '.join(extra)}")


def _check_size(size: int, fewest: int, most: int) -> None:
    if size < fewest:
        message = "Your proposed upload is smaller than the minimum allowed size"
        raise RefusedPost("EntityTooSmall", message)
    if size > most:
        message = "Your proposed upload exceeds the maximum allowed size"
        raise RefusedPost("EntityTooLarge", message)


def _denied(why: str) -> RefusedPost:
    return RefusedPost("AccessDenied", f"Invalid according to Policy: {why}", status=403)
