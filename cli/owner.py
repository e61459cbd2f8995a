"""The owner's hand: signing the next card of an identity, keeping count of it, and saying what comes next."""

import hashlib
import os
from collections.abc import Sequence
from shlex import quote

from cards import Card, IdentityKey, NodeKey, make_card
from cards.facts import BUILD_TIME, Statement
from cards.findings import BINDING, USAGE

from . import documents, files, options, passphrase
from .folders import NodeFolder
from .output import Fault, answer, answer_json, rows, say


def sign_next(
    home: NodeFolder,
    key: IdentityKey,
    node: NodeKey | Card,
    *,
    network: str,
    name: str | None,
    lifetime: int,
    before: Card | None = None,
    commit_next: bool = False,
) -> Card:
    """The next card of an identity: above all its numbers that this folder knows, made to follow `before`.

    That is the installed one if not given. The caller holds the folder's lock. Raises `Fault`.
    """
    installed, last = home.read_card(), home.read_request()
    ours = [card for card in (last, installed, before) if card is not None]
    if any(card.identity != key.public for card in ours):
        raise _foreign(home, last)
    previous = before or installed
    newest = max(ours, key=lambda card: card.sequence, default=None)
    return make_card(
        key,
        node,
        network=network,
        # A card that begins in 1970, as the clock of a board without a battery says, would have ended when it is read.
        now=max(options.now(), BUILD_TIME),
        name=name,
        sequence=1 + (newest.sequence if newest is not None else 0),
        lifetime=lifetime,
        previous=previous.card_id if previous is not None else None,
        next_key_digest=_next_key_digest(home, newest, commit=commit_next),
    )


def keep(home: NodeFolder, card: Card, statements: Sequence[Statement] = ()) -> None:
    """Write the last card signed here, with what its owner signed beside it."""
    # Kept before anybody sees it: one number never names two cards.
    files.write(home.request, _text(card, statements).encode(), force=True)


def tell(
    home: NodeFolder,
    card: Card,
    statements: Sequence[Statement] = (),
    *,
    output: str | None,
    force: bool,
    as_json: bool,
) -> None:
    """Hand the request out, say what it is and what comes next."""
    block = _text(card, statements)
    if output is not None and not (as_json and output == files.STREAM):
        files.write_output(output, block, force=force)
    where = str(home.request) if output in (None, files.STREAM) else str(output)
    if as_json:
        answer_json({"ok": True, "card": card.to_json(), "request": block, "file": where})
    elif output != files.STREAM:
        answer(*rows(("request", card.label), ("sequence", str(card.sequence)), ("file", where)))
    say(f"next, at the issuer: p2pnoise card issue {quote(where)} -o {card.name or 'node'}.card")


def _text(card: Card, statements: Sequence[Statement]) -> str:
    return documents.card_block(card) + documents.fact_blocks(statements)


def _foreign(home: NodeFolder, last: Card | None) -> Fault:
    waiting = home.read_next_identity()
    if last is not None and waiting is not None and last.identity == waiting.public:
        fix = (
            f"have {quote(str(home.request))} granted and install the card, or begin again: p2pnoise id rotate --force"
        )
        return Fault(f"{home.next_identity_key} is about to take over", fix, code=BINDING)
    # Writing over them would forget which numbers the other identity has spent.
    return Fault(
        f"{home.identity_key} is not the key of the cards in {home.path}",
        "restore the key that they belong to, or begin anew: p2pnoise id new --force",
        code=BINDING,
    )


def _next_key_digest(home: NodeFolder, newest: Card | None, *, commit: bool) -> bytes | None:
    """Whom the next card commits to: the key that waits here, or else the one that the card before committed to."""
    held = newest.next_key_digest if newest is not None else None
    waiting = home.read_next_identity()
    if waiting is None and commit:
        if held is not None:
            fix = f"leave out --commit-next to keep that, or bring the key back as {home.next_identity_key}"
            raise Fault("the card before commits to an identity key that is not here", fix, code=USAGE)
        waiting = make_next_identity(home)
    return hashlib.sha256(waiting.public).digest() if waiting is not None else held


def make_next_identity(home: NodeFolder, *, lock: bool = False) -> IdentityKey:
    """A new identity key that waits beside the one in use."""
    key = IdentityKey.generate(os.urandom)
    files.write(home.next_identity_key, passphrase.pem(key, home.next_identity_key, lock=lock), secret=True)
    say(
        f"{home.next_identity_key} is the identity key to come: nobody can take over with another",
        "next: move it to a safe place, away from this machine, and bring it back for p2pnoise id rotate --identity",
    )
    return key
