"""`p2pnoise run`: a peer node in the foreground, until Ctrl-C; what happens goes to stdout, a line each."""

# ruff: noqa: PLC0415 - trio and the node are loaded only where a node runs

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from cards import Address, CardError
from cards.findings import USAGE
from p2pnoise.config import Bootstrap, NodeConfig, listen_address

from . import event_text, options
from .folders import NodeFolder
from .output import Fault, plain, say

if TYPE_CHECKING:
    from p2pnoise.events import Event
    from p2pnoise.node.driver.node import Node


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
    default=("127.0.0.1:7060",),
    show_default=True,
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
@click.option("--until-eof", is_flag=True, help="stop when standard input ends, as a parent process may want")
@options.as_json
def command(
    *,
    home: NodeFolder,
    listen: tuple[Address, ...],
    advertise: tuple[Address, ...],
    bootstrap: tuple[Bootstrap, ...],
    until_eof: bool,
    as_json: bool,
) -> None:
    """Run this node until Ctrl-C.

    It needs a card (p2pnoise card install) and keeps what it learns in node.db. While it runs it watches card.pem,
    policy.toml, pins.toml, bans.toml, revocations.pem and statements.pem in its folder: a new one is in force within a
    second, a broken one changes nothing.

    \b
    Examples:
      p2pnoise run --listen 192.0.2.7:7060 --bootstrap node1...@192.0.2.1:7060
      p2pnoise run --listen 0.0.0.0:7060 --advertise db-03.example:7060
      p2pnoise run --json > events.jsonl
    """
    import trio

    from p2pnoise.node.driver.surroundings import ListenError
    from p2pnoise.store import StoreError

    tell = _printer(as_json=as_json)
    try:
        trio.run(
            partial(
                _run,
                home,
                listen=listen,
                advertise=advertise,
                bootstrap=bootstrap,
                until_eof=until_eof,
                tell=tell,
            )
        )
    except BaseExceptionGroup as group:  # trio groups what comes out of its nurseries
        error = _first(group)
        if isinstance(error, StoreError | ListenError):
            raise Fault(str(error), error.hint) from None
        raise error from None


async def _run(
    home: NodeFolder,
    *,
    listen: tuple[Address, ...],
    advertise: tuple[Address, ...],
    bootstrap: tuple[Bootstrap, ...],
    until_eof: bool,
    tell: "Callable[[Event], None]",
) -> None:
    import trio

    from .daemon import daemon

    word = trio.Event()  # to stop

    def started(node: "Node") -> None:
        if not advertise and all(address.host in ("0.0.0.0", "::") for address in node.addresses):  # noqa: S104
            say("this node tells nobody where to dial it: add --advertise HOST:PORT if others can")
        if until_eof:
            node.start_soon(_wait_for_eof, word)

    config = NodeConfig(bootstrap=bootstrap)
    async with trio.open_nursery() as outer:
        # Before the node says that it listens: from then on a signal must not find the system's default in place.
        await outer.start(_heed_signals, word)
        await daemon.run(
            home, listen=listen, advertise=advertise, config=config, on_event=tell, word=word, started=started
        )
        outer.cancel_scope.cancel()


async def _heed_signals(word: Any, *, task_status: Any) -> None:
    """Until all is over, so that a second signal does not cut the goodbye short."""
    import trio

    if sys.platform == "win32":
        task_status.started()
        return
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        task_status.started()
        async for _ in signals:
            word.set()


async def _wait_for_eof(word: Any) -> None:
    import trio

    def read() -> None:
        # Not sys.stdin: a thread that waits in it when the interpreter ends holds its lock, which is fatal.
        with suppress(OSError):  # closed, or none from the beginning
            while os.read(0, 4096):
                pass

    await trio.to_thread.run_sync(read, abandon_on_cancel=True)
    word.set()


def _printer(*, as_json: bool) -> "Callable[[Event], None]":
    def tell(event: "Event") -> None:
        now = time.time()
        if as_json:
            line = json.dumps({"at": round(now, 3), **event.to_json()})
        else:
            line = f"{time.strftime('%H:%M:%S', time.localtime(now))}  {plain(event_text.sentence(event))}"
        # One write a line: a log that is read while it grows never shows half an event.
        sys.stdout.write(line + "\n")
        sys.stdout.flush()

    return tell


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
