"""WhatsApp through Meta's Cloud API.

Webhooks: https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks
Sending: https://developers.facebook.com/documentation/business-messaging/whatsapp/messages
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from pydantic import Field, JsonValue

from shared.domain.errors import MalformedPayload, RefusalReason
from shared.domain.touchpoint import Attachment
from shared.providers._meta import API, MetaProvider, MetaSecret, Part, Piece, compact, lies_at
from shared.providers._whatsapp_changes import Body, pieces_of
from shared.providers._whatsapp_people import NAME, USER_ID
from shared.providers._whatsapp_sending import LONGEST_TEXT, outgoing
from shared.providers._whatsapp_statuses import STOPS
from shared.providers.base import (
    JSON_TYPE,
    HttpRequest,
    HttpResponse,
    ProviderId,
    read_json,
    read_model,
)

# What takes a webhook in sends nothing.
if TYPE_CHECKING:
    from shared.domain.sending import OutboundMessage

TOO_FAST = frozenset({"4", "80007", "130429", "131056", "131057", "133016"})
"""Application, account, throughput and pair limits, an account in maintenance: nothing was sent,
and waiting helps.

https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes
"""

REFUSALS: Mapping[str, RefusalReason] = {
    "131021": "invalid_recipient",  # it is our own number
    "131030": "invalid_recipient",  # a test number writes to listed recipients only
    "131026": "unreachable",
    "131050": "opted_out",
    "130497": "blocked",  # no business of this kind may write to that country
    "130472": "blocked",  # they are in an experiment of Meta's
    "131049": "limit",  # what Meta lets one person get of offers
    "131048": "limit",  # too much of what this number sent was reported
    "131064": "limit",
    "132069": "limit",
    "131047": "window_closed",
    "131009": "content",
    "131008": "content",
    "100": "content",
    "131052": "content",
    "131053": "content",
    "132068": "content",
    "131051": "not_supported",
    "131062": "not_supported",  # not to somebody without a phone number
    "131063": "template",
    "133010": "unauthorized",  # the number is not registered
    **dict.fromkeys(
        ("132000", "132001", "132005", "132007", "132008", "132012", "132015", "132016", "132018"),
        "template",
    ),
    **dict.fromkeys(
        ("0", "3", "10", "190", "200", "368", "131005", "131031", "131037", "131042", "131045"),
        "unauthorized",
    ),
}
"""https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes"""


class WhatsAppCloudSecret(MetaSecret):
    """`access_token` is that of a system user who may send. `portfolios` says to which business
    portfolio a WhatsApp Business Account (its id) belongs: accounts of one portfolio share their
    user ids.
    """

    access_token: str = Field(min_length=1)
    portfolios: dict[str, str] = {}


class Sent(Part):
    id: ProviderId


class Answer(Part):
    """What the API answers when it takes a message."""

    messages: list[Sent] = Field(min_length=1)


class MediaLocation(Part):
    """Where a medium lies, for five minutes."""

    id: str
    url: str = Field(max_length=2048)


class WhatsAppCloud(MetaProvider[WhatsAppCloudSecret]):
    name = NAME
    secret_type = WhatsAppCloudSecret
    title = "WhatsApp"
    too_fast = TOO_FAST
    refusals = REFUSALS
    stops = STOPS
    longest_text = LONGEST_TEXT
    media_hosts = ("graph.facebook.com", "lookaside.fbsbx.com")
    longest_list = 6_000
    """What was said at a number before it came to us arrives by the thousands.
    https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/history/
    """

    def pieces(
        self, body: JsonValue, secret: WhatsAppCloudSecret, received_at: datetime
    ) -> Iterator[Piece]:
        for entry in read_model(Body, body).entry:
            scope = secret.portfolios.get(entry.id, entry.id)
            for change in entry.changes:
                yield from pieces_of(entry, scope, change, received_at)

    def prepare(self, message: "OutboundMessage", secret: WhatsAppCloudSecret) -> HttpRequest:
        address = message.endpoint.address
        recipient = {"recipient": address} if USER_ID.fullmatch(address) else {"to": address}
        body = {
            "messaging_product": "whatsapp",
            "recipient_type": "individual",
            **recipient,
            **({"context": {"message_id": message.in_reply_to}} if message.in_reply_to else {}),
            **outgoing(message),
            "biz_opaque_callback_data": message.send_key,
        }
        return HttpRequest(
            method="POST",
            url=f"{API}/{message.endpoint.account}/messages",
            headers=_headers(secret) | {"content-type": JSON_TYPE},
            body=compact(body),
        )

    def message_id(self, answer: JsonValue) -> str:
        return read_model(Answer, answer).messages[0].id

    def media(self, attachment: Attachment, secret: WhatsAppCloudSecret) -> HttpRequest | None:
        """First where it lies, by its id.

        https://developers.facebook.com/documentation/business-messaging/whatsapp/business-phone-numbers/media
        """
        known = attachment.provider_reference
        if not known or not known.isascii() or not known.isalnum():
            return None
        return HttpRequest(method="GET", url=f"{API}/{known}", headers=_headers(secret), body=b"")

    def media_location(
        self, attachment: Attachment, response: HttpResponse, secret: WhatsAppCloudSecret
    ) -> HttpRequest | None:
        """Only Meta's answer names the medium by its id; anything else is the file."""
        if not _names(attachment.provider_reference, response):
            return None
        location = read_model(MediaLocation, read_json(response.body))
        if not lies_at(location.url, self.media_hosts):
            raise MalformedPayload("url: the medium lies at a host that is not WhatsApp's")
        return HttpRequest(method="GET", url=location.url, headers=_headers(secret), body=b"")


def _names(media_id: str | None, response: HttpResponse) -> bool:
    """Whether this is Meta's word about that medium, and not a file that happens to be JSON."""
    try:
        answer = read_json(response.body)
    except MalformedPayload:
        return False
    return isinstance(answer, dict) and answer.get("id") == media_id and "url" in answer


def _headers(secret: WhatsAppCloudSecret) -> dict[str, str]:
    return {"authorization": f"Bearer {secret.access_token}"}


PROVIDER = WhatsAppCloud()
