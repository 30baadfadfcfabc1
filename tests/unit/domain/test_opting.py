from typing import Any

import pytest

from shared.domain.consent import Consent, ConsentState
from shared.domain.identity import Proof
from shared.domain.opting import (
    ConsentPolicy,
    Spoken,
    asked_for_help,
    is_believed,
    opted_in,
    opted_out,
)
from shared.domain.suppression import Release, Suppression, SuppressionKind, endpoint_subject
from shared.domain.touchpoint import Channel, Touchpoint
from tests.builders import NOON, endpoint, policies, sms, touchpoint

POLICY = policies().consent.words


def mail(**overrides: Any) -> Touchpoint:
    way = endpoint(Channel.EMAIL, provider="email_ses", account="a@b.example", address="awa@x.org")
    return touchpoint(channel=Channel.EMAIL, endpoint=way, **overrides)


def test_stop_stops_its_endpoint_withdraws_the_consent_there_and_is_to_be_confirmed() -> None:
    stop = sms("STOP")
    assert stop.endpoint is not None
    spoken = opted_out(stop, "opt_out_keyword", POLICY)
    assert spoken.subject == endpoint_subject(stop.endpoint)
    (suppression,) = spoken.statements
    assert isinstance(suppression, Suppression)
    assert (suppression.kind, suppression.classes) == (SuppressionKind.OPT_OUT, "all")
    assert (suppression.at, suppression.touchpoint_id) == (NOON, stop.touchpoint_id)
    assert (spoken.notice.template, spoken.notice.touchpoint_id) == (
        "opt_out_confirmed",
        stop.touchpoint_id,
    )
    assert spoken.consent == Consent(
        purpose="marketing",
        channel=Channel.SMS,
        state=ConsentState.WITHDRAWN,
        source="word:opt_out_keyword",
        proof=f"touchpoint:{stop.touchpoint_id}",
        at=NOON,
    )


def test_by_mail_only_marketing_stops() -> None:
    spoken = opted_out(mail(), "opt_out_sentence", POLICY)
    (suppression,) = spoken.statements
    assert isinstance(suppression, Suppression)
    assert suppression.classes == "marketing"
    assert spoken.notice.template == "offers_opt_out_confirmed"


@pytest.mark.parametrize(
    ("proof", "believed"),
    [(None, False), (Proof.DMARC, True), (Proof.CONFIRMED, True), (Proof.TRUSTED_KEY, False)],
)
def test_a_mail_is_believed_with_a_proof(proof: Proof | None, believed: bool) -> None:
    assert is_believed(mail(proof=proof), POLICY) is believed


def test_a_text_message_needs_none() -> None:
    assert is_believed(sms("STOP"), POLICY)


def lifts(spoken: Spoken) -> set[SuppressionKind]:
    assert all(isinstance(one, Release) for one in spoken.statements)
    return {one.kind for one in spoken.statements}


def test_start_lifts_what_the_person_or_their_provider_stopped_and_nothing_else() -> None:
    spoken = opted_in(sms("START"), "opt_in_keyword", POLICY)
    assert lifts(spoken) == {SuppressionKind.OPT_OUT, SuppressionKind.PROVIDER_BLOCK}
    assert spoken.notice.template == "opt_in_confirmed"
    assert (spoken.consent.state, spoken.consent.channel) == (ConsentState.RESTORED, Channel.SMS)


def test_help_is_to_be_answered_where_it_was_asked() -> None:
    asked = sms("HELP")
    assert asked.endpoint is not None
    subject, notice = asked_for_help(asked)
    assert subject == endpoint_subject(asked.endpoint)
    assert (notice.template, notice.touchpoint_id, notice.at) == (
        "help",
        asked.touchpoint_id,
        NOON,
    )


def policy(**changes: Any) -> ConsentPolicy:
    whole = policies().consent.model_dump(mode="json")
    return ConsentPolicy.model_validate(whole | changes)


def test_a_purpose_without_the_fallback_language_is_refused() -> None:
    only_french = {"marketing": {"name": {"fr": "Offres"}, "description": {"fr": "…"}}}
    with pytest.raises(ValueError, match="marketing has no en"):
        policy(purposes=only_french)


def test_words_speak_of_a_purpose_there_is() -> None:
    words = policies().consent.words.model_dump(mode="json") | {"purpose": "spam"}
    with pytest.raises(ValueError, match="'spam' is not one of the purposes"):
        policy(words=words)
