"""`p2pnoise bans`: whom this node refuses by its operator's word."""

from datetime import UTC, datetime

import click

from . import ban_file, options, trust_state
from .folders import NodeFolder
from .output import answer, answer_json, columns, say


@click.command()
@options.home
@options.as_json
def command(*, home: NodeFolder, as_json: bool) -> None:
    """Show who is banned here, until when and why.

    \b
    Examples:
      p2pnoise bans
      p2pnoise bans --home /srv/node --json
    """
    now = options.now()
    bans = ban_file.read(home.bans)
    held = [one for one in bans if one.holds(now)]
    if as_json:
        running = trust_state.is_running(home)
        answer_json({"ok": True, "running": running, "bans": [ban_file.to_json(one) for one in held]})
        return
    lines = [("NAME", "SINCE", "UNTIL", "KEY", "REASON")]
    for one in held:
        since = f"{datetime.fromtimestamp(one.since, UTC):%Y-%m-%d}"
        lines.append((one.name or "-", since, ban_file.end_text(one), str(one.key), one.reason or "-"))
    if held:
        answer(*columns(*lines))
    ended = len(bans) - len(held)
    count = f"{len(held) or 'no'} {'ban' if len(held) == 1 else 'bans'} in force"
    say(count + (f"; {ended} in the file {'has' if ended == 1 else 'have'} ended" if ended else ""))
