"""Passphrases of locked key files: from a file, the environment or a prompt; never from the command line."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from cards import IdentityKey, IssuerKey
from cards.findings import USAGE

from . import files
from .output import Fault

Command = TypeVar("Command", bound=Callable[..., Any])

VARIABLE = "P2PNOISE_PASSPHRASE"
# Where click keeps, for the command that runs, what --passphrase-file names, stdin if it is that, and its line.
_FILE, _STREAM, _LINE = "cli.passphrase.file", "cli.passphrase.stream", "cli.passphrase.line"
_MAX = 1024  # bytes


def _remember(context: click.Context, _parameter: click.Parameter, value: Path | None) -> None:
    context.meta[_FILE] = value
    if value is not None and str(value) == files.STREAM:
        # At once: a card that is read from there first would swallow the passphrase.
        context.meta[_STREAM] = files.stdin("passphrase")


def option(command: Command) -> Command:
    """`--passphrase-file`, for commands that read a key which may be locked; `to_open` finds it by itself."""
    return click.option(
        "--passphrase-file",
        type=click.Path(path_type=Path, readable=False),
        expose_value=False,
        callback=_remember,
        help=f"its first line opens a locked key; - for stdin; also {VARIABLE}, or a prompt",
    )(command)


def lock_option(command: Command) -> Command:
    """`--lock`, handed on as `lock`, for commands that make a key."""
    command = click.option("--lock", is_flag=True, help="lock the key by a passphrase")(command)
    return option(command)


def to_open(path: Path) -> bytes | None:
    """The passphrase for the locked key at `path`; None where there is none and nobody to ask. Raises `Fault`."""
    given = _given()
    if given is not None or not _terminal():
        return given
    return _ask(f"passphrase of {path}")


def pem(key: IdentityKey | IssuerKey, path: Path, *, lock: bool) -> bytes:
    """What to write to `path`: `key`, locked by a passphrase where `lock` says so. Raises `Fault`."""
    if not lock:
        return key.to_pem()
    passphrase = _given()
    if passphrase is None and _terminal():
        passphrase = _ask(f"new passphrase of {path}")
        if _ask("once more") != passphrase:
            raise Fault("the two passphrases differ", "run it again; nothing was written", code=USAGE)
    if passphrase is None:
        fix = f"give it with --passphrase-file or in {VARIABLE}, or run this in a terminal"
        raise Fault(f"no passphrase to lock {path} with", fix, code=USAGE)
    return key.to_locked_pem(passphrase, os.urandom)


def _given() -> bytes | None:
    context = click.get_current_context(silent=True)
    file: Path | None = context.meta.get(_FILE) if context else None
    if context is not None and _STREAM in context.meta:
        return None if _terminal() else _from_stdin(context)  # a prompt does not show what is typed
    if file is not None:
        line = files.read_secret(file, limit=_MAX, what="passphrase file").splitlines()[0]
        if not line:
            raise Fault(f"the first line of {file} is empty", "write the passphrase into it", code=USAGE)
        return line
    return os.fsencode(os.environ.get(VARIABLE, "")) or None


def _from_stdin(context: click.Context) -> bytes:
    """Its first line, kept for the keys that it opens after the first."""
    line: bytes | None = context.meta.get(_LINE)
    if line is None:
        line = context.meta[_LINE] = context.meta[_STREAM].readline(_MAX + 1).rstrip(b"\r\n")
    if not 0 < len(line) <= _MAX:
        text = f"standard input begins with a line of {len(line)} bytes, a passphrase of 1 to {_MAX} expected"
        raise Fault(text, "write the passphrase into it, and nothing before it", code=USAGE)
    return line


def _terminal() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()


def _ask(question: str) -> bytes:
    typed: str = click.prompt(question, hide_input=True, err=True)
    return os.fsencode(typed)
