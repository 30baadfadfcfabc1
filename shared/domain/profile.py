"""The one view of a person."""

from pydantic import Field, JsonValue

from shared.domain.identity import Identifier
from shared.domain.model import Instant, Model, ProfileId, TouchpointId
from shared.domain.touchpoint import Channel, Direction, Endpoint


class Trait(Model):
    """A stored fact; the newest statement wins, whatever order they arrive in."""

    value: JsonValue
    at: Instant


class LearnedLanguage(Model):
    language: str
    at: Instant


class Profile(Model):
    """`contacts` counts touchpoints by (direction, channel)."""

    profile_id: ProfileId
    created_at: Instant
    identifiers: tuple[Identifier, ...] = ()
    traits: dict[str, Trait] = {}
    contacts: dict[tuple[Direction, Channel], int] = {}
    learned_language: LearnedLanguage | None = None

    @property
    def preferred_channel(self) -> Channel | None:
        """Where this person speaks to us most often; None before they ever did."""
        spoken = {
            channel: n
            for (direction, channel), n in self.contacts.items()
            if direction is Direction.INBOUND
        }
        return max(spoken, key=lambda channel: (spoken[channel], channel), default=None)

    @property
    def language(self) -> str | None:
        """The language to write in: stated before learned."""
        stated = self.traits.get("language") or self.traits.get("locale")
        if stated is not None and isinstance(stated.value, str):
            return stated.value.replace("_", "-").split("-")[0].lower()
        return self.learned_language.language if self.learned_language else None

    @property
    def time_zone(self) -> str | None:
        """An IANA name, where one was stated."""
        stated = self.traits.get("timezone")
        return stated.value if stated is not None and isinstance(stated.value, str) else None


class MergeSuggestion(Model):
    """One touchpoint named two profiles. A person decides; nothing merges by itself here."""

    profile_ids: tuple[ProfileId, ProfileId]
    """In sorted order: the same pair is the same suggestion."""
    touchpoint_id: TouchpointId
    reason: str
    at: Instant


class Suppression(Model):
    """A hard stop on an endpoint."""

    endpoint: Endpoint
    reason: str = Field(max_length=200)
    touchpoint_id: TouchpointId
    at: Instant
