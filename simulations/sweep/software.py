"""Software: what a result depends on beside its task, so that results of different code never meet in one folder."""

import hashlib
import platform
import subprocess
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import p2pnoise
from simulations.outcome import Outcome

__all__ = ["code", "commit", "digest", "made", "made_here", "result_hash", "software"]

_ROOT = Path(__file__).parents[2]
_LIBRARIES = ("cryptography", "igraph", "msgpack", "numpy", "pynacl", "sqlite-utils", "trio")  # what a run may call


def software(files: Iterable[str] = ()) -> dict[str, Any]:
    """The code, the interpreter, the libraries and the lock file of this installation, and scenarios of one's own."""
    lock = _ROOT / "constraints.txt"
    return {
        "p2pnoise": p2pnoise.__version__,
        "code": code(),
        "python": platform.python_version(),
        "libraries": {name: version for name in _LIBRARIES if (version := _version(name))},
        "lock": hashlib.sha256(lock.read_bytes()).hexdigest() if lock.is_file() else None,
        "scenarios": {name: hashlib.sha256(Path(name).read_bytes()).hexdigest() for name in sorted(set(files))},
    }


@cache
def code() -> str:
    """SHA-256 over the source of all that takes part in a run; an uncommitted change is another code, too."""
    digest = hashlib.sha256()
    for name in ("cards", "p2pnoise", "simulations"):
        folder = _ROOT / name
        for file in sorted(folder.rglob("*.py")):
            source = file.read_bytes()
            digest.update(f"{folder.name}/{file.relative_to(folder).as_posix()} {len(source)}\n".encode() + source)
    return digest.hexdigest()


def commit() -> str | None:
    """The commit that is checked out, with `-dirty` where files differ from it; None where there is none to know."""
    if not (_ROOT / ".git").exists():
        return None
    command = ("git", "-C", str(_ROOT), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return None
    return found.stdout.strip() or None


def digest(line: str) -> bytes:
    """Of the line of one outcome."""
    return hashlib.blake2b(line.encode(), digest_size=16).digest()


def result_hash(digests: Iterable[bytes]) -> str:
    """BLAKE2b over the outcomes with these digests, in the order of the tasks that they answer."""
    found = hashlib.blake2b(digest_size=16)
    for one in digests:
        found.update(one)
    return found.hexdigest()


def made(software: Mapping[str, Any], commit: str | None, result_hash: str) -> dict[str, str]:
    """With what outcomes were made, and what they are together, for a report: names and hashes, as far as known."""
    own = {f"scenario file {name}": digest for name, digest in software["scenarios"].items()}
    told = {
        "commit": commit,
        "code": software["code"],
        "lock file": software["lock"],
        **own,
        "result hash": result_hash,
    }
    return {name: value for name, value in told.items() if value}


def made_here(outcome: Outcome) -> dict[str, str]:
    """The same of one run that this process made: the result hash is that of a sweep of this run alone."""
    own = [outcome.scenario] if outcome.scenario.endswith((".py", ".toml")) else []
    return made(software(own), commit(), result_hash([digest(outcome.line())]))


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None
