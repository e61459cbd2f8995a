"""`p2pnoise join`: let new machines into a network by join tokens, at the issuer and on the machine itself."""

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import click

from cards import Address, IdentityId, NodeId
from cards.fields import name as name_field
from cards.findings import CONFLICT, USAGE
from cards.text import fingerprint
from p2pnoise.enrolment import TOKEN_ID, JoinToken
from p2pnoise.enrolment.token import MAX_ADDRESSES, SECRET

from . import documents, files, join_run, join_serve, options
from .folders import IssuerFolder
from .join_table import Desk, Request, Token
from .options import DAY, MAX_DAYS
from .output import Fault, answer, answer_json, columns, rows, say, until
from .powers import ways
from .qr import draw_qr
from .registry import Registry

_MAX_GROUPS = 16
_LONGEST = 90 * DAY  # that a token may be good for; a guess: longer than any roll-out
_LEAST_LETTERS = 4  # of a token's number
_MAX_REASON = 200  # characters

_Row = TypeVar("_Row", Token, Request)


@click.group()
def command() -> None:
    """Let new machines in: one token, one machine, whose keys are made where they stay.

    \b
    Example, at the issuer, then on the new machine:
      p2pnoise join serve --listen 192.0.2.1:7061
      p2pnoise join token --name db-03 > db-03.token
      p2pnoise join run db-03.token --run
    """


command.add_command(join_run.run)
command.add_command(join_serve.serve)


@command.command()
@click.option("--name", callback=options.checked_name(64), help="the name that the new node must have")
@click.option("--group", "groups", multiple=True, metavar="G", help="put the node in a group; may be repeated")
@click.option(
    "--for",
    "identity",
    metavar="id1...",
    callback=lambda _ctx, _parameter, value: IdentityId.parse(value) if value else None,
    help="bind it to this identity: nobody else can use it",
)
@click.option("--expires", callback=options.duration, default="1h", show_default=True, help="good for so long")
@click.option(
    "--lifetime",
    callback=options.duration,
    help="let it in for so long: the grant that it brings lasts that, and no renewal follows; if not given it lasts as"
    " whoever enrols is told, 30d, and is renewed before it ends",
)
@click.option("--approve", is_flag=True, help="grant nothing before p2pnoise join approve")
@click.option(
    "--node",
    metavar="node1...",
    callback=lambda _ctx, _parameter, value: NodeId.parse(value) if value else None,
    help="who enrols; known where p2pnoise join serve runs on this folder",
)
@click.option(
    "--address",
    "addresses",
    multiple=True,
    metavar="HOST:PORT",
    callback=lambda _ctx, _parameter, values: tuple(map(Address.parse, values)),
    help="where they listen, the same; may be repeated",
)
@click.option("-o", "--output", type=options.FILE, default=files.STREAM, help="write here; stdout if not given")
@click.option("--qr", is_flag=True, help="as a QR code in the terminal")
@options.force
@options.new_issuer_home
@options.as_json
def token(
    *,
    name: str | None,
    groups: tuple[str, ...],
    identity: IdentityId | None,
    expires: int,
    lifetime: int | None,
    approve: bool,
    node: NodeId | None,
    addresses: tuple[Address, ...],
    output: str,
    qr: bool,
    force: bool,
    folder: IssuerFolder,
    as_json: bool,
) -> None:
    """Make a token that lets one machine in, once.

    Whoever has it gets the card: treat it as a password until it is used. With --for it is good for one identity alone,
    and need not be kept secret. With --lifetime the machine is out again after that. It names the issuer's key, so that
    the new machine believes no other, and where to ask.

    \b
    Examples:
      p2pnoise join token --name db-03 --group db -o db-03.token
      p2pnoise join token --for id1... --expires 7d
      p2pnoise join token --name guest-01 --lifetime 3d
      p2pnoise join token --approve --qr
    """
    if len(groups) > _MAX_GROUPS:
        raise Fault(f"{len(groups)} groups, a grant holds {_MAX_GROUPS}", "leave some out", code=USAGE)
    for group in groups:
        name_field(32)(group, "group")
    if expires > _LONGEST or (lifetime or 0) > MAX_DAYS * DAY:
        text = f"--expires is at most {_LONGEST // DAY}d, --lifetime at most {MAX_DAYS}d"
        raise Fault(text, "choose less", code=USAGE)
    if output != files.STREAM:
        files.check_target(Path(output), force=force)
    now = options.now()
    with folder.look() as issuer:
        held = documents.read(folder.statements).facts if folder.statements.exists() else ()
        delegated = ways(issuer.key.public, held)
        desk = _desk(issuer.registry, node, addresses)
        made = JoinToken(
            token_id=os.urandom(TOKEN_ID),
            secret=os.urandom(SECRET),
            not_after=now + expires,
            network=issuer.network,
            issuer=delegated[0].root if delegated else issuer.key.public,
            node_id=desk.node_id,
            addresses=desk.addresses[:MAX_ADDRESSES],
            name=name,
            identity=identity,
        )
        text = made.to_text()
        joins = issuer.registry.joins
        joins.forget_expired(now)
        joins.add(made, now=now, groups=groups, lifetime=lifetime or 0, approve=approve)
    short = made.token_id.hex()[:8]
    if output != files.STREAM or not (qr or as_json):
        files.write_output(output, f"{text}\n", secret=True, force=force)
    if qr and not as_json:
        click.echo(draw_qr(text), nl=False)
    if as_json:
        view = {"id": made.token_id.hex(), "not_after": made.not_after, "name": name, "network": made.network}
        where = {"node_id": str(made.node_id), "addresses": [str(address) for address in made.addresses]}
        # Once: what was written to a file of the owner's alone must not stand in somebody's log as well.
        there = {"token": text, "file": None} if output == files.STREAM else {"token": None, "file": output}
        answer_json({"ok": True, **there, **view, **where})
    say(
        f"token {short} lets one machine in until {_moment(made.not_after)}",
        "on that machine: p2pnoise join run FILE, with the token in FILE or, as -, on standard input",
    )
    if approve:
        say("it will wait there until you say: p2pnoise join approve")


def _desk(registry: Registry, node: NodeId | None, addresses: tuple[Address, ...]) -> Desk:
    """Where joiners are to go: as the options say, or as whoever enrols wrote down."""
    held = registry.joins.desk()
    found = Desk(
        node or (held.node_id if held is not None else None),  # type: ignore[arg-type]
        addresses or (held.addresses if held is not None else ()),
    )
    if found.node_id is None or not found.addresses:
        fix = "start it: p2pnoise join serve --listen HOST:PORT, or say --node node1... --address HOST:PORT"
        what = "nobody enrols for this issuer yet" if held is None else "whoever enrols listens on a wildcard address"
        raise Fault(what, fix)
    return found


@command.command("list")
@options.new_issuer_home
@options.as_json
def list_(*, folder: IssuerFolder, as_json: bool) -> None:
    """Show all join tokens, and who used them.

    \b
    Examples:
      p2pnoise join list
      p2pnoise join list --json
    """
    now = options.now()
    with folder.open_registry() as registry:
        registry.joins.forget_expired(now)
        held = [(one, registry.joins.request(one.token_id)) for one in registry.joins.tokens()]
    if as_json:
        answer_json({"ok": True, "tokens": [_token_json(one, request, now) for one, request in held]})
        return
    lines = [("ID", "STATE", "NAME", "GROUPS", "GOOD UNTIL", "USED BY")]
    for one, request in held:
        state = one.standing(now) if request is None else request.state
        who = "-" if request is None else f"{request.card.label} {request.card.node_id.short} from {request.source}"
        lines.append((one.short, state, one.name or "-", " ".join(one.groups) or "-", _moment(one.not_after), who))
    answer(*columns(*lines))


def _token_json(one: Token, request: Request | None, now: int) -> dict[str, object]:
    return {
        "id": one.token_id.hex(),
        "state": one.standing(now),
        "name": one.name,
        "identity": one.identity,
        "groups": list(one.groups),
        "made_at": one.made_at,
        "not_after": one.not_after,
        "lifetime": one.lifetime or None,
        "approve": one.approve,
        "spent_by": one.spent_by,
        "spent_at": one.spent_at,
        "request": None if request is None else _request_json(request),
    }


@command.command()
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@options.new_issuer_home
@options.as_json
def cancel(*, ids: tuple[str, ...], folder: IssuerFolder, as_json: bool) -> None:
    """Take back tokens that nobody has used.

    ID is what p2pnoise join list shows, or the beginning of it.

    \b
    Examples:
      p2pnoise join cancel 3f9c01e2
    """
    with folder.open_registry() as registry:
        for one in [_pick(registry.joins.tokens(), text, "token") for text in ids]:
            if not registry.joins.cancel(one.token_id):
                fix = "take back what it brought: p2pnoise revoke add" if one.state == "spent" else "p2pnoise join list"
                raise Fault(f"token {one.short} is {one.state}", fix, code=CONFLICT)
            _done("cancelled", one.short, f"token {one.short} lets nobody in", as_json=as_json)


@command.command()
@options.new_issuer_home
@options.as_json
def pending(*, folder: IssuerFolder, as_json: bool) -> None:
    """Show the requests that wait: for you, or for the signer.

    \b
    Examples:
      p2pnoise join pending
      p2pnoise join pending --json
    """
    now = options.now()
    with folder.open_registry() as registry:
        waiting = registry.joins.waiting()
    if as_json:
        answer_json({"ok": True, "requests": [_request_json(one) for one in waiting]})
        return
    lines = [("ID", "NAME", "NODE", "IDENTITY", "FROM", "SINCE", "WAITS FOR")]
    lines += [
        (
            one.short,
            one.card.name or "-",
            one.card.node_id.short,
            fingerprint(str(one.card.identity)),
            one.source,
            until(one.arrived_at, now),
            "approve or deny" if one.state == "waiting" else "the signer, or its joiner to ask again",
        )
        for one in waiting
    ]
    answer(*columns(*lines))


def _request_json(one: Request) -> dict[str, object]:
    return {
        "id": one.token_id.hex(),
        "state": one.state,
        "name": one.card.name,
        "node_id": str(one.card.node_id),
        "identity": str(one.card.identity),
        "card_id": one.card.card_id.hex(),
        "source": one.source,
        "arrived_at": one.arrived_at,
        "reason": one.reason,
    }


@command.command()
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@options.new_issuer_home
@options.as_json
def approve(*, ids: tuple[str, ...], folder: IssuerFolder, as_json: bool) -> None:
    """Let requests be granted. Their machines get the card when they ask again, within seconds.

    ID is what p2pnoise join pending shows, or the beginning of it, or the name. Compare the identity with what p2pnoise
    id fingerprint prints on the machine.

    \b
    Examples:
      p2pnoise join approve 3f9c01e2
      p2pnoise join approve db-03 db-04
    """
    with folder.open_registry() as registry:
        for one in [_pick(registry.joins.waiting(), text, "request that waits") for text in ids]:
            registry.refuse(one.card)
            if one.state == "waiting":
                registry.joins.settle(one.token_id, ("waiting",), "accepted")
            _done("approved", one.short, f"{one.card.label} gets its card when it asks again", as_json=as_json)


@command.command()
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@click.option("--reason", help="what the other side will read")
@options.new_issuer_home
@options.as_json
def deny(*, ids: tuple[str, ...], reason: str | None, folder: IssuerFolder, as_json: bool) -> None:
    """Refuse requests for good. Their tokens stay used.

    \b
    Examples:
      p2pnoise join deny 3f9c01e2 --reason "unknown machine"
    """
    if reason is not None and not (reason.isascii() and reason.isprintable() and 0 < len(reason) <= _MAX_REASON):
        raise Fault(f"--reason is no ASCII text of 1 to {_MAX_REASON} characters", "use plain letters", code=USAGE)
    with folder.open_registry() as registry:
        for one in [_pick(registry.joins.waiting(), text, "request that waits") for text in ids]:
            if not registry.joins.settle(one.token_id, ("waiting", "accepted"), "denied", reason):
                fix = "take back what it brought: p2pnoise revoke add"
                raise Fault(f"request {one.short} was granted just now", fix, code=CONFLICT)
            _done("denied", one.short, f"{one.card.label} gets no card", as_json=as_json)


def _done(what: str, short: str, text: str, *, as_json: bool) -> None:
    if as_json:
        answer_json({"ok": True, what: short})
    else:
        answer(*rows((what, short)))
    say(text)


def _pick(found: Sequence[_Row], text: str, what: str) -> _Row:
    """The one that a number, its beginning or a name means. Raises `Fault`."""
    if len(text) >= _LEAST_LETTERS and not text.strip("0123456789abcdef"):
        meant = [one for one in found if one.token_id.hex().startswith(text)]
    else:
        meant = [one for one in found if text and text == _name(one)]
    if len(meant) == 1:
        return meant[0]
    verb = "pending" if what.startswith("request") else "list"
    if not meant:
        raise Fault(f"no {what} is {text[:64]!r}", f"see p2pnoise join {verb}", code=USAGE)
    raise Fault(
        f"{len(meant)} are meant by {text[:64]!r}", f"give more of its number: p2pnoise join {verb}", code=USAGE
    )


def _name(one: Token | Request) -> str | None:
    return one.card.name if isinstance(one, Request) else one.name


def _moment(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"
