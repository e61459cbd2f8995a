"""`p2pnoise card install`: a card comes into use only where keys, policy, lists and history agree."""

from collections.abc import Mapping
from pathlib import Path

import click

from cards import Card, IdentityKey, IssuerId, Policy, RevocationList, verify_card
from cards.card import Mark
from cards.facts import Statement
from cards.findings import BINDING, CONFLICT, UNTRUSTED
from cards.keys import PublicId
from cards.policy import MAX_POLICY

from . import documents, files, options, passphrase, trust_state
from .folders import NodeFolder
from .output import Fault, answer, answer_json, finding_lines, naming, rows, say


@click.command()
@click.argument("file", type=options.FILE)
@click.option(
    "--issuer",
    "trusted",
    multiple=True,
    metavar="[NAME=]issuer1...",
    callback=options.issuers,
    help="believe this issuer from now on",
)
@options.home
@passphrase.option
@options.as_json
def install(*, file: str, trusted: Mapping[str, IssuerId], home: NodeFolder, as_json: bool) -> None:
    """Take a card into use where its keys are.

    The first install says with --issuer whom this node believes, which writes policy.toml; later ones go by that file.
    A revocation list in FILE is taken over when it is newer than the one here, and so are the statements in it. Where
    FILE has no list, that in revocations.pem beside it is taken, where card issue --batch puts it. A key that p2pnoise
    id rotate made takes the place of the one before with the card that names it. List, statements, policy, keys and
    card are put in place in this order, each whole: run it again after a crash.

    \b
    Examples:
      p2pnoise card install db-03.card --issuer ops=issuer1...
      ssh issuer cat db-03.card | p2pnoise card install -
      ssh issuer cat cards/db-03.card cards/revocations.pem | p2pnoise card install -
    """
    document = documents.read_handed_out(file)
    card, promoted = document.card, put_in_place(document, home, trusted, options.now())
    if as_json:
        names = [path.name for path in promoted]
        answer_json({"ok": True, "card": card.to_json(), "home": str(home.path), "new_keys": names})
    else:
        answer(*rows(("installed", card.label), ("sequence", str(card.sequence)), ("folder", str(home.path))))
    for path in promoted:
        say(f"{path.name} is the new key now; the one before lies beside it as {path.name}.old")
    say("a node that runs in this folder takes it up by itself; to start one: p2pnoise run")


def put_in_place(
    document: documents.Document, home: NodeFolder, trusted: Mapping[str, IssuerId], now: int
) -> tuple[Path, ...]:
    """Take the one card of a document into use; the files of the keys that it brought into use. Raises `Fault`."""
    card = document.card
    with files.lock(home.path):
        waiting = _check_keys(home, card)
        promoted = {path: next_path for path, (next_path, fresh) in waiting.items() if fresh}
        policy, policy_text = _policy_with(home, card.network, trusted)
        lists, statements = _check_install(document, home, policy, now)
        for target in (home.revocations, home.statements, home.policy, home.card, *promoted):
            files.check_target(target, force=True)
        # The list first: no card is ever in use without what was revoked beside it.
        files.write(home.revocations, documents.list_blocks(lists).encode(), force=True)
        if statements:
            files.write(home.statements, documents.fact_blocks(statements).encode(), force=True)
        if policy_text is not None:
            files.write(home.policy, policy_text.encode(), force=True)
        for path, next_path in promoted.items():
            if path.exists():
                files.write(path.with_name(f"{path.name}.old"), path.read_bytes(), secret=True, force=True)
            files.write(path, next_path.read_bytes(), secret=True, force=True)
        files.write(home.card, documents.card_block(card).encode(), force=True)
        # Last: until the card is in place, a second run finds them where they were.
        for next_path, _ in waiting.values():
            next_path.unlink()
    return tuple(promoted)


def _check_keys(home: NodeFolder, card: Card) -> dict[Path, tuple[Path, bool]]:
    """The waiting keys that the card names, by the file that they are to become, and whether they have yet to.

    Raises `Fault` unless the card names the keys that lie here.
    """
    keys = (
        (home.node_key, home.next_node_key, card.node_id, home.read_node(), home.read_next_node()),
        # An identity key may be kept elsewhere, and the node key has signed for this one.
        (home.identity_key, home.next_identity_key, card.identity, _identity(home), home.read_next_identity()),
    )
    waiting = {}
    for path, next_path, named, key, next_key in keys:
        public: PublicId | None = key.public if key is not None else None
        if next_key is not None and next_key.public == named:
            # An install that was stopped may have put it in its place already.
            waiting[path] = (next_path, public != named)
        elif public is not None and public != named:
            raise _foreign(path, named, public)
    return waiting


def _identity(home: NodeFolder) -> IdentityKey | None:
    return home.read_identity() if home.identity_key.exists() else None


def _foreign(path: Path, named: PublicId, public: PublicId) -> Fault:
    return Fault(
        f"{path} is not the key that the card names: card {named.short}, here {public.short}",
        "install it where its keys are, or make a card for these: p2pnoise card request",
        code=BINDING,
    )


def _check_install(
    document: documents.Document, home: NodeFolder, policy: Policy, now: int
) -> tuple[tuple[RevocationList, ...], tuple[Statement, ...]]:
    """The lists and statements to keep. Raises `Fault` unless the policy passes and nothing newer is installed."""
    card, installed = document.card, home.read_card()
    new, notes = documents.believed(document.lists, policy, now)
    held, _ = documents.believed(home.read_revocations(), policy, now)
    lists = documents.newest(held, new)
    # The request kept what its owner signed beside it; whoever granted it may have handed only the card back.
    statements = tuple(dict.fromkeys((*home.read_statements(), *document.statements, *home.read_handover(card))))
    facts, unused = trust_state.believe(policy, (*lists, *statements), now)
    mark = None
    if installed is not None and installed.identity == card.identity:
        mark = Mark(installed.sequence, installed.card_id, installed.next_key_digest)
    offered = [(fact, finding) for fact, finding in unused if fact in document.facts]
    verdict = documents.with_findings(
        verify_card(card, policy=policy, now=now, facts=facts, mark=mark), (*notes, *documents.notes(offered))
    )
    if not verdict.ok:
        raise Fault(f"NOT INSTALLED  {card.label}", code=verdict.exit_code, findings=verdict.findings)
    say(*finding_lines(verdict.findings))
    strange = {fact.digest for fact, _ in offered if isinstance(fact, Statement)}
    return lists, tuple(one for one in statements if one.digest not in strange)


def _policy_with(home: NodeFolder, network: str, trusted: Mapping[str, IssuerId]) -> tuple[Policy, str | None]:
    """The policy of this node with the issuers `trusted` now, and the text to write where that is new."""
    policy = home.read_policy()
    if policy is None:
        if not trusted:
            fix = "say whom to believe: p2pnoise card install FILE --issuer NAME=issuer1..."
            raise Fault(f"no policy in {home.path}: this node believes no issuer yet", fix, code=UNTRUSTED)
        text = Policy(network=network, issuers=trusted).to_toml()
        return Policy.from_toml(text), text
    new = {name: key for name, key in trusted.items() if key not in policy.issuers.values()}
    if not new:
        return policy, None
    for name, key in new.items():
        if name in policy.issuers:
            fix = f"give it a name of its own: --issuer NAME={key}"
            raise Fault(f"{home.policy} knows another issuer as {name}", fix, code=CONFLICT)
    # Added at the end, so that what people wrote into the file stays as they wrote it.
    text = files.read(home.policy, limit=MAX_POLICY, what="policy file").decode().rstrip("\n") + "\n"
    text += "".join(f'\n[issuer."{name}"]\nkey = "{key}"\n' for name, key in new.items())
    with naming(home.policy):
        return Policy.from_toml(text), text
