"""`python -m shared.operations` against an account: from the stack's outputs to the ledger."""

import json
import re
from collections.abc import Iterator
from contextvars import copy_context
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from shared.adapters.ledger import DynamoLedger
from shared.domain.override import Meant, next_override
from shared.events.catalogue import ClassificationOverridden
from shared.operations.__main__ import main
from shared.policies.reader import read_policies
from shared.runtime import wiring
from tests.builders import NOON, classification, journey, observed, whatsapp_message

STACK = "Passerelle"


@pytest.fixture
def account(table_definitions: dict[str, dict[str, Any]]) -> Iterator[None]:
    """A stack whose outputs name its tables, as the real one's do."""
    wiring.client.cache_clear()
    wiring.ledger.cache_clear()
    wiring.ai_uses.cache_clear()
    with mock_aws():
        boto3.client("dynamodb").create_table(
            TableName="touchpoints", **table_definitions["touchpoints"]
        )
        boto3.client("dynamodb").create_table(TableName="ai_uses", **table_definitions["ai_uses"])
        values = {
            "TouchpointsTable": "touchpoints",
            "RawBucket": "raws",
            "ProfilesTable": "profiles",
            "Retention": read_policies().retention.model_dump_json(),
            "SecretsPrefix": "passerelle",
            "AiUsesTable": "ai_uses",
        }
        template = {
            "Resources": {"topic": {"Type": "AWS::SNS::Topic"}},
            "Outputs": {name: {"Value": value} for name, value in values.items()},
        }
        boto3.client("cloudformation").create_stack(
            StackName=STACK, TemplateBody=json.dumps(template)
        )
        yield
    wiring.client.cache_clear()
    wiring.ledger.cache_clear()
    wiring.ai_uses.cache_clear()


def run(*arguments: str) -> int:
    """In a context of its own: `main` sets the environment of the process it ends."""
    return copy_context().run(main, arguments)


@pytest.mark.usefixtures("account")
def test_the_balance_of_a_deployed_stack(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("balance", "--stack", STACK) == 0
    told = capsys.readouterr()
    assert re.search(r"^received +0$", told.out, re.M)
    assert told.out.endswith("in_flight: True\n")
    assert told.err == ""


@pytest.mark.usefixtures("account")
def test_redrive_of_a_deployed_stack(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("redrive", "--stack", STACK) == 0
    assert capsys.readouterr().out == "0 sent again, 0 read, 0 still unreadable\n"


@pytest.mark.usefixtures("account")
@pytest.mark.parametrize("since", ["2026-11-01", "2026-11-01T00:00:00+01:00"])
def test_a_replay_of_a_deployed_stack(
    since: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "priorities.yaml").write_text("- {priority: low}\n")
    given = ("--since", since, "--with", str(tmp_path), "--json")
    assert run("replay", "--stack", STACK, *given) == 0
    assert json.loads(capsys.readouterr().out)["looked_at"] == 0
    assert run("replay", "--stack", STACK, "--since", since) == 0
    assert capsys.readouterr().out.endswith("0  changed\n")


@pytest.mark.usefixtures("account")
def test_a_report_of_a_deployed_stack(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ("--stack", STACK, "--since", "2026-11-01", "--until", "2026-11-08")
    assert run("ai_report", *given, "--json") == 0
    told = capsys.readouterr()
    report = json.loads(told.out)
    assert report["before"]["since"] == "2026-10-25T00:00:00Z"
    assert report["volume"]["understood"] == 0
    assert {use["standing"]["on"] for use in report["uses"]} == {True}
    assert told.err == ""
    out = tmp_path / "report.html"
    assert run("ai_report", *given, "--out", str(out)) == 0
    assert out.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert capsys.readouterr().out == ""


@pytest.mark.usefixtures("account")
def test_a_report_without_how_the_uses_stand(capsys: pytest.CaptureFixture[str]) -> None:
    boto3.client("dynamodb").delete_table(TableName="ai_uses")
    assert run("ai_report", "--stack", STACK, "--since", "2026-11-01", "--json") == 0
    told = capsys.readouterr()
    assert {use["standing"] for use in json.loads(told.out)["uses"]} == {None}
    assert "how the uses stand now could not be read" in told.err


@pytest.mark.usefixtures("account")
def test_a_report_of_no_time_is_an_error_of_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    given = ("--since", "2026-11-08", "--until", "2026-11-01")
    assert run("ai_report", "--stack", STACK, *given) == 1
    assert re.fullmatch(r"error: the period .*\n", capsys.readouterr().err)


@pytest.mark.usefixtures("account")
def test_a_wrong_policy_is_an_error_of_one_line_before_the_ledger_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "routing.yml.yaml").write_text("")
    assert run("replay", "--stack", STACK, "--with", str(tmp_path)) == 1
    assert re.fullmatch(
        "error: routing.yml.yaml: no policy is called so.*\n", capsys.readouterr().err
    )


@pytest.mark.parametrize(
    "wrong", [("--since", "2026-11-01T10:00"), ("--since", "yesterday"), ("--examples", "-1")]
)
def test_a_replay_that_is_asked_for_wrongly(wrong: tuple[str, str]) -> None:
    with pytest.raises(SystemExit):
        run("replay", "--stack", STACK, *wrong)


@pytest.mark.usefixtures("account")
def test_what_people_corrected_is_written_masked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dynamodb = boto3.client("dynamodb")
    ledger = DynamoLedger(dynamodb, lambda: boto3.client("s3"), "touchpoints", "raws")
    seen = whatsapp_message("My order is late, call me on +33 6 12 34 56 78")
    ledger.record([observed(seen)])
    outcome = journey(seen, understood=classification()).model_dump_json(exclude_none=True)
    meant = Meant(intent="delivery_problem", reason="it is late")
    one = next_override(seen.touchpoint_id, meant, (), by="agent:7", now=NOON)
    entry = ledger.read(seen.touchpoint_id)
    assert entry is not None
    ledger.override(
        entry,
        (one,),
        ClassificationOverridden(
            touchpoint_id=seen.touchpoint_id, attempt=2, override_id=one.override_id, by="agent:7"
        ),
    )
    dynamodb.update_item(
        TableName="touchpoints",
        Key={"touchpoint_id": {"S": seen.touchpoint_id}},
        UpdateExpression="SET outcome = :outcome",
        ExpressionAttributeValues={":outcome": {"S": outcome}},
    )
    out = tmp_path / "overrides.jsonl"
    assert run("overrides", "--stack", STACK, "--out", str(out)) == 0
    assert capsys.readouterr().out == "1 overrides in overrides.jsonl\n"
    line = json.loads(out.read_text(encoding="utf-8"))
    assert line["text"] == "My order is late, call me on [phone]"
    assert line["person"] == {"intent": "delivery_problem"}


@pytest.mark.usefixtures("account")
def test_a_stack_that_is_not_there_is_an_error_of_one_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run("balance", "--stack", "Elsewhere") == 1
    assert re.fullmatch(r"error: .*Elsewhere.*\n", capsys.readouterr().err)


@pytest.mark.parametrize("service", wiring.SIGN_IN_SERVICES)
def test_a_person_may_sign_in_by_any_of_botocores_ways(service: str) -> None:
    assert wiring.client(service).meta.service_model.service_name == service
