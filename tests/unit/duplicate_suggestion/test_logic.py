"""Who changed is compared with people alike; a person is asked, and nothing is merged."""

from collections import Counter
from collections.abc import Collection
from typing import Any, cast

import pytest

from functions.duplicate_suggestion.logic import DuplicateRequest, Ports, suggest_duplicates
from shared.adapters.similarity import JellyfishSimilarity
from shared.domain.ai_use import AiUseName, Switch
from shared.domain.identity import IdentifierType
from shared.domain.model import ProfileId
from shared.domain.profile import MergeSuggestion, Profile, Trait
from shared.events.catalogue import AiUseSwitched
from shared.policies.reader import read_match_model
from shared.ports.paging import Page
from shared.ports.profiles import MatchIndex, ProfileStore
from tests.builders import NOON, identifier, policies
from tests.fake_ai_uses import FakeAiUses
from tests.fakes import FakeClock

AWA = {"name": "Awa Diop", "dob": "1985-03-07", "phone": "0612345678"}


class People:
    """Profiles by id, and what was suggested of them. `decided` pairs are refused."""

    def __init__(self) -> None:
        self.profiles: dict[str, Profile] = {}
        self.suggested: list[MergeSuggestion] = []
        self.decided: set[tuple[str, str]] = set()
        self.reads: Counter[str] = Counter()

    def know(self, *ids: str, **traits: Any) -> None:
        """One person, known by the first of these."""
        person = Profile(
            profile_id=ProfileId(ids[0]),
            profile_ids=tuple(map(ProfileId, ids)),
            created_at=NOON,
            traits={name: Trait(value=value, at=NOON) for name, value in traits.items()},
        )
        self.profiles |= dict.fromkeys(ids, person)

    def read(self, profile_id: ProfileId) -> Profile | None:
        self.reads[profile_id] += 1
        return self.profiles.get(profile_id)

    def suggest(self, suggestion: MergeSuggestion) -> bool:
        if suggestion.profile_ids in self.decided:
            return False
        self.suggested.append(suggestion)
        return True


class FakeMatchIndex:
    def __init__(self) -> None:
        self.keys: dict[ProfileId, frozenset[str]] = {}

    def put(self, profile_id: ProfileId, keys: Collection[str]) -> None:
        self.keys[profile_id] = frozenset(keys)

    def find(self, keys: Collection[str], *, most: int) -> list[ProfileId]:
        sharing = {
            key: [one for one, own in sorted(self.keys.items()) if key in own] for key in keys
        }
        found = Counter(one for own in sharing.values() if len(own) <= most for one in own)
        return sorted(found, key=lambda one: (-found[one], one))

    def profile_ids(self, *, limit: int = 100, cursor: str | None = None) -> Page[ProfileId]:
        return Page(sorted(self.keys), None)


@pytest.fixture
def people() -> People:
    return People()


@pytest.fixture
def match_index() -> FakeMatchIndex:
    return FakeMatchIndex()


@pytest.fixture
def ai_uses() -> FakeAiUses:
    return FakeAiUses()


@pytest.fixture
def ports(people: People, match_index: MatchIndex, ai_uses: FakeAiUses) -> Ports:
    return Ports(
        profiles=cast(ProfileStore, people),
        match_index=match_index,
        similarity=JellyfishSimilarity(),
        model=read_match_model(),
        policy=policies().matching,
        identity=policies().identity,
        ai_uses=ai_uses,
        clock=FakeClock(),
    )


def update(profile_id: str, ports: Ports) -> int:
    request = DuplicateRequest.model_validate({"profile_id": profile_id, "change": "traits"})
    return suggest_duplicates(request, ports)


def test_two_alike_are_suggested_with_score_reason_and_version(
    people: People, ports: Ports
) -> None:
    people.know("a", **AWA)
    people.know("b", **AWA | {"name": "Diop Awa"})
    assert [update("b", ports), update("a", ports)] == [0, 1]
    (made,) = people.suggested
    assert made.profile_ids == ("a", "b")
    assert made.score is not None
    assert made.score >= ports.policy.suggest_from
    assert made.by == f"model:{ports.model.version}"
    assert made.at == NOON
    assert "exchanged" in made.reason
    assert "Awa" not in made.reason


def test_twins_are_compared_and_not_suggested(people: People, ports: Ports) -> None:
    people.know("a", **AWA)
    people.know("b", **AWA | {"name": "Adama Diop"})
    assert [update("a", ports), update("b", ports)] == [0, 0]
    assert people.reads["a"] == 2, "they were compared"
    assert people.suggested == []


def test_one_who_is_one_already_is_not_compared(people: People, ports: Ports) -> None:
    people.know("b", **AWA)
    update("b", ports)
    people.know("a", "b", **AWA)
    assert update("b", ports) == 0
    assert people.suggested == []


def test_a_person_under_two_ids_is_compared_once(
    people: People, match_index: FakeMatchIndex, ports: Ports
) -> None:
    people.know("b", **AWA)
    people.know("c", **AWA)
    people.know("a", **AWA)
    for one in "bc":
        update(one, ports)
    people.suggested.clear()
    people.know("b", "c", **AWA)
    assert update("a", ports) == 1
    assert set(match_index.keys) == {"a", "b", "c"}


def test_a_decided_pair_is_no_suggestion(people: People, ports: Ports) -> None:
    people.know("a", **AWA)
    people.know("b", **AWA)
    people.decided.add(("a", "b"))
    assert [update("a", ports), update("b", ports)] == [0, 0]


def test_who_states_too_little_has_no_key(
    people: People, match_index: FakeMatchIndex, ports: Ports
) -> None:
    people.know("a", name="Awa", phone="0612345678")
    people.know("b", **AWA)
    update("b", ports)
    assert update("a", ports) == 0
    assert match_index.keys[ProfileId("a")] == frozenset()
    assert people.reads["b"] == 1


def test_keys_follow_the_facts(people: People, match_index: FakeMatchIndex, ports: Ports) -> None:
    people.know("a", **AWA)
    update("a", ports)
    before = match_index.keys[ProfileId("a")]
    people.know("a", **AWA | {"phone": "0698765432"})
    update("a", ports)
    assert len(before - match_index.keys[ProfileId("a")]) == 1


def test_who_was_erased_is_nobody(
    people: People, match_index: FakeMatchIndex, ports: Ports
) -> None:
    assert update("a", ports) == 0
    assert match_index.keys == {}
    people.know("b", **AWA)
    update("b", ports)
    del people.profiles["b"]
    people.know("a", **AWA)
    assert update("a", ports) == 0


def test_only_so_many_are_compared(people: People, ports: Ports) -> None:
    few = ports._replace(policy=ports.policy.model_copy(update={"most_candidates": 2}))
    for one in ("b", "c", "d", "e"):
        people.know(one, **AWA)
        update(one, ports)
    people.know("a", **AWA)
    assert update("a", few) == 2


def test_what_too_many_share_leads_to_nobody(people: People, ports: Ports) -> None:
    crowd = ports._replace(policy=ports.policy.model_copy(update={"most_per_key": 2}))
    for one in ("b", "c", "d"):
        people.know(one, **AWA)
        update(one, crowd)
    people.suggested.clear()
    assert update("d", crowd) == 0


def test_a_browser_that_says_it_is_somebody_is_compared_with_nobody(
    people: People, ports: Ports, match_index: FakeMatchIndex
) -> None:
    people.know("a", **AWA)
    people.know("b", **AWA)
    browser = identifier("b-1", IdentifierType.WEB_ANONYMOUS, "shop")
    people.profiles["b"] = people.profiles["b"].model_copy(update={"identifiers": (browser,)})
    assert [update("a", ports), update("b", ports)] == [0, 0]
    assert set(match_index.keys) == {"a"}


def test_switched_off_nobody_is_compared_and_nobody_missing_afterwards(
    people: People, ports: Ports, ai_uses: FakeAiUses
) -> None:
    def turn(*, on: bool) -> None:
        name = AiUseName.DUPLICATE_SUGGESTION
        switch = Switch(on=on, by="agent-7", at=NOON, because="a test")
        ai_uses.switch(name, switch, AiUseSwitched(ai_use=name, on=on, by="agent-7"))

    people.know("a", **AWA)
    people.know("b", **AWA)
    turn(on=False)
    assert [update("a", ports), update("b", ports)] == [0, 0]
    assert people.suggested == []
    turn(on=True)
    assert update("b", ports) == 1
