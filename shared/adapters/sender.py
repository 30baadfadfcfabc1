"""What leaves for a provider: HTTP through urllib3, mail through Amazon SES, push through SNS.

Retried here is only a connection that never came about. A provider that is busy is asked again
later, by the follow-up, which can wait as long as it is told. An answer that never came is never
asked for again.
"""

import logging
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import urllib3
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
)

from shared.adapters.dynamo import error_code
from shared.domain.errors import SendDelayed, SendRefused, SendUnconfirmed
from shared.providers.base import (
    HttpRequest,
    HttpResponse,
    MailRequest,
    NothingToTransmit,
    Outgoing,
    PushRequest,
    find_provider,
)

_RETRIES = urllib3.Retry(
    total=2,
    connect=2,
    read=0,
    redirect=0,
    status=0,
    other=0,
    backoff_factor=0.3,
    backoff_jitter=0.3,
    # Otherwise urllib3 asks again at a 413, 429 or 503 that names a time, whatever `status` says.
    respect_retry_after_header=False,
    raise_on_status=False,
    raise_on_redirect=False,
)
"""Three attempts to connect, at worst 20 seconds: the function has 60."""
_TIMEOUT = urllib3.Timeout(connect=3, read=10)
_DELAYS = {
    "KMSThrottling",
    "LimitExceededException",
    "SendingPausedException",
    "Throttled",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
}
"""After these SES and SNS have taken nothing."""


class ProviderSender:
    """`gateway`, where set, stands in front of every provider's host: `{gateway}/{host}{path}`."""

    def __init__(self, ses: Callable[[], Any], sns: Callable[[], Any], *, gateway: str) -> None:
        self._ses = ses
        self._sns = sns
        self._gateway = gateway.rstrip("/")
        # It tells of every attempt with the URL, in which Telegram's token stands.
        logging.getLogger("urllib3").setLevel(logging.CRITICAL)

    def transmit(self, provider: str, outgoing: Outgoing) -> str:
        match outgoing:
            case NothingToTransmit(message_id=message_id):
                return message_id
            case MailRequest():
                return self._mail(provider, outgoing)
            case PushRequest():
                return self._push(provider, outgoing)
            case HttpRequest():
                return find_provider(provider).receipt(self._http(outgoing))

    def _http(self, request: HttpRequest) -> HttpResponse:
        url = request.url
        if self._gateway:
            parts = urlsplit(url)
            query = f"?{parts.query}" if parts.query else ""
            url = f"{self._gateway}/{parts.netloc}{parts.path}{query}"
        try:
            # A connection of its own: one kept while the function was frozen may be dead, and
            # finding that out looks like an answer that was lost.
            with urllib3.PoolManager(retries=_RETRIES, timeout=_TIMEOUT) as pool:
                answer = pool.request(
                    request.method, url, body=request.body, headers=dict(request.headers)
                )
        except urllib3.exceptions.MaxRetryError as error:
            if isinstance(
                error.reason,
                urllib3.exceptions.NewConnectionError | urllib3.exceptions.ConnectTimeoutError,
            ):
                raise SendDelayed("the provider cannot be reached") from None
            raise SendUnconfirmed("the connection broke while the provider was answering") from None
        except urllib3.exceptions.HTTPError:
            raise SendUnconfirmed("the connection broke while the provider was answering") from None
        headers = {name.lower(): value for name, value in answer.headers.items()}
        return HttpResponse(status=answer.status, headers=headers, body=answer.data)

    def _mail(self, provider: str, mail: MailRequest) -> str:
        return _taken(
            provider,
            "Amazon SES",
            lambda: self._ses().send_email(
                FromEmailAddress=mail.sender,
                Destination={"ToAddresses": [mail.recipient]},
                Content={"Raw": {"Data": mail.mime}},
            ),
        )

    def _push(self, provider: str, push: PushRequest) -> str:
        return _taken(
            provider,
            "Amazon SNS",
            lambda: self._sns().publish(
                TargetArn=push.endpoint_arn,
                MessageStructure="json",
                Message=push.message,
                MessageAttributes={
                    name: {"DataType": "String", "StringValue": value}
                    for name, value in push.attributes.items()
                },
            ),
        )


def _taken(provider: str, service: str, ask: Callable[[], Any]) -> str:
    """The id of what an AWS service took."""
    try:
        answer = ask()
    except ClientError as error:
        code = error_code(error)
        if code in _DELAYS:
            raise SendDelayed(f"{service} is at its limit") from None
        if error.response["ResponseMetadata"]["HTTPStatusCode"] < 500:
            reason = find_provider(provider).refusals.get(code, "unknown")
            raise SendRefused(f"{service} refused the message", code=code, reason=reason) from None
        raise SendUnconfirmed(f"{service} failed while it took the message") from None
    except (EndpointConnectionError, ConnectTimeoutError):
        raise SendDelayed(f"{service} cannot be reached") from None
    except HTTPClientError:
        raise SendUnconfirmed(f"the connection broke while {service} was answering") from None
    return str(answer["MessageId"])
