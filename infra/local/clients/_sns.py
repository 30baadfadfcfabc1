"""Amazon SNS, whatever it hands on: an RSA signature over fields of the body.

Written from https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html.
The keys beside this file sign nothing but what a laptop sends to itself; each is found by its
certificate.
"""

import json
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from infra.local.clients.base import Call

_NOTIFICATION = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
_CONFIRMATION = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
_HASHES = {"1": SHA1, "2": SHA256}
_KEYS = Path(__file__).with_name("_sns_keys.json")


def sign(call: Call, secret: Mapping[str, Any], now: datetime) -> Call:
    """The call's body is the SNS message without its signature; version 2 unless it asks for 1."""
    fields = json.loads(call.body)
    certificate = secret["pinned_certificates"][0]
    name = sha256(certificate.encode()).hexdigest()
    region = fields["TopicArn"].split(":")[3]
    fields |= {
        "Timestamp": now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z",
        "SignatureVersion": fields.get("SignatureVersion", "2"),
        "SigningCertURL": f"https://sns.{region}.amazonaws.com/"
        f"SimpleNotificationService-{name[:32]}.pem",
    }
    signed = _NOTIFICATION if fields["Type"] == "Notification" else _CONFIRMATION
    text = "".join(f"{field}\n{fields[field]}\n" for field in signed if field in fields)
    digest = _HASHES[fields["SignatureVersion"]]()
    fields["Signature"] = b64encode(_key(name).sign(text.encode(), PKCS1v15(), digest)).decode()
    return replace(call, body=json.dumps(fields).encode())


@cache
def _key(name: str) -> RSAPrivateKey:
    """The private key behind a certificate, by its SHA-256."""
    key = load_pem_private_key(json.loads(_KEYS.read_text())[name].encode(), password=None)
    assert isinstance(key, RSAPrivateKey)
    return key
