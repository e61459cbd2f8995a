"""`p2pnoise card install`: a card comes into use only where keys, policy, lists and history agree."""

from collections.abc import Mapping

import click

from cards import Facts, IssuerId, Policy, RevocationList, verify_card
from cards.findings import BINDING, CONFLICT, UNTRUSTED
from cards.policy import MAX_POLICY
from cards.verification import Mark

from . import documents, files, options, passphrase
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

    The first install says with --issuer whom this node believes, which writes policy.toml; later ones go by that
    file. A revocation list in FILE is taken over when it is newer than the one here. List, policy and card are put in
    place in this order, each whole: run it again after a crash.

    \b
    Examples:
      p2pnoise card install db-03.card --issuer ops=issuer1...
      ssh issuer cat db-03.card | p2pnoise card install -
    """
    document, now = documents.read(file), options.now()
    card = document.card
    identity, node = home.read_identity(), home.read_node()
    for path, key, named in ((home.identity_key, identity, card.identity), (home.node_key, node, card.node_id)):
        if key.public != named:
            raise Fault(
                f"{path} is not the key that the card names: card {named.short}, here {key.public.short}",
                "install it where its keys are, or make a card for these: p2pnoise card request",
                code=BINDING,
            )
    with files.lock(home.path):
        policy, policy_text = _policy_with(home, card.network, trusted)
        lists = _check_install(document, home, policy, now)
        for target in (home.revocations, home.policy, home.card):
            files.check_target(target, force=True)
        # The list first: no card is ever in use without what was revoked beside it.
        files.write(home.revocations, documents.list_blocks(lists).encode(), force=True)
        if policy_text is not None:
            files.write(home.policy, policy_text.encode(), force=True)
        files.write(home.card, documents.card_block(card).encode(), force=True)
    if as_json:
        answer_json({"ok": True, "card": card.to_json(), "home": str(home.path)})
    else:
        answer(*rows(("installed", card.label), ("sequence", str(card.sequence)), ("folder", str(home.path))))
    say("a node that runs in this folder takes it up by itself; to start one: p2pnoise run")


def _check_install(
    document: documents.Document, home: NodeFolder, policy: Policy, now: int
) -> tuple[RevocationList, ...]:
    """The lists that go with the card. Raises `Fault` unless the policy passes and nothing newer is installed."""
    card, installed = document.card, home.read_card()
    new, notes = documents.believed(document.lists, policy, now)
    held, _ = documents.believed(home.read_revocations(), policy, now)
    lists = documents.newest(held, new)
    mark = None
    if installed is not None and installed.identity == card.identity:
        mark = Mark(installed.sequence, installed.card_id)
    revocations, _ = documents.accept(lists, policy, now)
    verdict = documents.with_findings(
        verify_card(card, policy=policy, now=now, facts=Facts(revocations), mark=mark), notes
    )
    if not verdict.ok:
        raise Fault(f"NOT INSTALLED  {card.label}", code=verdict.exit_code, findings=verdict.findings)
    say(*finding_lines(verdict.findings))
    return lists


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
