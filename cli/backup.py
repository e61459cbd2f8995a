"""`p2pnoise backup` and `restore`: a node's or an issuer's folder in one file, and a new folder made of it."""

import secrets
import shutil
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import click

from cards.findings import USAGE

from . import backup_file, files, options, trust_state
from .backup_file import FILES, Backup
from .folders import IssuerFolder, NodeFolder
from .output import Fault, answer, answer_json, os_fault, rows, say

# What lies in a folder and is of no use in another: locks, sockets, logs of databases, what was upgraded long ago.
_PASSING = (".lock", ".node.lock", "control.sock", "node.db-wal", "node.db-shm", "registry.db-journal")

_issuer_home = click.option(
    "--issuer-home", "issuer", type=options.PATH, help="folder of an issuer, in place of a node's folder"
)


@click.command()
@click.argument("target", metavar="FILE", type=options.PATH)
@_issuer_home
@options.home
@options.force
@options.as_json
def backup(*, target: Path, issuer: Path | None, home: NodeFolder, force: bool, as_json: bool) -> None:
    """Write a folder's keys, card, files and database to FILE.

    A node may run meanwhile; what FILE has is of one moment. It holds the secret keys, so it is made for its owner
    alone, and is to be kept as safely as the folder itself.

    \b
    Examples:
      p2pnoise backup db-03.backup
      p2pnoise backup /media/stick/ops.backup --issuer-home /srv/issuer
    """
    folder = home.path if issuer is None else issuer
    if not folder.is_dir():
        raise Fault(f"there is no folder {folder}", "name it with --home or --issuer-home")
    with files.lock(folder):
        made = backup_file.pack(folder, "node" if issuer is None else "issuer", target, now=options.now(), force=force)
    left = _left_out(folder, made)
    if as_json:
        answer_json({"ok": True, "file": str(target), "what": made.what, "files": made.names, "left_out": left})
        return
    answer(*rows(("written", str(target)), ("what", f"the {made.what} of {folder}"), ("files", " ".join(made.names))))
    if left:
        say(f"left out, since p2pnoise does not know them: {' '.join(left)}")
    say("it holds secret keys: keep it as safely as the folder itself")


def _left_out(folder: Path, made: Backup) -> list[str]:
    known = {*FILES[made.what], *_PASSING}
    return sorted(path.name for path in folder.iterdir() if path.name not in known and path.suffix != ".tmp")


@click.command()
@click.argument("source", metavar="FILE", type=options.PATH)
@_issuer_home
@options.home
@options.as_json
def restore(*, source: Path, issuer: Path | None, home: NodeFolder, as_json: bool) -> None:
    """Make a folder of what p2pnoise backup has written.

    The folder must be new, or empty; it is there with all its files, or not at all. What a node's owner and issuers
    have signed since the backup comes back from its peers when it runs. The node that was backed up must not run any
    more: of two with one key the second is refused. Of an issuer all open join tokens are cancelled, since they may
    have been used meanwhile.

    \b
    Examples:
      p2pnoise restore db-03.backup --home /srv/node
      p2pnoise restore ops.backup --issuer-home /srv/issuer
    """
    folder = (home.path if issuer is None else issuer).resolve()
    _check_free(folder)
    files.make_folder(folder.parent)
    temporary = folder.parent / f".p2pnoise-{secrets.token_hex(6)}.tmp"
    try:
        temporary.mkdir(mode=0o700)
        made = backup_file.unpack(source, temporary)
        if made.what != ("node" if issuer is None else "issuer"):
            whose, option = ("an issuer", "--issuer-home") if made.what == "issuer" else ("a node", "--home alone")
            raise Fault(f"{source} is the backup of {whose}", f"name the folder with {option}", code=USAGE)
        about = _check_node(temporary) if made.what == "node" else {}
        cancelled = _cancel_tokens(temporary) if made.what == "issuer" else 0
        files.sync_folder(temporary)
        _put(temporary, folder)
    except OSError as error:
        raise os_fault(error, folder) from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    if as_json:
        answer_json(
            {"ok": True, "folder": str(folder), "what": made.what, "made": made.made, "files": made.names, **about}
            | ({"cancelled_tokens": cancelled} if made.what == "issuer" else {})
        )
        return
    when = f"{datetime.fromtimestamp(made.made, UTC):%Y-%m-%d %H:%M} UTC"
    answer(*rows(("restored", str(folder)), ("as of", when), *about.items(), ("files", " ".join(made.names))))
    if made.what == "node":
        say(
            "run it: p2pnoise run; what was signed since comes back from its peers",
            "where it ran before, it must not run any more",
        )
    else:
        say(
            "what it granted and published since is not in it: p2pnoise doctor, then p2pnoise revoke publish",
            f"{cancelled} join tokens that were open are cancelled, since they may have been used meanwhile"
            + (": make new ones, p2pnoise join token" if cancelled else ""),
        )


def _check_free(folder: Path) -> None:
    """Raises `Fault` unless nothing would be written over."""
    try:
        if next(folder.iterdir(), None) is not None:
            raise Fault(f"{folder} is not empty", "name a new folder, or move that one away first")
    except FileNotFoundError:
        pass
    except OSError as error:
        raise os_fault(error, folder) from None


def _check_node(folder: Path) -> dict[str, str]:
    """What the restored node is. Raises `Fault` where it could not be run."""
    home = NodeFolder(folder)
    contents = {name: (folder / name).read_bytes() for name in ("node.key", "card.pem") if (folder / name).exists()}
    backup_file.check_node(folder, contents)
    trust_state.read_table(home, most=0)  # a database of later software is refused
    for path in (folder / "node.db-wal", folder / "node.db-shm"):
        path.unlink(missing_ok=True)
    card = home.read_card()
    return {"name": card.label, "node": str(card.node_id)} if card is not None else {}


def _cancel_tokens(folder: Path) -> int:
    with IssuerFolder(folder).open_registry() as registry:
        return registry.joins.cancel_open()


def _put(temporary: Path, folder: Path) -> None:
    """Give the folder its name; one that is not empty is never replaced."""
    with suppress(FileNotFoundError):
        folder.rmdir()
    temporary.rename(folder)
    files.sync_folder(folder.parent)
