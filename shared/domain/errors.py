"""What can go wrong in the terms of the house.

Each is mapped once: to HTTP in `runtime.http`, to Retry in the journey.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Literal


class PasserelleError(Exception):
    """The root of all our errors.

    The message is safe to show and to log: it never holds personal data.
    """


class UnknownProvider(PasserelleError):
    """No provider of that name."""


class MissingSecret(PasserelleError):
    """The secret a route needs is absent or incomplete; the message names it, never its content."""


class Unauthentic(PasserelleError):
    """The request does not prove where it comes from: no, wrong or stale signature."""


class TooLarge(PasserelleError):
    """The request is bigger than this provider may send."""


class MalformedPayload(PasserelleError):
    """Authentic but unreadable: it goes to quarantine, where it is visible and can be replayed."""


class InvalidInput(PasserelleError):
    """A caller's input breaks a rule. `field` is the path of what is wrong."""

    def __init__(self, detail: str, *, field: str) -> None:
        super().__init__(detail)
        self.field = field


class Unlisted(InvalidInput):
    """A value is not on the company's closed list; the message names what is."""


class Forbidden(PasserelleError):
    """Who asks is known, and may not do this."""


class NotFound(PasserelleError):
    """Nothing has that id."""


class Conflict(PasserelleError):
    """The command contradicts the current state; reading again and deciding anew is up to the
    caller.
    """


class WindowClosed(Conflict):
    """No words may go there now: its reply window is closed. `templates` may, by their names."""

    def __init__(self, detail: str, *, templates: Sequence[str]) -> None:
        super().__init__(detail)
        self.templates = tuple(templates)


class Contention(PasserelleError):
    """Somebody else wrote the same item at the same moment.

    Nothing was written; trying again is right.
    """


class PolicyError(PasserelleError):
    """A policy file is wrong; the message holds file, line and reason."""


RefusalReason = Literal[
    "invalid_recipient",
    "unreachable",
    "opted_out",
    "blocked",
    "window_closed",
    "template",
    "content",
    "unauthorized",
    "not_supported",
    "limit",
    "unknown",
]
"""Why a provider will never take a message, whichever provider it is: no such address · nobody is
reached there · they want nothing · a block by provider or operator · outside the reply window · the
template is wrong · so are the words or files · our own access is · the channel cannot carry it · a
quota that waiting does not lift · a code we do not know.
"""


class SendRefused(PasserelleError):
    """The provider looked at the message and will never take it (a 4xx).

    `code` is the provider's own, `reason` the same in the terms of the house.
    """

    def __init__(self, detail: str, *, code: str, reason: RefusalReason = "unknown") -> None:
        super().__init__(detail)
        self.code = code
        self.reason = reason


class SendDelayed(PasserelleError):
    """The provider certainly did not take the message (busy, unreachable); sending it again is
    safe, after `retry_after` where the provider asked for that.
    """

    def __init__(self, detail: str, *, retry_after: timedelta | None = None) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class MediumTooLarge(PasserelleError):
    """A file has more bytes than we keep; reading it was broken off."""


class MediumElsewhere(PasserelleError):
    """A file is said to lie where its provider keeps none, or where nobody fetches anything."""


class MediumUnreachable(PasserelleError):
    """A file could not be fetched now; another attempt may bring it."""


class MediumUnauthorized(PasserelleError):
    """A provider does not let us have our files: our access to it must be mended."""


class SendUnconfirmed(PasserelleError):
    """Nobody knows whether the provider took the message.

    It is never sent twice; a person is shown it.
    """
