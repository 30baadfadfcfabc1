"""The ports in memory, true to their docstrings: what is forbidden raises, what pages pages.

Every fact a fake was told stands in its `events`, in order. A `World` holds one of each, and they
know each other as the tables do.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar

from shared.domain.breaker import BreakerState
from shared.domain.classification import Classification
from shared.domain.errors import PasserelleError
from shared.domain.touchpoint import Channel
from shared.events.envelope import Event
from shared.ports.consents import ConsentStore
from shared.ports.ledger import Ledger
from shared.ports.profiles import PhoneNumbers, ProfileStore
from shared.ports.providers import Clock, Secrets, Sender
from shared.ports.segments import SegmentStore
from shared.ports.tickets import TicketStore, Timer
from shared.ports.understanding import AiUses, Classifier
from shared.ports.webhooks import Bus, EventRules, WebhookReceivers, Webhooks
from shared.providers.base import Outgoing
from tests import builders
from tests.fake_ai_uses import FakeAiUses
from tests.fake_consents import FakeConsentStore
from tests.fake_ledger import FakeLedger
from tests.fake_profiles import FakeProfileStore
from tests.fake_segments import FakeSegmentStore
from tests.fake_tickets import FakeTicketStore, FakeTimer
from tests.fake_webhooks import FakeEventRules, FakeReceivers, FakeWebhooks

T = TypeVar("T")


class FakeClassifier:
    """Knows some texts, and answers `builders.classification()` for the others.

    `asked` keeps what it was given.
    """

    def __init__(self, known: Mapping[str, Classification] | None = None) -> None:
        self.known = dict(known or {})
        self.asked: list[str] = []

    def classify(
        self,
        text: str,
        *,
        language: str | None = None,
        channel: Channel | None = None,
        at: datetime | None = None,
        names: Sequence[str] = (),
    ) -> Classification:
        self.asked.append(text)
        return self.known.get(text) or builders.classification(language=language or "fr")


class FakeSecrets:
    def __init__(self, secrets: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        self.secrets = dict(secrets or {})

    def read(self, provider: str) -> Mapping[str, Any] | None:
        return self.secrets.get(provider)


class FakeClock:
    def __init__(self, now: datetime = builders.NOON) -> None:
        self._now = now

    def now(self) -> datetime:
        return self._now

    def advance(self, by: timedelta) -> None:
        self._now += by


class FakeSender:
    """Keeps what was sent, and hands out ids. `fail_next` makes the next transmission raise."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, Outgoing]] = []
        self._failures: list[PasserelleError] = []

    def __len__(self) -> int:
        return len(self.sent)

    def fail_next(self, *errors: PasserelleError) -> None:
        self._failures.extend(errors)

    def transmit(self, provider: str, outgoing: Outgoing) -> str:
        if self._failures:
            raise self._failures.pop(0)
        self.sent.append((provider, outgoing))
        return f"{provider}-message-{len(self.sent)}"


class FakeAccountBreakers:
    """`reads` and `writes` count what each message cost."""

    def __init__(self, events: list[Event] | None = None) -> None:
        self.events: list[Event] = events if events is not None else []
        self.states: dict[tuple[str, str], BreakerState] = {}
        self.reads = self.writes = 0

    def state(self, provider: str, account: str) -> BreakerState:
        self.reads += 1
        return self.states.get((provider, account), BreakerState())

    def change(
        self,
        provider: str,
        account: str,
        before: BreakerState,
        after: BreakerState,
        event: Event | None = None,
    ) -> bool:
        if self.states.get((provider, account), BreakerState()) != before:
            return False
        self.states[provider, account] = after
        self.writes += 1
        if event is not None:
            self.events.append(event)
        return True


class FakePhoneNumbers:
    """Reads international numbers, and national ones of a few countries by their trunk zero."""

    _CALLING_CODES: Mapping[str, str] = {"FR": "+33", "BE": "+32", "GB": "+44"}
    _TIME_ZONES: Mapping[str, str] = {"+33": "Europe/Paris", "+225": "Africa/Abidjan"}
    _SHORTEST, _LONGEST = 8, 15

    def e164(self, value: str, region: str | None = None) -> str | None:
        compact = "".join(letter for letter in value if letter not in " .-()/")
        compact = f"+{compact[2:]}" if compact.startswith("00") else compact
        if compact.startswith("0") and region is not None and region in self._CALLING_CODES:
            compact = self._CALLING_CODES[region] + compact[1:]
        digits = compact.removeprefix("+")
        is_number = digits.isdecimal() and digits.isascii() and compact.startswith("+")
        return compact if is_number and self._SHORTEST <= len(digits) <= self._LONGEST else None

    def time_zone(self, e164: str) -> str | None:
        zones = (zone for code, zone in self._TIME_ZONES.items() if e164.startswith(code))
        return next(zones, None)


class FakeBus:
    """Keeps what it took. `refuse_next` makes it refuse that many entries."""

    def __init__(self) -> None:
        self.published: list[tuple[str, dict[str, Any]]] = []
        self._refusals = 0

    def __len__(self) -> int:
        return len(self.published)

    def __contains__(self, detail_type: object) -> bool:
        return any(one == detail_type for one, _ in self.published)

    def refuse_next(self, entries: int = 1) -> None:
        self._refusals += entries

    def publish(self, events: Iterable[tuple[str, Mapping[str, Any]]]) -> list[bool]:
        return [self._publish(type_, detail) for type_, detail in events]

    def _publish(self, detail_type: str, detail: Mapping[str, Any]) -> bool:
        if self._refusals:
            self._refusals -= 1
            return False
        self.published.append((detail_type, dict(detail)))
        return True


@dataclass
class World:
    """One of each, with one list of events between them."""

    events: list[Event] = field(default_factory=list)
    ledger: FakeLedger = field(init=False)
    profiles: FakeProfileStore = field(init=False)
    tickets: FakeTicketStore = field(init=False)
    segments: FakeSegmentStore = field(init=False)
    consents: FakeConsentStore = field(init=False)
    ai_uses: FakeAiUses = field(init=False)
    timer: FakeTimer = field(default_factory=FakeTimer)
    classifier: FakeClassifier = field(default_factory=FakeClassifier)
    secrets: FakeSecrets = field(default_factory=FakeSecrets)
    clock: FakeClock = field(default_factory=FakeClock)
    sender: FakeSender = field(default_factory=FakeSender)
    breakers: FakeAccountBreakers = field(init=False)
    phone_numbers: FakePhoneNumbers = field(default_factory=FakePhoneNumbers)
    bus: FakeBus = field(default_factory=FakeBus)
    webhooks: FakeWebhooks = field(init=False)
    event_rules: FakeEventRules = field(default_factory=FakeEventRules)
    receivers: FakeReceivers = field(default_factory=FakeReceivers)

    def __post_init__(self) -> None:
        self.ledger = FakeLedger(self.events)
        self.profiles = FakeProfileStore(self.ledger, self.events)
        self.tickets = FakeTicketStore(self.ledger, self.events, self.profiles)
        self.segments = FakeSegmentStore(self.events)
        self.consents = FakeConsentStore(self.events, self.ledger.record_sent)
        self.ai_uses = FakeAiUses(self.events)
        self.breakers = FakeAccountBreakers(self.events)
        self.webhooks = FakeWebhooks(self.events)

    def happened(self, *types: type[Event]) -> list[Event]:
        """The events of these types, in order."""
        return [event for event in self.events if isinstance(event, types)]


Ports = tuple[
    Ledger,
    ProfileStore,
    TicketStore,
    SegmentStore,
    ConsentStore,
    AiUses,
    Timer,
    Classifier,
    Secrets,
    Clock,
    Sender,
    PhoneNumbers,
    Bus,
    Webhooks,
    EventRules,
    WebhookReceivers,
]


def as_ports(world: World) -> Ports:
    """Each fake as the port it stands for: mypy proves here that they fit."""
    return (
        world.ledger,
        world.profiles,
        world.tickets,
        world.segments,
        world.consents,
        world.ai_uses,
        world.timer,
        world.classifier,
        world.secrets,
        world.clock,
        world.sender,
        world.phone_numbers,
        world.bus,
        world.webhooks,
        world.event_rules,
        world.receivers,
    )
