"""`p2pnoise ban`, `unban` and `bans`: refuse a peer by our own word, for a time or until that is lifted."""

import difflib
from datetime import UTC, datetime

import click

from cards import CardError, IdentityId, NodeId
from cards.findings import UNTRUSTED, USAGE
from p2pnoise.folder.bans import reason_of
from p2pnoise.node.bans import MAX_BANS

from . import ban_file, files, options, taking_up
from .ban_file import Ban
from .folders import NodeFolder
from .output import Fault, answer, answer_json, columns, rows, say


def _reason(_ctx: click.Context, _parameter: click.Parameter, value: str) -> str:
    try:
        return reason_of(value)
    except CardError as error:
        raise Fault(f"--reason: {error}", "give a short one, on one line", code=USAGE) from None


@click.command()
@click.argument("peer")
@click.option("--reason", default="", callback=_reason, help="why, for whoever reads the logs: at most 200 characters")
@click.option(
    "--for", "seconds", metavar="TIME", callback=options.duration, help="for how long: 30d, 12h, 5m; else until unban"
)
@options.home
@options.as_json
def ban(*, peer: str, reason: str, seconds: int | None, home: NodeFolder, as_json: bool) -> None:
    """Refuse a peer, whatever its card says.

    PEER is a name, id1... or node1.... A name or id1... bans the identity, whichever node it has, and whoever it hands
    over to (p2pnoise id rotate); node1... bans that node alone. Its links are cut, it is not dialled, and it is told no
    more than that we do not trust it. Only this node refuses it: to have all do so, revoke its card. A node that runs
    in this folder takes it up by itself; on a stopped one it counts from the next start.

    \b
    Examples:
      p2pnoise ban db-03 --reason "floods us" --for 7d
      p2pnoise ban node1...
    """
    if seconds is not None and seconds > options.MAX_DAYS * options.DAY:
        raise Fault(f"--for {seconds // options.DAY} days, at most {options.MAX_DAYS}", "leave it out", code=USAGE)
    now = options.now()
    with files.lock(home.path):
        key, name = ban_file.meant(peer, home)
        until = now + seconds if seconds is not None else None
        made = Ban(key=key, name=name, reason=reason, since=now, until=until)
        others = [one for one in ban_file.read(home.bans) if one.key != key and one.holds(now)]
        if len(others) >= MAX_BANS:
            raise Fault(f"{len(others)} keys are banned, at most {MAX_BANS}", "lift some: p2pnoise unban")
        ban_file.write(home.bans, (*others, made), now)
    taken = taking_up.take_up(home, home.bans)
    if as_json:
        answer_json({"ok": True, "taken_up": taken, "ban": ban_file.to_json(made)})
        return
    answer(
        *rows(("banned", name or key.short), ("key", str(key)), ("until", ban_file.end_text(made)), ("reason", reason))
    )
    taking_up.tell(home, taken)


@click.command()
@click.argument("peer")
@options.home
@options.as_json
def unban(*, peer: str, home: NodeFolder, as_json: bool) -> None:
    """Lift a ban.

    PEER is the id1... or node1... that is banned, or the name that p2pnoise bans shows beside it.

    \b
    Examples:
      p2pnoise unban db-03
      p2pnoise unban id1...
    """
    now = options.now()
    with files.lock(home.path):
        bans = [one for one in ban_file.read(home.bans) if one.holds(now)]
        lifted = _meant(peer, bans)
        ban_file.write(home.bans, (one for one in bans if one != lifted), now)
    taken = taking_up.take_up(home, home.bans)
    if as_json:
        answer_json({"ok": True, "taken_up": taken, "ban": ban_file.to_json(lifted)})
        return
    answer(*rows(("unbanned", lifted.name or lifted.key.short), ("key", str(lifted.key))))
    taking_up.tell(home, taken)


def _meant(peer: str, bans: list[Ban]) -> Ban:
    kind = next((kind for kind in (IdentityId, NodeId) if peer.startswith(f"{kind.prefix}1")), None)
    key = kind.parse(peer) if kind is not None else None
    found = [one for one in bans if (one.key == key if key is not None else one.name == peer)]
    if not found:
        near = difflib.get_close_matches(peer, {one.name for one in bans if one.name}, 3)
        fix = f"did you mean {' or '.join(near)}?" if near else "p2pnoise bans lists all that there are"
        raise Fault(f"no ban of {peer} is in force", fix, code=UNTRUSTED)
    if len(found) > 1:
        raise Fault(f"{len(found)} bans are of {peer}", f"name one: {' '.join(str(one.key) for one in found)}")
    return found[0]


@click.command()
@options.home
@options.as_json
def bans(*, home: NodeFolder, as_json: bool) -> None:
    """Show who is banned here, until when and why.

    \b
    Examples:
      p2pnoise bans
      p2pnoise bans --home /srv/node --json
    """
    now = options.now()
    home.check_present(home.node_key)
    known = ban_file.read(home.bans)
    held = [one for one in known if one.holds(now)]
    if as_json:
        answer_json({"ok": True, "bans": [ban_file.to_json(one) for one in held]})
        return
    lines = [("NAME", "SINCE", "UNTIL", "KEY", "REASON")]
    for one in held:
        since = f"{datetime.fromtimestamp(one.since, UTC):%Y-%m-%d}"
        lines.append((one.name or "-", since, ban_file.end_text(one), str(one.key), one.reason or "-"))
    if held:
        answer(*columns(*lines))
    ended = len(known) - len(held)
    count = f"{len(held) or 'no'} {'ban' if len(held) == 1 else 'bans'} in force"
    say(count + (f"; {ended} in the file {'has' if ended == 1 else 'have'} ended" if ended else ""))
