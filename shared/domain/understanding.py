"""The company's choices about understanding: words that decide, urgency reasons, marks, thresholds.

All of it is data (`policies/understanding.yaml`); nothing here names an intent, a word or a
language.
"""

import re
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from shared.domain.classification import Sentiment, Urgency
from shared.domain.model import Model
from shared.domain.opting import Word
from shared.domain.touchpoint import Call, Channel, Choice, Content, Message, Review, SurveyAnswer

Phrases = dict[str, tuple[str, ...]]
"""Language to phrases. A phrase is matched on whole words, without case or accents; `*` ends a
word anyhow, `..`
stands for up to four words."""


class Thresholds(Model):
    intent: float = Field(ge=0, le=1)
    """The confidence in the intent below which the next classifier is asked, if there is one."""
    fallback: float = Field(ge=0, le=1)
    """The confidence below which the embedded model's best guess is not believed at all."""
    language: float = Field(ge=0, le=1)
    """The confidence below which a language is called undetermined."""
    learn_language: float = Field(ge=0, le=1)
    """The confidence from which a profile learns its language."""


class WordRule(Model):
    """Words that decide the intent by themselves.

    `whole` phrases must be the whole message, but for politeness and numbers; `within` phrases may
    stand anywhere in a message of at most `longest` words.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,49}$")
    intent: str
    owes: bool | None = None
    """Whether somebody owes the customer something then; None leaves that to the intent."""
    does: Word | None = None
    """What it brings about on the endpoint it came from."""
    channels: frozenset[Channel] | None = None
    """Where the rule holds; None is everywhere."""
    whole: Phrases = {}
    within: Phrases = {}
    unless: Phrases = {}
    longest: int = Field(default=15, ge=1)
    choices: frozenset[str] = frozenset()
    """Ids of buttons, rows and last screens of the USSD menu, which say it whatever their words
    are.
    """


class UrgencyReason(Model):
    """Why a message is urgent: said in words, or shown by what it is about and how it is felt."""

    level: Urgency
    phrases: Phrases = {}
    unless: Phrases = {}
    """Where one of these stands too, the words do not count."""
    intents: frozenset[str] | None = None
    """Holds only for these, as intent or as runner-up."""
    score_at_most: float | None = Field(default=None, ge=-1, le=1)
    """Holds only from this sentiment score down."""

    @model_validator(mode="after")
    def _has_a_condition(self) -> "UrgencyReason":
        if not self.phrases and self.score_at_most is None:
            raise ValueError("a reason needs phrases or score_at_most")
        return self


class WeakSignal(Model):
    """A sign of dissatisfaction that is said politely."""

    phrases: Phrases = Field(min_length=1)
    unless: Phrases = {}
    """Where one of these stands too, the words do not count."""


class WeakSignals(Model):
    """What a polite sign of dissatisfaction does to a message that seems neutral or positive."""

    lowers: float = Field(default=0, ge=0, le=2)
    """How far its score falls."""
    to_at_most: float = Field(default=0, ge=-1, le=1)
    to_at_least: float = Field(default=-1, ge=-1, le=1)
    """No sign alone takes the score below this."""
    negative_to: float = Field(default=0, ge=-1, le=1)
    positive_from: float = Field(default=0, ge=-1, le=1)
    confidence: float = Field(default=0.5, ge=0, le=1)
    """In the feeling that follows."""
    signals: dict[str, WeakSignal] = {}
    """Name to the words that show it."""

    @model_validator(mode="after")
    def _is_ordered(self) -> "WeakSignals":
        if self.to_at_least > self.to_at_most:
            raise ValueError("to_at_least must not be above to_at_most")
        if self.negative_to > self.positive_from:
            raise ValueError("negative_to must not be above positive_from")
        return self

    def lowered(self, score: float) -> float:
        """What a score becomes; one that is lower already stays."""
        fallen = max(self.to_at_least, min(score - self.lowers, self.to_at_most))
        return min(score, fallen)

    def feeling(self, score: float) -> Sentiment:
        if score <= self.negative_to:
            return Sentiment.NEGATIVE
        return Sentiment.POSITIVE if score >= self.positive_from else Sentiment.NEUTRAL


class EntityPolicy(Model):
    """What the company's messages name. Words and names are matched without case or accents."""

    order_words: tuple[str, ...] = ()
    """What may stand before the number of an order, a parcel, an invoice, a contract."""
    order_patterns: tuple[str, ...] = ()
    """Regular expressions of numbers that need no word before them."""
    currencies: dict[str, Annotated[str, Field(pattern=r"^[A-Z]{3}$")]] = {}
    """How a currency is written to its code of ISO 4217."""
    place_words: tuple[str, ...] = ()
    """What stands before a place: `magasin de`, `store in`."""
    places: tuple[str, ...] = ()
    """Names of the company's own places."""
    products: dict[str, tuple[str, ...]] = {}
    """Name to the other names people give it."""

    @field_validator("order_patterns")
    @classmethod
    def _compile(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in patterns:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"{pattern!r} is no regular expression: {error}") from None
        return patterns


class MarkRule(Model):
    """What a mark in a review or a survey answer says by itself. `rating` is the share of the best
    possible, 0 to 1.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,49}$")
    metric: Literal["nps", "csat", "ces", "rating"]
    at_least: float = 0
    at_most: float = 10
    sentiment: Sentiment
    score: float = Field(ge=-1, le=1)
    intent: str
    """Taken where the words say nothing more precise."""
    owes: bool | None = None


class Marks(Model):
    gives_way: frozenset[str]
    """Intents so general that a mark says more than they do."""
    rules: tuple[MarkRule, ...]

    def rule_for(self, content: Content) -> MarkRule | None:
        """The first rule that holds for this content's mark, or None where it has none."""
        match content:
            case Review():
                metric, mark = "rating", content.rating / content.best if content.best else 0.0
            case SurveyAnswer():
                metric, mark = content.metric, float(content.score)
            case _:
                return None
        return next(
            (
                rule
                for rule in self.rules
                if rule.metric == metric and rule.at_least <= mark <= rule.at_most
            ),
            None,
        )


class PlainWords(Model):
    """What a message is about by phrases alone: all there is while no model may be asked."""

    confidence: float = Field(ge=0, le=1)
    """Of whatever they tell. One number, since words cannot weigh themselves."""
    intents: dict[str, Phrases]
    """Intent to what says it unmistakably. The intent whose phrase is longest wins, of equals the
    one that stands first."""
    sentiments: dict[Literal["negative", "positive"], Phrases] = {}
    """Neutral where none of these is said, or both are."""
    score: float = Field(gt=0, le=1)
    """How far from neutral such a phrase is."""


class UnderstandingPolicy(Model):
    version: int = Field(ge=1)
    """Of the rules; raise it with every change of words."""
    fallback_intent: str
    """What a message is about when nothing better can be said."""
    thresholds: Thresholds
    polite_words: frozenset[str]
    """What may stand beside a `whole` phrase without changing it."""
    short_words: dict[str, frozenset[str]]
    """Language to the common words that tell it in a message of a few words."""
    rules: tuple[WordRule, ...]
    missed_call: WordRule | None = None
    """What a call is about that nobody answered, where the caller left no word."""
    urgency: dict[str, UrgencyReason]
    """Reason name to when it holds."""
    calm_intents: frozenset[str]
    """With no reason for more, these are of low urgency."""
    weak_signals: WeakSignals = WeakSignals()
    entities: EntityPolicy = EntityPolicy()
    marks: Marks
    words: PlainWords

    @field_validator("rules")
    @classmethod
    def _choices_mean_one_thing(cls, rules: tuple[WordRule, ...]) -> tuple[WordRule, ...]:
        known: dict[str, str] = {}
        for rule in rules:
            for choice in sorted(rule.choices):
                if (other := known.setdefault(choice, rule.name)) != rule.name:
                    raise ValueError(f"the choice {choice!r} is in {other} and in {rule.name}")
        return rules

    @property
    def rules_version(self) -> str:
        return f"rules-{self.version}"

    def word_rule(self, name: str | None) -> WordRule | None:
        return next((rule for rule in self.rules if rule.name == name), None)

    def rule_without_words(self, content: Content) -> WordRule | None:
        """The rule that holds whatever the words are: the provider took them for STOP and acted
        upon it, they are those of a choice we offered, or there are none, since nobody answered the
        call.
        """
        match content:
            case Message(answered_word=str(word)):
                return next((rule for rule in self.rules if rule.does == word), None)
            case Message(choice=Choice(id=chosen)):
                return next((rule for rule in self.rules if chosen in rule.choices), None)
            case Call(is_missed=True, text=""):
                return self.missed_call
            case _:
                return None

    def intents_named(self) -> list[tuple[tuple[str | int, ...], str]]:
        """Where in the policy an intent is named, and which."""
        return [
            (("fallback_intent",), self.fallback_intent),
            *((("rules", at, "intent"), rule.intent) for at, rule in enumerate(self.rules)),
            *([(("missed_call", "intent"), self.missed_call.intent)] if self.missed_call else []),
            *((("calm_intents",), intent) for intent in sorted(self.calm_intents)),
            *(
                (("urgency", name, "intents"), intent)
                for name, reason in self.urgency.items()
                for intent in sorted(reason.intents or ())
            ),
            *((("marks", "gives_way"), intent) for intent in sorted(self.marks.gives_way)),
            *(
                (("marks", "rules", at, "intent"), mark.intent)
                for at, mark in enumerate(self.marks.rules)
            ),
            *((("words", "intents", intent), intent) for intent in self.words.intents),
        ]
