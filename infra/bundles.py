"""What is uploaded for a function: its own folder, `shared`, and the packages it imports.

The packages are the pins of requirements.txt, with their hashes, for Lambda's platform. They are
installed without Docker, once for each set of pins, and kept under .build: the next synthesis
needs no network.
boto3 is not among them: the Lambda runtime has it.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from functools import cache
from hashlib import sha256
from importlib.metadata import requires
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
BUILD = ROOT / ".build"
NOT_SOURCES = {"__pycache__", ".DS_Store"}
"""Names of files and folders in our own that are nobody's work."""
UNUSED = (
    "bin",
    "phonenumbers/carrierdata",
    "phonenumbers/geodata",
    "phonenumbers/tzdata",
    "stdnum/oui.dat",
    "stdnum/imsi.dat",
)
"""Parts of packages that nothing here imports: 30 MB, mostly place names by telephone prefix, and
the makers of network cards.
"""


BELONGS_TO = {"shared/adapters/models": "ai_classification"}
"""Folders of `shared` that are large and of use to one function only."""


class Target(NamedTuple):
    """Where a bundle runs: the platform as uv calls it, None for this machine, and the Python."""

    platform: str | None
    python: str


LAMBDA = Target("aarch64-manylinux2014", "3.13")
HERE = Target(None, f"{sys.version_info.major}.{sys.version_info.minor}")


class BundleError(Exception):
    """A bundle cannot be built; the message says why, and what to do."""


def bundle(name: str, packages: Iterable[str], *, target: Target = LAMBDA) -> Path:
    """The folder to upload for the function `name`, with a new name when anything in it changes."""
    installed = _installed(pinned(packages, target), target)
    sources = list(_sources(name))
    if ROOT / "functions" / name / "handler.py" not in sources:
        raise BundleError(f"functions/{name}/handler.py is not there")
    digest = sha256(f"{installed.name} {compiler(target)}".encode())
    for file in sources:
        digest.update(str(file.relative_to(ROOT)).encode() + b"\0" + file.read_bytes() + b"\0")
    wanted = BUILD / "bundles" / f"{name}-{target.python}-{digest.hexdigest()[:16]}"
    if not wanted.exists():
        with TemporaryDirectory(dir=_made(BUILD), prefix="bundle-") as scratch:
            draft = Path(scratch) / "bundle"
            shutil.copytree(installed, draft, copy_function=os.link)
            for file in sources:
                copy = draft / file.relative_to(ROOT)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, copy)
            for folder in ("functions", "shared"):
                _compile(draft / folder, target)
            _put(draft, wanted)
        _forget(wanted.parent.glob(f"{name}-{target.python}-*"), wanted)
    return wanted


def pinned(packages: Iterable[str], target: Target) -> list[str]:
    """The entries of requirements.txt for these packages and all they depend on."""
    pins = _pins()
    marks = {"python_version": target.python, "python_full_version": f"{target.python}.0"}
    found: set[str] = set()
    waiting = [canonicalize_name(one) for one in packages]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        if name not in pins:
            raise BundleError(f"{name} is not pinned in requirements.txt")
        found.add(name)
        for text in requires(name) or ():
            needed = Requirement(text)
            if needed.marker is None or needed.marker.evaluate({**marks, "extra": ""}):
                waiting.append(canonicalize_name(needed.name))
    return [pins[name] for name in sorted(found)]


@cache
def _pins() -> dict[str, str]:
    """By name. An entry begins in the first column; its hashes are indented."""
    text = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    entries = re.findall(r"^\S.*(?:\n[ \t]+\S.*)*", text, re.MULTILINE)
    return {
        canonicalize_name(re.split(r"[=\[ ]", entry, maxsplit=1)[0]): entry
        for entry in entries
        if not entry.startswith("#")
    }


def _installed(pins: list[str], target: Target) -> Path:
    """These packages in one folder, installed and compiled once."""
    text = "\n".join(pins)
    key = sha256(f"{target} {compiler(target)} {UNUSED}\n{text}".encode()).hexdigest()[:16]
    wanted = BUILD / "packages" / key
    if wanted.exists():
        return wanted
    with TemporaryDirectory(dir=_made(BUILD), prefix="packages-") as scratch:
        listed, draft = Path(scratch) / "requirements.txt", Path(scratch) / "packages"
        listed.write_text(text, encoding="utf-8")
        _uv(listed, draft, target)
        for part in UNUSED:
            shutil.rmtree(draft / part, ignore_errors=True)
            if (draft / part).is_file():
                (draft / part).unlink()
        for record in draft.glob("*.dist-info/RECORD"):
            record.unlink()
        _compile(draft, target)
        _put(draft, wanted)
    return wanted


def _uv(listed: Path, into: Path, target: Target) -> None:
    print(f"installing packages for {target.platform or 'this machine'}", file=sys.stderr)
    command = ["uv", "pip", "install", "--quiet", "--no-deps", "--require-hashes"]
    command += ["--only-binary", ":all:", "--python-version", target.python, "--link-mode", "copy"]
    command += ["--python-platform", target.platform] if target.platform else []
    command += ["--python", sys.executable, "--target", str(into), "--requirement", str(listed)]
    done = subprocess.run(
        [sys.executable, "-m", *command], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise BundleError(f"the packages cannot be installed:\n{done.stderr.strip()}")


@cache
def compiler(target: Target) -> str | None:
    """An interpreter of the target's version, which alone can compile for it."""
    candidates = [sys.executable if target.python == HERE.python else None]
    candidates.append(shutil.which(f"python{target.python}"))
    for candidate in filter(None, candidates):
        asked = subprocess.run(
            [candidate, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
            capture_output=True,
            text=True,
            check=False,
        )
        if asked.stdout.strip() == target.python:
            return candidate
    note = f"note: without python{target.python} here, cold starts will have to compile"
    print(note, file=sys.stderr)
    return None


def _compile(folder: Path, target: Target) -> None:
    """Compiled code that is trusted whatever a file's time says: the upload sets the times anew.

    Without it the function compiles all it imports at each cold start, since it cannot keep the
    result: its folder is read-only. It works all the same, about two and a half times as slowly.
    """
    if (interpreter := compiler(target)) is None:
        return
    subprocess.run(
        [interpreter, "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", "."],
        cwd=folder,
        check=True,
        stdout=subprocess.DEVNULL,
    )


def _sources(name: str) -> Iterable[Path]:
    of_others = [ROOT / folder for folder, owner in BELONGS_TO.items() if owner != name]
    for folder in (ROOT / "functions" / name, ROOT / "shared"):
        for file in sorted(folder.rglob("*")):
            if NOT_SOURCES & set(file.parts) or any(map(file.is_relative_to, of_others)):
                continue
            if file.is_file():
                yield file


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _put(draft: Path, wanted: Path) -> None:
    """All at once, so that an interrupted build leaves nothing that looks whole."""
    _made(wanted.parent)
    try:
        draft.rename(wanted)
    except OSError:
        # Another synthesis made the same one meanwhile.
        if not wanted.exists():
            raise


def _forget(bundles: Iterable[Path], wanted: Path) -> None:
    for old in bundles:
        if old != wanted:
            shutil.rmtree(old, ignore_errors=True)
