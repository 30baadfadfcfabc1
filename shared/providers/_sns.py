"""What Amazon SNS signs and hands on, whoever published it: e-mail, events of push devices.

Without raw message delivery, which is not signed. Read against
https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html (2026-11).
"""

import re
from base64 import b64decode
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Literal
from urllib.parse import parse_qs, urlsplit

from pydantic import Field

from shared.domain.errors import MalformedPayload, NotFound, Unauthentic
from shared.providers._mail import moment
from shared.providers.base import (
    Fetch,
    Payload,
    ProviderId,
    WebhookRequest,
    read_json,
    read_model,
)

OLDEST = timedelta(hours=1, minutes=5)
NEWEST = timedelta(minutes=5)
"""SNS retries for 3,600 seconds at most, a hard limit: nothing genuine is older, clocks included.

Refusing what is older matters although duplicates are harmless: a request caught long ago must not
bring back a person who has been erased since.
https://docs.aws.amazon.com/sns/latest/dg/sns-message-delivery-retries.html
"""

_CONFIRMED = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
SIGNED_FIELDS = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": _CONFIRMED,
    "UnsubscribeConfirmation": _CONFIRMED,
}


class SnsMessage(Payload):
    type: Annotated[
        Literal["Notification", "SubscriptionConfirmation", "UnsubscribeConfirmation"],
        Field(alias="Type"),
    ]
    message_id: Annotated[ProviderId, Field(alias="MessageId")]
    topic_arn: Annotated[str, Field(alias="TopicArn", max_length=300)]
    message: Annotated[str, Field(alias="Message")]
    timestamp: Annotated[str, Field(alias="Timestamp")]
    subject: Annotated[str | None, Field(alias="Subject")] = None
    token: Annotated[str | None, Field(alias="Token")] = None
    subscribe_url: Annotated[str | None, Field(alias="SubscribeURL")] = None
    signature_version: Annotated[Literal["1", "2"], Field(alias="SignatureVersion")]
    signature: Annotated[str, Field(alias="Signature")]
    signing_cert_url: Annotated[str, Field(alias="SigningCertURL")]

    @property
    def string_to_sign(self) -> bytes:
        """Name and value of each signed field that is there, a line each, in alphabetical order."""
        fields = self.model_dump(by_alias=True)
        return "".join(
            f"{name}\n{fields[name]}\n"
            for name in SIGNED_FIELDS[self.type]
            if fields[name] is not None
        ).encode()


def verify_sns(
    request: WebhookRequest, *, topics: Sequence[str], pinned: Sequence[str], fetch: Fetch
) -> None:
    """SNS's signature. Only after it is a subscription to a topic of ours confirmed.

    `pinned`: certificates (PEM); where there are any, only these sign and nothing is fetched.
    """
    try:
        message = read_model(SnsMessage, read_json(request.body))
    except MalformedPayload:
        # Raw message delivery has no envelope, hence no signature.
        raise Unauthentic("this is no signed SNS message") from None
    if message.topic_arn not in topics:
        raise Unauthentic("the topic is none of ours")
    sent_at = moment(message.timestamp)
    if sent_at is None or not -NEWEST <= request.arrived_at - sent_at <= OLDEST:
        raise Unauthentic("the SNS message is stale, or from the future")
    certificates = pinned or [_fetched_certificate(message, fetch)]
    if not any(_is_signed_by(pem.encode(), message, request.arrived_at) for pem in certificates):
        raise Unauthentic("the SNS signature is wrong")
    if message.type == "SubscriptionConfirmation" and not pinned:
        fetch(_subscribe_url(message))


REGION = r"[a-z]{2}(?:-[a-z]+)+-[0-9]"
_SNS_HOST = re.compile(rf"sns\.({REGION})\.amazonaws\.com(?:\.cn)?")
_CERTIFICATE_PATH = re.compile(r"/SimpleNotificationService-[0-9a-f]{32,64}\.pem")


def _is_of_sns(url: str, topic_arn: str) -> bool:
    """Whether it is an https address of SNS in the topic's own region, and of nobody else."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    host = _SNS_HOST.fullmatch(parts.netloc)
    return parts.scheme == "https" and host is not None and topic_arn.split(":")[3:4] == [host[1]]


def _fetched_certificate(message: SnsMessage, fetch: Fetch) -> str:
    url = message.signing_cert_url
    if not _is_of_sns(url, message.topic_arn) or not _CERTIFICATE_PATH.fullmatch(
        urlsplit(url).path
    ):
        raise Unauthentic("the certificate is not one of SNS")
    try:
        return fetch(f"https://{urlsplit(url).netloc}{urlsplit(url).path}").decode("ascii")
    except (NotFound, UnicodeDecodeError):
        raise Unauthentic("SNS has no such certificate") from None


def _is_signed_by(pem: bytes, message: SnsMessage, at: datetime) -> bool:
    # Here, and not above: only a genuine-looking SNS message is worth the 130 ms of this import.
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.hashes import SHA1, SHA256
    from cryptography.x509 import load_pem_x509_certificate

    try:
        certificate = load_pem_x509_certificate(pem)
        key = certificate.public_key()
        signature = b64decode(message.signature, validate=True)
    except ValueError:
        return False
    is_valid = certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc
    if not is_valid or not isinstance(key, RSAPublicKey):
        return False
    digest = SHA256() if message.signature_version == "2" else SHA1()
    try:
        key.verify(signature, message.string_to_sign, PKCS1v15(), digest)
    except InvalidSignature:
        return False
    return True


def _subscribe_url(message: SnsMessage) -> str:
    url = message.subscribe_url or ""
    query = parse_qs(urlsplit(url).query) if _is_of_sns(url, message.topic_arn) else {}
    asked = {"Action": ["ConfirmSubscription"], "TopicArn": [message.topic_arn]}
    if urlsplit(url).path not in {"", "/"} or not asked.items() <= query.items():
        raise Unauthentic("the subscription is not confirmed where SNS would")
    return url
