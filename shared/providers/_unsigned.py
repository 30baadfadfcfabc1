"""The proof of a provider that signs nothing: it repeats a secret that we gave it."""

from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import unquote, urlsplit, urlunsplit

from shared.providers.base import WebhookRequest, same

HEADER = "X-Passerelle-Secret"


def repeats_a_secret(request: WebhookRequest, secrets: Sequence[str]) -> bool:
    """Whether it holds one of them: as the password of its login (`https://any:secret@…`), in the
    header, or as the whole path behind the provider's name.
    """
    given = [_password(request), request.header(HEADER), request.path]
    # Each with each, whatever fits: the time it takes tells nothing.
    fits = [same(one, secret) for one in given for secret in secrets]
    return any(fits)


def _password(request: WebhookRequest) -> str:
    scheme, _, login = request.header("authorization").partition(" ")
    try:
        read = b64decode(login.strip(), validate=True)
    except ValueError:
        return ""
    if scheme.lower() != "basic" or b64encode(read).decode() != login.strip():
        return ""
    return read.decode("utf-8", "replace").partition(":")[2]


def without_secret_path(request: WebhookRequest, secrets: Sequence[str]) -> WebhookRequest:
    """The same, with no secret in its URL: it may be kept."""
    if request.path not in secrets:
        return request
    url = urlsplit(request.url)
    path = unquote(url.path).rstrip("/").removesuffix(request.path).rstrip("/")
    return replace(request, path="", url=urlunsplit(url._replace(path=path)))
