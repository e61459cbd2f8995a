"""`p2pnoise issuer`: the key whose signature lets nodes into a network, and what it keeps."""

import os

import click

from cards import IssuerKey, make_list

from . import documents, files, options, passphrase
from .folders import IssuerFolder
from .output import Fault, answer, answer_json, rows, say
from .registry import Registry


@click.group()
def command() -> None:
    """Make an issuer, whose signature lets nodes into a network.

    \b
    Example:
      p2pnoise issuer new ops --network example-net
    """


@command.command()
@click.argument("name", callback=options.checked_name(64))
@options.network
@options.new_issuer_home
@passphrase.lock_option
@options.as_json
def new(*, name: str, network: str, folder: IssuerFolder, lock: bool, as_json: bool) -> None:
    """Make the issuer NAME of a network.

    That is its key, its registry and its first, empty revocation list. Keep a backup of the whole folder, away from
    every node. Nothing in it is ever replaced by this command. With --lock its key takes a passphrase when it signs.

    \b
    Examples:
      p2pnoise issuer new ops --network example-net
      p2pnoise issuer new ops --network example-net --issuer-home /media/stick/ops
      p2pnoise issuer new ops --network example-net --lock
    """
    files.make_folder(folder.path)
    with files.lock(folder.path):
        for path in (folder.about, folder.key, folder.registry, folder.revocations):
            if path.exists() or path.is_symlink():
                what = "an issuer" if folder.about.exists() else "an unfinished issuer"
                fix = "choose another folder with --issuer-home; an issuer's files are never replaced"
                raise Fault(f"{folder.path} holds {what} already: {path.name}", fix)
        key = IssuerKey.generate(os.urandom)
        files.write(folder.key, passphrase.pem(key, folder.key, lock=lock), secret=True)
        Registry.create(folder.registry, key.public, network)
        # issuer.toml last: where it is, the rest is whole.
        text = f'name = "{name}"\nnetwork = "{network}"\nkey = "{key.public}"\n'
        with Registry.open(folder.registry, key.public, network) as registry:
            first = make_list(key, network=network, sequence=registry.reserve_list(0), now=options.now())
        files.write(folder.revocations, documents.list_blocks([first]).encode())
        files.write(folder.about, text.encode())
    if as_json:
        answer_json(
            {
                "ok": True,
                "name": name,
                "network": network,
                "issuer": str(key.public),
                "home": str(folder.path),
                "revocations": {"sequence": first.sequence, "next_due": first.next_due},
            }
        )
    else:
        answer(*rows(("issuer", str(key.public)), ("name", name), ("network", network), ("folder", str(folder.path))))
    say(
        "next, on a node: p2pnoise id new; p2pnoise card request --network " + network + " -o node.request",
        "then here:       p2pnoise card issue node.request -o node.card",
        f"then there:      p2pnoise card install node.card --issuer {name}={key.public}",
    )
