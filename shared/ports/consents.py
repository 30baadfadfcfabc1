"""What people allow and forbid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from shared.domain.model import ProfileId
from shared.domain.touchpoint import Touchpoint

# Every function imports this module; those that know nothing of tickets need not build theirs.
if TYPE_CHECKING:
    from shared.domain.consent import Consent
    from shared.domain.suppression import (
        Notice,
        NoticeState,
        Release,
        Suppression,
        SuppressionRecord,
    )
    from shared.events.envelope import Event


class ConsentStore(Protocol):
    """What people allowed and forbade, and what stops a message."""

    def state(self, profile_id: ProfileId, consent: Consent) -> None:
        """Add a statement to the ledger of consents. The same one again changes nothing."""

    def of(self, profile_ids: Sequence[ProfileId]) -> list[Consent]:
        """Everything ever stated for these profiles, oldest first. Strongly consistent."""

    def records(self, subjects: Sequence[str]) -> dict[str, SuppressionRecord]:
        """What was said of sending to each subject; those nobody spoke of are left out.

        Strongly consistent.
        """

    def tell(
        self,
        subject: str,
        *statements: Suppression | Release,
        notice: Notice | None = None,
        event: Event | None = None,
    ) -> bool:
        """Fold statements into a subject's record, whatever order they come in.

        Only where that changes what is stopped, `notice` becomes due and `event` leaves; then True.
        Raises Contention where others keep writing the same record.
        """

    def call_for_help(self, subject: str, notice: Notice, event: Event) -> bool:
        """Make a notice due, unless it is known or another was called for shortly before."""

    def move_notice(self, subject: str, notice: Notice, expected: NoticeState) -> None:
        """Replace a notice that is still the subject's, and still in `expected`.

        Raises Contention.
        """

    def end_notice(
        self, subject: str, notice: Notice, *, sent: Touchpoint, profile_id: ProfileId | None
    ) -> None:
        """Keep what left, with the touchpoint it became, even where another notice is due by now.

        Raises Contention.
        """
