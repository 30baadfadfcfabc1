"""The providers: what they are sent, what is fetched from them, and by which secret."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

# Every function imports this module; those that know nothing of tickets need not build theirs.
if TYPE_CHECKING:
    from shared.domain.breaker import BreakerState
    from shared.events.envelope import Event
    from shared.providers.base import (
        HttpRequest,
        HttpResponse,
        Outgoing,
    )


class AccountBreakers(Protocol):
    """Whether an account at a provider may be asked, as its latest failures tell."""

    def state(self, provider: str, account: str) -> BreakerState:
        """Closed where nothing was ever told. Strongly consistent."""

    def change(
        self,
        provider: str,
        account: str,
        before: BreakerState,
        after: BreakerState,
        event: Event | None = None,
    ) -> bool:
        """False where it is no longer as it was read: then nothing is written."""


class Secrets(Protocol):
    def read(self, provider: str) -> Mapping[str, Any] | None:
        """The secret's JSON object, or None when there is none."""


class Clock(Protocol):
    def now(self) -> datetime:
        """Aware, UTC."""


class Sender(Protocol):
    def transmit(self, provider: str, outgoing: Outgoing) -> str:
        """Send it and return the provider's id.

        Raises SendRefused, SendDelayed or SendUnconfirmed.
        """


class ProviderMedia(Protocol):
    """The files that providers keep for us."""

    def fetch(self, request: HttpRequest, *, hosts: Collection[str], largest: int) -> HttpResponse:
        """The answer to a GET at one of `hosts`, or where that sends us on to.

        Only these hosts see its headers. Raises MediumElsewhere, MediumTooLarge beyond `largest`
        bytes, and MediumUnreachable.
        """


class FileType(Protocol):
    def __call__(self, content: bytes, /) -> str | None:
        """The media type of a file, by its content alone; None where it is nothing we know."""
