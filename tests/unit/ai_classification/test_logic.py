"""What the step decides, records and writes, given what the classifier says."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from functions.ai_classification.logic import understand
from shared.domain.ai_use import AiUseName, Unavailable
from shared.domain.classification import Classification, Evidence, FellBack, Sentiment, Urgency
from shared.domain.errors import NotFound
from shared.domain.journey import ClassificationStep, JourneyState
from shared.domain.model import TouchpointId
from shared.domain.profile import Profile
from shared.domain.suppression import SuppressionRecord, endpoint_subject
from shared.domain.touchpoint import Channel, Content, Message, Review, SurveyAnswer, Touchpoint
from shared.events.catalogue import (
    EndpointReleased,
    EndpointSuppressed,
    HelpRequested,
    ProfileUpdated,
)
from tests import builders
from tests.fakes import FakeClassifier, World


@pytest.fixture
def world() -> World:
    return World()


def step_for(world: World, touchpoint: Touchpoint, *, profile: bool = True) -> ClassificationStep:
    world.ledger.record([builders.observed(touchpoint)])
    state = builders.journey(touchpoint)
    if not profile:
        state = JourneyState(touchpoint_id=touchpoint.touchpoint_id)
    return understand(
        state,
        ledger=world.ledger,
        classifier=world.classifier,
        profiles=world.profiles,
        consents=world.consents,
        policies=builders.policies(),
        clock=world.clock,
    )


def knows(world: World, text: str, **meaning: Any) -> None:
    world.classifier.known[text] = builders.classification(**meaning)


def of(content: Content, **overrides: Any) -> Touchpoint:
    return builders.touchpoint(content, **overrides)


def ruled(intent: str, rule: str) -> dict[str, Any]:
    evidence = (Evidence(aspect="intent", words=("stop",), weight=1.0, reason=rule),)
    return {"intent": intent, "decided_by": "rules", "version": "rules-1", "evidence": evidence}


def standing_on(world: World, seen: Touchpoint) -> SuppressionRecord:
    assert seen.endpoint is not None
    return world.consents.record(endpoint_subject(seen.endpoint))


def test_an_intent_that_owes_goes_on_to_a_ticket(world: World) -> None:
    step = step_for(world, builders.whatsapp_message("Où est ma commande ?"))
    assert step.next_step == "ticket_creation"
    assert step.classification.intent == "order_status"
    assert [one.outcome for one in step.decisions] == ["order_status", "owed"]
    assert step.decisions[0].reason == "because of: commande"
    assert step.decisions[0].by == "embedded-test"
    assert {one.at for one in step.decisions} == {world.clock.now()}


def test_a_thank_you_owes_nothing_but_its_ticket_hears_of_it(world: World) -> None:
    knows(world, "Merci !", intent="praise", evidence=())
    step = step_for(world, builders.whatsapp_message("Merci !"))
    assert step.next_step == "ticket_creation"
    assert step.decisions[1].outcome == "nothing_owed"
    assert step.decisions[0].reason == "no single word decided"
    assert step.decisions[1].by == "policy:intents"


def test_a_touchpoint_nobody_has_is_not_found(world: World) -> None:
    unknown = JourneyState(touchpoint_id=TouchpointId("none"))
    with pytest.raises(NotFound):
        understand(
            unknown,
            ledger=world.ledger,
            classifier=world.classifier,
            profiles=world.profiles,
            consents=world.consents,
            policies=builders.policies(),
            clock=world.clock,
        )


def test_the_profile_learns_a_confident_language_as_of_the_message(world: World) -> None:
    seen = builders.whatsapp_message("Où est ma commande ?")
    profile_id = builders.profile_id()
    attach(world, seen)
    step_for(world, seen)
    profile = world.profiles.read(profile_id)
    assert profile is not None and profile.learned_language is not None
    assert profile.learned_language.language == "fr"
    assert profile.learned_language.at == seen.occurred_at


def test_another_language_is_told_and_the_same_again_is_not(world: World) -> None:
    knows(world, "Where is it?", language="en")
    texts = ("Où est ma commande ?", "Merci", "Where is it?")
    wrote = [
        builders.whatsapp_message(text, at=builders.NOON + timedelta(hours=hour))
        for hour, text in enumerate(texts)
    ]
    attach(world, wrote[0])
    for seen in wrote:
        world.ledger.record([builders.observed(seen)])
        step_for(world, seen)
    updates = [one for one in world.events if isinstance(one, ProfileUpdated)]
    told = [one for one in updates if one.change == "language"]
    assert told == [
        ProfileUpdated(
            profile_id=builders.profile_id(), touchpoint_id=seen.touchpoint_id, change="language"
        )
        for seen in (wrote[0], wrote[2])
    ]


@pytest.mark.parametrize(
    "doubt", [{"language_confidence": 0.5}, {"language": "und", "language_confidence": 0.99}]
)
def test_a_doubtful_language_is_not_learned(world: World, doubt: dict[str, Any]) -> None:
    seen = builders.whatsapp_message("ok")
    knows(world, "ok", **doubt)
    attach(world, seen)
    step_for(world, seen)
    profile = world.profiles.read(builders.profile_id())
    assert profile is not None and profile.learned_language is None


def moods_after(world: World, *seen: Touchpoint) -> list[tuple[TouchpointId, float, str]]:
    for one in seen:
        attach(world, one)
        step_for(world, one)
    profile = world.profiles.read(builders.profile_id())
    assert profile is not None
    return [(mood.touchpoint_id, mood.score, mood.sentiment) for mood in profile.moods]


def test_the_profile_keeps_the_mood_of_a_message_once(world: World) -> None:
    seen = builders.whatsapp_message("Inadmissible")
    knows(world, "Inadmissible", sentiment=Sentiment.NEGATIVE, sentiment_score=-0.876)
    assert moods_after(world, seen) == [(seen.touchpoint_id, -0.88, "negative")]
    step_for(world, seen)
    profile = world.profiles.read(builders.profile_id())
    assert profile is not None and len(profile.moods) == 1


def test_a_mark_tells_a_mood_without_a_word_and_a_file_tells_none(world: World) -> None:
    assert moods_after(world, of(Message(text=" "))) == []
    ((_, score, sentiment),) = moods_after(World(), of(Review(rating=1)))
    assert (sentiment, score < 0) == ("negative", True)


def test_without_a_profile_the_message_is_understood_all_the_same(world: World) -> None:
    step = step_for(world, builders.whatsapp_message("Où est ma commande ?"), profile=False)
    assert step.next_step == "ticket_creation"
    assert world.profiles.read(builders.profile_id()) is None


def test_opting_out_by_a_rule_stops_the_endpoint_and_owes_nothing(world: World) -> None:
    seen = builders.sms("STOP")
    knows(world, "STOP", **ruled("opt_out", "opt_out_keyword"))
    step = step_for(world, seen)
    assert step.next_step == "nothing"
    (suppression,) = standing_on(world, seen).active
    assert suppression.touchpoint_id == seen.touchpoint_id
    assert suppression.at == seen.occurred_at
    assert step.decisions[0].reason == "rule opt_out_keyword on: stop"
    assert step.decisions[1].by == "policy:understanding"


def opt(world: World, word: str, rule: str, **overrides: Any) -> tuple[Touchpoint, str]:
    """A word in a message, and what is owed after it."""
    intent = {"opt_in_keyword": "other", "help_keyword": "contact_human"}.get(rule, "opt_out")
    seen = builders.sms(word, **overrides)
    knows(world, word, **ruled(intent, rule))
    return seen, step_for(world, seen).decisions[1].outcome


def test_opting_out_withdraws_the_consent_there_and_asks_for_one_confirmation(
    world: World,
) -> None:
    seen, owed = opt(world, "STOP", "opt_out_keyword")
    assert owed == "nothing_owed"
    (said_,) = world.consents.of([builders.profile_id()])
    assert (said_.purpose, said_.channel, said_.state) == ("marketing", "sms", "withdrawn")
    notice = standing_on(world, seen).notices["subscription"]
    assert (notice.template, notice.touchpoint_id) == ("opt_out_confirmed", seen.touchpoint_id)
    (event,) = world.happened(EndpointSuppressed)
    assert event.model_dump(exclude_none=True) == {
        "kind": "opt_out",
        "classes": "all",
        "channel": "sms",
        "touchpoint_id": seen.touchpoint_id,
        "profile_id": builders.profile_id(),
        "confirm": True,
    }


def test_whom_nobody_knows_is_stopped_all_the_same(world: World) -> None:
    seen = builders.sms("STOP")
    knows(world, "STOP", **ruled("opt_out", "opt_out_keyword"))
    step_for(world, seen, profile=False)
    assert len(standing_on(world, seen).active) == 1
    assert len(world.consents) == 0


def test_a_second_stop_is_confirmed_no_more(world: World) -> None:
    first, _ = opt(world, "STOP", "opt_out_keyword")
    opt(world, "stop!", "opt_out_keyword", at=builders.NOON + timedelta(minutes=1))
    assert standing_on(world, first).notices["subscription"].touchpoint_id == first.touchpoint_id
    assert len(world.happened(EndpointSuppressed)) == 1


def test_start_lifts_it_and_is_confirmed(world: World) -> None:
    opt(world, "STOP", "opt_out_keyword")
    seen, owed = opt(world, "START", "opt_in_keyword", at=builders.NOON + timedelta(minutes=1))
    record = standing_on(world, seen)
    assert record.active == ()
    assert record.notices["subscription"].template == "opt_in_confirmed"
    assert owed == "nothing_owed"
    assert len(world.happened(EndpointReleased)) == 1


def chat(word: str, **overrides: Any) -> dict[str, Any]:
    return {
        "channel": Channel.WHATSAPP,
        "provider": "whatsapp_cloud",
        "account": builders.WHATSAPP_LINE,
        "endpoint": builders.endpoint(),
        "key": f"wamid.{word}",
        **overrides,
    }


def test_start_opens_a_chat_for_who_never_opted_out(world: World) -> None:
    seen, owed = opt(world, "Start", "opt_in_keyword", **chat("Start"))
    assert owed == "owed"
    assert world.consents.records([]) == {}
    assert standing_on(world, seen).releases == {}


def test_start_counts_in_a_chat_for_who_had_opted_out(world: World) -> None:
    opt(world, "STOP", "opt_out_keyword", **chat("STOP"))
    later = builders.NOON + timedelta(minutes=1)
    seen, _ = opt(world, "Start", "opt_in_keyword", **chat("Start", at=later))
    assert standing_on(world, seen).active == ()


def mail(**overrides: Any) -> dict[str, Any]:
    way = builders.endpoint(Channel.EMAIL, provider="email_ses", account="s@b.example")
    return {"channel": Channel.EMAIL, "endpoint": way, **overrides}


def test_a_mail_that_nothing_proves_silences_nobody_and_a_person_looks(world: World) -> None:
    seen, owed = opt(world, "unsubscribe", "opt_out_keyword", **mail())
    assert owed == "owed"
    assert standing_on(world, seen) == SuppressionRecord()
    assert len(world.consents) == 0


def test_a_mail_whose_sender_is_proven_stops_the_offers(world: World) -> None:
    seen, owed = opt(world, "unsubscribe", "opt_out_keyword", **mail(proof="dmarc"))
    assert owed == "nothing_owed"
    (stop,) = standing_on(world, seen).active
    assert stop.classes == "marketing"


def test_help_is_answered_at_once_and_a_person_looks_as_well(world: World) -> None:
    seen, owed = opt(world, "HELP", "help_keyword")
    assert owed == "owed"
    assert standing_on(world, seen).notices["help"].touchpoint_id == seen.touchpoint_id
    (event,) = world.happened(HelpRequested)
    assert event.model_dump() == {"touchpoint_id": seen.touchpoint_id, "channel": "sms"}


def test_opting_out_without_an_endpoint_stops_nothing(world: World) -> None:
    knows(world, "STOP", **ruled("opt_out", "opt_out_keyword"))
    step = step_for(world, builders.sms("STOP", endpoint=None))
    assert step.classification.intent == "opt_out"


def test_a_model_alone_never_stops_an_endpoint(world: World) -> None:
    seen = builders.sms("assez de vos pubs")
    knows(world, "assez de vos pubs", intent="opt_out")
    step_for(world, seen)
    assert standing_on(world, seen).active == ()


def test_a_machine_s_answer_owes_nothing_though_its_intent_would(world: World) -> None:
    knows(world, "Automatic reply", **ruled("other", "automatic_reply"))
    step = step_for(world, builders.whatsapp_message("Automatic reply"))
    assert (step.classification.intent, step.next_step) == ("other", "nothing")


def test_twice_is_the_same_as_once(world: World) -> None:
    seen = builders.sms("STOP")
    knows(world, "STOP", **ruled("opt_out", "opt_out_keyword"))
    first = step_for(world, seen)
    stopped = standing_on(world, seen)
    assert step_for(world, seen) == first
    assert standing_on(world, seen) == stopped
    assert len(world.happened(EndpointSuppressed)) == 1


@pytest.mark.parametrize(
    ("content", "sentiment", "intent", "next_step"),
    [
        (
            SurveyAnswer(survey="s", metric="nps", score=3),
            "negative",
            "complaint",
            "ticket_creation",
        ),
        (SurveyAnswer(survey="s", metric="nps", score=8), "neutral", "other", "nothing"),
        (SurveyAnswer(survey="s", metric="nps", score=10), "positive", "praise", "nothing"),
        (
            SurveyAnswer(survey="s", metric="csat", score=2),
            "negative",
            "complaint",
            "ticket_creation",
        ),
        (SurveyAnswer(survey="s", metric="ces", score=6), "positive", "praise", "nothing"),
        (Review(rating=1), "negative", "complaint", "ticket_creation"),
        (Review(rating=3), "neutral", "other", "ticket_creation"),
        (Review(rating=9, best=10), "positive", "praise", "nothing"),
    ],
)
def test_a_mark_speaks_where_words_are_absent(
    world: World, content: Content, sentiment: str, intent: str, next_step: str
) -> None:
    knows(world, "", intent="other", intent_confidence=0, decided_by="rules", version="rules-1")
    step = step_for(world, of(content))
    found = step.classification
    assert (found.sentiment, found.intent, step.next_step) == (sentiment, intent, next_step)
    assert found.decided_by == "rules"
    assert found.runner_up is None


def test_a_bad_mark_leaves_a_precise_intent_and_colours_it(world: World) -> None:
    text = "The parcel never came"
    knows(world, text, intent="delivery_problem", sentiment=Sentiment.NEUTRAL)
    step = step_for(world, of(Review(rating=1, text=text)))
    found = step.classification
    assert (found.intent, found.sentiment) == ("delivery_problem", Sentiment.NEGATIVE)
    assert found.decided_by == "embedded"
    assert ("sentiment", "bad_review") in [(one.aspect, one.reason) for one in found.evidence]


def test_a_mark_decides_and_what_could_not_be_had_stays_on_the_record(world: World) -> None:
    missed = FellBack(ai_use=AiUseName.BEDROCK_CLASSIFICATION, why=Unavailable.SERVICE_REFUSED)
    knows(world, "hm", intent="other", fell_back_because="Bedrock refused", fell_back=missed)
    step = step_for(world, of(Review(rating=1, text="hm")))
    assert (step.classification.decided_by, step.classification.fell_back) == ("rules", missed)
    assert step.paid_classification is None, "what costs nothing can be asked again"


def test_what_was_paid_for_is_kept_where_the_mark_says_otherwise(world: World) -> None:
    knows(world, "hm", intent="praise", decided_by="bedrock")
    paid = step_for(world, of(Review(rating=1, text="hm"))).paid_classification
    assert paid is not None and (paid.intent, paid.decided_by) == ("praise", "bedrock")
    assert step_for(world, of(Message(text="hm"), key="2")).paid_classification is None


def test_a_good_mark_does_not_excuse_what_is_owed(world: World) -> None:
    text = "Nice, but where is my refund?"
    knows(world, text, intent="refund")
    step = step_for(world, of(SurveyAnswer(survey="s", metric="nps", score=9, text=text)))
    assert step.next_step == "ticket_creation"


@pytest.mark.parametrize(
    ("content", "heard"),
    [
        (Message(text="It broke.", subject="Warranty"), "Warranty\nIt broke."),
        (Message(text="Thanks", subject="Re: Warranty", in_reply_to="<1@example>"), "Thanks"),
        (Message(text="Hello"), "Hello"),
        (Review(rating=5, text="Lovely"), "Lovely"),
    ],
)
def test_what_counts_as_said(world: World, content: Content, heard: str) -> None:
    step_for(world, of(content))
    assert world.classifier.asked == [heard]


def test_the_classifier_is_told_what_the_touchpoint_states(world: World) -> None:
    told: list[tuple[str | None, Channel | None, datetime | None, tuple[str, ...]]] = []

    class Listening(FakeClassifier):
        def classify(
            self,
            text: str,
            *,
            language: str | None = None,
            channel: Channel | None = None,
            at: datetime | None = None,
            names: Sequence[str] = (),
        ) -> Classification:
            told.append((language, channel, at, tuple(names)))
            return super().classify(text, language=language)

    world.classifier = Listening()
    step_for(world, builders.sms("CANCEL", language="en-US"))
    assert told == [("en-US", Channel.SMS, builders.NOON, ("Awa",))]
    step_for(world, builders.sms("CANCEL", language="en-US", name=None, key="SM2"))
    assert told[-1][-1] == ()


def test_a_fall_back_is_said_in_the_decision(world: World) -> None:
    knows(world, "hm", fell_back_because="Bedrock did not answer: ReadTimeoutError")
    step = step_for(world, builders.whatsapp_message("hm"))
    assert "ReadTimeoutError" in step.decisions[0].reason


def test_an_empty_text_is_called_so(world: World) -> None:
    evidence = (Evidence(aspect="intent", words=(), reason="no_text"),)
    knows(world, "", intent="other", intent_confidence=0, decided_by="rules", evidence=evidence)
    step = step_for(world, of(Message(text="")))
    assert step.decisions[0].reason == "rule no_text"
    assert step.next_step == "ticket_creation"


def test_the_step_stays_small(world: World) -> None:
    """The state machine carries it and the ledger keeps it: about two kilobytes at most."""
    words = tuple(f"{'w' * 29}{n}" for n in range(5))
    evidence = tuple(
        Evidence.model_validate({"aspect": aspect, "words": words, "weight": 0.5, "reason": None})
        for aspect in ("intent", "sentiment", "urgency", "language")
    )
    knows(world, "x", evidence=evidence, urgency=Urgency.HIGH, urgency_reasons=("deadline",))
    step = step_for(world, builders.whatsapp_message("x"))
    assert len(json.dumps(step.model_dump(mode="json"))) <= 2_200


def attach(world: World, seen: Touchpoint) -> None:
    """The touchpoint is in the ledger and its person has a profile, as after the step before."""
    world.ledger.record([builders.observed(seen)])
    whose = builders.profile_id()
    world.profiles.put(Profile(profile_id=whose, profile_ids=(whose,), created_at=builders.NOON))
