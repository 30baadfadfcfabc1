"""A wrong policy fails before anything runs, and says in which file, on which line and why."""

import shutil
from collections.abc import Callable
from datetime import time, timedelta
from pathlib import Path

import pytest

from shared.domain.errors import PolicyError
from shared.domain.follow_up import Escalate, FollowUpRule, SendTemplate
from shared.domain.sla import Opening
from shared.domain.ticket import Milestone
from shared.policies.check import check_policies
from shared.policies.reader import FOLDER, NAMES, PolicyFile, read_policies

Edit = Callable[[str, str, str], None]
"""Replace a text of one file, which must be there, by another."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The company's own policies, to be spoiled."""
    return Path(shutil.copytree(FOLDER, tmp_path / "policies", ignore=_only_yaml))


def _only_yaml(_: str, names: list[str]) -> list[str]:
    return [name for name in names if not name.endswith(".yaml")]


@pytest.fixture
def edit(folder: Path) -> Edit:
    def replace(name: str, before: str, after: str) -> None:
        file = folder / f"{name}.yaml"
        text = file.read_text(encoding="utf-8")
        assert text.count(before) >= 1, f"{name}.yaml has no {before!r}"
        file.write_text(text.replace(before, after, 1), encoding="utf-8")

    return replace


def problem(folder: Path) -> str:
    with pytest.raises(PolicyError) as raised:
        check_policies(folder)
    return str(raised.value)


def line_of(folder: Path, name: str, text: str) -> int:
    """Of the first line of a file that holds this text."""
    lines = (folder / f"{name}.yaml").read_text(encoding="utf-8").splitlines()
    return next(number for number, line in enumerate(lines, 1) if text in line)


def test_the_companys_own_policies_are_right() -> None:
    policies = check_policies()
    assert policies.calendar is policies.calendars["support"]
    assert policies.routing.queue_for("refund") == "orders"
    assert policies.routing.queue_for("something new") == policies.routing.fallback


def test_they_are_read_once() -> None:
    assert read_policies() is read_policies()
    assert read_policies().identity is read_policies().identity


class TestAFunctionReadsThoseItUses:
    def test_what_is_wrong_elsewhere_does_not_concern_it(self, folder: Path) -> None:
        (folder / "templates.yaml").write_text("wrong")
        assert read_policies(folder).identity.default_region == "FR"

    def test_what_is_wrong_in_its_own_is_named_with_its_line(
        self, folder: Path, edit: Edit
    ) -> None:
        edit("identity", "default_region: FR", "default_region: France")
        line = line_of(folder, "identity", "France")
        with pytest.raises(PolicyError, match=rf"^identity\.yaml, line {line}: default_region: "):
            _ = read_policies(folder).identity


class TestADialledMenu:
    def test_what_contradicts_another_part_is_named_with_its_own_line(
        self, folder: Path, edit: Edit
    ) -> None:
        edit("ussd", "    goes_to: order_asked", "    goes_to: order_told")
        line = line_of(folder, "ussd", "  order_number:")
        assert problem(folder) == (
            f"ussd.yaml, line {line}: screens.order_number: "
            "it goes to 'order_told', which is no screen"
        )

    def test_a_screen_that_is_too_long(self, folder: Path, edit: Edit) -> None:
        edit("ussd", "Boutique. What can we do?", "Boutique. What can we do for you? " * 4)
        line = line_of(folder, "ussd", "  main:")
        assert problem(folder).startswith(f"ussd.yaml, line {line}: screens.main: en: 2")


class TestOthersInTheirPlace:
    def test_the_rest_stays(self, folder: Path) -> None:
        policies = read_policies(folder)
        other = policies._replace(follow_ups=())
        assert other.follow_ups == ()
        assert policies.follow_ups != ()
        assert other.sla == policies.sla

    def test_one_that_nobody_knows(self) -> None:
        with pytest.raises(ValueError, match=r"no policy is called follow_up$"):
            read_policies()._replace(follow_up=())


def test_rules_come_out_as_types(folder: Path) -> None:
    (first, second, *_) = read_policies(folder).follow_ups
    assert isinstance(first, FollowUpRule)
    assert first.when is Milestone.TICKET_OPENED
    assert first.within == timedelta(hours=4)
    assert isinstance(first.then, Escalate)
    assert isinstance(second.then, SendTemplate)


class TestWhatYamlWouldReadOtherwise:
    def test_a_time_of_day_needs_no_quotes(self, folder: Path, edit: Edit) -> None:
        edit("calendars", '{opens: "09:00", until: "13:00"}', "{opens: 10:00, until: 18:00}")
        (saturday,) = read_policies(folder).calendars["support"].openings["saturday"]
        assert saturday == Opening(opens=time(10), until=time(18))

    def test_norwegian_is_a_language(self, folder: Path, edit: Edit) -> None:
        edit("templates", "  did_that_help:\n    fr:", "  did_that_help:\n    no:")
        assert "no" in read_policies(folder).templates.templates["did_that_help"]

    def test_on_is_a_word(self, folder: Path, edit: Edit) -> None:
        edit("follow_ups", "when: ticket_opened", "on: ticket_opened")
        assert problem(folder).startswith("follow_ups.yaml, line 2: 0.when: Field required")


class TestAFileThatIsNoYaml:
    def test_a_missing_file(self, folder: Path) -> None:
        (folder / "sla.yaml").unlink()
        assert problem(folder) == "sla.yaml: cannot be read: No such file or directory"

    def test_an_open_bracket(self, folder: Path, edit: Edit) -> None:
        edit("routing", "appointments: [appointment]", "appointments: [appointment")
        line = line_of(folder, "routing", "appointments:")
        assert problem(folder).startswith(f"routing.yaml, line {line + 1}: did not find expected")

    def test_a_byte_that_is_no_text(self, folder: Path) -> None:
        file = folder / "identity.yaml"
        file.write_bytes(b"# \xc3\xa9\ndefault_region: \xff\n")
        assert problem(folder) == "identity.yaml, line 2: not UTF-8"

    def test_a_control_character(self, folder: Path) -> None:
        (folder / "identity.yaml").write_text("# one\n# two\ndefault_region: F\x00R\n")
        assert problem(folder).startswith("identity.yaml, line 3: ")
        assert "control characters" in problem(folder)

    def test_two_documents_in_one_file(self, folder: Path, edit: Edit) -> None:
        edit("identity", "default_region: FR", "default_region: FR\n---\ndefault_region: BE")
        assert problem(folder).startswith("identity.yaml, line ")

    def test_nothing_in_it(self, folder: Path) -> None:
        (folder / "identity.yaml").write_text("")
        assert problem(folder).startswith("identity.yaml, line 1: ")

    def test_a_key_that_is_there_twice(self, folder: Path, edit: Edit) -> None:
        edit("routing", "  billing: [billing", "  orders: [billing")
        line = line_of(folder, "routing", "  orders: [billing")
        assert problem(folder) == f"routing.yaml, line {line}: 'orders' is there twice"

    def test_a_key_that_is_there_twice_within_a_list(self, folder: Path, edit: Edit) -> None:
        edit("follow_ups", "  within: P1D", "  within: P1D\n  within: P2D")
        line = line_of(folder, "follow_ups", "within: P2D")
        assert problem(folder) == f"follow_ups.yaml, line {line}: 'within' is there twice"


@pytest.mark.parametrize(
    ("file", "before", "after", "line", "reason"),
    [
        ("calendars", "  - 2027-05-08", "  - 2027-02-30", "2027-02-30", "support.holidays.5: "),
        ("calendars", "Europe/Paris", "Europe/Pariss", "Pariss", "support.time_zone: 'Europe/Pa"),
        ("calendars", '"13:00"', '"08:00"', "09:00", "support.openings.saturday.0: until must"),
        ("calendars", '"13:30"', '"12:00"', "support", "support: the openings of monday overlap"),
        ("intents", "praise: {owes: false", "praise: {owe: false", "praise", "praise.owes: Field"),
        ("follow_ups", "within: PT4H", "within: 4 hours", "4 hours", "0.within: "),
        ("follow_ups", "within: PT4H", "within: PT0S", "PT0S", "0.within: "),
        ("follow_ups", "if_no: customer_wrote", "if_no: silence", "silence", "2.if_no: "),
        ("follow_ups", "{do: escalate}", "{do: shout}", "shout", "0.then: "),
        ("identity", "default_region: FR", "default_region: France", "France", "default_region: "),
        ("priorities", "urgency: critical", "urgency: huge", "huge", "0.urgency: "),
        ("routing", "fallback: care", "fallback: caring", "routing", "fallback: 'caring' is not"),
        ("sending", "most: 4", "most: 0", "most: 0", "frequency_caps.service.most: "),
        (
            "sla",
            "PT8H, resolution: PT40H",
            "PT1H, resolution: PT40H",
            "sla",
            "targets: normal must",
        ),
        ("templates", "language: fr, state: approved", "language: fr, state: ok", "ok}", "state: "),
        ("templates", "{ticket_number} et", "{agent} et", "templates", "uses an unknown variable"),
    ],
)
def test_a_value_of_the_wrong_kind_is_named_with_its_line(
    folder: Path, edit: Edit, file: str, before: str, after: str, line: str, reason: str
) -> None:
    edit(file, before, after)
    found = problem(folder)
    assert reason in found
    number = 1 if line == file else line_of(folder, file, line)
    assert found.startswith(f"{file}.yaml, line {number}: ")


@pytest.mark.parametrize(
    ("file", "before", "after", "line", "reason"),
    [
        (
            "routing",
            "[billing_or_payment]",
            "[\n  bills]",
            "bills",
            "'bills' is not in intents.yaml",
        ),
        ("routing", "continues: [", "continues: [chat, ", "continues", "'chat' is not in intents"),
        ("priorities", "[refund,", "[gifts,", "gifts", "'gifts' is not in intents.yaml"),
        ("sla", "calendar: support", "calendar: shop", "shop", "'shop' is not in calendars.yaml"),
        (
            "follow_ups",
            "  then: {do: escalate}",
            "  then: {do: escalate}\n  queues: [sales]",
            "sales",
            "'sales' is not a queue of routing.yaml",
        ),
        (
            "follow_ups",
            "template: did_that_help",
            "template: was_it_good",
            "was_it_good",
            "'was_it_good' is not in templates.yaml",
        ),
        (
            "follow_ups",
            "- name: did_that_help",
            "- name: still_working_on_it",
            None,
            "2.name: 'still_working_on_it' is there twice",
        ),
    ],
)
def test_a_reference_that_leads_nowhere_is_named_with_its_line(
    folder: Path, edit: Edit, file: str, before: str, after: str, line: str | None, reason: str
) -> None:
    doubled = line_of(folder, file, before)
    edit(file, before, after)
    found = problem(folder)
    assert reason in found
    number = doubled if line is None else line_of(folder, file, line)
    assert found.startswith(f"{file}.yaml, line {number}: ")


class TestTheLastPriorityRule:
    def test_it_must_hold_for_everything(self, folder: Path, edit: Edit) -> None:
        edit("priorities", "- {priority: normal}", "- {priority: normal, sentiment: neutral}")
        line = line_of(folder, "priorities", "sentiment: neutral")
        assert problem(folder) == (
            f"priorities.yaml, line {line}: 4: the last rule must hold for everything"
        )

    def test_there_must_be_one(self, folder: Path) -> None:
        (folder / "priorities.yaml").write_text("# none\n[]\n")
        assert problem(folder) == "priorities.yaml, line 1: the last rule must hold for everything"


def test_a_place_nobody_knows_has_the_line_of_what_is_round_it(folder: Path) -> None:
    file = PolicyFile(folder / "priorities.yaml")
    assert file.line((0, "urgency")) == 2
    assert file.line((0, "urgency", "deeper")) == 2
    assert file.line((99,)) == 1
    assert file.line(("elsewhere",)) == 1


def test_every_policy_has_its_file() -> None:
    assert {f"{name}.yaml" for name in NAMES} <= {file.name for file in FOLDER.iterdir()}


def test_a_class_whose_purpose_is_not_there(folder: Path, edit: Edit) -> None:
    edit("sending", "purposes: {marketing: marketing}", "purposes: {marketing: spam}")
    line = line_of(folder, "sending", "purposes: {")
    assert problem(folder) == (
        f"sending.yaml, line {line}: purposes.marketing: 'spam' is not in consent.yaml"
    )


def test_a_follow_up_whose_purpose_is_not_there(folder: Path, edit: Edit) -> None:
    edit("follow_ups", "purpose: surveys", "purpose: nosiness")
    assert problem(folder).endswith("then.purpose: 'nosiness' is not in consent.yaml")


def test_a_notice_that_a_word_calls_for_is_written(folder: Path, edit: Edit) -> None:
    edit("templates", "  opt_in_confirmed:", "  something_else:")
    assert problem(folder).endswith("templates: opt_in_confirmed is missing: a word calls for it")


TWILIO = "- {provider: twilio, account: '1'}"


@pytest.mark.parametrize(
    ("lines", "line", "reason"),
    [
        ("- {provider: twilo, account: '1'}", 1, "0.provider: 'twilo' is no provider"),
        (f"{TWILIO}\n{TWILIO}", 2, "1.account: '1' is there twice"),
        (f"{TWILIO[:-1]}, calendar: roma}}", 1, "calendar: 'roma' is not in calendars.yaml"),
        (f"{TWILIO[:-1]}, queue: italy}}", 1, "queue: 'italy' is not a queue of routing.yaml"),
        (f"{TWILIO[:-1]}, slug: mi/lano}}", 1, "slug: String should match"),
    ],
)
def test_a_line_of_the_company_names_what_is_there(
    folder: Path, lines: str, line: int, reason: str
) -> None:
    (folder / "accounts.yaml").write_text(f"{lines}\n")
    assert problem(folder).startswith(f"accounts.yaml, line {line}: ")
    assert reason in problem(folder)


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ("  machine_wrote_this:", "  something_else:", "it is missing: a machine's messages may"),
        (' pl:\n      text: "Tę odp', ' pt-BR:\n      text: "Tę odp', "it is missing in pl"),
        ("An automatic system (AI) wrote", "{ticket_number}: a system wrote", "plain words"),
        ('"An automatic system', '" An automatic system', "plain words"),
        ("Jibu hili limeandikwa", " Jibu hili limeandikwa", "machine_wrote_this.sw.text: it must"),
    ],
)
def test_what_precedes_a_machines_words_is_there_in_every_language(
    folder: Path, edit: Edit, before: str, after: str, reason: str
) -> None:
    edit("templates", before, after)
    found = problem(folder)
    assert found.startswith("templates.yaml, line ")
    assert "machine_wrote_this" in found
    assert reason in found


def test_what_precedes_a_machines_words_says_something(folder: Path) -> None:
    file = folder / "templates.yaml"
    text = file.read_text(encoding="utf-8")
    begin = text.index("An automatic system")
    end = text.index('"', begin)
    file.write_text(f"{text[:begin]}---{text[end:]}", encoding="utf-8")
    assert "machine_wrote_this.en.text: it must be plain words" in problem(folder)


def test_an_ai_use_without_entry_is_refused(folder: Path, edit: Edit) -> None:
    edit("ai_register", "\nduplicate_suggestion:", "\nmind_reading:")
    assert "ai_register.yaml, line" in problem(folder)
    assert "mind_reading" in problem(folder)


def test_every_ai_use_of_the_code_has_an_entry(folder: Path) -> None:
    file = folder / "ai_register.yaml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text[: text.index("machine_written_messages:")], encoding="utf-8")
    assert problem(folder) == "ai_register.yaml, line 1: machine_written_messages has no entry"


def test_what_is_paid_by_the_call_has_a_budget(folder: Path) -> None:
    file = folder / "ai_register.yaml"
    text = file.read_text(encoding="utf-8")
    begin, end = text.index("  paid:"), text.index("duplicate_suggestion:")
    file.write_text(f"{text[:begin]}\n{text[end:]}", encoding="utf-8")
    assert "bedrock_classification: it is paid by the call" in problem(folder)


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        ("risk_class: minimal", "risk_class: harmless", "risk_class"),
        ("measure: override_rate", "measure: happiness", "kpi.measure"),
        ("at_most: 0.15", "at_most: 15", "kpi.at_most"),
        ("measure: override_rate, at_most: 0.15", "measure: disclosed_rate, at_most: 0.15", "kpi"),
        ("daily_budget_dollars: 2", "daily_budget_dollars: -2", "daily_budget_dollars"),
        ("failures: 5", "failures: 0", "breaker.failures"),
        ("open_for: PT1M", "open_for: PT0S", "breaker.open_for"),
        ("timeout_seconds: 4", "timeout_seconds: 60", "timeout_seconds"),
    ],
)
def test_a_wrong_entry_is_named(
    folder: Path, edit: Edit, before: str, after: str, why: str
) -> None:
    edit("ai_register", before, after)
    line = line_of(folder, "ai_register", after)
    assert f"ai_register.yaml, line {line}: " in problem(folder)
    assert why in problem(folder)


def test_plain_words_name_intents_there_are(folder: Path, edit: Edit) -> None:
    edit("understanding", "    warranty_claim:\n", "    waranty_claim:\n")
    assert "words.intents.waranty_claim: 'waranty_claim' is not in intents.yaml" in problem(folder)


def test_every_intent_has_its_words_in_six_languages() -> None:
    """But for the fallback, and what rules decide before any of these is looked at."""
    policies = read_policies()
    decided = {rule.intent for rule in policies.understanding.rules if rule.owes is False}
    wanted = set(policies.intents) - decided - {policies.understanding.fallback_intent}
    words = policies.understanding.words.intents
    assert set(words) == wanted
    for intent, phrases in words.items():
        assert set(phrases) == {"en", "fr", "it", "es", "pt", "de"}, intent
        assert all(phrases.values()), intent


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ("refund: {", "reimbursement: {", "the embedded model knows no 'reimbursement'"),
        ("refund: {", "refund: {learned_as: [money], ", "the embedded model knows no 'money'"),
        (
            "praise: {",
            "thanks: {learned_as: [refund], owes: false, description: Thanks}\npraise: {",
            "'refund' is learned_as of 'refund' already",
        ),
    ],
)
def test_an_intent_says_what_the_model_calls_it(
    folder: Path, edit: Edit, before: str, after: str, reason: str
) -> None:
    edit("intents", before, after)
    found = problem(folder)
    assert found.startswith("intents.yaml, line ")
    assert reason in found


def test_a_choice_that_two_rules_claim_is_named(folder: Path, edit: Edit) -> None:
    edit("understanding", "choices: [call_me_back]", "choices: [call_me_back, order_asked]")
    why = "the choice 'order_asked' is in menu_order_status and in menu_call_me_back"
    assert why in problem(folder)
