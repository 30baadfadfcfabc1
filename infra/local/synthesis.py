"""The template, synthesised from the source and kept until the source changes."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

ROOT = Path(__file__).parents[2]
KEPT = ROOT / ".build" / "local-templates"
_WRITTEN_FROM = ("infra", "shared/events", "shared/policies", "shared/runtime", "shared/domain")
_NOT_FROM = ROOT / "infra" / "local"


class SynthesisFailed(Exception):
    """What `python -m infra.app` said."""


def synthesised_template(tell: Callable[[str], None]) -> dict[str, Any]:
    """The stack's template. Raises SynthesisFailed with what is wrong in the source."""
    kept = KEPT / f"{_fingerprint()}.json"
    if not kept.exists():
        tell("synthesising the stack, as nothing is kept of this source (some ten seconds)")
        _synthesise(kept)
    content: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8"))
    return content


def _fingerprint() -> str:
    digest = sha256()
    for file in sorted(_sources()):
        digest.update(str(file.relative_to(ROOT)).encode() + b"\0" + file.read_bytes() + b"\0")
    # Of a provider the template holds only that there is one.
    names = sorted(file.name for file in (ROOT / "shared" / "providers").glob("*.py"))
    digest.update("\0".join(names).encode())
    return digest.hexdigest()[:32]


def _sources() -> Iterator[Path]:
    for name in ("cdk.json", "requirements-dev.txt"):
        yield ROOT / name
    for folder in _WRITTEN_FROM:
        for file in (ROOT / folder).rglob("*"):
            if file.suffix in {".py", ".yaml", ".json"} and _NOT_FROM not in file.parents:
                yield file


def _synthesise(kept: Path) -> None:
    KEPT.mkdir(parents=True, exist_ok=True)
    folder = Path(mkdtemp(dir=KEPT))
    choices = ("-c", "bundle=none", "-c", "providers=all")
    try:
        run = subprocess.run(
            [sys.executable, "-m", "infra.app", *choices, "-o", str(folder)],
            cwd=ROOT,
            env={**os.environ, "JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        templates = list(folder.glob("*.template.json"))
        if run.returncode or len(templates) != 1:
            raise SynthesisFailed(run.stderr.strip() or run.stdout.strip())
        # Renamed, so that nobody ever reads half a file.
        templates[0].replace(kept)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
