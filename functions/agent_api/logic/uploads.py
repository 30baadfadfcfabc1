"""Files that agents send along: put into the bucket by whoever has them, looked at when a reply
names them.

What is put can be put again until its form ends, so a reply has a copy of what was looked at. An
upload that no reply names ends by itself.
"""

from collections.abc import Sequence
from typing import Self

from pydantic import Field, model_validator

from shared.domain.errors import InvalidInput, MediumTooLarge, Unlisted
from shared.domain.media import OFFERED_FOR, MediaPolicy, file_form_of
from shared.domain.model import Instant, Model, TicketId
from shared.domain.sending import OutboundFile
from shared.domain.touchpoint import FileForm
from shared.ports.ledger import MediaFiles, Upload
from shared.ports.providers import Clock, FileType


class NewUpload(Model):
    """A file that is to be put: what it is called, what it is, and how large."""

    name: str = Field(min_length=1, max_length=255, description="As whoever gets it reads it.")
    content_type: str = Field(max_length=255, description="One of `types` of `media.yaml`.")
    size: int = Field(ge=1, description="Bytes; what is put may have fewer.")


class OfferedUpload(Model):
    """Where to put it: a POST of `multipart/form-data` with these fields and, last, `file`."""

    upload_id: str
    url: str
    fields: dict[str, str]
    expires_at: Instant = Field(description="Until then it can be put.")


class ReplyFile(Model):
    """A file of a reply: one that was uploaded here, or one that lies at an address."""

    form: FileForm | None = Field(
        default=None, description="Without it an upload is shown as what it is, all else as a file."
    )
    url: str | None = Field(
        default=None,
        max_length=2048,
        pattern=r"^https://",
        description="The provider fetches it, so it is public until then; in a mail it is a link.",
    )
    name: str = Field(default="", max_length=255, description="An upload has its own.")
    content_type: str = Field(default="application/octet-stream", max_length=255)
    upload_id: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_-]{1,64}$")

    @model_validator(mode="after")
    def _is_one_or_the_other(self) -> Self:
        if (self.url is None) is (self.upload_id is None):
            raise ValueError("either url or upload_id is wanted, and not both")
        if self.upload_id is not None and "content_type" in self.model_fields_set:
            raise ValueError("content_type: an upload has its own")
        return self


def offer_upload(
    wanted: NewUpload, *, upload_id: str, media_files: MediaFiles, policy: MediaPolicy, clock: Clock
) -> OfferedUpload:
    """Nothing is kept of it here; whoever knows `upload_id` may send it, so it cannot be guessed.

    Raises Unlisted for a type that we do not send, InvalidInput for what is too large.
    """
    if wanted.content_type not in policy.types:
        raise Unlisted(f"must be one of {', '.join(sorted(policy.types))}", field="content_type")
    if wanted.size > (largest := _largest(wanted.content_type, policy)):
        raise InvalidInput(f"a file of this type may have {largest} bytes", field="size")
    form = media_files.offer(upload_id, wanted.name, wanted.content_type, wanted.size)
    return OfferedUpload(
        upload_id=upload_id,
        url=form.url,
        fields=dict(form.fields),
        expires_at=clock.now() + OFFERED_FOR,
    )


def files_to_send(
    files: Sequence[ReplyFile],
    ticket_id: TicketId,
    *,
    media_files: MediaFiles,
    file_type: FileType,
    policy: MediaPolicy,
    promised: Sequence[OutboundFile] = (),
) -> tuple[OutboundFile, ...]:
    """As the reply keeps them; of uploads the copy that was looked at.

    Done again, it finds the same places; what the same reply holds already, `promised`, is not
    asked for again, for it may have ended. Raises InvalidInput, which names the file: an upload
    that is not there, too large, or not what it is said to be.
    """
    known = {one.upload_id: one for one in promised if one.upload_id is not None}
    left = int(policy.together)
    found: list[OutboundFile] = []
    for position, one in enumerate(files):
        if one.upload_id is None:
            found.append(_elsewhere(one))
            continue
        if (before := known.get(one.upload_id)) is not None:
            shown = one.form or file_form_of(before.content_type)
            found.append(before.model_copy(update={"form": shown, "name": one.name or before.name}))
            continue
        field = f"files.{position}.upload_id"
        upload = _looked_at(one.upload_id, field, left, media_files, file_type, policy)
        left -= len(upload.content)
        kept = media_files.keep_to_send(ticket_id, upload.content, upload.content_type)
        found.append(
            OutboundFile(
                form=one.form or file_form_of(upload.content_type),
                name=one.name or upload.name[:255],
                content_type=upload.content_type,
                object_key=kept,
                upload_id=one.upload_id,
                size=len(upload.content),
            )
        )
    return tuple(found)


def _elsewhere(file: ReplyFile) -> OutboundFile:
    assert file.url is not None
    return OutboundFile(
        form=file.form or "file", url=file.url, name=file.name, content_type=file.content_type
    )


def _looked_at(
    upload_id: str,
    field: str,
    left: int,
    media_files: MediaFiles,
    file_type: FileType,
    policy: MediaPolicy,
) -> Upload:
    try:
        upload = media_files.upload(upload_id, left)
    except MediumTooLarge:
        reason = f"the files of a reply may have {policy.together:d} bytes together"
        raise InvalidInput(reason, field=field) from None
    if upload is None:
        raise InvalidInput("nothing was uploaded there, or it has ended", field=field)
    type_ = file_type(upload.content)
    if type_ != upload.content_type or type_ not in policy.types:
        what = type_ or "nothing we know"
        reason = f"it is said to be {upload.content_type}, and by its content it is {what}"
        raise InvalidInput(reason, field=field)
    if len(upload.content) > (largest := _largest(type_, policy)):
        raise InvalidInput(f"a file of this type may have {largest} bytes", field=field)
    return upload


def _largest(content_type: str, policy: MediaPolicy) -> int:
    return min(int(policy.largest[file_form_of(content_type)]), int(policy.together))
