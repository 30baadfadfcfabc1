"""What a segment's rule may ask of a person: their traits, what is counted of them, what they did.

Each test says whether it holds, why in plain words, and until when that stays so if nothing but
time passes. And it says which touchpoints may move it, so that nobody is looked at in vain.
"""

import re
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated, Literal, NamedTuple, Self, TypeVar
from unicodedata import combining, normalize

from pydantic import AfterValidator, Field, JsonValue, model_validator

from shared.domain.classification import Sentiment
from shared.domain.model import Instant, Model
from shared.domain.profile import Profile
from shared.domain.touchpoint import (
    Appointment,
    Call,
    Channel,
    Contract,
    Direction,
    GoodsReturn,
    Order,
    Purchase,
    Touchpoint,
    TrackedEvent,
    WarrantyClaim,
)

NEGATIVE_TOUCHPOINT = "negative_touchpoint"
"""Somebody said something in a bad mood, as it was understood: their profile remembers those."""
MOST_KEPT = 20
"""Of each event, the newest."""
LONGEST = timedelta(days=3660)

UNDERSTOOD = frozenset({"message", "review", "survey_answer"})
"""Kinds of what is said, which TouchpointClassified tells of."""
_NAMELESS = frozenset({"delivery_status", "delivery_watermark", "unsupported"})
_RECORDS = (Order, Appointment, Contract, GoodsReturn, WarrantyClaim)
_EVERY_MOOD = frozenset(Sentiment)
_SLACK = 2
"""Contacts of one person that may be counted at the same moment, none of which sees the others."""

B = TypeVar("B", Decimal, timedelta)

Activity = Mapping[str, tuple[Instant, ...]]
"""When each named event happened to a person, newest first."""


def negative_touchpoints(profile: Profile) -> tuple[Instant, ...]:
    """When the latest of their moods were bad, newest first."""
    negative = (one.at for one in profile.moods if one.sentiment == Sentiment.NEGATIVE)
    return tuple(sorted(negative, reverse=True))


def activity_name(touchpoint: Touchpoint) -> str | None:
    """What a rule calls this touchpoint: `cart_abandoned`, `order_placed`, `review`.

    A tracked event by the company's own name for it, anything else by kind and status. None for
    what the company did, and for what has no name.
    """
    content = touchpoint.content
    if touchpoint.direction is Direction.OUTBOUND or content.kind in _NAMELESS:
        return None
    if isinstance(content, Call):
        # Its state is only known when everything of it is.
        return content.kind
    if isinstance(content, TrackedEvent):
        return snake_case(content.name) or None
    state = getattr(content, "status", None) or getattr(content, "state", None)
    return f"{content.kind}_{state}" if state else content.kind


def snake_case(name: str) -> str:
    """`Cart Abandoned`, `cartAbandoned` and `CART-ABANDONED` are all `cart_abandoned`."""
    plain = "".join(one for one in normalize("NFKD", name) if not combining(one))
    parted = re.sub(r"(?<=[^\W_A-Z])(?=[A-Z])", "_", plain)
    return re.sub(r"[\W_]+", "_", parted).strip("_").lower()


def _in_snake_case(name: str) -> str:
    if snake_case(name) != name:
        raise ValueError(f"{name!r} is written {snake_case(name)!r}")
    return name


EventName = Annotated[str, Field(min_length=1, max_length=50), AfterValidator(_in_snake_case)]
Length = Annotated[timedelta, Field(gt=timedelta(0), le=LONGEST)]


class Facts(NamedTuple):
    """All that is known of a person when a rule looks at them."""

    profile: Profile
    activity: Activity


class Before(NamedTuple):
    """What was known when a touchpoint came to its profile."""

    profile: Profile
    """That one by itself."""
    is_alone: bool
    """Whether it is all there is of the person."""


class Verdict(NamedTuple):
    """It stays as it is until `changes_at` if nothing but time passes; None is for ever."""

    holds: bool
    reasons: tuple[str, ...]
    changes_at: Instant | None


class TraitTest(Model):
    """A stored fact, compared as text. Of several values (tags, parts of an address) one is
    enough.
    """

    name: str = Field(min_length=1, max_length=100)
    equals: str | None = None
    one_of: frozenset[str] | None = Field(default=None, min_length=1)
    exists: bool | None = None

    @model_validator(mode="after")
    def _asks_one_thing(self) -> Self:
        if len(self.model_fields_set & {"equals", "one_of", "exists"}) != 1:
            raise ValueError("name one of equals, one_of, exists")
        return self

    def verdict(self, facts: Facts, now: datetime) -> Verdict:
        trait = facts.profile.traits.get(self.name)
        values = _texts(trait.value if trait is not None else None)
        if self.exists is not None:
            holds = bool(values) is self.exists
        else:
            holds = bool(values & (self.one_of or {self.equals}))
        said = f"is {', '.join(sorted(values))}"[:100] if values else "is not known"
        return Verdict(holds, (f"{self.name} {said}",), None)

    def moved_by(self, touchpoint: Touchpoint, before: Before) -> bool:
        """A trait that changes is told by itself."""
        return False

    @property
    def moods(self) -> frozenset[Sentiment]:
        return frozenset()


def _texts(value: JsonValue) -> frozenset[str]:
    match value:
        case None | "":
            return frozenset()
        case bool():
            return frozenset({str(value).lower()})
        case list():
            return frozenset().union(*map(_texts, value))
        case dict():
            return _texts(list(value.values()))
        case _:
            return frozenset({str(value)})


class _NumberTest(Model):
    """A number that time alone does not change."""

    at_least: Decimal | None = None
    at_most: Decimal | None = None
    equals: Decimal | None = None

    @model_validator(mode="after")
    def _compares(self) -> Self:
        _check_bounds(self.at_least, self.at_most)
        if self.at_least is self.at_most is self.equals is None:
            raise ValueError("name at_least, at_most or equals")
        return self

    def verdict(self, facts: Facts, now: datetime) -> Verdict:
        value = self.value(facts.profile)
        holds = value is not None and (
            (self.at_least is None or value >= self.at_least)
            and (self.at_most is None or value <= self.at_most)
            and (self.equals is None or value == self.equals)
        )
        said = "not known" if value is None else f"{value.normalize():f}"
        return Verdict(holds, (f"{self.what}: {said}",), None)

    @abstractmethod
    def value(self, profile: Profile) -> Decimal | None:
        """None where nobody can say yet: then no comparison holds."""

    @property
    @abstractmethod
    def what(self) -> str:
        """It is, in plain words."""

    @property
    def moods(self) -> frozenset[Sentiment]:
        return frozenset()


class ContactsTest(_NumberTest):
    """How often they came to us: said something, or did something."""

    name: Literal["contacts"]
    direction: Literal[Direction.INBOUND, Direction.PASSIVE] | None = None
    channel: Channel | None = None

    def value(self, profile: Profile) -> Decimal:
        return Decimal(
            sum(
                number
                for (way, medium), number in profile.contacts.items()
                if self._is(way, medium)
            )
        )

    @property
    def what(self) -> str:
        kinds = ", ".join(one.value for one in (self.direction, self.channel) if one is not None)
        return f"contacts ({kinds})" if kinds else "contacts"

    def moved_by(self, touchpoint: Touchpoint, before: Before) -> bool:
        if not self._is(touchpoint.direction, touchpoint.channel):
            return False
        bounds = [one for one in (self.at_least, self.at_most, self.equals) if one is not None]
        number = self.value(before.profile)
        return not before.is_alone or any(abs(one - number) <= _SLACK for one in bounds)

    def _is(self, direction: Direction, channel: Channel) -> bool:
        theirs = direction is not Direction.OUTBOUND and self.direction in {None, direction}
        return theirs and self.channel in {None, channel}


class SpendTest(_NumberTest):
    """What they spent with us, ever, in one currency."""

    name: Literal["spend"]
    currency: str = Field(pattern=r"^[A-Z]{3}$")

    def value(self, profile: Profile) -> Decimal:
        return Decimal(profile.spend.get(self.currency, 0)) / 1000

    @property
    def what(self) -> str:
        return f"spent in {self.currency}"

    def moved_by(self, touchpoint: Touchpoint, before: Before) -> bool:
        return isinstance(touchpoint.content, Purchase | Order)


class PurchasesTest(_NumberTest):
    name: Literal["purchases"]

    def value(self, profile: Profile) -> Decimal:
        return Decimal(profile.purchases)

    @property
    def what(self) -> str:
        return "purchases"

    def moved_by(self, touchpoint: Touchpoint, before: Before) -> bool:
        return isinstance(touchpoint.content, Purchase | Order)


class OpenRecordsTest(_NumberTest):
    """What somebody still has to do: open orders, appointments, returns, claims."""

    name: Literal["open_records"]
    kind: str | None = Field(default=None, pattern=r"^[a-z][a-z_]*$")

    def value(self, profile: Profile) -> Decimal:
        prefix = f"{self.kind}#" if self.kind is not None else ""
        return Decimal(sum(one.startswith(prefix) for one in profile.open_records))

    @property
    def what(self) -> str:
        return f"open records ({self.kind})" if self.kind is not None else "open records"

    def moved_by(self, touchpoint: Touchpoint, before: Before) -> bool:
        return isinstance(touchpoint.content, _RECORDS)


class MoodTest(_NumberTest):
    """`mood` is the mean of the latest, -1 to 1; `negative_moods` how many of them were bad."""

    name: Literal["mood", "negative_moods"]

    def value(self, profile: Profile) -> Decimal | None:
        moods = profile.moods
        if self.name == "negative_moods":
            return Decimal(sum(one.sentiment == Sentiment.NEGATIVE for one in moods))
        if not moods:
            return None
        return Decimal(str(round(sum(one.score for one in moods) / len(moods), 3)))

    @property
    def what(self) -> str:
        return self.name.replace("_", " ")

    def moved_by(self, touchpoint: Touchpoint, before: Before) -> bool:
        """Only by how it is understood, later."""
        return False

    @property
    def moods(self) -> frozenset[Sentiment]:
        return _EVERY_MOOD


_Age = Literal["since_first_contact", "since_last_contact", "since_last_purchase"]


class AgeTest(Model):
    """How long ago something was. What never was is neither recent nor long ago."""

    name: _Age
    at_least: Length | None = None
    at_most: Length | None = None

    @model_validator(mode="after")
    def _compares(self) -> Self:
        _check_bounds(self.at_least, self.at_most)
        if self.at_least is self.at_most is None:
            raise ValueError("name at_least or at_most")
        return self

    def verdict(self, facts: Facts, now: datetime) -> Verdict:
        moment = self._moment(facts.profile)
        what = self.name.removeprefix("since_").replace("_", " ")
        if moment is None:
            return Verdict(False, (f"{what}: never",), None)
        holds_from = moment + self.at_least if self.at_least is not None else None
        # The first moment at which it is older than it may be.
        ends_at = moment + self.at_most + timedelta.resolution if self.at_most is not None else None
        too_early = holds_from is not None and now < holds_from
        too_late = ends_at is not None and now >= ends_at
        changes_at = None if too_late else holds_from if too_early else ends_at
        said = (f"{what} {_length(now - moment)} ago",)
        return Verdict(not too_early and not too_late, said, changes_at)

    def _moment(self, profile: Profile) -> datetime | None:
        moments: dict[str, Instant | None] = {
            "since_first_contact": profile.first_at,
            "since_last_contact": last_contact_at(profile.last_at),
            "since_last_purchase": profile.last_purchase_at,
        }
        return moments[self.name]

    def moved_by(self, touchpoint: Touchpoint, before: Before) -> bool:
        """A contact counts only where it is the first, or ends a silence as long as the rule speaks
        of: of any other the timer learns when it fires.

        All of a person's profiles were silent no longer than each of them.
        """
        if self.name == "since_last_purchase":
            return isinstance(touchpoint.content, Purchase | Order)
        if self.name == "since_first_contact":
            # The first made the profile; what came late may have been before.
            first_at = before.profile.first_at
            return first_at is not None and touchpoint.occurred_at < first_at
        if touchpoint.direction is Direction.OUTBOUND:
            return False
        last_at = last_contact_at(before.profile.last_at)
        bounds = [one for one in (self.at_least, self.at_most) if one is not None]
        return last_at is None or touchpoint.occurred_at - last_at >= min(bounds)

    @property
    def moods(self) -> frozenset[Sentiment]:
        return frozenset()


def last_contact_at(last_at: Mapping[Direction, Instant]) -> Instant | None:
    """When they last came to us; what we sent is no contact of theirs."""
    theirs = (moment for way, moment in last_at.items() if way is not Direction.OUTBOUND)
    return max(theirs, default=None)


class _TextTest(Model):
    equals: str | None = None
    one_of: frozenset[str] | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _asks_one_thing(self) -> Self:
        if len(self.model_fields_set & {"equals", "one_of"}) != 1:
            raise ValueError("name one of equals, one_of")
        return self

    def verdict(self, facts: Facts, now: datetime) -> Verdict:
        value = self.value(facts.profile)
        said = f"{self.what}: {value or 'not known'}"
        return Verdict(value in (self.one_of or {self.equals}), (said,), None)

    @abstractmethod
    def value(self, profile: Profile) -> str | None:
        """None where nobody can say yet."""

    @property
    @abstractmethod
    def what(self) -> str:
        """It is, in plain words."""

    @property
    def moods(self) -> frozenset[Sentiment]:
        return frozenset()


class LanguageTest(_TextTest):
    name: Literal["language"]

    def value(self, profile: Profile) -> str | None:
        return profile.language

    @property
    def what(self) -> str:
        return "language"

    def moved_by(self, touchpoint: Touchpoint, before: Before) -> bool:
        """Stated or learned, another language is told by itself."""
        return False


class PreferredChannelTest(_TextTest):
    name: Literal["preferred_channel"]
    equals: Channel | None = None
    one_of: frozenset[Channel] | None = Field(default=None, min_length=1)

    def value(self, profile: Profile) -> str | None:
        return profile.preferred_channel

    @property
    def what(self) -> str:
        return "preferred channel"

    def moved_by(self, touchpoint: Touchpoint, before: Before) -> bool:
        """Where no other channel is nearly as frequent, one more contact changes nothing, but for
        the very first.
        """
        if touchpoint.direction is not Direction.INBOUND:
            return False
        spoken = {
            channel: number
            for (way, channel), number in before.profile.contacts.items()
            if way is Direction.INBOUND
        }
        number = spoken.pop(touchpoint.channel, 0)
        most = max(spoken.values(), default=None)
        if not before.is_alone or most is None:
            return not before.is_alone or number == 0
        return abs(most - number) <= _SLACK


AttributeTest = Annotated[
    ContactsTest
    | SpendTest
    | PurchasesTest
    | OpenRecordsTest
    | MoodTest
    | AgeTest
    | LanguageTest
    | PreferredChannelTest,
    Field(discriminator="name"),
]


class EventTest(Model):
    """Something happened: at least so often, within so long, after the last of something else."""

    name: EventName
    within: Length | None = None
    at_least: int = Field(default=1, ge=1, le=MOST_KEPT)
    after: EventName | None = None

    def verdict(self, facts: Facts, now: datetime) -> Verdict:
        moments = [one for one in self._moments(facts.activity) if self._counts(one, now)]
        holds = len(moments) >= self.at_least
        # It is over when the last of those that are needed no longer counts.
        ends = moments[self.at_least - 1] if holds and self.within is not None else None
        changes_at = ends + self.within if ends is not None and self.within is not None else None
        within = f" within {_length(self.within)}" if self.within is not None else ""
        after = f" after {self.after}" if self.after is not None else ""
        return Verdict(holds, (f"{self.name}{within}{after}: {len(moments)}",), changes_at)

    def _moments(self, activity: Activity) -> tuple[Instant, ...]:
        happened = activity.get(self.name, ())
        if self.after is None:
            return happened
        since = max(activity.get(self.after, ()), default=None)
        return tuple(one for one in happened if since is not None and one > since)

    def _counts(self, moment: datetime, now: datetime) -> bool:
        return self.within is None or now < moment + self.within

    @property
    def names(self) -> frozenset[str]:
        return frozenset({self.name, self.after or self.name})

    def moved_by(self, touchpoint: Touchpoint, before: Before) -> bool:
        return activity_name(touchpoint) in self.names

    @property
    def moods(self) -> frozenset[Sentiment]:
        if self.names & UNDERSTOOD:
            return _EVERY_MOOD
        return frozenset({Sentiment.NEGATIVE} if NEGATIVE_TOUCHPOINT in self.names else ())


def _check_bounds(at_least: B | None, at_most: B | None) -> None:
    if at_least is not None and at_most is not None and at_least > at_most:
        raise ValueError("at_least is more than at_most")


def _length(length: timedelta) -> str:
    """In the largest unit that says something: `3 days`, `5 hours`, `0 minutes`."""
    for unit, size in (("day", timedelta(days=1)), ("hour", timedelta(hours=1))):
        if length >= size:
            return _many(length // size, unit)
    return _many(max(length // timedelta(minutes=1), 0), "minute")


def _many(number: int, unit: str) -> str:
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"


Test = TraitTest | AttributeTest | EventTest


class Condition(Model):
    """One of: all of these, any of these, not this, or a test."""

    all: tuple["Condition", ...] | None = Field(default=None, min_length=1)
    any: tuple["Condition", ...] | None = Field(default=None, min_length=1)
    not_: "Condition | None" = Field(default=None, alias="not")
    trait: TraitTest | None = None
    attribute: AttributeTest | None = None
    event: EventTest | None = None

    @model_validator(mode="after")
    def _is_one_thing(self) -> Self:
        if len(self.model_fields_set) != 1:
            raise ValueError("a condition is one of all, any, not, trait, attribute, event")
        return self

    def verdict(self, facts: Facts, now: datetime) -> Verdict:
        if self.not_ is not None:
            return _opposite(self.not_.verdict(facts, now))
        parts = [one.verdict(facts, now) for one in self._parts]
        if self.any is not None:
            return _opposite(_together(list(map(_opposite, parts))))
        return _together(parts)

    @property
    def _parts(self) -> "tuple[Condition | Test, ...]":
        """Conditions within this one, or its test."""
        within = self.all or self.any or (self.not_,)
        return tuple(
            one for one in (*within, self.trait, self.attribute, self.event) if one is not None
        )

    def tests(self) -> Iterator[Test]:
        for part in self._parts:
            if isinstance(part, Condition):
                yield from part.tests()
            else:
                yield part


def _together(parts: list[Verdict]) -> Verdict:
    """Holds where all do, until the first of them ends; fails as long as one of them fails."""
    failing = [one for one in parts if not one.holds]
    reasons = tuple(reason for one in failing or parts for reason in one.reasons)
    moments = [one.changes_at for one in failing or parts]
    known = [one for one in moments if one is not None]
    if failing:
        return Verdict(False, reasons, max(known) if len(known) == len(moments) else None)
    return Verdict(True, reasons, min(known, default=None))


def _opposite(verdict: Verdict) -> Verdict:
    """The reasons tell how things are, whether that is wanted or not."""
    return verdict._replace(holds=not verdict.holds)
