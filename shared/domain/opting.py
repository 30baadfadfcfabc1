"""Words by which a person opts out, opts in or asks for help, and what each of them brings about.

The carriers' rules behind it: STOP and its kin are honoured at once and confirmed once (CTIA
Messaging Principles 5.1.3; 47 CFR 64.1200(a)(10) and (12); in France the operators' charter of
short numbers, STOP on every number that advertises), START lifts, HELP names who is there.
"""

from datetime import timedelta
from enum import StrEnum
from typing import NamedTuple, Self

from pydantic import Field, model_validator

from shared.domain.consent import BY_WORD, Consent, ConsentState, PurposeName
from shared.domain.identity import Proof
from shared.domain.model import Model
from shared.domain.suppression import (
    RELEASED_BY_WORD,
    Classes,
    Notice,
    NoticeTemplate,
    Release,
    Suppression,
    SuppressionKind,
    endpoint_subject,
)
from shared.domain.touchpoint import Channel, Touchpoint


class Word(StrEnum):
    OPT_OUT = "opt_out"
    OPT_IN = "opt_in"
    HELP = "help"


class AnsweredLine(Model):
    """A line of ours whose provider answers these words itself."""

    provider: str
    account: str


class WordPolicy(Model):
    purpose: PurposeName
    """What the words withdraw and give back on their channel, beside stopping it."""
    stops: dict[Channel, Classes] = {}
    """What an opt-out stops; everything, where nothing is said."""
    proofs: dict[Channel, frozenset[Proof]] = {}
    """Where anybody can write in anybody's name: the proofs that make a word count."""
    opt_in_channels: frozenset[Channel]
    """Where the word that opts in counts from anybody; elsewhere only from who had opted out."""
    answered_by_provider: tuple[AnsweredLine, ...] = ()


class Purpose(Model):
    """What people are asked to allow, in their languages."""

    name: dict[str, str]
    description: dict[str, str]


class ConsentPolicy(Model):
    """The company's choices about consent (`policies/consent.yaml`)."""

    fallback_language: str
    purposes: dict[PurposeName, Purpose] = Field(min_length=1)
    channels: tuple[Channel, ...] = Field(min_length=1)
    """The channels a person may allow or forbid one by one."""
    link_lasts: timedelta = Field(gt=timedelta(0))
    """How long a link to the preference page is good."""
    words: WordPolicy

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.words.purpose not in self.purposes:
            raise ValueError(f"words.purpose: {self.words.purpose!r} is not one of the purposes")
        for name, purpose in self.purposes.items():
            for texts in (purpose.name, purpose.description):
                if self.fallback_language not in texts:
                    raise ValueError(
                        f"purposes: {name} has no {self.fallback_language}, the fallback language"
                    )
        return self


class Spoken(NamedTuple):
    """What one word brings about on the endpoint it came from."""

    subject: str
    statements: tuple[Suppression | Release, ...]
    notice: Notice
    consent: Consent


def is_believed(touchpoint: Touchpoint, policy: WordPolicy) -> bool:
    """Whether the word is the person's own: a mail's sender is easily made up, and nobody may
    silence somebody else.
    """
    wanted = policy.proofs.get(touchpoint.channel)
    return wanted is None or touchpoint.proof in wanted


def opted_out(touchpoint: Touchpoint, rule: str, policy: WordPolicy) -> Spoken:
    """The touchpoint must have an endpoint: that is what is stopped."""
    assert touchpoint.endpoint is not None
    channel = touchpoint.endpoint.channel
    stop = Suppression(
        kind=SuppressionKind.OPT_OUT,
        classes=policy.stops.get(channel, "all"),
        reason=f"the person opted out ({rule})",
        by=f"word:{rule}",
        at=touchpoint.occurred_at,
        touchpoint_id=touchpoint.touchpoint_id,
    )
    told: NoticeTemplate = "opt_out_confirmed"
    if stop.classes == "marketing":
        told = "offers_opt_out_confirmed"
    return _spoken(touchpoint, rule, policy, (stop,), told, ConsentState.WITHDRAWN)


def opted_in(touchpoint: Touchpoint, rule: str, policy: WordPolicy) -> Spoken:
    """The consent that a word withdrew comes back; none that was never given does."""
    lifts = tuple(
        Release(
            kind=kind,
            reason=f"the person opted in ({rule})",
            by=f"word:{rule}",
            at=touchpoint.occurred_at,
            touchpoint_id=touchpoint.touchpoint_id,
        )
        for kind in RELEASED_BY_WORD
    )
    return _spoken(touchpoint, rule, policy, lifts, "opt_in_confirmed", ConsentState.RESTORED)


def asked_for_help(touchpoint: Touchpoint) -> tuple[str, Notice]:
    """The endpoint's subject, and the answer that is due there."""
    assert touchpoint.endpoint is not None
    notice = Notice(
        template="help", touchpoint_id=touchpoint.touchpoint_id, at=touchpoint.occurred_at
    )
    return endpoint_subject(touchpoint.endpoint), notice


def _spoken(
    touchpoint: Touchpoint,
    rule: str,
    policy: WordPolicy,
    statements: tuple[Suppression | Release, ...],
    template: NoticeTemplate,
    state: ConsentState,
) -> Spoken:
    assert touchpoint.endpoint is not None
    consent = Consent(
        purpose=policy.purpose,
        channel=touchpoint.endpoint.channel,
        state=state,
        source=f"{BY_WORD}{rule}",
        proof=f"touchpoint:{touchpoint.touchpoint_id}",
        at=touchpoint.occurred_at,
    )
    notice = Notice(
        template=template, touchpoint_id=touchpoint.touchpoint_id, at=touchpoint.occurred_at
    )
    return Spoken(endpoint_subject(touchpoint.endpoint), statements, notice, consent)
