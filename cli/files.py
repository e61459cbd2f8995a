"""Files: read whole within a limit, written whole or not at all, secrets for their owner alone."""

import os
import secrets
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shlex import quote
from typing import BinaryIO

import click

from cards.findings import USAGE
from p2pnoise.folder import reading

from .output import Fault, os_fault, say

STREAM = "-"  # stdin or stdout, where a file could be named
_STDIN = "cli.files.stdin"  # where click keeps what stdin brings to the command that runs


def stdin(what: str) -> BinaryIO:
    """Standard input, for one thing alone: what is read from it first is gone for the next. Raises `Fault`."""
    if sys.stdin is None:
        raise Fault("standard input is closed", "name a file, or pipe one in")
    context = click.get_current_context(silent=True)
    if context is not None:
        first = context.meta.get(_STDIN)
        if first is not None:
            text = f"standard input is to bring a {first}, and cannot bring a {what} too"
            raise Fault(text, "name a file for one of the two", code=USAGE)
        context.meta[_STDIN] = what
    return sys.stdin.buffer


def read(path: str | Path, *, limit: int, what: str) -> bytes:
    """All bytes of the file, or of stdin for `-`; more than `limit` are refused unread. Raises `Fault`."""
    if str(path) != STREAM:
        return reading.read(Path(path), limit=limit, what=what)
    try:
        data = stdin(what).read(limit + 1)
    except OSError as error:
        raise os_fault(error, path) from None
    return reading.check(data, "standard input", limit=limit, what=what)


def read_secret(path: Path, *, limit: int, what: str) -> bytes:
    """As `read`, and says so when others than the owner may read the file."""
    data = read(path, limit=limit, what=what)
    if os.name == "posix" and path.stat().st_mode & 0o077:
        say(f"warning: {path} can be read by others", f"fix: chmod 600 {quote(str(path))}")
    return data


def check_target(path: Path, *, force: bool) -> None:
    """Raises `Fault` where `write` would: links, folders and devices never, an existing file without `force`."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        if not path.parent.is_dir():
            raise Fault(f"{path.parent} is no folder", "make it first, or choose another place") from None
        return
    except OSError as error:
        raise os_fault(error, path) from None
    if stat.S_ISLNK(mode):
        raise Fault(f"{path} is a symbolic link, which is never written through", "name the file itself")
    if stat.S_ISDIR(mode):
        raise Fault(f"{path} is a folder, a file expected", "name a file in it")
    if not stat.S_ISREG(mode):
        raise Fault(f"{path} is not a regular file", "name a file, or - for standard output")
    if not force:
        raise Fault(f"{path} exists already", "choose another name, or replace it with --force")


def write(path: Path, data: bytes, *, secret: bool = False, force: bool = False, sync: bool = True) -> None:
    """All of `data` at `path`, on the disk, or what was there before. Raises `Fault`.

    `secret` makes it readable for its owner alone; without `force` nothing is ever replaced. Without `sync` it is on
    the disk when the caller has seen to that, who has many to write.
    """
    check_target(path, force=force)
    temporary = path.with_name(f".p2pnoise-{secrets.token_hex(6)}.tmp")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if secret else 0o644)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                if sync:
                    os.fsync(file.fileno())
            if force:
                temporary.replace(path)
            else:
                _link_new(temporary, path)
            if sync:
                sync_folder(path.parent)
        finally:
            temporary.unlink(missing_ok=True)
    except FileExistsError:
        raise Fault(f"{path} exists already", "choose another name, or replace it with --force") from None
    except OSError as error:
        raise os_fault(error, path) from None


def _link_new(temporary: Path, path: Path) -> None:
    # A link never replaces; where the file system has none, the check just before has to do.
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise
    except OSError:
        temporary.replace(path)


def write_output(target: str, text: str, *, secret: bool = False, force: bool = False) -> None:
    """`text` to the named file, which `secret` makes its owner's alone, or to stdout for `-`."""
    if target == STREAM:
        click.echo(text, nl=False)
    else:
        write(Path(target), text.encode(), secret=secret, force=force)


def make_folder(path: Path) -> None:
    """A data folder for its owner alone; an existing one stays as it is. Raises `Fault`."""
    try:
        if not path.is_dir():
            path.mkdir(mode=0o700, parents=True)
            sync_folder(path.parent)
    except FileExistsError:
        raise Fault(f"{path} is a file, a folder expected", "choose another folder") from None
    except OSError as error:
        raise os_fault(error, path) from None


def sync_all() -> None:
    """What was written without `sync` reaches the disk, with everything else: cheaper than one by one for many."""
    if sys.platform != "win32":
        os.sync()


def sync_folder(path: Path) -> None:
    """Have the names in a folder reach the disk; a rename is not durable before that."""
    if sys.platform == "win32":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def lock(folder: Path) -> Iterator[None]:
    """One command at a time in this folder; the lock ends with the process, however that ends."""
    if sys.platform == "win32":  # no flock there; commands of one person seldom meet
        yield
        return
    import fcntl  # noqa: PLC0415 - not on every platform

    try:
        descriptor = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise os_fault(error, folder) from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
