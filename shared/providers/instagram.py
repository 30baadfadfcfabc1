"""Instagram: what people write to a professional account, in private and under its posts.

Webhooks: https://developers.facebook.com/documentation/instagram-platform/webhooks/examples
Sending: https://developers.facebook.com/documentation/instagram-platform/instagram-api-with-instagram-login/messaging-api
and, through a Facebook Page, .../business-messaging/instagram-messaging/features/send-message
"""

from collections.abc import Mapping
from typing import Literal

from pydantic import AliasChoices, Field

from shared.domain.errors import RefusalReason
from shared.domain.identity import IdentifierType
from shared.domain.touchpoint import (
    Automation,
    Channel,
    Direction,
    Message,
    Referral,
    Stop,
    Touchpoint,
)
from shared.providers._meta import API, API_VERSION, Part, Stamp, moment
from shared.providers._meta_events import OurAccount
from shared.providers._meta_message import LONG, Id, KnownId, Label
from shared.providers._meta_messaging import (
    Change,
    MessagingProvider,
    MessagingSecret,
    unknown_change,
)
from shared.providers._meta_sending import MessagingLimits
from shared.providers.base import read_model

NAME = "instagram"
LONGEST_TEXT = 1000
"""Bytes of UTF-8."""
LONGEST_REPLY = 900
"""Characters: what says that a machine wrote the rest has more bytes than characters, in Arabic
nearly twice as many. Of a text that is longer in bytes for its own letters, the sending says so.
"""

HOSTS: Mapping[str, str] = {
    "instagram": f"https://graph.instagram.com/{API_VERSION}",
    "facebook": API,
}
"""Where a token of each login is good."""

TOO_FAST = frozenset({"4", "17", "32", "613", "1200", "80002", "80006"})
"""https://developers.facebook.com/docs/graph-api/overview/rate-limiting"""

REFUSALS: Mapping[str, RefusalReason] = {
    "10/2534022": "window_closed",
    "10/2018278": "window_closed",
    "10/2018108": "unreachable",
    "551": "unreachable",
    "200/1545041": "unreachable",
    "100/2534001": "unreachable",  # they deleted the conversation
    "100/2534014": "invalid_recipient",  # nobody with that id
    "100/2018001": "invalid_recipient",
    "100": "content",
    "368": "limit",
    **dict.fromkeys(("0", "3", "10", "190", "200", "230"), "unauthorized"),
}
"""By code, or by code and subcode.

https://developers.facebook.com/documentation/business-messaging/messenger-platform/error-codes
"""

STOPS: Mapping[str, Stop] = {
    "100/2534014": Stop(kind="bounce"),
    "100/2018001": Stop(kind="bounce"),
}

COMMENTS = frozenset({"comments", "live_comments"})


class InstagramSecret(MessagingSecret):
    """`access_tokens`: by the id of each professional account. `login` says how the app got them:
    those of a Facebook login are tokens of the Page behind the account.
    """

    login: Literal["instagram", "facebook"] = "instagram"


class Author(Part):
    """`self_ig_scoped_id` is told where we ourselves comment."""

    id: Id = ""
    username: str = ""
    self_ig_scoped_id: Id = ""


class Medium(Part):
    """What is commented on; `ad_id` where it is an advertisement."""

    id: Label = ""
    ad_id: Label = ""
    ad_title: str = ""

    def referral(self) -> Referral:
        if not self.ad_id:
            return Referral(source="post", id=self.id)
        return Referral(source="ad", id=self.ad_id, headline=self.ad_title[:1024])


class Comment(Part):
    id: KnownId = Field(validation_alias=AliasChoices("id", "comment_id"))
    sender: Author = Field(default=Author(), alias="from")
    text: str = Field(default="", max_length=LONG)
    parent_id: Id = ""
    media: Medium = Medium()


class Instagram(MessagingProvider[InstagramSecret]):
    secret_type = InstagramSecret
    name = NAME
    channel = Channel.INSTAGRAM
    title = "Instagram"
    object = "instagram"
    identifier = IdentifierType.INSTAGRAM_USER
    too_fast = TOO_FAST
    refusals = REFUSALS
    stops = STOPS
    longest_text = LONGEST_REPLY
    limits = MessagingLimits(LONGEST_TEXT, counts_bytes=True, title="Instagram")
    media_hosts = ("*.fbcdn.net", "*.fbsbx.com", "*.cdninstagram.com")

    def url(self, account: str, secret: InstagramSecret) -> str:
        """The token says whose message it is: with a Facebook login it is the Page's, whose id we
        are not told.
        """
        return f"{HOSTS[secret.login]}/me/messages"

    def change(self, account: OurAccount, change: Change, at: Stamp, key: str) -> list[Touchpoint]:
        """A comment; of a mention only the place is told, and its words would have to be fetched.

        Nobody can be answered in private without having written in private.
        """
        if change.field not in COMMENTS:
            return [unknown_change(account, change, at, key)]
        comment = read_model(Comment, change.value)
        by_us = comment.sender.id == account.id or comment.sender.self_ig_scoped_id != ""
        return [
            account.touchpoint(
                comment.id,
                moment(at, account.received_at),
                Message(
                    text=comment.text,
                    in_reply_to=comment.parent_id or None,
                    referral=comment.media.referral(),
                ),
                Direction.OUTBOUND if by_us else Direction.INBOUND,
                comment.sender.id,
                automation=Automation.ECHO if by_us else None,
                answerable=False,
                name=comment.sender.username,
            )
        ]


PROVIDER = Instagram()
