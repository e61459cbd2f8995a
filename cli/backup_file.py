"""Backup files: a node's or an issuer's folder in one tar file, written at one moment and read with suspicion.

    manifest.json   {"p2pnoise": "backup", "version": 1, "what": "node", "made": ..., "files": [...]}
    ...             those files, in the order of the manifest, which is that of their names

The manifest gives the name, size and SHA-256 of each, and the time, in seconds since 1970.

It holds plain ustar headers of regular files and nothing else, so any tar reads it. Restoring reads it as it was
written here alone: no member of any other name, kind, size or order is ever looked at, and nothing is unpacked by path.
"""

import hashlib
import json
import sqlite3
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, Literal

from cards import NodeKey
from cards.findings import BINDING, MALFORMED
from p2pnoise.folder.writing import replacing

from . import documents
from .output import Fault, naming, os_fault

__all__ = ["FILES", "Backup", "check_node", "pack", "unpack"]

What = Literal["node", "issuer"]

_MANIFEST = "manifest.json"
_VERSION = 1
_MAX_MANIFEST = 16 * 1024  # bytes; with every file about 2,000
_MAX_FILE = 16 * 1024 * 1024  # bytes of a file that is no database; bans.toml may have 12 MiB
_MAX_DATABASE = 8**11 - 1  # bytes: what a ustar header can say
_MAX_TIME = 253_402_300_799  # the last second of the year 9999
_CHUNK = 1024 * 1024
_DATABASES = ("node.db", "registry.db")
_FOREIGN = "give a file that p2pnoise backup has written, as it has written it"

FILES: dict[What, tuple[str, ...]] = {
    "node": (
        "bans.toml",
        "card.pem",
        "identity.key",
        "identity.key.next",
        "identity.key.old",
        "node.db",
        "node.key",
        "node.key.next",
        "node.key.old",
        "node.toml",
        "pins.toml",
        "policy.toml",
        "request.pem",
        "revocations.pem",
        "statements.pem",
    ),
    "issuer": ("issuer.key", "issuer.toml", "registry.db", "revocations.pem", "statements.pem"),
}
"""What a backup has of a folder, as far as it is there."""
_NEEDED: dict[What, tuple[str, ...]] = {"node": ("node.key",), "issuer": ("issuer.toml", "registry.db")}


@dataclass(frozen=True, slots=True)
class _Part:
    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Backup:
    """What a backup file holds. `made` is in seconds since 1970."""

    what: What
    made: int
    parts: tuple[_Part, ...]

    @property
    def names(self) -> list[str]:
        return [part.name for part in self.parts]

    def to_json(self) -> dict[str, Any]:
        files = [{"name": part.name, "size": part.size, "sha256": part.sha256} for part in self.parts]
        return {"p2pnoise": "backup", "version": _VERSION, "what": self.what, "made": self.made, "files": files}


# Writing


def pack(folder: Path, what: What, target: Path, *, now: int, force: bool) -> Backup:
    """Write what `folder` holds at one moment to `target`, for its owner alone. Raises `Fault`.

    Databases are copied by SQLite, so that a node may run meanwhile; all other files are replaced whole by whoever
    writes them. No command may change them meanwhile: hold the folder's lock.
    """
    missing = [name for name in _NEEDED[what] if not (folder / name).exists()]
    if missing:
        raise Fault(f"no {missing[0]} in {folder}", f"name the folder of the {what}")
    with replacing(target, secret=True, force=force) as file, _copied(folder, what, target.parent) as copies:
        contents = {
            name: copies[name] if name in copies else _read(folder / name)
            for name in FILES[what]
            if (folder / name).exists()
        }
        if what == "node":
            check_node(folder, {name: data for name, data in contents.items() if isinstance(data, bytes)})
        parts = tuple(_Part(name, *_digest(content)) for name, content in contents.items())
        backup = Backup(what, now, parts)
        with tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as archive:
            _add(archive, _MANIFEST, BytesIO((json.dumps(backup.to_json(), indent=1) + "\n").encode()))
            for name, content in contents.items():
                with BytesIO(content) if isinstance(content, bytes) else content.open("rb") as opened:
                    _add(archive, name, opened)
    return backup


@contextmanager
def _copied(folder: Path, what: What, beside: Path) -> Iterator[dict[str, Path]]:
    """Copies of the databases, each as it was at one moment, for as long as the block lasts."""
    present = [name for name in _DATABASES if name in FILES[what] and (folder / name).exists()]
    with tempfile.TemporaryDirectory(dir=beside, prefix=".p2pnoise-") as place:  # for its owner alone
        copies = {name: Path(place) / name for name in present}
        for name, copy in copies.items():
            source = folder / name
            try:
                with (
                    closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True, timeout=10)) as database,
                    closing(sqlite3.connect(copy)) as target,
                ):
                    database.backup(target)  # all pages under one lock
                    (verdict,) = target.execute("PRAGMA quick_check(1)").fetchone()
            except sqlite3.Error as error:
                raise Fault(f"{source}: {error}", "p2pnoise doctor says what is wrong with this folder") from None
            if verdict != "ok":
                raise Fault(
                    f"{source} is damaged", "p2pnoise doctor says what is wrong with this folder", code=MALFORMED
                )
        yield copies


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_FILE + 1)
    except OSError as error:
        raise os_fault(error, path) from None
    if len(data) > _MAX_FILE:
        raise Fault(f"{path} has more than {_MAX_FILE} bytes", "make it smaller, no node reads so much", code=MALFORMED)
    return data


def _digest(content: bytes | Path) -> tuple[int, str]:
    digest, size = hashlib.sha256(), 0
    with BytesIO(content) if isinstance(content, bytes) else content.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
    return size, digest.hexdigest()


def _add(archive: tarfile.TarFile, name: str, content: BinaryIO) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode = content.seek(0, 2), 0o600
    content.seek(0)
    archive.addfile(info, content)


def check_node(folder: Path, contents: dict[str, bytes]) -> None:
    """Raises `Fault` where the card is not that of the node key: the two are of use together alone."""
    with naming(folder / "node.key"):
        key = NodeKey.from_pem(contents["node.key"])
    if "card.pem" not in contents:
        return
    card = documents.parse(str(folder / "card.pem"), contents["card.pem"]).card
    if card.node_id != key.public:
        text = f"in {folder} card.pem names node {card.node_id.short}, node.key is {key.public.short}"
        raise Fault(text, "install the card of this node, or restore the key that belongs to it", code=BINDING)


# Reading


def unpack(path: Path, into: Path) -> Backup:
    """Write the files of a backup into a new folder. Raises `Fault` for anything else than a whole backup."""
    try:
        with path.open("rb") as file:
            backup = _manifest(file, path)
            for part in backup.parts:
                _expect(file, path, part.name, part.size)
                _restore(file, path, part, into)
            _end(file, path)
    except OSError as error:
        raise os_fault(error, path) from None
    return backup


def _manifest(file: BinaryIO, path: Path) -> Backup:
    name, size = _header(file) or ("", 0)
    text = _content(file, size) if name == _MANIFEST and 0 <= size <= _MAX_MANIFEST else b""
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict) or said.get("p2pnoise") != "backup":
        raise Fault(f"{path} is no backup", _FOREIGN, code=MALFORMED)
    if type(said.get("version")) is int and said["version"] > _VERSION:
        raise Fault(f"{path}: backup of version {said['version']}, this software knows {_VERSION}", "upgrade p2pnoise")
    backup = _parse(said)
    # As it would be written, to the byte: then there is one way to say everything, and nothing else in it.
    if backup is None or (json.dumps(backup.to_json(), indent=1) + "\n").encode() != text:
        raise Fault(f"{path}: its manifest says what no backup has", _FOREIGN, code=MALFORMED)
    return backup


def _parse(said: dict[str, Any]) -> Backup | None:
    match said:
        case {"what": "node" | "issuer" as what, "made": int(made), "files": list(files)} if 0 <= made <= _MAX_TIME:
            parts = []
            for one in files:
                match one:
                    case {"name": str(name), "size": int(size), "sha256": str(sha256)} if name in FILES[what]:
                        parts.append(_Part(name, size, sha256))
                    case _:
                        return None
            names = [part.name for part in parts]
            if names == sorted(set(names)) and set(_NEEDED[what]) <= set(names) and all(map(_fits, parts)):
                return Backup(what, made, tuple(parts))
    return None


def _fits(part: _Part) -> bool:
    return 0 <= part.size <= (_MAX_DATABASE if part.name in _DATABASES else _MAX_FILE)


def _expect(file: BinaryIO, path: Path, name: str, size: int) -> None:
    if _header(file) != (name, size):
        raise Fault(f"{path}: {name} of {size} bytes does not come where its manifest says", _FOREIGN, code=MALFORMED)


def _header(file: BinaryIO) -> tuple[str, int] | None:
    """Name and size of the next member, a regular file; None where there is none. One block, so that whatever needs
    more (long names, links, sparse files) is none."""
    try:
        info = tarfile.TarInfo.frombuf(file.read(tarfile.BLOCKSIZE), "ascii", "strict")
    except (ValueError, tarfile.HeaderError):
        return None
    return (info.name, info.size) if info.type == tarfile.REGTYPE else None


def _content(file: BinaryIO, size: int) -> bytes:
    """Of the manifest; where it is cut, nothing that could be one."""
    data = file.read(size)
    return data if file.read(-size % tarfile.BLOCKSIZE) == bytes(-size % tarfile.BLOCKSIZE) else b""


def _restore(file: BinaryIO, path: Path, part: _Part, into: Path) -> None:
    digest, left = hashlib.sha256(), part.size
    with replacing(into / part.name, secret=True) as target:
        while left and (chunk := file.read(min(_CHUNK, left))):
            digest.update(chunk)
            target.write(chunk)
            left -= len(chunk)
        padding = -part.size % tarfile.BLOCKSIZE
        if left or file.read(padding) != bytes(padding):
            raise Fault(f"{path} is cut in {part.name}", "copy it again, whole", code=MALFORMED)
        if digest.hexdigest() != part.sha256:
            raise Fault(f"{path}: {part.name} is not what was backed up", "take another backup", code=MALFORMED)


def _end(file: BinaryIO, path: Path) -> None:
    rest = file.read(2 * tarfile.RECORDSIZE + 1)
    if len(rest) > 2 * tarfile.RECORDSIZE or rest.strip(b"\0"):
        raise Fault(f"{path} holds more than its manifest says", _FOREIGN, code=MALFORMED)
