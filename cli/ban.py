"""`p2pnoise ban`: refuse a peer by our own word, whatever its card says, for a time or until it is lifted."""

import click

from cards import CardError
from cards.findings import USAGE
from p2pnoise.folder.bans import reason_of
from p2pnoise.node.bans import MAX_BANS

from . import ban_file, files, options, trust_state
from .folders import NodeFolder
from .output import Fault, answer, answer_json, rows, say


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
def command(*, peer: str, reason: str, seconds: int | None, home: NodeFolder, as_json: bool) -> None:
    """Refuse a peer, whatever its card says.

    PEER is a name, id1... or node1.... A name or id1... bans the identity, whichever node it has; node1... bans that
    node alone. Its links are cut, it is not dialled, and it is told no more than that we do not trust it. Only this
    node refuses it: to have all do so, revoke its card. A node that runs in this folder takes it up by itself; on a
    stopped one it counts from the next start.

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
        ban = ban_file.Ban(key=key, name=name, reason=reason, since=now, until=until)
        others = [one for one in ban_file.read(home.bans) if one.key != key and one.holds(now)]
        if len(others) >= MAX_BANS:
            raise Fault(f"{len(others)} keys are banned, at most {MAX_BANS}", "lift some: p2pnoise unban")
        ban_file.write(home.bans, (*others, ban), now)
    running = trust_state.is_running(home)
    if as_json:
        answer_json({"ok": True, "running": running, "ban": ban_file.to_json(ban)})
        return
    answer(
        *rows(("banned", name or key.short), ("key", str(key)), ("until", ban_file.end_text(ban)), ("reason", reason))
    )
    say(
        "the node that runs here cuts it off by itself"
        if running
        else "no node runs here; it counts from the next start"
    )
