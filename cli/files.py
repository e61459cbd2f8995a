"""Files: read whole within a limit, written whole or not at all, secrets for their owner alone."""

import os
import sys
from pathlib import Path
from shlex import quote
from typing import BinaryIO

import click

from cards.findings import USAGE
from p2pnoise.folder import reading
from p2pnoise.folder.reading import lock
from p2pnoise.folder.writing import check_target, sync_folder, write

from .output import Fault, os_fault, say

__all__ = [
    "STREAM",
    "check_target",
    "hand_out",
    "lock",
    "make_folder",
    "read",
    "read_secret",
    "stdin",
    "sync_all",
    "sync_folder",
    "write",
    "write_output",
]

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


def write_output(target: str, text: str, *, secret: bool = False, force: bool = False) -> None:
    """`text` to the named file, which `secret` makes its owner's alone, or to stdout for `-`."""
    if target == STREAM:
        click.echo(text, nl=False)
    else:
        write(Path(target), text.encode(), secret=secret, force=force)


def hand_out(target: str, text: str, *, secret: bool = False, force: bool, as_json: bool) -> str | None:
    """`write_output`, unless it is to stdout and JSON carries the text there; the file that has it, if one does."""
    where = None if target == STREAM else target
    if where is not None or not as_json:
        write_output(target, text, secret=secret, force=force)
    return where


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
