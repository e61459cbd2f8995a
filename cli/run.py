"""`p2pnoise run`: a peer node in the foreground, until Ctrl-C; what happens goes to stdout, a line each."""

# ruff: noqa: PLC0415 - trio and the node are loaded only where a node runs

import os
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cards import Address, CardError
from cards.findings import USAGE
from p2pnoise.config import Bootstrap, listen_address

from . import options
from .folders import NodeFolder
from .output import Fault, first_of, say

if TYPE_CHECKING:
    from p2pnoise.node.driver.node import Node

    from .daemon.signals import StopWord


def _each(parse: Callable[[str], Any]) -> Callable[[click.Context, click.Parameter, tuple[str, ...]], tuple[Any, ...]]:
    """A click callback: every value parsed; a wrong one is a fault of the command line that names its option."""

    def check(_ctx: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> tuple[Any, ...]:
        try:
            return tuple(parse(value) for value in values)
        except CardError as error:
            raise Fault(f"{parameter.opts[0]}: {error}", error.finding.hint, code=USAGE) from None

    return check


@click.command()
@options.home
@click.option(
    "--listen",
    multiple=True,
    show_default="127.0.0.1:7060",
    callback=_each(listen_address),
    metavar="HOST:PORT",
    help="where to accept connections; port 0 takes any free one; may be repeated",
)
@click.option(
    "--advertise",
    multiple=True,
    callback=_each(Address.parse),
    metavar="HOST:PORT",
    help="where others should dial, if that is not where the node listens; may be repeated",
)
@click.option(
    "--bootstrap",
    multiple=True,
    callback=_each(Bootstrap.parse),
    metavar="[NODE@]HOST:PORT",
    help="a peer to begin with; once the table knows others it is not needed; may be repeated",
)
@click.option(
    "--config",
    "file",
    type=options.PATH,
    metavar="FILE",
    help="configuration in place of node.toml in the folder, see p2pnoise config; options here go before it",
)
@click.option("--until-eof", is_flag=True, help="stop when standard input ends, as a parent process may want")
@options.as_json
def command(
    *,
    home: NodeFolder,
    listen: tuple[Address, ...],
    advertise: tuple[Address, ...],
    bootstrap: tuple[Bootstrap, ...],
    file: Path | None,
    until_eof: bool,
    as_json: bool,
) -> None:
    """Run this node until Ctrl-C or SIGTERM.

    It needs a card (p2pnoise card install) and keeps what it learns in node.db. While it runs it watches card.pem,
    policy.toml, pins.toml, bans.toml, revocations.pem, statements.pem and node.toml in its folder: a new one is in
    force within a second, or by SIGHUP at once; a broken one changes nothing.

    The first signal has it finish what it serves and say goodbye, within stop_timeout of its configuration; a second
    one ends it at once.

    \b
    Examples:
      p2pnoise run --listen 192.0.2.7:7060 --bootstrap node1...@192.0.2.1:7060
      p2pnoise run --listen 0.0.0.0:7060 --advertise db-03.example:7060
      p2pnoise run --config /etc/p2pnoise/node.toml
      p2pnoise run --json > events.jsonl
    """
    import trio

    from p2pnoise.node.driver.surroundings import ListenError
    from p2pnoise.store import StoreError

    from .daemon import daemon
    from .daemon.config import DaemonConfig
    from .daemon.signals import StopWord

    word, path = StopWord(), file or home.config

    def read() -> DaemonConfig:
        found = DaemonConfig.read(path) if file is not None or path.exists() else DaemonConfig()
        return found.with_options(listen=listen, advertise=advertise, peers=bootstrap, as_json=as_json)

    def started(node: "Node", config: DaemonConfig) -> None:
        if not config.advertise and all(address.host in ("0.0.0.0", "::") for address in node.addresses):  # noqa: S104
            say("this node tells nobody where to dial it: add --advertise HOST:PORT if others can")
        if until_eof:
            node.start_soon(_wait_for_eof, word)

    try:
        trio.run(partial(daemon.run, home, file=path, read=read, word=word, started=started))
    except BaseExceptionGroup as group:  # trio groups what comes out of its nurseries
        error = first_of(group)
        if isinstance(error, StoreError | ListenError):
            raise Fault(str(error), error.hint) from None
        raise error from None


async def _wait_for_eof(word: "StopWord") -> None:
    import trio

    def read() -> None:
        # Not sys.stdin: a thread that waits in it when the interpreter ends holds its lock, which is fatal.
        with suppress(OSError):  # closed, or none from the beginning
            while os.read(0, 4096):
                pass

    await trio.to_thread.run_sync(read, abandon_on_cancel=True)
    word.say()
