"""Policies that might be: the current ones with some files instead."""

from collections.abc import Sequence
from pathlib import Path

from shared.domain.errors import PolicyError
from shared.policies.check import check_policies
from shared.policies.reader import FOLDER, NAMES, Policies


def candidate(paths: Sequence[Path], folder: Path = FOLDER) -> Policies:
    """The policies of `folder`, with the files in `paths` for those of their names; a path is a
    file or a folder of them.

    Read and checked. Raises PolicyError, also for a file that is no policy's: a mistyped name would
    change nothing, and look as if nothing changed.
    """
    files = [file for path in paths for file in _files(path)]
    for file in files:
        if file.stem not in NAMES:
            raise PolicyError(f"{file.name}: no policy is called so; they are {', '.join(NAMES)}")
    return check_policies(folder, {file.stem: file for file in files})


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    found = sorted(path.glob("*.yaml"))
    if not found:
        raise PolicyError(f"{path.name}: this folder holds no policy")
    return found
