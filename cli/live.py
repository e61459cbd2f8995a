"""Verbs that only a running node can carry out, each one question on its control socket."""

import difflib
import time
from datetime import UTC, datetime
from typing import get_args

import click

from cards.findings import UNEXPECTED, USAGE

from . import control, options
from .folders import NodeFolder
from .output import Fault, answer, answer_json, plain, say

JUST_NOW = 2.0  # seconds before `reload` of which it tells, too; a guess: from saving a file to typing this


@click.command()
@click.argument("peer")
@options.home
@click.option("--timeout", type=click.FloatRange(0.1, 600), default=30.0, show_default=True, metavar="SECONDS")
@options.as_json
def connect(*, peer: str, home: NodeFolder, timeout: float, as_json: bool) -> None:
    """Have the running node link with PEER, and wait until its card is verified.

    PEER is a name, a node1..., node1...@HOST:PORT, or HOST:PORT for whoever answers there. It is dialled at once,
    whatever failed before. To have it dialled at every start, write it into node.toml: peers = ["node1...@HOST:PORT"].

    \b
    Examples:
      p2pnoise connect db-03
      p2pnoise connect node1...@192.0.2.7:7060
    """
    said = control.ask(home, "connect", peer=peer, timeout=timeout)
    if as_json:
        answer_json({"ok": True, **said})
    else:
        answer(f"linked  {said['name'] or '-'}  {said['node_id']}")


@click.command()
@click.argument("peer")
@options.home
@click.option(
    "--hold", default="60s", show_default=True, callback=options.duration, help="how long not to dial it ourselves"
)
@options.as_json
def disconnect(*, peer: str, home: NodeFolder, hold: int, as_json: bool) -> None:
    """Have the running node end its link with PEER.

    The peer may dial us again at once. To keep it out: p2pnoise ban PEER.

    \b
    Examples:
      p2pnoise disconnect db-03
      p2pnoise disconnect node1... --hold 10m
    """
    said = control.ask(home, "disconnect", peer=peer, hold=hold)
    if as_json:
        answer_json({"ok": True, **said})
    else:
        was = "ended" if said["linked"] else "was not linked"
        answer(f"{was}  {said['name'] or '-'}  {said['node_id']}")


@click.command()
@click.argument("peer")
@options.home
@click.option("--count", type=click.IntRange(1, 1000), default=4, show_default=True, help="how often")
@click.option("--timeout", type=click.FloatRange(0.1, 600), default=10.0, show_default=True, metavar="SECONDS")
@options.as_json
def ping(*, peer: str, home: NodeFolder, count: int, timeout: float, as_json: bool) -> None:
    """Measure the way to PEER and back, over its link; it is dialled where there is none.

    \b
    Examples:
      p2pnoise ping db-03
      p2pnoise ping node1...@192.0.2.7:7060 --count 1 --json
    """
    times: list[float] = []
    with control.call(home, "ping", peer=peer, count=count, timeout=timeout) as items:
        for item in items:
            times.append(item["seconds"])
            if not as_json:
                answer(f"{peer}  {item['seconds'] * 1000:.2f} ms")
    if as_json:
        answer_json({"ok": True, "seconds": times})
    else:
        say(f"{len(times)} of {count} answered; least {min(times) * 1000:.2f} ms, most {max(times) * 1000:.2f} ms")


@click.command()
@options.home
@click.option("--follow/--no-follow", default=True, show_default=True, help="go on until Ctrl-C")
@click.option("--kind", "kinds", multiple=True, metavar="KIND", help="only these, as peer-lost; may be repeated")
@options.as_json
def events(*, home: NodeFolder, follow: bool, kinds: tuple[str, ...], as_json: bool) -> None:
    """Show what happens in the running node, from now on; first what it remembers of itself and its peers.

    \b
    Examples:
      p2pnoise events
      p2pnoise events --kind peer-lost --kind peer-refused --json
      p2pnoise events --no-follow
    """
    known = kinds_of_events()
    for kind in kinds:
        if kind not in known:
            near = difflib.get_close_matches(kind, known, 3)
            fix = f"did you mean {' or '.join(near)}?" if near else f"one of {' '.join(known)}"
            raise Fault(f"no event is called {kind!r}", fix, code=USAGE)
    with control.call(home, "events", follow=follow, kinds=list(kinds)) as items:
        for item in items:
            if as_json:
                answer_json(item["event"])
            else:
                at = datetime.fromtimestamp(item["event"]["at"], UTC).astimezone()
                click.echo(f"{at:%H:%M:%S}  {plain(item['sentence'])}")


def kinds_of_events() -> list[str]:
    """What events are called."""
    from p2pnoise.events import Event, EventsMissed  # noqa: PLC0415 - for this verb alone

    return sorted(one.kind for one in (*get_args(Event), EventsMissed))


@click.command()
@options.home
@options.as_json
def reload(*, home: NodeFolder, as_json: bool) -> None:
    """Have the running node look at its files now, and say what came of each that changed.

    It looks by itself several times a second, so what was written just now may be in force already: that is said, too.
    This waits until all is. A file that cannot be used changes nothing, is named, and makes the exit code 1.

    \b
    Examples:
      p2pnoise reload
      p2pnoise reload --home /srv/node --json
    """
    said = control.ask(home, "reload", since=time.time() - JUST_NOW)
    if as_json:
        answer_json({"ok": not said["rejected"], **said})
    else:
        for name in said["taken"]:
            answer(f"in force  {name}")
        for one in said["rejected"]:
            answer(f"not used  {one['file']}: {one['reason']}")
        for one in said["cut"]:
            answer(f"cut       {one['name'] or '-'}  {one['node_id']}: {one['reason']}")
        if not said["taken"] and not said["rejected"]:
            answer("nothing has changed")
    raise click.exceptions.Exit(UNEXPECTED if said["rejected"] else 0)
