"""`p2pnoise unban`: lift a ban before its end."""

import difflib

import click

from cards import IdentityId, NodeId
from cards.findings import UNTRUSTED

from . import ban_file, files, options, trust_state
from .ban_file import Ban
from .folders import NodeFolder
from .output import Fault, answer, answer_json, rows, say


@click.command()
@click.argument("peer")
@options.home
@options.as_json
def command(*, peer: str, home: NodeFolder, as_json: bool) -> None:
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
    running = trust_state.is_running(home)
    if as_json:
        answer_json({"ok": True, "running": running, "ban": ban_file.to_json(lifted)})
        return
    answer(*rows(("unbanned", lifted.name or lifted.key.short), ("key", str(lifted.key))))
    say(
        "the node that runs here takes it up by itself"
        if running
        else "no node runs here; it counts from the next start"
    )


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
