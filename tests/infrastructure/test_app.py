"""What a company writes wrongly is told with its place, and nothing is synthesised."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from infra.app import main
from infra.constructs.options import read_options
from infra.constructs.secrets import provider_names
from shared.providers import base
from tests.infrastructure.conftest import Synthesised

ROOT = Path(__file__).parents[2]


def test_a_wrong_policy_fails_with_file_line_and_reason(tmp_path: Path) -> None:
    """In a copy of the house, as a company would have it."""
    for folder in ("infra", "shared"):
        shutil.copytree(
            ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__")
        )
    shutil.copyfile(ROOT / "cdk.json", tmp_path / "cdk.json")
    sla = tmp_path / "shared" / "policies" / "sla.yaml"
    lines = sla.read_text(encoding="utf-8").splitlines()
    line = next(number for number, text in enumerate(lines) if text.startswith("calendar:"))
    lines[line] = "calendar: atlantis"
    sla.write_text("\n".join(lines), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "infra.app"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    reason = f"sla.yaml, line {line + 1}: calendar: 'atlantis' is not in calendars.yaml"
    assert (done.returncode, done.stderr) == (1, f"error: {reason}\n")
    assert not (tmp_path / "cdk.out").exists()


def test_an_account_with_a_slug_has_a_secret_of_its_own(tmp_path: Path) -> None:
    """Also where its provider has none: all its accounts may have their own."""
    for folder in ("infra", "shared", "functions"):
        shutil.copytree(
            ROOT / folder,
            tmp_path / folder,
            ignore=shutil.ignore_patterns("__pycache__", "corpus", "models"),
        )
    models = Path("shared", "adapters", "models")
    (tmp_path / models).symlink_to(ROOT / models)
    shutil.copyfile(ROOT / "cdk.json", tmp_path / "cdk.json")
    (tmp_path / "shared" / "policies" / "accounts.yaml").write_text(
        "- {provider: whatsapp_cloud, account: '39', slug: milano}\n"
        "- {provider: whatsapp_cloud, account: '40', slug: milano}\n"
        "- {provider: twilio, account: '41'}\n"
    )
    command = [sys.executable, "-m", "infra.app", "-c", "bundle=none", "-c", "providers=twilio"]
    subprocess.run(command, cwd=tmp_path, capture_output=True, check=True)
    template = json.loads((tmp_path / "cdk.out" / "Passerelle.template.json").read_text())
    made = Synthesised(tmp_path, template)
    secrets = {
        logical_id: one["Properties"]["Name"]
        for logical_id, one in made.resources("AWS::SecretsManager::Secret").items()
        if "SecretString" in one["Properties"]
    }
    assert sorted(secrets.values()) == ["passerelle/twilio", "passerelle/whatsapp_cloud/milano"]
    variables = made.functions()["webhook_intake"]["Environment"]["Variables"]
    assert variables["ACCOUNT_SECRETS"] == '["whatsapp_cloud/milano"]'
    for name in ("webhook_intake", "follow_up_delivery"):
        readable = json.dumps(made.statements(made.functions()[name]["Role"]))
        assert all(f'"{logical_id}"' in readable for logical_id in secrets)


@pytest.mark.parametrize(
    ("context", "complaint"),
    [
        ("production=perhaps", "error: context production:"),
        ("providers=twilio,twillio", "error: context providers: "),
        ("bundle=half", "error: context bundle:"),
        ("log_days=31", "error: context log_days:"),
        ("public_url=http://api.example.com", "error: context public_url:"),
        ("bedrock_model_id=eu.some.other-model", "error: context bedrock_model_id:"),
    ],
)
def test_a_wrong_choice_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], context: str, complaint: str
) -> None:
    assert main(["-o", str(tmp_path / "cdk.out"), "-c", context]) == 1
    assert capsys.readouterr().err.startswith(complaint)


def test_choices_are_read_as_they_are_typed_on_a_command_line() -> None:
    options = read_options(
        {
            "production": "true",
            "log_days": "90",
            "web_origins": "https://a.example, https://b.example",
        }
    )
    assert options.production
    assert options.log_days == 90
    assert options.providers == ()
    assert read_options({"providers": "twilio,email_ses"}).providers == ("email_ses", "twilio")
    assert read_options({"providers": "all"}).providers == tuple(provider_names())
    assert options.web_origins == ("https://a.example", "https://b.example")


def test_the_stack_finds_the_providers_that_the_functions_find() -> None:
    assert provider_names() == list(base.provider_names())
