"""Files of ours on their way out: an address for a provider that fetches, else the file itself."""

from typing import Any

from shared.domain.errors import SendRefused
from shared.domain.sending import OutboundFile, OutboundMessage
from shared.ports.ledger import MediaFiles
from shared.providers.base import Provider


def with_files(
    message: OutboundMessage, provider: Provider[Any], media_files: MediaFiles
) -> OutboundMessage:
    """The message as its provider takes it. What is recorded of it is the message without this.

    Made anew at each attempt, for an address ends. Nobody was asked yet, so what the bucket raises
    rises, and the delivery is tried again. Raises SendRefused where the files do not fit into a
    mail, or one is no longer there: a person was erased.
    """
    if not any(file.object_key for file in message.files):
        return message
    if not provider.has_room(file.size or 0 for file in message.files):
        detail = f"the files are too large together for {provider.name}"
        raise SendRefused(detail, code="files", reason="content")
    files = tuple(_handed(file, provider, media_files) for file in message.files)
    return message.model_copy(update={"files": files})


def _handed(file: OutboundFile, provider: Provider[Any], media_files: MediaFiles) -> OutboundFile:
    if file.object_key is None:
        return file
    if not provider.largest_mail:
        url = media_files.address(file.object_key, file.name)
        return file.model_copy(update={"url": url})
    content = media_files.read(file.object_key)
    if content is None:
        raise SendRefused("a file of it is no longer there", code="files", reason="content")
    return file.model_copy(update={"content": content})
