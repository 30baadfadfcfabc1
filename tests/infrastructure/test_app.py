"""What a company writes wrongly is told with its place, and nothing is synthesised."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from infra.app import main
from infra.constructs.options import read_options
from infra.constructs.secrets import provider_names
from shared.providers import base

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


@pytest.mark.parametrize(
    ("context", "complaint"),
    [
        ("production=perhaps", "error: context production:"),
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
    assert options.web_origins == ("https://a.example", "https://b.example")


def test_the_stack_finds_the_providers_that_the_functions_find() -> None:
    assert provider_names() == list(base.provider_names())
