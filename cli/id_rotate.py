"""`p2pnoise id rotate`: a new node key or a new identity, which takes over when a card that names it is installed."""

import hashlib
import os
from pathlib import Path

import click

from cards import Card, IdentityKey, NodeKey, Succession, make_card
from cards.facts import Statement
from cards.findings import BINDING
from cards.keyfile import is_locked

from . import files, options, owner, passphrase
from .folders import NodeFolder
from .output import Fault, say


@click.command()
@click.option("--node", "what", flag_value="node", help="a new node key: another address, the same owner")
@click.option("--identity", "what", flag_value="identity", help="a new identity, and a node key for it")
@click.option("-o", "--output", type=options.FILE, help="write the request here too; - for stdout")
@options.force
@options.home
@passphrase.lock_option
@options.as_json
def rotate(*, what: str | None, output: str | None, force: bool, home: NodeFolder, lock: bool, as_json: bool) -> None:
    """Replace a key that is in use, and ask for a card with the new one.

    The new key waits in the folder, and the node goes on with the old one, until p2pnoise card install is given the
    card that was issued for the request; the old key then lies beside it as .old. A new identity is one to which the
    old one hands over: both sign that, and it spreads with the card. Where the card commits to the identity key to
    come, that one must lie here as identity.key.next.

    \b
    Examples:
      p2pnoise id rotate --node -o db-03.request
      p2pnoise id rotate --identity -o db-03.request
    """
    if what is None:
        raise click.UsageError("say which key: --node or --identity")
    if output not in (None, files.STREAM):
        files.check_target(Path(str(output)), force=force)
    if home.node_key.exists() and not home.identity_key.exists():
        fix = (
            "with a new one in a folder of its own: p2pnoise id new --only node, then p2pnoise card request --identity"
        )
        raise Fault(f"no identity.key in {home.path}, which must sign for another node key", fix)
    with files.lock(home.path):
        key, installed, last = home.read_identity(), home.read_card(), home.read_request()
        card = installed or last
        if card is None:
            raise Fault(f"no card in {home.path}: no key is in use", "begin with p2pnoise card request, or id new")
        _check_waiting(home, last, force=force)
        node = NodeKey.generate(os.urandom)
        if what == "node":
            files.write(home.next_node_key, node.to_pem(), secret=True, force=True)
            lifetime = card.not_after - card.not_before
            request = owner.sign_next(home, key, node, network=card.network, name=card.name, lifetime=lifetime)
            statements: tuple[Statement, ...] = ()
        else:
            heir = _heir(home, card, lock=lock or is_locked(home.identity_key.read_bytes()))
            # A node key serves one identity in its life, so the heir gets one of its own.
            files.write(home.next_node_key, node.to_pem(), secret=True, force=True)
            request, statements = _hand_over(key, heir, node, card, last)
        owner.keep(home, request, statements)
    owner.tell(home, request, statements, output=output, force=force, as_json=as_json)
    say("nothing changes before the card is installed here; until then the node runs on with its old key")


def _check_waiting(home: NodeFolder, last: Card | None, *, force: bool) -> None:
    """Raises `Fault` where a rotation has begun that would be lost."""
    node, identity = home.read_next_node(), home.read_next_identity()
    begun = last is not None and (
        (node is not None and last.node_id == node.public)
        or (identity is not None and last.identity == identity.public)
    )
    if begun and not force:
        fix = f"have {home.request} granted and install the card, or begin again with --force"
        raise Fault(f"a rotation has begun: the request in {home.path} names a key that waits", fix)


def _heir(home: NodeFolder, card: Card, *, lock: bool) -> IdentityKey:
    """The identity key that takes over: the one that the card commits to, where it commits."""
    heir, committed = home.read_next_identity(), card.next_key_digest
    fix = f"bring back the key that was made with --commit-next, as {home.next_identity_key}"
    if committed is not None and heir is None:
        raise Fault("the card commits to an identity key that is not here; no other can take over", fix, code=BINDING)
    if heir is not None and committed is not None and hashlib.sha256(heir.public).digest() != committed:
        raise Fault(f"{home.next_identity_key} is not the key that the card commits to", fix, code=BINDING)
    if heir is None:
        heir = IdentityKey.generate(os.urandom)
        files.write(home.next_identity_key, passphrase.pem(heir, home.next_identity_key, lock=lock), secret=True)
    return heir


def _hand_over(
    key: IdentityKey, heir: IdentityKey, node: NodeKey, card: Card, last: Card | None
) -> tuple[Card, tuple[Statement, ...]]:
    """The heir's first card, or a later one where a rotation is begun again; and the succession that both signed."""
    now = options.now()
    spent = last.sequence if last is not None and last.identity == heir.public else 0
    request = make_card(
        heir,
        node,
        network=card.network,
        now=now,
        name=card.name,
        sequence=spent + 1,
        lifetime=card.not_after - card.not_before,
        previous=card.card_id,
    )
    values = {"net": card.network, "iat": now, "old": bytes(key.public), "new": bytes(heir.public)}
    return request, (Succession.make(values, key, heir),)
