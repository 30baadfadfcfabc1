"""Who is in a segment, why, and until when."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from shared.domain.classification import Sentiment
from shared.domain.model import ProfileId, TouchpointId
from shared.domain.profile import LearnedLanguage, Mood, Profile, Trait
from shared.domain.segment import (
    EvaluationRequest,
    Segment,
    SegmentPolicy,
    SegmentState,
    evaluate,
    facts_of,
    schedule_name,
)
from shared.domain.segment_rule import (
    MOST_KEPT,
    Activity,
    Condition,
    Facts,
    Verdict,
    activity_name,
    snake_case,
)
from shared.domain.touchpoint import (
    Appointment,
    Channel,
    ConsentStatement,
    DeliveryStatus,
    Direction,
    GoodsReturn,
    Identification,
    Order,
    PageView,
    Purchase,
    Review,
    Touchpoint,
    TrackedEvent,
    Unsupported,
)
from tests import builders
from tests.builders import NOON, touchpoint, whatsapp_message
from tests.unit.domain.segment_strategies import conditions, facts

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SECOND = timedelta(seconds=1)


def profile(**fields: Any) -> Profile:
    return Profile.model_validate({"profile_id": "p", "created_at": NOON} | fields)


def look(when: dict[str, Any], *, activity: Activity | None = None, **fields: Any) -> Verdict:
    """At noon."""
    known = Facts(profile(**fields), activity or {})
    return Condition.model_validate(when).verdict(known, NOON)


def event(name: str = "cart_abandoned", **fields: Any) -> dict[str, Any]:
    return {"event": {"name": name, **fields}}


def attribute(name: str, **fields: Any) -> dict[str, Any]:
    return {"attribute": {"name": name, **fields}}


class TestTimeAlone:
    @given(conditions, facts, st.integers(min_value=0, max_value=5 * 3600))
    def test_nothing_changes_before_it_is_said_to(
        self, rule: Condition, known: Facts, seconds: int
    ) -> None:
        now = rule.verdict(known, NOON)
        assert now.changes_at is None or now.changes_at > NOON
        later = NOON + timedelta(seconds=seconds)
        eve = now.changes_at - timedelta.resolution if now.changes_at is not None else later
        for moment in (min(later, eve), eve):
            assert rule.verdict(known, moment).holds is now.holds

    @given(conditions, facts)
    def test_it_comes_to_rest(self, rule: Condition, known: Facts) -> None:
        """Every timer is set for a later moment, and there is a last one."""
        moment, fired = NOON, 0
        while (changes_at := rule.verdict(known, moment).changes_at) is not None:
            assert changes_at > moment
            moment, fired = changes_at, fired + 1
        assert fired < 50

    @given(conditions, facts)
    def test_a_single_test_does_change_when_it_says_so(self, rule: Condition, known: Facts) -> None:
        now = rule.verdict(known, NOON)
        if (rule.attribute or rule.event) and now.changes_at is not None:
            assert rule.verdict(known, now.changes_at).holds is not now.holds

    @given(conditions, facts)
    def test_not_is_the_opposite_and_the_reasons_stay(self, rule: Condition, known: Facts) -> None:
        there = rule.verdict(known, NOON)
        opposite = Condition.model_validate(
            {"not": rule.model_dump(by_alias=True, exclude_unset=True)}
        )
        assert opposite.verdict(known, NOON) == there._replace(holds=not there.holds)
        assert there.reasons


class TestEvents:
    def test_it_counts_until_its_time_is_over(self) -> None:
        when = event(within="P1D")
        activity = {"cart_abandoned": (NOON - HOUR,)}
        assert look(when, activity=activity) == Verdict(
            True, ("cart_abandoned within 1 day: 1",), NOON - HOUR + DAY
        )
        assert look(when, activity={"cart_abandoned": (NOON - DAY,)}).holds is False
        assert look(when).reasons == ("cart_abandoned within 1 day: 0",)

    def test_of_several_the_one_that_is_needed_decides_how_long(self) -> None:
        activity = {"x": (NOON - HOUR, NOON - 2 * HOUR, NOON - 3 * HOUR)}
        verdict = look(event("x", within="P1D", at_least=2), activity=activity)
        assert verdict.changes_at == NOON - 2 * HOUR + DAY

    def test_ever_is_for_ever(self) -> None:
        assert look(event(), activity={"cart_abandoned": (NOON - 900 * DAY,)}) == Verdict(
            True, ("cart_abandoned: 1",), None
        )

    @pytest.mark.parametrize(
        ("bought", "holds"), [((), False), ((NOON - 2 * HOUR,), False), ((NOON,), True)]
    )
    def test_after_the_last_of_another(self, bought: tuple[Any, ...], holds: bool) -> None:
        carts = (NOON - HOUR, NOON - 3 * HOUR)
        when = event("purchase", after="cart_abandoned")
        activity = {"cart_abandoned": carts, "purchase": bought}
        assert look(when, activity=activity).holds is holds

    def test_after_what_never_was_is_never(self) -> None:
        when = event("purchase", after="cart_abandoned")
        assert look(when, activity={"purchase": (NOON,)}).reasons == (
            "purchase after cart_abandoned: 0",
        )


class TestTraits:
    @pytest.mark.parametrize(
        ("value", "test", "holds"),
        [
            ("gold", {"equals": "gold"}, True),
            ("Gold", {"equals": "gold"}, False),
            (5, {"equals": "5"}, True),
            (True, {"equals": "true"}, True),
            (["gold", "old"], {"equals": "old"}, True),
            ("gold", {"one_of": ["silver", "gold"]}, True),
            ("tin", {"one_of": ["silver", "gold"]}, False),
            ("tin", {"exists": "yes"}, True),
            ("tin", {"exists": "no"}, False),
            (None, {"exists": "yes"}, False),
            ("", {"exists": "no"}, True),
            ({"city": "Dakar"}, {"exists": "yes"}, True),
            ({"city": "Dakar"}, {"equals": "Dakar"}, True),
            ({}, {"exists": "yes"}, False),
            ([], {"exists": "yes"}, False),
            (None, {"equals": "None"}, False),
        ],
    )
    def test_they_are_compared_as_text(self, value: Any, test: dict[str, Any], holds: bool) -> None:
        traits = {"plan": Trait(value=value, at=NOON)}
        assert look({"trait": {"name": "plan", **test}}, traits=traits).holds is holds

    def test_in_plain_words(self) -> None:
        when = {"trait": {"name": "plan", "exists": "yes"}}
        assert look(when).reasons == ("plan is not known",)
        traits = {"plan": Trait(value="g" * 500, at=NOON)}
        assert len(look(when, traits=traits).reasons[0]) < 120


class TestAttributes:
    @pytest.mark.parametrize(
        ("test", "holds"),
        [
            ({"at_least": "5"}, True),
            ({"at_least": "6"}, False),
            ({"equals": 5}, True),
            ({"at_least": 1, "at_most": 4}, False),
            ({"direction": "inbound", "equals": 3}, True),
            ({"channel": "web", "equals": 2}, True),
            ({"direction": "inbound", "channel": "web", "equals": 0}, True),
        ],
    )
    def test_contacts_are_theirs_and_not_ours(self, test: dict[str, Any], holds: bool) -> None:
        contacts = {
            (Direction.INBOUND, Channel.SMS): 3,
            (Direction.PASSIVE, Channel.WEB): 2,
            (Direction.OUTBOUND, Channel.SMS): 7,
        }
        assert look(attribute("contacts", **test), contacts=contacts).holds is holds

    def test_spend_is_in_whole_units_of_one_currency(self) -> None:
        when = attribute("spend", currency="EUR", at_least="500.50")
        spent = look(when, spend={"EUR": 500_500, "USD": 1})
        assert spent == Verdict(True, ("spent in EUR: 500.5",), None)
        assert look(when, spend={"EUR": 500_499}).holds is False
        assert look(when, spend={"USD": 900_000}).reasons == ("spent in EUR: 0",)

    def test_purchases_and_open_records(self) -> None:
        assert look(attribute("purchases", at_least=2), purchases=2).holds
        open_ = frozenset({"order#1", "return#2"})
        assert look(attribute("open_records", equals=2), open_records=open_).holds
        orders = look(attribute("open_records", kind="order", equals=1), open_records=open_)
        assert orders == Verdict(True, ("open records (order): 1",), None)

    def test_moods(self) -> None:
        moods = (
            Mood(at=NOON, score=-0.5, sentiment=Sentiment.NEGATIVE),
            Mood(at=NOON, score=1, sentiment=Sentiment.POSITIVE),
        )
        assert look(attribute("negative_moods", equals=1), moods=moods).holds
        assert look(attribute("mood", at_least="0.2"), moods=moods).reasons == ("mood: 0.25",)
        assert look(attribute("mood", at_least=-1)) == Verdict(False, ("mood: not known",), None)

    def test_language_and_preferred_channel(self) -> None:
        learned = LearnedLanguage(language="it", at=NOON)
        assert look(attribute("language", equals="it"), learned_language=learned).holds
        assert look(attribute("language", one_of=["fr"])).reasons == ("language: not known",)
        contacts = {(Direction.INBOUND, Channel.WHATSAPP): 1}
        prefers = look(attribute("preferred_channel", equals="whatsapp"), contacts=contacts)
        assert prefers == Verdict(True, ("preferred channel: whatsapp",), None)

    def test_long_ago_begins_by_time_alone(self) -> None:
        when = attribute("since_last_contact", at_least="P90D")
        last = {Direction.PASSIVE: NOON - 89 * DAY, Direction.OUTBOUND: NOON}
        assert look(when, last_at=last) == Verdict(False, ("last contact 89 days ago",), NOON + DAY)
        assert look(when, last_at={Direction.INBOUND: NOON - 90 * DAY}).holds
        assert look(when) == Verdict(False, ("last contact: never",), None)

    def test_recently_ends_by_time_alone(self) -> None:
        when = attribute("since_last_purchase", at_most="PT2H")
        verdict = look(when, last_purchase_at=NOON - 2 * HOUR)
        assert verdict == Verdict(True, ("last purchase 2 hours ago",), NOON + timedelta.resolution)
        assert look(when, last_purchase_at=NOON - 2 * HOUR - SECOND).changes_at is None

    def test_between_begins_and_ends(self) -> None:
        when = attribute("since_first_contact", at_least="PT1H", at_most="PT2H")
        assert look(when, first_at=NOON).changes_at == NOON + HOUR
        assert look(when, first_at=NOON).reasons == ("first contact 0 minutes ago",)
        within = look(when, first_at=NOON - HOUR)
        assert (within.holds, within.changes_at) == (True, NOON + HOUR + timedelta.resolution)
        over = look(when, first_at=NOON - 3 * HOUR)
        assert (over.holds, over.changes_at) == (False, None)


class TestTogether:
    CARTS: Activity = {"cart_abandoned": (NOON - HOUR,), "purchase": (NOON - 2 * HOUR,)}

    def test_reasons_are_those_that_decide(self) -> None:
        parts = [event(within="P1D"), attribute("purchases", at_least=1)]
        assert look({"all": parts}, activity=self.CARTS).reasons == ("purchases: 0",)
        assert look({"any": parts}, activity=self.CARTS).reasons == (
            "cart_abandoned within 1 day: 1",
        )

    def test_what_fails_for_ever_needs_no_timer(self) -> None:
        parts = [event(within="P1D"), attribute("purchases", at_least=1)]
        assert look({"all": parts}, activity=self.CARTS).changes_at is None
        assert look({"any": parts}, activity=self.CARTS).changes_at == NOON - HOUR + DAY

    def test_all_holds_until_the_first_ends_any_until_the_last(self) -> None:
        parts = [event(within="P1D"), event("purchase", within="P1D")]
        assert look({"all": parts}, activity=self.CARTS).changes_at == NOON - 2 * HOUR + DAY
        assert look({"any": parts}, activity=self.CARTS).changes_at == NOON - HOUR + DAY


class TestWrongRules:
    @pytest.mark.parametrize(
        ("when", "said"),
        [
            ({}, "a condition is one of all, any, not, trait, attribute, event"),
            ({**event(), "all": []}, "all"),
            ({**event(), **attribute("purchases", at_least=1)}, "a condition is one of"),
            ({"all": []}, "at least 1 item"),
            (event("Cart Abandoned"), "'Cart Abandoned' is written 'cart_abandoned'"),
            (event(within="-P1D"), "greater than 0"),
            (event(within="P99999D"), "less than or equal to"),
            (event(at_least=21), "less than or equal to 20"),
            ({"event": "cart_abandoned"}, "valid dictionary or instance of EventTest"),
            (attribute("mana", at_least=1), "does not match any of the expected tags: 'contacts'"),
            (attribute("purchases"), "name at_least, at_most or equals"),
            (attribute("purchases", at_least=2, at_most=1), "at_least is more than at_most"),
            (attribute("spend", at_least=2), "Field required"),
            (attribute("contacts", direction="outbound", at_least=1), "inbound"),
            (attribute("since_last_contact"), "name at_least or at_most"),
            (attribute("since_last_contact", at_least="P2D", at_most="P1D"), "is more than"),
            (attribute("since_last_contact", at_least="-P1D"), "greater than 0"),
            (attribute("language"), "name one of equals, one_of"),
            (attribute("preferred_channel", equals="whatsap"), "'whatsapp'"),
            ({"trait": {"name": "plan"}}, "name one of equals, one_of, exists"),
            ({"trait": {"name": "plan", "equals": "a", "exists": "yes"}}, "name one of equals"),
        ],
    )
    def test_they_say_what_is_wrong(self, when: dict[str, Any], said: str) -> None:
        with pytest.raises(ValidationError) as raised:
            Condition.model_validate(when)
        assert said in str(raised.value)


class TestNames:
    @pytest.mark.parametrize(
        ("name", "plain"),
        [
            ("Cart Abandoned", "cart_abandoned"),
            ("cartAbandoned", "cart_abandoned"),
            ("CART-ABANDONED!", "cart_abandoned"),
            ("  Panier abandonné ", "panier_abandonne"),
            ("カート放棄", "カート放棄"),
            ("step2Done", "step2_done"),
            ("***", ""),
        ],
    )
    def test_one_form_of_each(self, name: str, plain: str) -> None:
        assert snake_case(name) == plain
        assert snake_case(plain) == plain

    @pytest.mark.parametrize(
        ("content", "name"),
        [
            (TrackedEvent(name="Cart Abandoned"), "cart_abandoned"),
            (TrackedEvent(name="!!"), None),
            (Purchase(number="1", total="1", currency="EUR"), "purchase"),
            (Order(number="1", status="placed", version_at=NOON), "order_placed"),
            (GoodsReturn(number="1", status="requested", version_at=NOON), "return_requested"),
            (Appointment(number="1", status="missed", starts_at=NOON), "appointment_missed"),
            (ConsentStatement(purpose="news", state="withdrawn"), "consent_withdrawn"),
            (Review(rating=1), "review"),
            (PageView(), "page_view"),
            (DeliveryStatus(status="read", message_id="1"), None),
            (Unsupported(what="call"), None),
        ],
    )
    def test_of_a_touchpoint(self, content: Any, name: str | None) -> None:
        assert activity_name(touchpoint(content)) == name

    def test_what_the_company_did_has_none(self) -> None:
        assert activity_name(whatsapp_message(direction=Direction.OUTBOUND)) is None


def policy(*rules: dict[str, Any]) -> SegmentPolicy:
    segments = {f"s{n}": {"description": "of a test", "when": one} for n, one in enumerate(rules)}
    return SegmentPolicy.model_validate({"segments": segments})


BEFORE = profile(
    contacts={
        (Direction.INBOUND, Channel.WHATSAPP): 4,
        (Direction.INBOUND, Channel.SMS): 2,
    },
    last_at={Direction.INBOUND: NOON - 400 * DAY},
)


def passive(content: Any = None, **fields: Any) -> Touchpoint:
    seen = {"direction": Direction.PASSIVE, "channel": Channel.WEB}
    return touchpoint(content or PageView(), **seen | fields)


class TestWhatIsHeard:
    def test_only_what_a_rule_names(self) -> None:
        rules = policy({"not": event("purchase", after="cart_abandoned")})
        assert rules.hears("purchase")
        assert rules.hears("cart_abandoned")
        assert not rules.hears("review")
        assert not rules.hears_words
        assert policy(event("message")).hears_words
        assert not policy().hears("purchase")

    @pytest.mark.parametrize(
        ("rule", "seen", "concerned"),
        [
            (event(), passive(TrackedEvent(name="Cart Abandoned")), True),
            (event(), passive(), False),
            (event("message"), whatsapp_message(), False),
            (event("negative_touchpoint"), whatsapp_message(), False),
            (attribute("spend", currency="EUR", at_least=1), passive(), False),
            (
                attribute("spend", currency="EUR", at_least=1),
                passive(Purchase(number="1", total="1", currency="EUR")),
                True,
            ),
            (
                attribute("purchases", at_least=1),
                passive(Order(number="1", status="paid", version_at=NOON)),
                True,
            ),
            (
                attribute("open_records", at_least=1),
                passive(GoodsReturn(number="1", status="requested", version_at=NOON)),
                True,
            ),
            (attribute("since_last_purchase", at_least="P1D"), passive(), False),
            (
                attribute("since_last_purchase", at_least="P1D"),
                passive(Purchase(number="1", total="1", currency="EUR")),
                True,
            ),
            (attribute("contacts", at_least=5), passive(), True),
            (attribute("contacts", channel="sms", at_least=1), passive(), False),
            (attribute("contacts", direction="inbound", at_least=1), passive(), False),
            (attribute("contacts", direction="inbound", at_least=8), whatsapp_message(), True),
            (attribute("contacts", direction="inbound", at_least=9), whatsapp_message(), False),
            (attribute("contacts", direction="inbound", equals=4), whatsapp_message(), True),
            (attribute("contacts", direction="inbound", at_most=1), whatsapp_message(), False),
            (attribute("contacts", at_least=7), whatsapp_message(direction="outbound"), False),
            (attribute("preferred_channel", equals="sms"), whatsapp_message(), True),
            (attribute("preferred_channel", equals="sms"), builders.sms(), True),
            (attribute("preferred_channel", equals="sms"), touchpoint(channel="web"), False),
            (attribute("preferred_channel", equals="sms"), passive(), False),
            (attribute("language", equals="it"), passive(), False),
            (attribute("mood", at_least=0), passive(), False),
            ({"trait": {"name": "plan", "exists": "yes"}}, passive(Identification()), False),
            (attribute("since_first_contact", at_least="P1D"), passive(), False),
        ],
    )
    def test_by_its_profile(self, rule: dict[str, Any], seen: Touchpoint, concerned: bool) -> None:
        """Of somebody who wrote four times on WhatsApp and twice by SMS."""
        assert policy(rule).concerns(seen, BEFORE, is_alone=True) is concerned
        assert policy(rule).concerns(seen, None, is_alone=True) is False

    @pytest.mark.parametrize(
        ("seen", "silent", "concerned"),
        [
            (passive(), 90 * DAY, True),
            (passive(), 90 * DAY - SECOND, False),
            (whatsapp_message(), 90 * DAY, True),
            (whatsapp_message(direction=Direction.OUTBOUND), 90 * DAY, False),
            (passive(), -DAY, False),
        ],
    )
    def test_a_silence_that_ends(
        self, seen: Touchpoint, silent: timedelta, concerned: bool
    ) -> None:
        rules = policy(attribute("since_last_contact", at_least="P90D"))
        for is_alone in (True, False):
            before = profile(last_at={Direction.INBOUND: NOON - silent})
            assert rules.concerns(seen, before, is_alone=is_alone) is concerned

    @pytest.mark.parametrize("bound", [{"at_least": "P90D"}, {"at_most": "P90D"}])
    def test_whom_only_we_wrote_to_comes_for_the_first_time(self, bound: dict[str, str]) -> None:
        rules = policy(attribute("since_last_contact", **bound))
        before = profile(last_at={Direction.OUTBOUND: NOON - DAY})
        assert rules.concerns(whatsapp_message(), before, is_alone=True) is True
        ours = whatsapp_message(direction=Direction.OUTBOUND)
        assert rules.concerns(ours, before, is_alone=True) is False

    def test_what_comes_late_may_have_been_the_first(self) -> None:
        rules = policy(attribute("since_first_contact", at_least="P90D"))
        for first_at, concerned in ((NOON + SECOND, True), (NOON, False)):
            before = profile(first_at=first_at)
            assert rules.concerns(whatsapp_message(), before, is_alone=True) is concerned

    @pytest.mark.parametrize("name", ["contacts", "preferred_channel"])
    def test_what_one_of_several_profiles_cannot_tell_is_looked_at(self, name: str) -> None:
        test = {"at_least": 100} if name == "contacts" else {"equals": "email"}
        rules = policy(attribute(name, **test))
        contacts = {(Direction.INBOUND, one): n for one, n in (("whatsapp", 9), ("sms", 1))}
        before = profile(contacts=contacts)
        assert rules.concerns(whatsapp_message(), before, is_alone=True) is False
        assert rules.concerns(whatsapp_message(), before, is_alone=False) is True

    def test_the_first_who_writes_has_a_preferred_channel_from_then_on(self) -> None:
        rules = policy(attribute("preferred_channel", equals="whatsapp"))
        before = profile(contacts={(Direction.PASSIVE, Channel.WEB): 5})
        assert rules.concerns(whatsapp_message(), before, is_alone=True) is True

    def test_a_single_channel_stays_the_preferred_one(self) -> None:
        rules = policy(attribute("preferred_channel", equals="whatsapp"))
        before = profile(contacts={(Direction.INBOUND, Channel.WHATSAPP): 1})
        assert rules.concerns(whatsapp_message(), before, is_alone=True) is False

    def test_a_mood_is_only_listened_to_where_a_rule_asks(self) -> None:
        assert policy(event()).moods == set()
        assert policy(event("negative_touchpoint"), event()).moods == {Sentiment.NEGATIVE}
        assert policy(attribute("mood", at_least=1)).moods == set(Sentiment)
        assert policy(event("review")).moods == set(Sentiment)
        assert policy(attribute("contacts", at_least=1)).moods == set()
        assert policy(attribute("language", equals="it")).moods == set()
        assert policy(attribute("preferred_channel", equals="sms")).moods == set()
        assert policy(attribute("purchases", equals=1)).moods == set()
        assert policy(attribute("since_last_contact", at_least="P1D")).moods == set()
        assert policy({"trait": {"name": "plan", "exists": "yes"}}).moods == set()


class TestWhatIsKept:
    def test_of_all_profiles_together_the_newest(self) -> None:
        def seen(first: int) -> SegmentState:
            touchpoints = {TouchpointId(f"t{n}"): NOON - n * HOUR for n in range(first, 30, 2)}
            return SegmentState(seen={"x": touchpoints})

        together = facts_of(profile(), [seen(0), SegmentState(), seen(1)])
        assert together.activity["x"] == tuple(NOON - n * HOUR for n in range(MOST_KEPT))
        assert together == facts_of(profile(), [seen(1), seen(0)])

    def test_bad_moods_are_events_that_the_profile_keeps(self) -> None:
        moods = [
            Mood(at=NOON - n * HOUR, score=-1, sentiment=mood)
            for n, mood in enumerate(["negative", "neutral", "negative"])
        ]
        known = facts_of(profile(moods=moods), [])
        assert known.activity == {"negative_touchpoint": (NOON, NOON - 2 * HOUR)}

    def test_one_schedule_a_person_of_a_name_the_scheduler_takes(self) -> None:
        name = schedule_name(builders.profile_id(), NOON)
        assert name == schedule_name(builders.profile_id(), NOON)
        assert name != schedule_name(builders.profile_id(), NOON + HOUR)
        assert len(name) <= 64


class TestRequests:
    def test_an_event_of_the_bus_is_one(self) -> None:
        data = {
            "profile_id": "a",
            "profile_ids": ["b", "a", ""],
            "touchpoint_id": "t",
            "sentiment": "negative",
            "intent": "refund",
        }
        request = EvaluationRequest.model_validate(data)
        assert list(request.whom) == ["a", "b"]
        assert request.sentiment is Sentiment.NEGATIVE
        assert request.is_of_words
        assert EvaluationRequest(change="language").is_of_words
        assert not EvaluationRequest(change="traits").is_of_words

    def test_of_nobody(self) -> None:
        assert list(EvaluationRequest(profile_id=ProfileId("")).whom) == []


def test_a_segment_is_everybody_for_whom_its_rule_holds() -> None:
    segment = Segment.model_validate({"description": "All", "when": {"not": event()}})
    assert evaluate(segment, Facts(profile(), {}), NOON).holds
