"""The files of a touchpoint: which are kept, and what became of each."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Literal, get_args

from pydantic import ByteSize, Field, model_validator

from shared.domain.model import Model
from shared.domain.touchpoint import Attachment, FileForm, Form, Touchpoint

OFFERED_FOR = timedelta(minutes=15)
"""How long an upload may be put where its form says."""


class MediaPolicy(Model):
    """What is kept of the files that come along (`policies/media.yaml`)."""

    largest: Mapping[Form, ByteSize]
    """In bytes, or as `16MB`."""
    types: frozenset[str]
    """Media types by which a file is known from its content, whatever its sender calls it."""
    together: ByteSize = Field(default=ByteSize(12_000_000), ge=1, le=12_000_000)
    """Of all the files of one message that leaves. While its mail is written they stand in memory
    eleven times as large, and whoever sends it has 256 MB.
    """

    @model_validator(mode="after")
    def _is_whole(self) -> "MediaPolicy":
        if missing := [one for one in get_args(Form) if one not in self.largest]:
            raise ValueError(f"largest: nothing is said of {', '.join(missing)}")
        return self


class MediumState(StrEnum):
    STORED = "stored"
    REFUSED = "refused"
    """It is here no more, or never was: we do not keep such a file."""
    GONE = "gone"
    """The provider no longer has it."""
    UNAUTHORIZED = "unauthorized"
    """The provider does not let us have it: our access is wrong. Fetched once that is mended."""


Refusal = Literal["size", "type", "place", "answer", "number", "content"]
"""Why a file is not kept: it is too large · not of a type we keep · where it lies is not its
provider's · the provider's answer makes no sense · more came than one message may bring · what
should be its bytes is none.
"""


class Medium(Model):
    """What became of one attachment."""

    state: MediumState
    because: Refusal | None = None
    object_key: str | None = None
    content_type: str | None = Field(default=None, max_length=255)
    """By its content."""
    size: int | None = Field(default=None, ge=0)

    @property
    def is_settled(self) -> bool:
        return self.state is not MediumState.UNAUTHORIZED


Media = Mapping[str, Medium]
"""By what `medium_name` calls the attachment."""


def medium_name(attachment: Attachment, position: int) -> str:
    """The last part of its file's key, and what is known of it goes by this name.

    Where it came with the request, its position. Else a digest of its reference: a call's
    recordings come one by one, and each may move the others on.
    """
    reference = attachment.provider_reference
    return sha256(reference.encode()).hexdigest()[:16] if reference else str(position)


def file_form_of(content_type: str) -> FileForm:
    """As what a file of this type is shown."""
    return _FORMS.get(content_type.partition("/")[0], "file")


_FORMS: Mapping[str, FileForm] = {"image": "image", "audio": "audio", "video": "video"}


def sent_media(touchpoint: Touchpoint) -> Media:
    """Of a touchpoint we sent: the files that lie with us, which were looked at before."""
    return {
        medium_name(one, position): Medium(
            state=MediumState.STORED,
            object_key=one.object_key,
            content_type=one.content_type,
            size=one.size,
        )
        for position, one in enumerate(attachments_of(touchpoint))
        if one.object_key is not None
    }


def with_links(touchpoint: Touchpoint, link: Callable[[str, str], str]) -> Touchpoint:
    """The same for somebody outside: each file of ours named by the address that `link` makes of
    its key and name.
    """
    if not any(one.object_key for one in attachments_of(touchpoint)):
        return touchpoint
    attachments = tuple(
        one.model_copy(
            update={"object_key": None, "provider_reference": link(one.object_key, one.name)}
        )
        if one.object_key
        else one
        for one in attachments_of(touchpoint)
    )
    content = touchpoint.content.model_copy(update={"attachments": attachments})
    return touchpoint.model_copy(update={"content": content})


def attachments_of(touchpoint: Touchpoint) -> tuple[Attachment, ...]:
    return getattr(touchpoint.content, "attachments", ())


def has_media(touchpoint: Touchpoint) -> bool:
    """Whether files came along that are still to be fetched, or looked at."""
    return any(one.object_key or one.provider_reference for one in attachments_of(touchpoint))


def with_media(touchpoint: Touchpoint, media: Media) -> Touchpoint:
    """The same, its attachments saying where they are by now. What is refused is nowhere."""
    if not media:
        return touchpoint
    attachments = tuple(
        _as_kept(one, media[name]) if (name := medium_name(one, position)) in media else one
        for position, one in enumerate(attachments_of(touchpoint))
    )
    content = touchpoint.content.model_copy(update={"attachments": attachments})
    return touchpoint.model_copy(update={"content": content})


def _as_kept(attachment: Attachment, medium: Medium) -> Attachment:
    known = {"content_type": medium.content_type, "size": medium.size}
    return attachment.model_copy(
        update={
            "object_key": medium.object_key,
            **{name: value for name, value in known.items() if value is not None},
        }
    )
