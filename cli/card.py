"""`p2pnoise card`: a card's way from request over grant to the node it is for. Reading cards is in `card_view`."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from shlex import quote

import click

from cards import Card, Facts, IssuerId, Policy, RevocationList, grant, make_card, verify_card
from cards.fields import name as name_field
from cards.findings import BINDING, CONFLICT, UNTRUSTED
from cards.policy import MAX_POLICY
from cards.verification import Mark

from . import card_view, documents, files, options
from .folders import Issuer, IssuerFolder, NodeFolder
from .options import DAY
from .output import Fault, answer, answer_json, finding_lines, naming, rows, say, until
from .registry import Granted

_MAX_DAYS = 3653  # ten years, the longest validity of anything
_MAX_GROUPS = 16


@click.group()
def command() -> None:
    """Request, issue, install, show and verify cards.

    \b
    Example, on the node, at the issuer, on the node again:
      p2pnoise card request --name db-03 --network example-net -o db-03.request
      p2pnoise card issue db-03.request -o db-03.card
      p2pnoise card install db-03.card --issuer ops=issuer1...
    """


command.add_command(card_view.show)
command.add_command(card_view.verify)


@command.command()
@click.option("--name", callback=options.checked_name(64), help="what people call the node: a-z 0-9 . _ -")
@options.network
@click.option("--days", type=click.IntRange(1, _MAX_DAYS), default=5 * 365, show_default=True, help="lifetime")
@click.option("-o", "--output", type=options.FILE, help="write the request here too; - for stdout")
@options.force
@options.home
@options.as_json
def request(
    *,
    name: str | None,
    network: str,
    days: int,
    output: str | None,
    force: bool,
    home: NodeFolder,
    as_json: bool,
) -> None:
    """Sign a card for this node, for an issuer to grant.

    The request is public and stays in the folder as request.pem; the keys never leave it.

    \b
    Examples:
      p2pnoise card request --name db-03 --network example-net -o db-03.request
      p2pnoise card request --network example-net -o - | ssh issuer p2pnoise card issue - > node.card
    """
    identity, node = home.read_identity(), home.read_node()
    if output not in (None, files.STREAM):
        files.check_target(Path(str(output)), force=force)
    with files.lock(home.path):
        installed = home.read_card()
        ours = [card for card in (home.read_request(), installed) if card]
        if any(card.identity != identity.public for card in ours):
            # Writing over them would forget which numbers the other identity has spent.
            raise Fault(
                f"{home.identity_key} is not the key of the cards in {home.path}",
                "restore the key that they belong to, or begin anew: p2pnoise id new --force",
                code=BINDING,
            )
        card = make_card(
            identity,
            node,
            network=network,
            now=options.now(),
            name=name,
            sequence=1 + max((card.sequence for card in ours), default=0),
            lifetime=days * DAY,
            previous=installed.card_id if installed else None,
        )
        # Kept before anybody sees it: one number never names two cards.
        block = documents.card_block(card)
        files.write(home.request, block.encode(), force=True)
    if output is not None and not (as_json and output == files.STREAM):
        files.write_output(output, block, force=force)
    where = str(home.request) if output in (None, files.STREAM) else str(output)
    if as_json:
        answer_json({"ok": True, "card": card.to_json(), "request": block, "file": where})
    elif output != files.STREAM:
        answer(*rows(("request", card.label), ("sequence", str(card.sequence)), ("file", where)))
    say(f"next, at the issuer: p2pnoise card issue {quote(where)} -o {card.name or 'node'}.card")


@command.command()
@click.argument("request", type=options.FILE)
@click.option("-o", "--output", type=options.FILE, default=files.STREAM, help="write here; stdout if not given")
@click.option("--group", "groups", multiple=True, metavar="G", help="put the node in a group; may be repeated")
@click.option("--days", type=click.IntRange(1, _MAX_DAYS), default=365, show_default=True, help="lifetime of the grant")
@options.force
@options.issuer_home
@options.as_json
def issue(
    *,
    request: str,
    output: str,
    groups: tuple[str, ...],
    days: int,
    force: bool,
    folder: IssuerFolder,
    as_json: bool,
) -> None:
    """Check the proofs of a request and grant it.

    The card comes with the current revocation list: all that a node needs to start. Issuing again for a card that
    was granted before renews it. Groups are those named here, no others.

    \b
    Examples:
      p2pnoise card issue db-03.request -o db-03.card
      p2pnoise card issue db-03.request --group db --group prod --days 90 > db-03.card
    """
    if len(groups) > _MAX_GROUPS:
        raise Fault(f"{len(groups)} groups, a grant holds {_MAX_GROUPS}", "leave some out")
    for group in groups:
        name_field(32)(group, "group")
    if output != files.STREAM:
        files.check_target(Path(output), force=force)
    card, now = documents.read(request).card, options.now()
    with folder.open() as issuer:
        current = folder.read_revocations(issuer)
        _check_request(card, issuer, now)
        serial, before = issuer.registry.reserve_serial(card)
        granted = grant(
            issuer.key,
            card,
            serial=serial,
            now=now,
            entropy=os.urandom,
            lifetime=days * DAY,
            groups=groups,
            position=bytes.fromhex(before.position) if before else None,
        )
        new = next(one for one in granted.grants if one.serial == serial and one.kid == issuer.key.public.hint)
        record = Granted(
            serial=serial,
            identity=str(card.identity),
            node_id=str(card.node_id),
            card_id=card.card_id.hex(),
            name=card.name,
            sequence=card.sequence,
            position=new.position.hex(),
            group_names=" ".join(new.groups),
            issued_at=now,
            not_after=new.not_after,
        )
        # Kept before anybody sees it: what is out there can always be found and revoked.
        issuer.registry.record(record, card)
    text = documents.card_block(granted) + documents.list_blocks([current])
    if not (as_json and output == files.STREAM):
        files.write_output(output, text, force=force)
    if as_json:
        answer_json(
            {
                "ok": True,
                "card": granted.to_json(),
                "serial": serial,
                "text": text,
                "file": None if output == files.STREAM else output,
            }
        )
    elif output != files.STREAM:
        answer(*rows(("card", granted.label), ("serial", str(serial)), ("file", output)))
    say(f"granted {granted.label} until {until(new.not_after, now)}, serial {serial}")
    if before and before.group_names != record.group_names:
        say(f"groups are now: {record.group_names or 'none'}; before: {before.group_names or 'none'}")
    if now >= current.next_due:
        say(f"warning: list {current.sequence} was due {until(current.next_due, now)}", "fix: p2pnoise revoke publish")
    file = "FILE" if output == files.STREAM else quote(output)
    say(f"next, on the node: p2pnoise card install {file} --issuer {issuer.name}={issuer.key.public}")


def _check_request(card: Card, issuer: Issuer, now: int) -> None:
    """Raises `Fault` unless both keys signed, for this network, and nothing newer was granted."""
    last = issuer.registry.newest_card(card.identity)
    mark = Mark(last.sequence, bytes.fromhex(last.card_id)) if last else None
    verdict = verify_card(card, policy=Policy(network=issuer.network), now=now, mark=mark)
    if verdict.level != "known":
        # That nobody granted it yet is why it is here.
        findings = tuple(one for one in verdict.findings if one.code not in ("threshold", "unknown-issuer"))
        code = replace(verdict, findings=findings).exit_code
        raise Fault(f"NOT GRANTED  {card.label}", code=code, findings=findings)


@command.command()
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
