"""`p2pnoise id`: the keys of a node and of the identity that owns it."""

import os

import click

from cards import CardError, IdentityId, IdentityKey, IssuerId, NodeId, NodeKey
from cards.findings import USAGE
from cards.keys import PublicId
from cards.text import fingerprint as fingerprint_of

from . import documents, files, id_rotate, options, owner, passphrase
from .folders import NodeFolder
from .output import Fault, answer, answer_json, rows, say
from .qr import draw_qr


@click.group()
def command() -> None:
    """Make, show and rotate the keys of a node and its owner.

    \b
    Example:
      p2pnoise id new
    """


command.add_command(id_rotate.rotate)


@command.command()
@click.option("--only", type=click.Choice(["identity", "node"]), help="this key alone; the other is kept elsewhere")
@click.option("--commit-next", is_flag=True, help="make the identity key to come too; cards will commit to it")
@options.home
@options.force
@passphrase.lock_option
@options.as_json
def new(*, only: str | None, commit_next: bool, home: NodeFolder, force: bool, lock: bool, as_json: bool) -> None:
    """Make an identity key and a node key for this machine.

    The node's public key is its address; both keys stay in the folder, readable for their owner alone. With --lock the
    identity key takes a passphrase, the node key never does: a node starts unattended. To replace a key that is in
    use, see p2pnoise id rotate.

    \b
    Examples:
      p2pnoise id new
      p2pnoise id new --lock
      p2pnoise id new --only identity --commit-next --home /media/safe/db-03
      p2pnoise id new --home /srv/db-03 --json
    """
    if commit_next and only == "node":
        raise click.UsageError("--commit-next makes an identity key, --only node makes none")
    files.make_folder(home.path)
    with files.lock(home.path):
        _check_new(home, only, force=force)
        old = any(path.exists() for path in (home.identity_key, home.node_key))
        identity = IdentityKey.generate(os.urandom) if only != "node" else None
        node = NodeKey.generate(os.urandom) if only != "identity" else None
        identity_pem = passphrase.pem(identity, home.identity_key, lock=lock) if identity is not None else b""
        for path in (home.next_identity_key, home.next_node_key):  # they were to take over from what ends here
            path.unlink(missing_ok=True)
        # The node key first: a crash between the two leaves an old identity with a new node, which is a rotation.
        # The other way round a new identity would sign for a node that had another owner.
        if node is not None:
            files.write(home.node_key, node.to_pem(), secret=True, force=force)
        if identity is not None:
            files.write(home.identity_key, identity_pem, secret=True, force=force)
        # What the identity before signed says nothing about this one; its numbers went with its key.
        for path in (home.request, home.card):
            path.unlink(missing_ok=True)
        if commit_next:
            owner.make_next_identity(home, lock=lock)
    _print(home, identity, node, as_json=as_json)
    if old:
        say("the keys before these are gone, and so is the card that was made for them")
    if only == "node":
        say("next: p2pnoise card request --network NET --identity id1... -o FILE")
    elif only == "identity":
        say("next, on the node: p2pnoise id new --only node; p2pnoise card request --network NET --identity id1...")
    else:
        say("next: p2pnoise card request --network NET -o FILE")


def _check_new(home: NodeFolder, only: str | None, *, force: bool) -> None:
    """Raises `Fault` where a key lies here that must stay."""
    old = [path for path in (home.identity_key, home.node_key) if path.exists()]
    if old and only is not None:
        # One new key beside one old one is a rotation, or a node key with a second owner.
        fix = "name another folder with --home, or replace a key that is in use: p2pnoise id rotate"
        raise Fault(f"{old[0]} exists already", fix)
    if old and not force:
        fix = "keep using it, or replace it with --force, which voids its card"
        raise Fault(f"{old[0]} exists already", fix)
    files.check_target(home.identity_key, force=force)
    files.check_target(home.node_key, force=force)


@command.command()
@click.option("--qr", is_flag=True, help="the identity as a QR code in the terminal")
@options.home
@passphrase.option
@options.as_json
def show(*, qr: bool, home: NodeFolder, as_json: bool) -> None:
    """Print the public halves of the keys in this folder.

    \b
    Examples:
      p2pnoise id show
      p2pnoise id show --qr
    """
    identity, node = _held(home)
    if qr and not as_json:
        if identity is None:
            raise Fault(f"no identity.key in {home.path}", "show it where that key is")
        click.echo(draw_qr(str(identity.public)), nl=False)
        return
    _print(home, identity, node, as_json=as_json)


@command.command()
@click.argument("subject", type=options.FILE, required=False)
@options.home
@passphrase.option
@options.as_json
def fingerprint(*, subject: str | None, home: NodeFolder, as_json: bool) -> None:
    """Print a short text for a key, for labels and the telephone.

    Five groups of five characters, never taken as input for trust where the whole key fits. SUBJECT is an id1...,
    node1... or issuer1... key or a card file; without it, the keys in this folder.

    \b
    Examples:
      p2pnoise id fingerprint
      p2pnoise id fingerprint db-03.request
      p2pnoise id fingerprint issuer1...
    """
    keys = {kind.prefix: key for key in _named(subject, home) for kind in _KINDS if isinstance(key, kind)}
    words = {"id": "identity", "node": "node", "issuer": "issuer"}
    if as_json:
        found = {words[kind]: {"key": str(key), "fingerprint": fingerprint_of(str(key))} for kind, key in keys.items()}
        answer_json({"ok": True, **found})
    else:
        answer(*rows(*((words[kind], fingerprint_of(str(key))) for kind, key in keys.items())))


_KINDS: tuple[type[PublicId], ...] = (IdentityId, NodeId, IssuerId)


def _named(subject: str | None, home: NodeFolder) -> tuple[PublicId, ...]:
    """The public keys that are meant."""
    if subject is None:
        return tuple(key.public for key in _held(home) if key is not None)
    for kind in _KINDS:
        if subject.startswith(f"{kind.prefix}1"):
            try:
                return (kind.parse(subject),)
            except CardError as error:
                raise Fault(str(error), error.finding.hint, code=USAGE) from None
    card = documents.read(subject).card
    return card.identity, card.node_id


def _held(home: NodeFolder) -> tuple[IdentityKey | None, NodeKey | None]:
    """The keys of a folder, at least one of the two. Raises `Fault`."""
    if not home.identity_key.exists() and home.node_key.exists():
        return None, home.read_node()
    identity = home.read_identity()
    return identity, home.read_node() if home.node_key.exists() else None


def _print(home: NodeFolder, identity: IdentityKey | None, node: NodeKey | None, *, as_json: bool) -> None:
    shown = {
        "identity": str(identity.public) if identity is not None else None,
        "node_id": str(node.public) if node is not None else None,
        "home": str(home.path),
    }
    waiting = [path.name for path in (home.next_identity_key, home.next_node_key) if path.exists()]
    if as_json:
        answer_json({"ok": True, **shown, "waiting": waiting})
        return
    answer(
        *rows(
            ("identity", shown["identity"] or ""),
            ("node", shown["node_id"] or ""),
            ("folder", str(home.path)),
            ("waiting", " ".join(waiting)),
        )
    )
