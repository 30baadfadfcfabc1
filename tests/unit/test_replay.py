"""What other policies would have decided, without a write."""

import json
import unicodedata
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from shared.domain.classification import Evidence, Sentiment, Urgency
from shared.domain.errors import PolicyError
from shared.domain.touchpoint import Review, TouchpointState
from shared.operations.labelled import labelled
from shared.operations.replay import PAGE, TELL_EVERY, Difference, Move, Rules, replay
from shared.operations.replay_report import as_json, as_text
from shared.policies.candidate import candidate
from shared.policies.reader import FOLDER, Policies
from shared.ports.ledger import LedgerEntry
from shared.ports.paging import Page
from tests.builders import NOON, classification, policies, sms, touchpoint, whatsapp_message
from tests.fake_ledger import FakeLedger
from tests.fakes import FakeClassifier
from tests.unit.overriding import House

SAID = whatsapp_message("Où est ma commande 4512 ?")


class ReadOnly:
    """A ledger that can only be gone through: anything else it is asked for fails the test."""

    def __init__(self, ledger: FakeLedger) -> None:
        self._ledger = ledger
        self.pages: list[int] = []

    def all(self, **given: Any) -> Page[LedgerEntry]:
        page = self._ledger.all(**given)
        self.pages.append(len(page.items))
        return page

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"a replay does not call {name}")


@pytest.fixture
def house() -> House:
    made = House()
    made.receive(SAID)
    return made


def masked(text: str, names: Sequence[str] = (), /) -> str:
    for name in names:
        text = text.replace(name, "[name]")
    return text.replace("4512", "[number]")


def again(
    house: House,
    candidate: Policies | None = None,
    *,
    knows: dict[str, Any] | None = None,
    without_bedrock: bool = False,
    **given: Any,
) -> Difference:
    classifier = FakeClassifier(
        {text: classification(**meant) for text, meant in (knows or {}).items()}
    )
    rules = Rules(house.policies, candidate or house.policies, classifier, without_bedrock)
    ledger: Any = ReadOnly(house.world.ledger)
    return replay(rules, ledger=ledger, masker=given.pop("masker", masked), **given)


def counts(found: Difference) -> tuple[int, int, int]:
    return found.looked_at, found.unchanged, found.changed


def test_by_the_same_policies_nothing_changes(house: House) -> None:
    house.receive(touchpoint(Review(rating=1), key="review", endpoint=None))
    assert counts(again(house)) == (2, 2, 0)


def test_another_answer_changes_what_follows_from_it(house: House) -> None:
    meant = {"intent": "billing_or_payment", "urgency": Urgency.CRITICAL}
    found = again(house, knows={SAID.text: meant})
    assert counts(found) == (1, 0, 1)
    assert found.moves == {
        Move("intent", "order_status", "billing_or_payment"): 1,
        Move("urgency", "normal", "critical"): 1,
        Move("queue", "orders", "billing"): 1,
        Move("priority", "normal", "urgent"): 1,
    }
    assert set(found.by_aspect) == {"intent", "urgency", "queue", "priority"}


def test_another_policy_on_the_same_answer(house: House) -> None:
    intents = dict(house.policies.intents)
    intents["order_status"] = intents["order_status"].model_copy(update={"owes": False})
    found = again(house, house.policies._replace(intents=intents))
    assert found.moves == {
        Move("owes", "yes", "no"): 1,
        Move("queue", "orders", "-"): 1,
        Move("priority", "normal", "-"): 1,
    }
    (example,) = found.examples[Move("owes", "yes", "no")]
    assert example.before == "intent order_status: somebody owes an answer"
    assert example.after == "intent order_status: nobody waits for an answer"


def test_what_a_person_said_wins_in_a_replay_too(house: House) -> None:
    house.override(SAID, intent="refund")
    found = again(house, knows={SAID.text: {"intent": "billing_or_payment"}})
    assert (counts(found), found.overridden) == ((1, 1, 0), 1)


def test_what_is_on_its_way_round_again_is_not_compared(house: House) -> None:
    house.say(SAID, intent="refund")
    found = again(house)
    assert (found.in_flight, found.unchanged, found.changed) == (1, 0, 0)


def test_what_was_never_understood_is_only_looked_at(house: House) -> None:
    house.world.ledger.change(SAID.touchpoint_id, outcome=None, state=TouchpointState.FAILED)
    found = again(house)
    assert (found.looked_at, found.understood) == (1, 0)


@pytest.fixture
def by_bedrock(house: House) -> House:
    made = House()
    made.world.classifier.known[SAID.text] = classification(
        intent="refund", decided_by="bedrock", version="bedrock:x/1"
    )
    made.receive(SAID)
    return made


def test_what_bedrock_decided_is_kept_and_counted(by_bedrock: House) -> None:
    found = again(by_bedrock)
    assert (found.kept, found.unchanged) == (1, 1)


def test_or_decided_by_the_embedded_model_where_that_is_asked(by_bedrock: House) -> None:
    found = again(by_bedrock, without_bedrock=True)
    assert (found.kept, found.moves[Move("intent", "refund", "order_status")]) == (0, 1)


def test_new_words_decide_before_bedrock_would_be_asked(by_bedrock: House) -> None:
    evidence = (Evidence(aspect="intent", words=("commande",), reason="order_word"),)
    ruled = {"intent": "order_status", "decided_by": "rules", "evidence": evidence}
    found = again(by_bedrock, knows={SAID.text: ruled})
    assert found.kept == 0
    (example,) = found.examples[Move("intent", "refund", "order_status")]
    assert example.after == "rules 0.91 by rule order_word on: commande"


@pytest.mark.parametrize("is_overridden", [False, True])
def test_what_bedrock_answered_beside_a_mark_is_kept(is_overridden: bool) -> None:
    """The mark is weighed again, by the candidate's rules: without one Bedrock's intent is back."""
    house = House()
    text = "It was all right until it was not"
    house.world.classifier.known[text] = classification(
        intent="praise", decided_by="bedrock", version="bedrock:x/1"
    )
    seen = touchpoint(Review(rating=1, text=text), key="review", endpoint=None)
    house.receive(seen)
    if is_overridden:
        house.override(seen, urgency="high")
    other = {text: {"intent": "refund"}}
    found = again(house, knows=other)
    assert (found.kept, found.unchanged) == (1, 1)
    understanding = house.policies.understanding
    marks = understanding.marks.model_copy(update={"rules": ()})
    unmarked = understanding.model_copy(update={"marks": marks})
    found = again(house, house.policies._replace(understanding=unmarked), knows=other)
    assert found.kept == 1
    assert found.moves[Move("intent", "complaint", "praise")] == 1
    assert again(house, knows=other, without_bedrock=True).kept == 0


def test_nor_is_an_answer_kept_that_left_the_list(by_bedrock: House) -> None:
    intents = {k: v for k, v in policies().intents.items() if k != "refund"}
    assert again(by_bedrock, policies()._replace(intents=intents)).kept == 0


def test_a_word_that_was_not_acted_upon_is_taken_as_it_was() -> None:
    house = House()
    evidence = (Evidence(aspect="intent", words=("start",), reason="opt_in_keyword"),)
    ruled = {"intent": "other", "decided_by": "rules", "evidence": evidence}
    start = whatsapp_message("Start")
    house.world.classifier.known["Start"] = classification(**ruled)
    house.receive(start)
    assert counts(again(house, knows={"Start": ruled})) == (1, 1, 0)


def test_one_that_continued_another_ticket_is_no_difference_of_policy() -> None:
    house = House()
    house.receive(SAID)
    house.world.classifier.known["Alors ?"] = classification(intent="other")
    joined = house.receive(whatsapp_message("Alors ?", at=NOON + timedelta(minutes=3)))
    assert joined is not None and joined.queue == "orders"
    assert counts(again(house, knows={"Alors ?": {"intent": "other"}})) == (2, 2, 0)


def test_examples_are_few_masked_and_short(house: House) -> None:
    for number in range(5):
        house.receive(sms(f"Commande 4512 {'très ' * 40}{number}"))
    meant = {"intent": "refund", "evidence": (Evidence(aspect="intent", words=("4512",)),)}
    knows = {one.text: meant for one in house.world.ledger}
    found = again(house, knows=knows, examples=2)
    move = Move("intent", "order_status", "refund")
    assert found.moves[move] == 6
    assert len(found.examples[move]) == 2
    for example in found.examples[move]:
        assert example.excerpt is not None and len(example.excerpt) <= 80
        assert "4512" not in str(example)
        assert example.after == "embedded 0.91 on: [number]"


def test_no_example_is_an_answer_too(house: House) -> None:
    found = again(house, knows={SAID.text: {"intent": "refund"}}, examples=0)
    assert found.examples[Move("intent", "order_status", "refund")] == []
    assert as_text(found).endswith("examples")


@pytest.mark.parametrize(
    ("since", "until", "looked_at"),
    [
        (NOON, None, 1),
        (NOON + timedelta(hours=1), None, 0),
        (None, NOON, 0),
        (None, NOON + timedelta(hours=1), 1),
    ],
)
def test_only_what_was_received_then(
    house: House, since: datetime | None, until: datetime | None, looked_at: int
) -> None:
    assert again(house, since=since, until=until).looked_at == looked_at


def test_a_long_ledger_is_read_page_by_page_and_tells_where_to_go_on() -> None:
    house, many = House(), PAGE * (TELL_EVERY + 1)
    outcome = None
    for number in range(many):
        seen = touchpoint(key=f"key-{number}")
        if outcome is None:
            house.receive(seen)
            outcome = house.entry(seen).outcome
        else:
            house.world.ledger.record_sent(seen, None)
            house.world.ledger.change(seen.touchpoint_id, outcome=outcome)
    ledger: Any = ReadOnly(house.world.ledger)
    rules = Rules(house.policies, house.policies, FakeClassifier())
    told: list[str] = []
    whole = replay(rules, ledger=ledger, masker=masked, report=told.append)
    assert ledger.pages == [PAGE] * (TELL_EVERY + 1)
    assert whole.looked_at == many
    (line,) = told
    cursor = line.rpartition(" ")[2]
    rest = replay(rules, ledger=ledger, masker=masked, cursor=cursor)
    assert rest.looked_at == many - PAGE * TELL_EVERY


def test_whoever_the_touchpoint_names_is_named_nowhere() -> None:
    house = House()
    seen = whatsapp_message("Lea Moreau here, where is it?").model_copy(
        update={"name": "Lea Moreau"}
    )
    evidence = (Evidence(aspect="intent", words=("Lea Moreau",)),)
    house.receive(seen)
    found = again(house, knows={seen.text: {"intent": "refund", "evidence": evidence}})
    assert "[name] here, where is it?" in as_text(found)
    assert "on: [name]" in as_text(found)
    assert "Moreau" not in as_text(found) + as_json(found)


def test_a_terminal_obeys_nobody_who_wrote_to_us() -> None:
    house = House()
    seen = whatsapp_message("\x1b]0;owned\x07\x1b[2J where is \u202e it?\u200b")
    evidence = (Evidence(aspect="intent", words=("\x1b[2J",)),)
    house.receive(seen)
    found = again(house, knows={seen.text: {"intent": "refund", "evidence": evidence}})
    text = as_text(found)
    assert "“]0;owned[2J where is  it?”" in text
    assert not [one for one in text if unicodedata.category(one) in {"Cc", "Cf"} and one != "\n"]


def test_the_report_for_people_and_for_machines(house: House) -> None:
    meant = {"intent": "refund", "sentiment": Sentiment.NEGATIVE, "sentiment_score": -0.7}
    found = again(house, knows={SAID.text: meant})
    text = as_text(found)
    assert "       1  changed" in text
    assert "       1  intent     order_status → refund" in text
    assert "“Où est ma commande [number] ?”" in text
    assert "      was:      score -0.10" in text
    read = json.loads(as_json(found))
    assert (read["looked_at"], read["changed"], read["by_aspect"]["intent"]) == (1, 1, 1)
    assert read["moves"][0]["aspect"] == "intent"
    assert read["moves"][0]["examples"][0]["touchpoint_id"] == SAID.touchpoint_id
    assert as_text(again(house)).splitlines()[-1].split() == ["0", "changed"]


class TestTheCandidate:
    def test_one_file_stands_for_the_current_one(self, tmp_path: Path) -> None:
        (tmp_path / "priorities.yaml").write_text("- {priority: low}\n")
        for path in (tmp_path, tmp_path / "priorities.yaml"):
            found = candidate([path])
            assert [one.priority for one in found.priorities] == ["low"]
            assert found.routing == policies().routing

    def test_no_file_is_the_current_policies(self) -> None:
        assert candidate([]).intents == policies().intents

    def test_a_whole_copy_of_them_is_the_same(self) -> None:
        assert candidate([FOLDER]).intents == policies().intents

    @pytest.mark.parametrize(
        ("name", "content", "what"),
        [
            ("prioritys.yaml", "- {priority: low}", "prioritys.yaml: no policy is called so"),
            ("priorities.yaml", "- {priority: top}", "priorities.yaml, line 1"),
            ("routing.yaml", "queues: {care: [x]}\nfallback: care", "routing.yaml, line 1"),
            ("README.md", "", "holds no policy"),
        ],
    )
    def test_a_wrong_one_is_told_before_anything_is_read(
        self, tmp_path: Path, name: str, content: str, what: str
    ) -> None:
        (tmp_path / name).write_text(content)
        with pytest.raises(PolicyError, match=what):
            candidate([tmp_path])

    def test_a_path_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(PolicyError, match="cannot be read"):
            candidate([tmp_path / "routing.yaml"])


class TestLabelledData:
    def lines(self, house: House, **given: Any) -> list[dict[str, Any]]:
        ledger: Any = ReadOnly(house.world.ledger)
        return [json.loads(one) for one in labelled(ledger=ledger, masker=masked, **given)]

    def test_what_stands_masked_and_without_whom(self, house: House) -> None:
        house.receive(sms("Et celle-ci ?"))
        house.override(SAID, intent="refund", urgency="high")
        (line,) = self.lines(house)
        assert line == {
            "text": "Où est ma commande [number] ?",
            "language": "fr",
            "channel": "whatsapp",
            "machine": {
                "intent": "order_status",
                "sentiment": "neutral",
                "urgency": "normal",
                "language": "fr",
                "version": "embedded-test",
            },
            "person": {"intent": "refund", "urgency": "high"},
            "at": "2026-11-23T12:00:00.000000Z",
        }

    def test_nor_the_name_the_touchpoint_itself_gives(self) -> None:
        house = House()
        seen = whatsapp_message("Lea Moreau here").model_copy(update={"name": "Lea Moreau"})
        house.receive(seen)
        house.override(seen, intent="refund")
        assert [one["text"] for one in self.lines(house)] == ["[name] here"]

    def test_what_was_released_or_came_before_is_left_out(self, house: House) -> None:
        house.override(SAID, language="it")
        assert [one["language"] for one in self.lines(house, since=NOON)] == ["it"]
        assert self.lines(house, since=NOON + timedelta(seconds=1)) == []
        house.release(SAID, house.entry(SAID).overrides[0])
        assert self.lines(house) == []
