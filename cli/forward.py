"""`p2pnoise expose` and `p2pnoise forward`: a TCP service between two nodes, for as long as the command runs."""

import click

from . import control, options
from .daemon.service import ANYONE, Exposed, Forwarded
from .folders import NodeFolder
from .output import Fault, answer, answer_json, say


@click.command()
@click.argument("service")
@click.argument("local")
@click.option("--group", "groups", multiple=True, metavar="GROUP", help="who may use it; may be repeated")
@click.option("--any", "for_all", is_flag=True, help="let every peer use it whose card counts here")
@options.home
@options.as_json
def expose(
    *, service: str, local: str, groups: tuple[str, ...], for_all: bool, home: NodeFolder, as_json: bool
) -> None:
    """Let peers use a TCP service of this machine, until Ctrl-C.

    SERVICE is the name by which they ask for it, LOCAL where it listens: HOST:PORT, or a port of this machine. Peers
    of a GROUP may use it, as our policy counts their cards, and lose their connections within a second when they leave
    it. The service sees connections from this node. What is to last stands in node.toml, as [[expose]].

    \b
    Examples:
      p2pnoise expose web 8080 --group staff
      p2pnoise expose ssh 192.168.1.7:22 --group admins --group backup
      p2pnoise expose status 127.0.0.1:9000 --any
    """
    what = Exposed.parse(service, local, [*groups, *([ANYONE] if for_all else [])])
    with control.call(home, "expose", service=what.service, to=str(what.to), groups=list(what.groups)) as items:
        said = next(items)
        if as_json:
            answer_json({"ok": True, **said})
        else:
            who = "every peer" if ANYONE in said["groups"] else f"peers of {' '.join(said['groups'])}"
            answer(f"exposed  {said['service']} at {said['to']}, for {who}")
        _follow(items, as_json=as_json)


@click.command()
@click.argument("local")
@click.argument("to", metavar="PEER:SERVICE")
@options.home
@options.as_json
def forward(*, local: str, to: str, home: NodeFolder, as_json: bool) -> None:
    """Use a TCP service that a peer exposes, at an address of this machine, until Ctrl-C.

    LOCAL is where to listen: a port of this machine, 0 for any free one, or HOST:PORT. Whoever can connect there uses
    the service in our name: on 127.0.0.1 every user of this machine, on other addresses others too. PEER is a name,
    node1... or node1...@HOST:PORT; it is dialled when somebody connects. What is to last stands in node.toml, as
    [[forward]].

    \b
    Examples:
      p2pnoise forward 8080 db-03:web
      p2pnoise forward 127.0.0.1:2222 node1...:ssh
    """
    what = Forwarded.parse(local, to)
    with control.call(home, "forward", listen=str(what.listen), to=what.target) as items:
        said = next(items)
        if as_json:
            answer_json({"ok": True, **said})
        else:
            answer(f"forwarding  {said['listen']} to {said['service']} of {said['peer']}")
        _follow(items, as_json=as_json)


def _follow(items: control.Items, *, as_json: bool) -> None:
    """What goes wrong, until the node stops."""
    for item in items:
        if as_json:
            answer_json(item)
        else:
            say(f"a connection came to nothing: {item['failed']}")
    raise Fault("the node has stopped", "start it again: p2pnoise run")
