"""What one touchpoint says about who it is: whose it is, and what it ties together."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from shared.domain.identity import Identifier, IdentityPolicy
from shared.domain.identity_tie import Tie, TieKind, tie
from shared.domain.model import Instant
from shared.domain.touchpoint import Touchpoint


class Claims(NamedTuple):
    """What one touchpoint says about who it is."""

    home: Identifier
    """Whose it is, for good: no merge ever moves it."""
    is_proven: bool
    others: tuple[Identifier, ...]
    """What it is tied to."""
    ties: tuple[Tie, ...]
    """One with each of the others."""


def claims_of(
    touchpoint: Touchpoint, identifiers: Sequence[Identifier], policy: IdentityPolicy
) -> Claims | None:
    """From identifiers in their one form; None where they identify nobody.

    Blocked ones are no identifiers. Shared ones, and chat sessions, which last an hour, are only
    used where nothing better is there, and tie nothing.
    """
    usable = sorted({one for one in identifiers if not policy.is_blocked(one)}, key=policy.strength)
    proven = [one for one in usable if is_verified(one, touchpoint, policy)]
    lasting = [one for one in usable if _ties(one, policy)]
    ranked = [one for one in proven if one in lasting] or lasting or proven or usable
    if not ranked:
        return None
    home = ranked[0]
    others = tuple(one for one in lasting if one != home) if home in lasting else ()
    return Claims(
        home,
        home in proven,
        others,
        tuple(_tie_of(touchpoint, home, one, {home, one} <= set(proven)) for one in others),
    )


def _tie_of(touchpoint: Touchpoint, home: Identifier, other: Identifier, is_proven: bool) -> Tie:
    """Two of one type are proven together only by who vouches for more than each of them: a
    browser may name any other browser.
    """
    same_type = (home.type, home.scope) == (other.type, other.scope)
    is_proven = is_proven and not (same_type and touchpoint.proof is None)
    names = f"{home.type.value} and {other.type.value}".replace("_", " ")
    verb = "proved" if is_proven else "stated"
    return tie(
        home.key,
        other.key,
        TieKind.VERIFIED if is_proven else TieKind.STATED,
        touchpoint.occurred_at,
        f"touchpoint:{touchpoint.touchpoint_id}",
        f"one {touchpoint.channel.value} touchpoint of {touchpoint.provider} {verb} {names}",
        until=_quarter(touchpoint.occurred_at),
    )


def _quarter(at: Instant) -> Instant:
    """Coarse, so that a tie seen daily is written four times a year."""
    return datetime(at.year, (at.month - 1) // 3 * 3 + 1, 1, tzinfo=UTC)


def _ties(identifier: Identifier, policy: IdentityPolicy) -> bool:
    return identifier.type is not policy.priority[-1] and not policy.is_shared(identifier)


def is_verified(identifier: Identifier, touchpoint: Touchpoint, policy: IdentityPolicy) -> bool:
    """Whether this touchpoint proves this identifier, by one of the policy's rows."""
    facts = {
        "type": identifier.type,
        "provider": touchpoint.provider,
        "account": touchpoint.account,
        "channel": touchpoint.channel,
        "direction": touchpoint.direction,
        "proof": touchpoint.proof,
    }
    return any(
        all(facts[name] == getattr(row, name) for name in row.model_fields_set)
        for row in policy.verified_by
    )
