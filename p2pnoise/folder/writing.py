"""Writing: files written whole or not at all, and never through a link; secrets for their owner alone."""

import os
import secrets
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from .fault import Fault, os_fault

__all__ = ["check_target", "replacing", "sync_folder", "write"]


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
    """All of `data` at `path`, as `replacing` does it. Raises `Fault`."""
    with replacing(path, secret=secret, force=force, sync=sync) as file:
        file.write(data)


@contextmanager
def replacing(path: Path, *, secret: bool = False, force: bool = False, sync: bool = True) -> Iterator[BinaryIO]:
    """What is written to the file of this block is at `path` after it, on the disk, or what was there before.

    `secret` makes it readable for its owner alone; without `force` nothing is ever replaced. Without `sync` it is on
    the disk when the caller has seen to that, who has many to write. Raises `Fault`, and what the block raises.
    """
    check_target(path, force=force)
    temporary = path.with_name(f".p2pnoise-{secrets.token_hex(6)}.tmp")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if secret else 0o644)
        try:
            with os.fdopen(descriptor, "wb") as file:
                yield file
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


def sync_folder(path: Path) -> None:
    """Have the names in a folder reach the disk; a rename is not durable before that."""
    if sys.platform == "win32":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
