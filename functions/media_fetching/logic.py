"""Fetch each file of a touchpoint, look at what it is, keep it or say why not.

Each has one place in the bucket, so doing it twice writes the same again. What could not be decided
now rises after the rest is recorded: then the function is tried again, and does only that.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from shared.domain.errors import (
    MalformedPayload,
    MediumElsewhere,
    MediumTooLarge,
    MediumUnauthorized,
    MediumUnreachable,
    MissingSecret,
)
from shared.domain.journey import MediaRequest
from shared.domain.media import Media, Medium, MediumState, attachments_of, medium_name
from shared.domain.touchpoint import Attachment, Touchpoint
from shared.events.catalogue import MediaStored
from shared.policies.reader import Policies
from shared.ports.ledger import Ledger, MediaFiles
from shared.ports.providers import FileType, ProviderMedia, Secrets
from shared.providers.base import HttpResponse, Provider, find_provider

MOST_STEPS = 3
"""Answers that say where the file is, before there must be a file."""
GONE = {404, 410}
UNAUTHORIZED = {401, 403}
REFUSED = MediumState.REFUSED


class Ports(NamedTuple):
    ledger: Ledger
    media_files: MediaFiles
    secrets: Secrets
    provider_media: ProviderMedia
    file_type: FileType
    policies: Policies
    find_provider: Callable[[str], Provider[Any]] = find_provider


class Access(NamedTuple):
    """By what the files of one account are fetched."""

    provider: Provider[Any]
    secret: Any


class Fetched(NamedTuple):
    """Either the file, or what became of it instead."""

    content: bytes = b""
    medium: Medium | None = None


def fetch_media(request: MediaRequest, ports: Ports) -> Media:
    """What became of the touchpoint's files, by name; of one that was erased, nothing.

    Raises MediumUnauthorized and MediumUnreachable, after all that could be decided is kept;
    Contention where that was recorded meanwhile, for another part of its call: tried again, it
    does the rest.
    """
    entry = ports.ledger.read(request.touchpoint_id)
    if entry is None:
        # Erased meanwhile: what an attempt that broke off may have left goes as well.
        ports.media_files.discard(request.touchpoint_id)
        return {}
    touchpoint = entry.touchpoint
    settled = {name: one for name, one in entry.media.items() if one.is_settled}
    found = dict(settled)
    unreachable: MediumUnreachable | None = None
    for position, attachment in enumerate(attachments_of(touchpoint)):
        name = medium_name(attachment, position)
        if name in settled or not (attachment.object_key or attachment.provider_reference):
            continue
        try:
            found[name] = _medium(touchpoint, name, attachment, ports)
        except MediumUnreachable as error:
            unreachable = error
    if found != entry.media and not ports.ledger.record_media(
        request.touchpoint_id, entry.media, found, _event(touchpoint, found)
    ):
        return {}
    if unreachable is not None:
        raise unreachable
    if any(not one.is_settled for one in found.values()):
        raise MediumUnauthorized(f"{touchpoint.provider} refuses our access to its files")
    return found


def _medium(touchpoint: Touchpoint, name: str, attachment: Attachment, ports: Ports) -> Medium:
    """Raises MediumUnreachable where another attempt may bring it."""
    policy = ports.policies.media
    if attachment.object_key is not None:
        # It came with the request. It is looked at like all others, and goes if it must.
        content = ports.media_files.read(attachment.object_key)
        if content is None:
            return Medium(state=MediumState.GONE)
    else:
        try:
            access = _access(touchpoint, ports)
        except MissingSecret:
            return Medium(state=MediumState.UNAUTHORIZED)
        fetched = _fetched(attachment, access, ports)
        if fetched.medium is not None:
            return fetched.medium
        content = fetched.content
    if len(content) > policy.largest[attachment.form]:
        return _refused("size", attachment, ports)
    type_ = ports.file_type(content)
    if type_ not in policy.types:
        return _refused("type", attachment, ports, content_type=type_, size=len(content))
    key = ports.media_files.keep(touchpoint.touchpoint_id, name, content, type_)
    return Medium(state=MediumState.STORED, object_key=key, content_type=type_, size=len(content))


def _refused(because: str, attachment: Attachment, ports: Ports, **known: Any) -> Medium:
    if attachment.object_key is not None:
        ports.media_files.drop(attachment.object_key)
    return Medium(state=REFUSED, because=because, **known)


def _access(touchpoint: Touchpoint, ports: Ports) -> Access:
    """By the secret of the account that the message came to."""
    provider = ports.find_provider(touchpoint.provider)
    name = ports.policies.accounts.of(provider.name, touchpoint.account).secret
    return Access(provider, provider.read_secret(ports.secrets.read(name), name))


def _fetched(attachment: Attachment, access: Access, ports: Ports) -> Fetched:
    """From the provider, in as many steps as it takes."""
    provider, secret = access
    request = provider.media(attachment, secret)
    if request is None:
        return Fetched(medium=Medium(state=REFUSED, because="place"))
    largest = ports.policies.media.largest[attachment.form]
    try:
        for _ in range(MOST_STEPS):
            answer = ports.provider_media.fetch(
                request, hosts=provider.media_hosts, largest=largest
            )
            if (instead := _instead(answer)) is not None:
                return Fetched(medium=instead)
            next_request = provider.media_location(attachment, answer, secret)
            if next_request is None:
                return Fetched(answer.body)
            request = next_request
    except MediumTooLarge:
        return Fetched(medium=Medium(state=REFUSED, because="size"))
    except MediumElsewhere:
        return Fetched(medium=Medium(state=REFUSED, because="place"))
    except MalformedPayload:
        pass
    return Fetched(medium=Medium(state=REFUSED, because="answer"))


def _instead(answer: HttpResponse) -> Medium | None:
    """What an answer means that brings no file. Raises MediumUnreachable."""
    status = answer.status
    if status in GONE:
        return Medium(state=MediumState.GONE)
    if status in UNAUTHORIZED:
        return Medium(state=MediumState.UNAUTHORIZED)
    if status == 429 or status >= 500:
        raise MediumUnreachable(f"the provider answers {status}")
    return None if 200 <= status < 300 else Medium(state=REFUSED, because="answer")


def _event(touchpoint: Touchpoint, media: Media) -> MediaStored:
    states = [one.state for one in media.values()]
    counts = {state.value: states.count(state) for state in MediumState}
    return MediaStored.model_validate({"touchpoint_id": touchpoint.touchpoint_id, **counts})
