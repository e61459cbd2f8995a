"""`p2pnoise join serve`: give cards to who has a join token, until Ctrl-C; what happens goes to stdout, a line each."""

# ruff: noqa: PLC0415 - trio is loaded only where something runs

import signal
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import click

from cards import Address, NodeKey
from cards.findings import USAGE
from p2pnoise.config import Bootstrap, listen_address
from p2pnoise.enrolment.messages import MAX_PEERS

from . import options, trust_state
from .folders import IssuerFolder, NodeFolder
from .output import Fault, first_of, rows, say

if TYPE_CHECKING:
    from .daemon.enroller import Enroller
    from .daemon.printing import Printer


@click.command()
@click.option(
    "--listen",
    multiple=True,
    default=("127.0.0.1:7061",),
    show_default=True,
    callback=lambda _ctx, _parameter, values: tuple(map(listen_address, values)),
    metavar="HOST:PORT",
    help="where to accept joiners; port 0 takes any free one; may be repeated",
)
@click.option(
    "--advertise",
    multiple=True,
    callback=lambda _ctx, _parameter, values: tuple(map(Address.parse, values)),
    metavar="HOST:PORT",
    help="where tokens say that it is, if that is not where it listens; may be repeated",
)
@click.option(
    "--peer",
    "peers",
    multiple=True,
    callback=lambda _ctx, _parameter, values: tuple(map(Bootstrap.parse, values)),
    metavar="[NODE@]HOST:PORT",
    help="where new nodes begin; from the table in --home if not given; may be repeated",
)
@options.home
@options.issuer_home
@options.as_json
def serve(
    *,
    listen: tuple[Address, ...],
    advertise: tuple[Address, ...],
    peers: tuple[Bootstrap, ...],
    home: NodeFolder,
    folder: IssuerFolder,
    as_json: bool,
) -> None:
    """Give cards to machines that bring a join token, until Ctrl-C.

    Joiners know this side by the node key in --home; tokens made from now on name it. Who connects here can do nothing
    but ask for a card. With --signer the issuer's key stays elsewhere: while it is down, requests are kept.

    It renews nothing, so what it grants ends where no node does both: one with an enrol section in its configuration,
    see p2pnoise config example.

    \b
    Examples:
      p2pnoise join serve --listen 192.0.2.1:7061
      p2pnoise join serve --listen 0.0.0.0:7061 --advertise join.example:7061 --signer /run/p2pnoise/signer
    """
    import trio

    from .daemon.config import Log
    from .daemon.enroller import Enroller
    from .daemon.printing import Printer

    if len(peers) > MAX_PEERS:
        raise Fault(f"{len(peers)} peers to begin with, at most {MAX_PEERS}", "leave some out", code=USAGE)
    key = home.read_node()
    with Enroller.open(folder, (lambda: peers) if peers else partial(peers_in, home)) as enroller:
        try:
            printer = Printer(Log(format="json" if as_json else "text"))
            trio.run(partial(_serve, enroller, key, listen, advertise, printer))
        except BaseExceptionGroup as group:  # trio groups what comes out of its nurseries
            raise first_of(group) from None


async def _serve(
    enroller: "Enroller",
    key: NodeKey,
    listen: Sequence[Address],
    advertise: Sequence[Address],
    printer: "Printer",
) -> None:
    import trio

    from .daemon.enrolment import serve_enrolment

    async with trio.open_nursery() as nursery:
        with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            serving = partial(
                serve_enrolment, enroller, key=key, listen=listen, advertise=advertise, on_event=printer.tell
            )
            told: tuple[Address, ...] = await nursery.start(serving)
            where = " ".join(map(str, told))
            say(*rows(("enrols for", enroller.name), ("as", str(key.public)), ("at", where)))
            if not where:
                say("tokens cannot say where this is: add --advertise HOST:PORT")
            nursery.start_soon(printer.keep_time)
            async for _ in signals:
                break
        nursery.cancel_scope.cancel()
    printer.close()


LOOKED_AT = 500  # rows of a table, those that were met first: more than enough of them have addresses


def peers_in(home: NodeFolder) -> tuple[Bootstrap, ...]:
    """Nodes of the table in a folder that can be dialled, those that were met before the others."""
    try:
        table = trust_state.read_table(home, most=LOOKED_AT)
    except Fault:
        return ()
    found = [row for row in table.rows if row.record is not None and row.record.addresses] if table is not None else []
    found.sort(key=lambda row: row.provenance != "live")
    return tuple(Bootstrap(row.record.addresses[0], row.card.node_id) for row in found if row.record)[:MAX_PEERS]
