"""A wrong segment says on which line of segments.yaml, and why."""

import shutil
from pathlib import Path

import pytest

from shared.domain.errors import PolicyError
from shared.policies.check import check_policies
from shared.policies.reader import FOLDER


@pytest.mark.parametrize(
    ("rule", "line", "said"),
    [
        ("attribute: {name: mana, at_least: 1}", 4, "'mana' found using 'name' does not match"),
        ("event: {name: Cart Abandoned}", 4, "'Cart Abandoned' is written 'cart_abandoned'"),
        ("event: {name: cart, within: -P1D}", 4, "should be greater than 0"),
        ("event: cart", 4, "valid dictionary"),
        ("event: {name: cart, often: 3}", 4, "Extra inputs are not permitted"),
        ("happened: {name: cart}", 4, "Extra inputs are not permitted"),
        ("all:\n        - event: {name: cart}\n        - trait: {name: plan}", 6, "name one of"),
        ("event: {name: cart}\n      trait: {name: plan, equals: x}", 3, "a condition is one of"),
    ],
)
def test_a_wrong_rule(tmp_path: Path, rule: str, line: int, said: str) -> None:
    folder = _with(tmp_path, f"segments:\n  s:\n    when:\n      {rule}\n    description: x\n")
    with pytest.raises(PolicyError) as raised:
        check_policies(folder)
    assert str(raised.value).startswith(f"segments.yaml, line {line}: segments.s.when")
    assert said in str(raised.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("segments:\n  s: {}\n  s: {}\n", "segments.yaml, line 3: 's' is there twice"),
        ("segments:\n  Big: {}\n", "segments.yaml, line 2: segments.Big"),
    ],
)
def test_a_wrong_name(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(PolicyError) as raised:
        check_policies(_with(tmp_path, text))
    assert str(raised.value).startswith(said)


def test_a_company_may_have_none(tmp_path: Path) -> None:
    assert check_policies(_with(tmp_path, "segments: {}\n")).segments.segments == {}


def _with(tmp_path: Path, text: str) -> Path:
    """The company's own policies, with other segments."""
    folder = Path(shutil.copytree(FOLDER, tmp_path / "policies"))
    (folder / "segments.yaml").write_text(text, encoding="utf-8")
    return folder
