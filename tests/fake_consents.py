"""The ConsentStore in memory, true to its docstring."""

from collections.abc import Callable, Sequence

from shared.domain.consent import Consent
from shared.domain.errors import Contention
from shared.domain.model import ProfileId
from shared.domain.suppression import (
    Notice,
    NoticeState,
    Release,
    Suppression,
    SuppressionRecord,
)
from shared.domain.touchpoint import Touchpoint
from shared.events.catalogue import ConsentStated
from shared.events.envelope import Event


class FakeConsentStore:
    """`len` counts statements of consent. What `end_notice` is given goes to `record_sent`."""

    def __init__(
        self,
        events: list[Event] | None = None,
        record_sent: Callable[[Touchpoint, ProfileId | None], None] | None = None,
    ) -> None:
        self.events: list[Event] = events if events is not None else []
        self._record_sent = record_sent
        self._consents: dict[tuple[ProfileId, str], Consent] = {}
        self._records: dict[str, SuppressionRecord] = {}

    def __len__(self) -> int:
        return len(self._consents)

    def state(self, profile_id: ProfileId, consent: Consent) -> None:
        if (profile_id, consent.key) in self._consents:
            return
        self._consents[profile_id, consent.key] = consent
        self.events.append(
            ConsentStated(
                profile_id=profile_id,
                purpose=consent.purpose,
                channel=consent.channel,
                state=consent.state,
            )
        )

    def of(self, profile_ids: Sequence[ProfileId]) -> list[Consent]:
        mine = [one for (whose, _), one in self._consents.items() if whose in set(profile_ids)]
        return sorted(mine, key=lambda one: one.key)

    def records(self, subjects: Sequence[str]) -> dict[str, SuppressionRecord]:
        return {one: self._records[one] for one in subjects if one in self._records}

    def record(self, subject: str) -> SuppressionRecord:
        return self._records.get(subject, SuppressionRecord())

    def tell(
        self,
        subject: str,
        *statements: Suppression | Release,
        notice: Notice | None = None,
        event: Event | None = None,
    ) -> bool:
        before = self.record(subject)
        after = before.told(*statements)
        differs = after.differs(before)
        if differs and notice is not None and before.may_confirm(notice):
            after = after.with_notice(notice)
        if differs and event is not None:
            self.events.append(event)
        self._records[subject] = after
        return differs

    def call_for_help(self, subject: str, notice: Notice, event: Event) -> bool:
        before = self.record(subject)
        wanted = before.wants_help(notice)
        if wanted:
            self._records[subject] = before.with_notice(notice)
            self.events.append(event)
        return wanted

    def move_notice(self, subject: str, notice: Notice, expected: NoticeState) -> None:
        before = self.record(subject)
        known = before.notices.get(notice.about)
        same = known is not None and known.touchpoint_id == notice.touchpoint_id
        if known is None or not same or known.state is not expected:
            raise Contention("the notice is no longer where it was")
        self._records[subject] = before.with_notice(notice)

    def end_notice(
        self, subject: str, notice: Notice, *, sent: Touchpoint, profile_id: ProfileId | None
    ) -> None:
        before = self.record(subject)
        known = before.notices.get(notice.about)
        if known is not None and known.touchpoint_id == notice.touchpoint_id:
            self._records[subject] = before.with_notice(notice)
        if self._record_sent is not None:
            self._record_sent(sent, profile_id)
