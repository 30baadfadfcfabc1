"""What a message on Messenger or Instagram holds.

https://developers.facebook.com/documentation/business-messaging/messenger-platform/webhooks/webhook-events/messages
https://developers.facebook.com/documentation/instagram-platform/webhooks/examples
"""

import re
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AliasChoices, BeforeValidator, Field, StringConstraints

from shared.domain.touchpoint import (
    Attachment,
    Choice,
    Form,
    Message,
    MessageDeletion,
    Place,
    Referral,
    Unsupported,
)
from shared.providers._meta import Part, url_that_fits
from shared.providers.base import as_list

LONG = 65_536

FORMS: Mapping[str, Form] = {
    "image": "image",
    "audio": "audio",
    "video": "video",
    "reel": "video",
    "ig_reel": "video",
    "sticker": "sticker",
}
"""What an attachment is; all else is a `file`: what was shared or mentioned, of any form."""
PLAIN = frozenset({"image", "audio", "video", "file", "sticker"})
"""Of these the form says all; of any other the type is part of what came."""

SOURCES: Mapping[str, Literal["ad", "link"]] = {
    "ADS": "ad",
    "SHORTLINK": "link",
    "SHORTLINKS": "link",
    "SHORT-URL": "link",
    "MESSENGER_CODE": "link",
    "IGME-SOURCE-LINK": "link",
}
"""What a referral comes from; anything else is `other`.

https://developers.facebook.com/documentation/business-messaging/messenger-platform/webhooks/webhook-events/messaging_referrals
"""

_ID = re.compile(r"[\x21-\x7e]{1,200}")


def _id(value: object) -> str:
    """Older versions write ids as numbers."""
    if isinstance(value, bool) or not isinstance(value, int | str) or not _ID.fullmatch(str(value)):
        raise ValueError("not an id")
    return str(value)


def _id_or_none(value: object) -> str:
    return "" if value == "" else _id(value)


def _fields_or_none(value: object) -> object:
    """Of a kind it does not know, Messenger passes on what another app put there: any text."""
    return value if isinstance(value, dict) else {}


def _any_text(value: object) -> str:
    """No message is lost for what only stands beside it."""
    return str(value)[:200] if isinstance(value, int | str) else ""


def _unescaped(value: object) -> object:
    """Of reels and stories Instagram has sent addresses escaped twice."""
    return value.replace("\\/", "/") if isinstance(value, str) else value


KnownId = Annotated[str, BeforeValidator(_id)]
Id = Annotated[str, BeforeValidator(_id_or_none)]
Mid = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,400}$")]
"""Of a message."""
Label = Annotated[str, BeforeValidator(_any_text)]
"""What something is called: an advertisement by Meta, a product by whoever sells it."""
Url = Annotated[str, BeforeValidator(_unescaped), Field(max_length=8192)]


class AdContext(Part):
    ad_title: str = ""
    post_id: Label = ""


class AdProduct(Part):
    id: Label = ""


class Referred(Part):
    ref: str = Field(default="", max_length=LONG)
    source: str = ""
    ad_id: Label = ""
    referer_uri: str = ""
    ads_context_data: AdContext = AdContext()
    product: AdProduct = AdProduct()

    def referral(self) -> Referral:
        return Referral(
            source="ad" if self.ad_id else SOURCES.get(self.source.upper(), "other"),
            id=self.ad_id or self.product.id or self.ads_context_data.post_id,
            url=url_that_fits(self.referer_uri),
            headline=self.ads_context_data.ad_title[:1024],
            ref=self.ref[:2048],
        )


class Story(Part):
    id: Label = ""
    url: Url = ""


class RepliedTo(Part):
    mid: Mid | None = None
    story: Story | None = None


class QuickReply(Part):
    payload: str = Field(default="", max_length=LONG)


class Coordinates(Part):
    lat: float = Field(ge=-90, le=90)
    long: float = Field(ge=-180, le=180)


class ShownProduct(Part):
    id: Label = ""
    retailer_id: Label = ""
    title: str = ""


class ShownProducts(Part):
    elements: list[ShownProduct] = []


class TemplateCard(Part):
    title: str = ""


class TemplateCards(Part):
    elements: Annotated[list[TemplateCard], BeforeValidator(as_list)] = []


class Enclosure(TemplateCards):
    """Of a template of ours the cards stand in `elements`, on Instagram in `generic`; of a comment
    that was passed on, that is an empty list.
    """

    url: Url = Field(default="", validation_alias=AliasChoices("url", "story_media_url"))
    title: str = ""
    text: str = Field(default="", max_length=LONG)
    sticker_id: Label = ""
    coordinates: Coordinates | None = None
    product: ShownProducts = ShownProducts()
    generic: Annotated[TemplateCards, BeforeValidator(_fields_or_none)] = TemplateCards()

    @property
    def heading(self) -> str:
        cards = (*self.elements, *self.generic.elements)
        return self.title or next((card.title for card in cards), "")


class Enclosed(Part):
    type: str = ""
    title: str = ""
    url: Url = Field(default="", validation_alias=AliasChoices("url", "URL"))
    payload: Annotated[Enclosure, BeforeValidator(_fields_or_none)] = Enclosure()

    @property
    def lies_at(self) -> str:
        return self.payload.url or self.url

    @property
    def key(self) -> str:
        """While Meta changes a type, it sends the same thing as the old and as the new one."""
        return self.payload.sticker_id or self.lies_at

    def attachment(self) -> Attachment:
        form = "sticker" if self.payload.sticker_id else FORMS.get(self.type, "file")
        says_little = self.type not in PLAIN or not self.lies_at
        title = self.payload.heading or self.title or (self.type if says_little else "")
        return Attachment(
            form=form,
            name=title[:255],
            provider_reference=self.lies_at or None,
        )


class Heard(Part):
    """The message itself."""

    mid: Mid | None = None
    text: str = Field(default="", max_length=LONG)
    is_echo: bool = False
    is_deleted: bool = False
    is_unsupported: bool = False
    is_self: bool = False
    quick_reply: QuickReply | None = None
    reply_to: RepliedTo = RepliedTo()
    attachments: list[Enclosed] = Field(default=[], max_length=200)
    referral: Referred | None = None

    def content(self) -> Message | MessageDeletion | Unsupported:
        if self.is_deleted and self.mid is not None:
            return MessageDeletion(message_id=self.mid)
        if self.is_unsupported and not self.text:
            return Unsupported(what="a message that the API does not carry")
        text = self.text or next((one.payload.text for one in self.attachments), "")
        choice = None
        if self.quick_reply is not None:
            choice = Choice(id=self.quick_reply.payload[:1024], title=self.text[:1024])
        return Message(
            text=text,
            attachments=self._attachments(),
            place=self._place(),
            choice=choice,
            in_reply_to=self.reply_to.mid,
            referral=self._referral(),
        )

    def _attachments(self) -> tuple[Attachment, ...]:
        files = [
            one
            for one in self.attachments
            if one.payload.coordinates is None
            and not one.payload.product.elements
            and not one.payload.text
        ]
        once: dict[str, Enclosed] = {}
        for number, one in enumerate(files):
            once.setdefault(one.key or str(number), one)
        return tuple(one.attachment() for one in once.values())

    def _place(self) -> Place | None:
        for one in self.attachments:
            if (at := one.payload.coordinates) is not None:
                title = one.payload.title or one.title
                return Place(latitude=at.lat, longitude=at.long, name=title[:1024])
        return None

    def _referral(self) -> Referral | None:
        """What led here; else the story that is answered, or the product that is asked about."""
        if self.referral is not None:
            return self.referral.referral()
        if (story := self.reply_to.story) is not None:
            return Referral(source="post", id=story.id, url=url_that_fits(story.url))
        products = (one for file in self.attachments for one in file.payload.product.elements)
        if (product := next(products, None)) is not None:
            known = product.retailer_id or product.id
            return Referral(source="other", id=known, headline=product.title[:1024])
        return None
