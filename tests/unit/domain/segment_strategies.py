"""What hypothesis draws for segments: rules, and what is known of people."""

from datetime import timedelta
from typing import Any

from hypothesis import strategies as st

from shared.domain.classification import Sentiment
from shared.domain.model import ProfileId
from shared.domain.profile import LearnedLanguage, Mood, Profile, Trait
from shared.domain.segment_rule import Condition, Facts
from shared.domain.touchpoint import Channel, Direction
from tests.builders import NOON

# Few moments, names and lengths, so that edges meet and ties happen.
moments = st.integers(min_value=-6, max_value=6).map(lambda hours: NOON + timedelta(hours=hours))
lengths = st.sampled_from(["PT1H", "PT3H", "PT6H"])
events = st.sampled_from(["cart_abandoned", "purchase"])
numbers = st.integers(min_value=0, max_value=3)

_bounds = st.one_of(
    st.fixed_dictionaries({"at_least": numbers}),
    st.fixed_dictionaries({"at_most": numbers}),
    st.fixed_dictionaries({"equals": numbers}),
)
_ages = st.one_of(
    st.fixed_dictionaries({"at_least": lengths}),
    st.fixed_dictionaries({"at_most": lengths}),
    st.just({"at_least": "PT1H", "at_most": "PT6H"}),
)


def _attribute(fields: dict[str, Any], more: st.SearchStrategy[dict[str, Any]]) -> Any:
    return more.map(lambda drawn: {"attribute": {**fields, **drawn}})


_tests = st.one_of(
    st.fixed_dictionaries(
        {"name": events},
        optional={
            "within": lengths,
            "at_least": st.integers(min_value=1, max_value=3),
            "after": events,
        },
    ).map(lambda fields: {"event": fields}),
    *(
        _attribute({"name": name}, _ages)
        for name in ("since_first_contact", "since_last_contact", "since_last_purchase")
    ),
    _attribute({"name": "contacts", "direction": "inbound"}, _bounds),
    _attribute({"name": "spend", "currency": "EUR"}, _bounds),
    _attribute({"name": "purchases"}, _bounds),
    _attribute({"name": "open_records", "kind": "order"}, _bounds),
    _attribute({"name": "mood"}, _bounds),
    _attribute({"name": "negative_moods"}, _bounds),
    st.just({"attribute": {"name": "language", "equals": "it"}}),
    st.just({"attribute": {"name": "preferred_channel", "one_of": ["whatsapp", "sms"]}}),
    st.just({"trait": {"name": "plan", "equals": "gold"}}),
    st.just({"trait": {"name": "plan", "exists": "no"}}),
)
_conditions = st.recursive(
    _tests,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"all": parts}),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"any": parts}),
        inner.map(lambda part: {"not": part}),
    ),
    max_leaves=6,
)
conditions = _conditions.map(Condition.model_validate)

_moods = st.builds(
    lambda at, score: Mood(
        at=at, score=score, sentiment=Sentiment.NEGATIVE if score < 0 else Sentiment.POSITIVE
    ),
    moments,
    st.sampled_from([-1.0, 1.0]),
)
_profiles = st.builds(
    Profile,
    profile_id=st.just(ProfileId("p")),
    created_at=st.just(NOON),
    traits=st.sampled_from([{}, {"plan": Trait(value="gold", at=NOON)}]),
    contacts=st.dictionaries(
        st.tuples(st.sampled_from(Direction), st.sampled_from([Channel.WHATSAPP, Channel.SMS])),
        numbers,
    ),
    last_at=st.dictionaries(st.sampled_from(Direction), moments),
    first_at=st.none() | moments,
    spend=st.dictionaries(st.just("EUR"), st.integers(min_value=0, max_value=4000)),
    purchases=numbers,
    last_purchase_at=st.none() | moments,
    open_records=st.frozensets(st.sampled_from(["order#1", "order#2", "return#1"])),
    learned_language=st.none() | st.just(LearnedLanguage(language="it", at=NOON)),
    moods=st.lists(_moods, max_size=3).map(tuple),
)
_activities = st.dictionaries(
    events, st.lists(moments, max_size=4).map(lambda some: tuple(sorted(some, reverse=True)))
)
facts = st.builds(Facts, _profiles, _activities)
