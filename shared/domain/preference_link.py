"""The signed link to a person's preferences: whoever holds it may read and change them.

It names a profile and no person, is bound to this one purpose, and ends. The secret holds the key
that signs and, while links are about that an earlier one signed, those that only prove.
"""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from uuid import UUID

from pydantic import Field, ValidationError

from shared.domain.errors import MissingSecret, Unauthentic
from shared.domain.model import Model, ProfileId

NAME = "preferences"
"""Of the secret, and of the only thing these links are good for."""
_PURPOSE = b"passerelle:preferences:1\x00"
_WHOSE, _UNTIL = 16, 5
"""Bytes of the profile's id, and of the end in seconds since 1970."""


class Key(Model):
    id: str = Field(pattern=r"^[a-z0-9]{1,16}$")
    key: str = Field(min_length=32, max_length=512)
    """Anything that nobody can guess, 32 characters at least."""


class PreferenceKeys(Key):
    """The secret: the key that signs, and the `previous` ones, whose links still hold."""

    previous: tuple[Key, ...] = ()

    @property
    def all(self) -> tuple[Key, ...]:
        return (self, *self.previous)


def read_keys(content: Mapping[str, Any] | None) -> PreferenceKeys:
    """Raises MissingSecret, which never tells what the secret holds."""
    if content is None:
        raise MissingSecret("there is no secret for preference links")
    try:
        return PreferenceKeys.model_validate(dict(content))
    except ValidationError:
        raise MissingSecret("the secret for preference links is not usable") from None


def sign(profile_id: ProfileId, until: datetime, keys: PreferenceKeys) -> str:
    """A token for an URL: 75 to 90 characters that need no escaping."""
    claims = UUID(profile_id).bytes + int(until.timestamp()).to_bytes(_UNTIL)
    return f"{keys.id}.{_encoded(claims)}.{_encoded(_signature(keys, claims))}"


def whose(token: str, keys: PreferenceKeys, now: datetime) -> ProfileId:
    """The profile a token is for. Raises Unauthentic where it is not ours, or no longer good."""
    key_id, _, rest = token.partition(".")
    encoded, _, given = rest.partition(".")
    key = next((one for one in keys.all if one.id == key_id), None)
    claims = _decoded(encoded)
    if key is None or len(claims) != _WHOSE + _UNTIL:
        raise Unauthentic("this link is not one of ours")
    if not hmac.compare_digest(_decoded(given), _signature(key, claims)):
        raise Unauthentic("this link is not one of ours")
    if int.from_bytes(claims[_WHOSE:]) <= now.astimezone(UTC).timestamp():
        raise Unauthentic("this link has ended")
    return ProfileId(str(UUID(bytes=claims[:_WHOSE])))


def _signature(key: Key, claims: bytes) -> bytes:
    return hmac.digest(key.key.encode(), _PURPOSE + key.id.encode() + b"\x00" + claims, sha256)


def _encoded(content: bytes) -> str:
    return urlsafe_b64encode(content).decode().rstrip("=")


def _decoded(text: str) -> bytes:
    """Nothing, where it is no base64 as we write it."""
    try:
        content = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        return b""
    return content if _encoded(content) == text else b""
