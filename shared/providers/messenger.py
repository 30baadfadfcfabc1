"""Messenger: what people write to a Facebook Page, in private and under its posts.

Webhooks: https://developers.facebook.com/documentation/business-messaging/messenger-platform/webhooks
Page: https://developers.facebook.com/docs/graph-api/webhooks/reference/page
Sending: https://developers.facebook.com/documentation/business-messaging/messenger-platform/send-messages
"""

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from shared.domain.errors import RefusalReason
from shared.domain.identity import IdentifierType
from shared.domain.touchpoint import (
    Attachment,
    Automation,
    Channel,
    Content,
    Direction,
    Message,
    MessageDeletion,
    MessageEdit,
    Referral,
    Review,
    Stop,
    Touchpoint,
)
from shared.providers._meta import API, Part, Stamp, moment, url_that_fits
from shared.providers._meta_events import OurAccount
from shared.providers._meta_message import LONG, Id
from shared.providers._meta_messaging import (
    Change,
    MessagingProvider,
    MessagingSecret,
    unknown_change,
)
from shared.providers._meta_sending import MessagingLimits
from shared.providers.base import read_model

NAME = "messenger"
LONGEST_TEXT = 2000

TOO_FAST = frozenset({"4", "17", "32", "613", "1200", "80006"})
"""Application, user, page, API and business limits, and a failure that is passing: nothing was
sent, and waiting helps.

https://developers.facebook.com/docs/graph-api/overview/rate-limiting
"""

REFUSALS: Mapping[str, RefusalReason] = {
    "10/2018278": "window_closed",
    "10/2018065": "window_closed",
    "10/2018108": "unreachable",  # they receive nothing from the page now
    "551": "unreachable",
    "200/1545041": "unreachable",
    "100/2018001": "invalid_recipient",  # nobody with that id
    "100/2018109": "content",  # the file is too large
    "100/2018008": "content",  # the file could not be fetched
    "100": "content",
    "368": "limit",  # what was sent counts as a bother
    "2018109": "not_supported",  # the tag is not allowed to this page
    "200/2018028": "unauthorized",  # an app under test writes to testers only
    **dict.fromkeys(("0", "3", "10", "190", "200", "230", "10303"), "unauthorized"),
}
"""By code, or by code and subcode.

https://developers.facebook.com/documentation/business-messaging/messenger-platform/error-codes
"""

STOPS: Mapping[str, Stop] = {"100/2018001": Stop(kind="bounce")}
"""Not 551: why they cannot be reached now Meta keeps to itself, and it may pass."""

SAID: Mapping[str, Literal["said", "edited", "taken back"]] = {
    "add": "said",
    "edit": "edited",
    "edited": "edited",
    "remove": "taken back",
    "delete": "taken back",
}
"""What somebody did with their words, by the verb of a change of the feed."""
WRITTEN = frozenset({"feed", "group_feed", "mention", "ratings"})
"""The fields in which words are told; of ratings it is what is said under a recommendation, of a
group what is said there under a post of ours.
"""
WORDS = frozenset({"comment", "post", "status", "photo", "video", "share"})
"""The items of the feed that hold words; the rest, such as a reaction or a like, is counted by
Meta.
"""

LINKED: Mapping[str, Literal["image", "video"]] = {"photo": "image", "video": "video"}
"""What the link of a post is, by the item of the feed; of any other it is a page somewhere."""

RATINGS: Mapping[str, float] = {"positive": 1, "negative": 0}
"""A recommendation is for or against; until 2018 it was one to five stars."""


class Author(Part):
    id: Id = ""
    name: str = ""


class FeedChange(Part):
    """Of the fields `feed` and `mention`."""

    item: str = ""
    verb: str = ""
    sender: Author = Field(default=Author(), alias="from")
    sender_id: Id = ""
    sender_name: str = ""
    post_id: Id = ""
    comment_id: Id = ""
    parent_id: Id = ""
    message: str = Field(default="", max_length=LONG)
    created_time: Stamp = None
    post: dict[str, object] = {}
    photo: str = Field(default="", max_length=8192)
    photos: list[str] = Field(default=[], max_length=200)
    video: str = Field(default="", max_length=8192)
    link: str = Field(default="", max_length=8192)
    """Where the photo or the video of a post lies, or what a post leads to."""

    @property
    def author(self) -> Author:
        if self.sender.id:
            return self.sender
        return Author(id=self.sender_id, name=self.sender_name) if self.sender_id else Author()

    @property
    def attachments(self) -> tuple[Attachment, ...]:
        pictures = {one: LINKED["photo"] for one in (self.photo, *self.photos) if one}
        videos = {self.video: LINKED["video"]} if self.video else {}
        linked = {self.link: LINKED.get(self.item, "file")} if self.link else {}
        files = linked | pictures | videos
        return tuple(Attachment(form=form, provider_reference=at) for at, form in files.items())

    @property
    def key(self) -> str:
        """A comment has an id of its own; a post is its own."""
        return self.comment_id or self.post_id


class Rating(Part):
    """Of the field `ratings`."""

    verb: str = ""
    reviewer_id: Id = ""
    reviewer_name: str = ""
    review_text: str = Field(default="", max_length=LONG)
    recommendation_type: str = ""
    rating: int | float | None = Field(default=None, ge=0, le=5)
    created_time: Stamp = None
    open_graph_story_id: Id = ""
    comment_id: Id = ""


class Messenger(MessagingProvider[MessagingSecret]):
    secret_type = MessagingSecret
    name = NAME
    channel = Channel.MESSENGER
    title = "Messenger"
    object = "page"
    identifier = IdentifierType.MESSENGER_USER
    too_fast = TOO_FAST
    refusals = REFUSALS
    stops = STOPS
    longest_text = LONGEST_TEXT
    limits = MessagingLimits(LONGEST_TEXT, counts_bytes=False, title="Messenger")
    media_hosts = ("*.fbcdn.net", "*.fbsbx.com")

    def url(self, account: str, secret: MessagingSecret) -> str:
        return f"{API}/{account}/messages"

    def change(self, account: OurAccount, change: Change, at: Stamp, key: str) -> list[Touchpoint]:
        """What is written in public on the page: nobody can be answered in private without having
        written in private, so there is no way back.
        """
        known: Touchpoint | None = None
        if change.field in WRITTEN:
            known = _written(account, change, at, key)
        if change.field == "ratings" and known is None:
            known = _rated(account, read_model(Rating, change.value), at, key)
        return [known or unknown_change(account, change, at, key)]


def _written(account: OurAccount, told: Change, at: Stamp, key: str) -> Touchpoint | None:
    """None for what holds nobody's words. Meta may leave out whose they are.

    Of a mention it may leave out the words, and of a comment the sticker that it consists of:
    somebody spoke to us all the same.
    """
    change = read_model(FeedChange, told.value)
    done = SAID.get(change.verb)
    author = change.author
    if done is None or change.item not in WORDS or not change.key:
        return None
    stated = at if change.created_time is None else change.created_time
    event_id = change.key
    has_words = bool(change.message or change.attachments)
    content: Content
    if done == "said":
        speaks = change.item == "comment" or told.field == "mention"
        if not (speaks or has_words):
            return None
        link = change.post.get("permalink_url")
        content = Message(
            text=change.message,
            attachments=change.attachments,
            in_reply_to=change.parent_id if change.parent_id not in {"", change.post_id} else None,
            referral=Referral(
                source="post",
                id=change.post_id,
                url=url_that_fits(link) if isinstance(link, str) else "",
            ),
        )
    elif done == "edited" and not has_words:
        return None
    elif done == "edited":
        content = MessageEdit(
            message_id=change.key, text=change.message, attachments=change.attachments
        )
        event_id = f"{change.key}:edit:{key[:16]}"
    else:
        content = MessageDeletion(message_id=change.key)
        event_id = f"{change.key}:deleted"
    by_us = author.id == account.id
    says = Direction.OUTBOUND if by_us else Direction.INBOUND
    return account.touchpoint(
        event_id,
        moment(stated, account.received_at),
        content,
        says if isinstance(content, Message) else Direction.PASSIVE,
        author.id,
        automation=Automation.ECHO if by_us else None,
        answerable=False,
        name=author.name,
    )


def _rated(account: OurAccount, rating: Rating, at: Stamp, key: str) -> Touchpoint | None:
    """A recommendation with its words; written anew it is said again. None for what is none."""
    done = SAID.get(rating.verb)
    story = rating.open_graph_story_id
    mark = RATINGS.get(rating.recommendation_type.lower(), rating.rating)
    if done not in {"said", "edited"} or rating.comment_id or not story or mark is None:
        return None
    stated = at if rating.created_time is None else rating.created_time
    return account.touchpoint(
        story if done == "said" else f"{story}:edit:{key[:16]}",
        moment(stated, account.received_at),
        Review(
            rating=mark,
            best=1 if rating.recommendation_type else 5,
            text=rating.review_text,
            review_id=story,
            url=f"https://www.facebook.com/{story}",
        ),
        Direction.INBOUND,
        rating.reviewer_id,
        answerable=False,
        name=rating.reviewer_name,
    )


PROVIDER = Messenger()
