"""`p2pnoise run`: a peer node in the foreground, until Ctrl-C; what happens goes to stdout, a line each."""

# ruff: noqa: PLC0415 - trio and the node are loaded only where a node runs

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cards import Address, CardError, Fact
from cards.findings import BINDING, UNTRUSTED, USAGE

from . import event_text, files, options, pins
from .folders import NodeFolder
from .output import Fault, plain, say

if TYPE_CHECKING:
    from p2pnoise.config import Bootstrap
    from p2pnoise.events import Event
    from p2pnoise.node.driver.node import Node
    from p2pnoise.node.effects import Input

POLL = 0.25  # seconds between two looks at the watched files; a stat each


def _each(parse: Callable[[str], Any]) -> Callable[[click.Context, click.Parameter, tuple[str, ...]], tuple[Any, ...]]:
    """A click callback: every value parsed; a wrong one is a fault of the command line that names its option."""

    def check(_ctx: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> tuple[Any, ...]:
        try:
            return tuple(parse(value) for value in values)
        except CardError as error:
            raise Fault(f"{parameter.opts[0]}: {error}", error.finding.hint, code=USAGE) from None

    return check


def _listen(text: str) -> Address:
    # Port 0, "any free one", is for listening alone: no card or record may name it.
    return Address(Address.parse(text[:-1] + "1").host, 0) if text.endswith(":0") else Address.parse(text)


def _bootstrap(text: str) -> "Bootstrap":
    from p2pnoise.config import Bootstrap

    return Bootstrap.parse(text)


@click.command()
@options.home
@click.option(
    "--listen",
    multiple=True,
    default=("127.0.0.1:7060",),
    show_default=True,
    callback=_each(_listen),
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
    callback=_each(_bootstrap),
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
    bootstrap: "tuple[Bootstrap, ...]",
    until_eof: bool,
    as_json: bool,
) -> None:
    """Run this node until Ctrl-C.

    It needs a card (p2pnoise card install) and keeps what it learns in node.db. While it runs it watches card.pem,
    policy.toml, pins.toml, revocations.pem and statements.pem in its folder: a new one is in force within a second, a
    broken one changes nothing.

    \b
    Examples:
      p2pnoise run --listen 192.0.2.7:7060 --bootstrap node1...@192.0.2.1:7060
      p2pnoise run --listen 0.0.0.0:7060 --advertise db-03.example:7060
      p2pnoise run --json > events.jsonl
    """
    import trio

    from p2pnoise.node.driver.surroundings import ListenError
    from p2pnoise.store import StoreError

    settings = _Settings.read(home)
    with files.only_one(home.path, "node"):
        try:
            trio.run(
                partial(
                    _run,
                    settings,
                    listen=listen,
                    advertise=advertise,
                    bootstrap=bootstrap,
                    until_eof=until_eof,
                    tell=_printer(as_json=as_json),
                )
            )
        except (BaseExceptionGroup, StoreError, ListenError) as error:
            first = _first(error)  # trio groups what comes out of its nurseries
            if isinstance(first, StoreError | ListenError):
                raise Fault(str(first), first.hint) from None
            raise first from None


@dataclass(frozen=True, slots=True)
class _Settings:
    """What the folder says, read and checked before anything is opened."""

    home: NodeFolder
    key: Any
    card: Any
    policy: Any
    facts: Any
    pins: Any

    @classmethod
    def read(cls, home: NodeFolder) -> "_Settings":
        key = home.read_node()
        card = home.read_card()
        policy = home.read_policy()
        if card is None or policy is None:
            what = "card is installed" if card is None else "policy.toml lies"
            raise Fault(
                f"no {what} in {home.path}",
                "p2pnoise card request, have it issued, then p2pnoise card install FILE --issuer issuer1...",
                code=UNTRUSTED,
            )
        if card.node_id != key.public:
            raise Fault(
                f"{home.card} names node {card.node_id.short}, {home.node_key} is {key.public.short}",
                "install the card of this node, or restore the key that belongs to it",
                code=BINDING,
            )
        facts = (*home.read_revocations(), *home.read_statements())
        return cls(home, key, card, policy, facts, pins.read(home.pins).held)


async def _run(
    settings: _Settings,
    *,
    listen: tuple[Address, ...],
    advertise: tuple[Address, ...],
    bootstrap: "tuple[Bootstrap, ...]",
    until_eof: bool,
    tell: "Callable[[Event], None]",
) -> None:
    import trio

    from p2pnoise.config import NodeConfig
    from p2pnoise.node.driver.opening import open_node

    word = trio.Event()  # to stop
    async with trio.open_nursery() as outer:
        # Before the node says that it listens: from then on a signal must not find the system's default in place.
        await outer.start(_heed_signals, word)
        async with open_node(
            key=settings.key,
            card=settings.card,
            policy=settings.policy,
            database=settings.home.path / "node.db",
            facts=settings.facts,
            pins=settings.pins,
            listen=listen,
            advertise=advertise,
            config=NodeConfig(bootstrap=bootstrap),
            on_event=tell,
        ) as node:
            if not advertise and all(address.host in ("0.0.0.0", "::") for address in node.addresses):  # noqa: S104
                say("this node tells nobody where to dial it: add --advertise HOST:PORT if others can")
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_watch, settings, node, tell)
                if until_eof:
                    nursery.start_soon(_wait_for_eof, word)
                await word.wait()
                nursery.cancel_scope.cancel()
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


async def _watch(settings: _Settings, node: "Node", tell: "Callable[[Event], None]") -> None:
    """Hand the node what changes in its folder; what cannot be used changes nothing and is named."""
    import trio

    from p2pnoise.events import FileRejected

    home = settings.home
    readers: dict[Path, Callable[[], list[Input]]] = {
        home.policy: lambda: _policy(home, settings),
        home.revocations: lambda: _facts(home.revocations, home.read_revocations),
        home.statements: lambda: _facts(home.statements, home.read_statements),
        home.pins: lambda: _pins(home),
        home.card: lambda: _card(home, settings),
    }
    facts = (home.revocations, home.statements)
    # Nothing counts as seen: a file that changed while the node started must not be missed.
    seen: dict[Path, tuple[int, int, int] | None] = dict.fromkeys(readers)
    while True:
        await trio.sleep(POLL)
        for path, read in readers.items():
            stamp = _stamp(path)
            if stamp == seen[path]:
                continue
            seen[path] = stamp
            try:
                for given in read():
                    await node.offer(given)
            except (Fault, CardError, OSError) as error:
                fix = getattr(error, "fix", "")
                reason = str(error).removeprefix(f"{path}: ") + (f" (fix: {fix})" if fix else "")
                tell(FileRejected(file=path.name, reason=reason))
            else:
                if path == home.policy:  # whose issuers may have signed what was a stranger's before
                    seen.update(dict.fromkeys(facts))


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _facts(path: Path, read: "Callable[[], Iterable[Fact]]") -> "list[Input]":
    from p2pnoise.node.effects import FactOffered

    if not path.exists():
        raise Fault("it is gone", "put it back; what it said stays in force")
    return [FactOffered(fact, path.name) for fact in read()]


def _pins(home: NodeFolder) -> "list[Input]":
    from p2pnoise.node.effects import PinsChanged

    if not home.pins.exists():
        raise Fault("it is gone", "put it back, or an empty one; the pins in force stay in force")
    wanted = pins.read(home.pins)
    return [PinsChanged(wanted.held, wanted.untied)]


def _policy(home: NodeFolder, settings: _Settings) -> "list[Input]":
    from p2pnoise.node.effects import PolicyChanged

    policy = home.read_policy()
    if policy is None:
        raise Fault("it is gone", "put it back; the policy in force stays in force")
    if policy.network != settings.policy.network:
        raise Fault(f"it names network {policy.network}, this node runs in {settings.policy.network}")
    return [PolicyChanged(policy)]


def _card(home: NodeFolder, settings: _Settings) -> "list[Input]":
    from p2pnoise.node.effects import OwnCardChanged

    card = home.read_card()
    if card is None:
        raise Fault("it is gone", "put it back; the card in use stays in use")
    if card.node_id != settings.key.public:
        raise Fault(f"it names node {card.node_id.short}, this one is {settings.key.public.short}")
    return [OwnCardChanged(card)]


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
