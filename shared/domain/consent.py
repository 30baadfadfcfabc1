"""What a person allowed or forbade: a ledger of statements that only grows, and what stands of it.

A statement is never changed or taken back; a later one replaces what an earlier one said.
"""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Annotated

from pydantic import Field

from shared.domain.model import Instant, Model, isoformat
from shared.domain.touchpoint import Channel, ConsentStatement, Touchpoint

PurposeName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,49}$")]


BY_WORD = "word:"
"""How the source of a statement begins that a word in a message made."""


class ConsentState(StrEnum):
    GRANTED = "granted"
    WITHDRAWN = "withdrawn"
    RESTORED = "restored"
    """A word opted in: what words had withdrawn before is withdrawn no more. It allows nothing that
    was not allowed otherwise.
    """


class Consent(Model):
    """One statement: for which purpose, on which channel, what, and how we know."""

    purpose: PurposeName
    channel: Channel | None = None
    """None: every channel."""
    state: ConsentState
    source: str = Field(min_length=1, max_length=120)
    """Who or what said so: `touchpoint:<id>`, `agent:<id>`, `word:<rule>`, `preference_page`."""
    proof: str | None = Field(default=None, max_length=500)
    """What the person agreed to or wrote, or where that is kept."""
    at: Instant
    expires_at: Instant | None = None

    @property
    def key(self) -> str:
        """Sorts in the order of time; the same statement has the same key."""
        digest = sha256(self.model_dump_json().encode()).hexdigest()[:16]
        return f"{isoformat(self.at)}#{digest}"

    @property
    def precedence(self) -> tuple[datetime, bool, str]:
        """Of two statements the one that sorts last counts.

        That is the later; within one second a withdrawal, so that a doubt never sends: providers
        tell whole seconds, and a STOP at 10.9 comes as 10.
        """
        second = self.at.replace(microsecond=0)
        return second, self.state is ConsentState.WITHDRAWN, self.key


def standing(
    consents: Iterable[Consent], purpose: str, channel: Channel | None, now: datetime
) -> Consent | None:
    """What stands for a purpose on a channel: its latest statement, in whatever order they came.

    A statement about every channel and one about this channel are of equal weight, and the later
    of them counts: "no more marketing" silences a channel that was allowed before, and allowing one
    channel afterwards opens that one. With `channel` None only what was said of every channel
    counts. None where nothing was said. What has expired says nothing any more, and what it had
    replaced does not come back.
    """
    said = sorted(
        (one for one in consents if one.purpose == purpose and one.channel in {None, channel}),
        key=lambda one: one.precedence,
    )
    restored_at = max(
        (at for at, one in enumerate(said) if one.state is ConsentState.RESTORED), default=0
    )
    counting = [
        one
        for at, one in enumerate(said)
        if one.state is not ConsentState.RESTORED
        and not (at < restored_at and one.source.startswith(BY_WORD))
    ]
    latest = counting[-1] if counting else None
    if latest is None or (latest.expires_at is not None and latest.expires_at <= now):
        return None
    return latest


def stopped_by_word(consents: Iterable[Consent], purpose: str, channel: Channel) -> bool:
    """Whether the last word on this channel was one that opts out: until another opts in, its
    endpoint is suppressed, whatever is granted otherwise.
    """
    words = [
        one
        for one in consents
        if one.source.startswith(BY_WORD) and (one.purpose, one.channel) == (purpose, channel)
    ]
    last = max(words, key=lambda one: one.precedence, default=None)
    return last is not None and last.state is ConsentState.WITHDRAWN


def consent_stated(touchpoint: Touchpoint) -> Consent | None:
    """The statement that a touchpoint is, as the ledger of consents keeps it; None for all else."""
    content = touchpoint.content
    if not isinstance(content, ConsentStatement):
        return None
    return Consent(
        purpose=content.purpose,
        channel=content.channel,
        state=ConsentState(content.state),
        source=f"touchpoint:{touchpoint.touchpoint_id}",
        proof=content.wording,
        at=touchpoint.occurred_at,
        expires_at=content.expires_at,
    )
