"""`p2pnoise card request`, `card new` and `card renew`: the owner signs a card, for an issuer to grant."""

from pathlib import Path
from shlex import quote

import click

from cards import Card, IdentityId, NodeKey, Policy, make_card, verify_card
from cards.findings import BINDING, USAGE

from . import card_issue, documents, files, options, passphrase
from .folders import IssuerFolder, NodeFolder
from .options import DAY, MAX_DAYS, Command
from .output import Fault, answer, answer_json, rows, say
from .owner import keep, sign_next, tell

_FIVE_YEARS = 5 * 365  # days


def _signing(command: Command) -> Command:
    """The options of every verb that signs a card here."""
    for option in (
        options.as_json,
        options.home,
        options.force,
        click.option("-o", "--output", type=options.FILE, help="write the request here too; - for stdout"),
        click.option("--commit-next", is_flag=True, help="commit to the identity key to come, and make that key"),
    ):
        command = option(command)
    return command


@click.command()
@click.option("--name", callback=options.checked_name(64), help="what people call the node: a-z 0-9 . _ -")
@options.network
@click.option("--days", type=click.IntRange(1, MAX_DAYS), default=_FIVE_YEARS, show_default=True, help="lifetime")
@click.option(
    "--identity",
    metavar="id1...",
    callback=lambda _ctx, _parameter, value: IdentityId.parse(value) if value else None,
    help="the identity key is elsewhere: have this node sign for it, for card new there",
)
@_signing
@passphrase.option
def request(
    *,
    name: str | None,
    network: str,
    days: int,
    identity: IdentityId | None,
    commit_next: bool,
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
      p2pnoise card request --network example-net --identity id1... -o db-03.node
    """
    if identity is not None:
        _claim(identity, name, network, days, output=output, force=force, home=home, as_json=as_json)
        return
    key, node = home.read_identity(), home.read_node()
    _check_output(output, force=force)
    with files.lock(home.path):
        card = sign_next(home, key, node, network=network, name=name, lifetime=days * DAY, commit_next=commit_next)
        keep(home, card)
    tell(home, card, output=output, force=force, as_json=as_json)


@click.command()
@click.argument("file", type=options.FILE, required=False)
@click.option("--name", callback=options.checked_name(64), help="what people call the node; that of FILE if not given")
@click.option("--network", callback=options.checked_name(32), metavar="NET", help="name of the network, without FILE")
@click.option("--days", type=click.IntRange(1, MAX_DAYS), default=_FIVE_YEARS, show_default=True, help="lifetime")
@_signing
@passphrase.option
def new(
    *,
    file: str | None,
    name: str | None,
    network: str | None,
    days: int,
    commit_next: bool,
    output: str | None,
    force: bool,
    home: NodeFolder,
    as_json: bool,
) -> None:
    """Sign a card where the identity key is, for a node that is elsewhere.

    FILE is what p2pnoise card request --identity wrote on the node: no secret key travels. Without FILE this is
    p2pnoise card request.

    \b
    Examples:
      p2pnoise card new db-03.node --name db-03 -o db-03.request
      p2pnoise card new --name db-03 --network example-net -o db-03.request
    """
    key = home.read_identity()
    _check_output(output, force=force)
    node: NodeKey | Card
    if file is None:
        node = home.read_node()
    else:
        node = documents.read(file).card
        if node.identity != key.public:
            fix = f"on the node: p2pnoise card request --identity {key.public}"
            raise Fault(f"{file} is for {node.identity.short}, the key here is {key.public.short}", fix, code=BINDING)
        network, name = network or node.network, name or node.name
    if network is None:
        raise click.UsageError("--network is needed where no FILE names it")
    with files.lock(home.path):
        card = sign_next(home, key, node, network=network, name=name, lifetime=days * DAY, commit_next=commit_next)
        keep(home, card)
    tell(home, card, output=output, force=force, as_json=as_json)


@click.command()
@click.argument("file", type=options.FILE, required=False)
@click.option("--grant", "again", is_flag=True, help="at the issuer: grant the same card again, as it was granted")
@click.option("--days", type=click.IntRange(1, MAX_DAYS), help="lifetime; that of the one before if not given")
@options.issuer_home
@_signing
def renew(
    *,
    file: str | None,
    again: bool,
    days: int | None,
    commit_next: bool,
    output: str | None,
    force: bool,
    folder: IssuerFolder,
    home: NodeFolder,
    as_json: bool,
) -> None:
    """Sign the card that follows one, or grant one again.

    The new card has the next number, the same node, name and lifetime, and needs the identity key alone: FILE can be
    carried to where that is kept. It is the installed card if not given. With --grant the issuer's folder is used
    instead: the card stays as it is, and gets a fresh grant with the same groups, position and lifetime.

    \b
    Examples:
      p2pnoise card renew -o db-03.request
      p2pnoise card renew /media/stick/db-03.card -o /media/stick/db-03.request
      p2pnoise card renew db-03.card --grant -o db-03.new
    """
    if again:
        if file is None or commit_next:
            raise click.UsageError("--grant needs the FILE of a card, and goes without --commit-next")
        card_issue.renew_grant(file, folder, days=days, output=output or files.STREAM, force=force, as_json=as_json)
        return
    old = documents.read(file).card if file is not None else home.read_card() or home.read_request()
    if old is None:
        raise Fault(f"no card in {home.path} to renew", "name its file, or make one: p2pnoise card request")
    key = home.read_identity()
    if old.identity != key.public:
        fix = "renew it where its identity key is"
        raise Fault(f"the card is of {old.identity.short}, the key here is {key.public.short}", fix, code=BINDING)
    verdict = verify_card(old, policy=Policy(network=old.network), now=old.issued_at)
    if verdict.card is None:
        # What nobody signed has no number that another could follow.
        raise Fault(f"NOT RENEWED  {old.label}", code=verdict.exit_code, findings=verdict.errors)
    _check_output(output, force=force)
    lifetime = old.not_after - old.not_before if days is None else days * DAY
    with files.lock(home.path):
        card = sign_next(
            home, key, old, network=old.network, name=old.name, lifetime=lifetime, before=old, commit_next=commit_next
        )
        keep(home, card)
    tell(home, card, output=output, force=force, as_json=as_json)


def _check_output(output: str | None, *, force: bool) -> None:
    if output not in (None, files.STREAM):
        files.check_target(Path(str(output)), force=force)


class _Elsewhere:
    """An identity whose key is not here. Zeros stand where its signature will, which nobody believes."""

    def __init__(self, public: IdentityId) -> None:
        self.public = public

    def sign(self, _message: bytes) -> bytes:
        return bytes(64)


def _claim(
    identity: IdentityId,
    name: str | None,
    network: str,
    days: int,
    *,
    output: str | None,
    force: bool,
    home: NodeFolder,
    as_json: bool,
) -> None:
    """Have the node sign that it belongs to an identity whose key is elsewhere."""
    if home.identity_key.exists():
        fix = "leave out --identity, or name another folder with --home"
        raise Fault(f"{home.identity_key} lies here", fix, code=USAGE)
    installed = home.read_card()
    if installed is not None and installed.identity != identity:
        # A node key serves one identity in its life: two node signatures are a proof of misuse.
        fix = "make a node key for the new identity in another folder: p2pnoise id new --only node --home DIR"
        raise Fault(f"this node's key has signed for {installed.identity.short} already", fix, code=BINDING)
    node = home.read_node()
    card = make_card(_Elsewhere(identity), node, network=network, now=options.now(), name=name, lifetime=days * DAY)
    block, target = documents.card_block(card), output or files.STREAM
    where = files.hand_out(target, block, force=force, as_json=as_json)
    if as_json:
        answer_json({"ok": True, "card": card.to_json(), "request": block, "file": where})
    elif where is not None:
        answer(*rows(("node", str(card.node_id)), ("for identity", str(identity)), ("file", where)))
    say(f"next, where that identity key is: p2pnoise card new {quote(where) if where else 'FILE'} -o FILE")
