"""`p2pnoise id`: the keys of a node and of the identity that owns it."""

import os

import click

from cards import IdentityKey, NodeKey

from . import files, options, passphrase
from .folders import NodeFolder
from .output import Fault, answer, answer_json, rows, say


@click.group()
def command() -> None:
    """Make the keys of a node and its owner.

    \b
    Example:
      p2pnoise id new
    """


@command.command()
@options.home
@options.force
@passphrase.lock_option
@options.as_json
def new(*, home: NodeFolder, force: bool, lock: bool, as_json: bool) -> None:
    """Make an identity key and a node key for this machine.

    The node's public key is its address; both keys stay in the folder, readable for their owner alone. With --lock the
    identity key takes a passphrase, the node key never does: a node starts unattended.

    \b
    Examples:
      p2pnoise id new
      p2pnoise id new --lock
      p2pnoise id new --home /srv/db-03 --json
    """
    files.make_folder(home.path)
    with files.lock(home.path):
        old = [path for path in (home.identity_key, home.node_key) if path.exists()]
        if old and not force:
            fix = "keep using it, or replace it with --force, which voids its card"
            raise Fault(f"{old[0]} exists already", fix)
        files.check_target(home.identity_key, force=force)
        identity, node = IdentityKey.generate(os.urandom), NodeKey.generate(os.urandom)
        identity_pem = passphrase.pem(identity, home.identity_key, lock=lock)
        # The node key first: a crash between the two leaves an old identity with a new node, which is a rotation.
        # The other way round a new identity would sign for a node that had another owner.
        files.write(home.node_key, node.to_pem(), secret=True, force=force)
        files.write(home.identity_key, identity_pem, secret=True, force=force)
        # What the identity before signed says nothing about this one; its numbers went with its key.
        for path in (home.request, home.card):
            path.unlink(missing_ok=True)
    _print(home, identity, node, as_json=as_json)
    if old:
        say("the keys before these are gone, and so is the card that was made for them")
    say("next: p2pnoise card request --network NET -o FILE")


@command.command()
@options.home
@passphrase.option
@options.as_json
def show(*, home: NodeFolder, as_json: bool) -> None:
    """Print the public halves of the keys in this folder.

    \b
    Example:
      p2pnoise id show
    """
    _print(home, home.read_identity(), home.read_node(), as_json=as_json)


def _print(home: NodeFolder, identity: IdentityKey, node: NodeKey, *, as_json: bool) -> None:
    if as_json:
        answer_json({"ok": True, "identity": str(identity.public), "node_id": str(node.public), "home": str(home.path)})
    else:
        answer(*rows(("identity", str(identity.public)), ("node", str(node.public)), ("folder", str(home.path))))
