"""`p2pnoise bench`: the subcommands, and what they share: how long, and in which form."""

import math
from collections.abc import Callable
from typing import Any

import click

from cli import options

Command = Callable[..., Any]
Option = Callable[[Command], Command]


def _number(_ctx: click.Context, _parameter: click.Parameter, value: float) -> float:
    if math.isnan(value):  # in no range, and in none of the comparisons that would say so
        raise click.BadParameter("not a number")
    return value


@click.group()
def command() -> None:
    """Measure against what you would use instead, in one run, as ratios.

    Both sides are measured in turn, so that a busy machine is busy for both. It reports and asserts nothing: a target
    that is missed is a line of the table and no error.

    \b
    Examples:
      p2pnoise bench handshake
      p2pnoise bench rps --seconds 60
      p2pnoise bench memory --json
    """


def _bench(seconds: float, *own: Option) -> Callable[[Command], click.Command]:
    """A subcommand that measures for so long unless it is told otherwise; `own` stand between --seconds and --json."""
    how_long = click.option(
        "--seconds",
        type=click.FloatRange(0.01, 3600),
        default=seconds,
        show_default=True,
        callback=_number,
        help="how long to measure, about; three rounds at least",
    )

    def decorate(function: Command) -> click.Command:
        shown: tuple[Option, ...] = (how_long, *own, options.as_json)
        for option in reversed(shown):
            function = option(function)
        return command.command()(function)

    return decorate


def _how_many(name: str, default: int, *, most: int, what: str) -> Option:
    return click.option(name, type=click.IntRange(1, most), default=default, show_default=True, help=what)


_cards = _how_many(
    "--cards", 2000, most=100_000, what="how many different ones; making them takes about a second for 1,000"
)


def _run(name: str, bench: Callable[..., Any], *, as_json: bool, **how: Any) -> None:
    from cli.bench.report import print_results  # noqa: PLC0415 - not for --help
    from cli.bench.rounds import progress_bar  # noqa: PLC0415

    with progress_bar(name, as_json=as_json) as progress:
        results = bench(progress=progress, **how)
    print_results(results, as_json=as_json)


@_bench(10.0)
def handshake(*, seconds: float, as_json: bool) -> None:
    """Handshakes without I/O, both sides in one process.

    XX and IK against the sum of their DH and key generations, done with the bare primitives; XX against noiseprotocol
    and dissononce where they are installed; XX against TLS 1.3 for information.

    \b
    Examples:
      p2pnoise bench handshake
      p2pnoise bench handshake --seconds 30 --json
    """
    from cli.bench import handshake as bench  # noqa: PLC0415 - not for --help

    _run("handshake", bench.run, seconds=seconds, as_json=as_json)


@_bench(20.0)
def rps(*, seconds: float, as_json: bool) -> None:
    """Requests over a new connection each, against TLS 1.3.

    A client process and a server process on the loopback interface, eight requests at once, both ends verified; TLS
    with real certificates of a CA made for this run, ECDSA P-256 and RSA-2048, and where only the server has one.

    \b
    Examples:
      p2pnoise bench rps
      p2pnoise bench rps --seconds 60 --json
    """
    from cli.bench import rps as bench  # noqa: PLC0415 - not for --help

    _run("rps", bench.run, seconds=seconds, as_json=as_json)


@_bench(15.0)
def bulk(*, seconds: float, as_json: bool) -> None:
    """Megabytes over one connection, against TLS 1.3 and plain TCP.

    \b
    Examples:
      p2pnoise bench bulk
      p2pnoise bench bulk --seconds 60 --json
    """
    from cli.bench import transfers  # noqa: PLC0415 - not for --help

    _run("bulk", transfers.bulk, seconds=seconds, as_json=as_json)


@_bench(15.0)
def messages(*, seconds: float, as_json: bool) -> None:
    """Messages of 64 bytes over one connection, against TLS 1.3.

    Once 64 messages written at once, once each message by itself.

    \b
    Examples:
      p2pnoise bench messages
      p2pnoise bench messages --seconds 60 --json
    """
    from cli.bench import transfers  # noqa: PLC0415 - not for --help

    _run("messages", transfers.messages, seconds=seconds, as_json=as_json)


@_bench(10.0, _how_many("--connections", 1000, most=5000, what="how many are idle at a time"))
def memory(*, seconds: float, connections: int, as_json: bool) -> None:
    """Memory of an idle accepted connection, against TLS 1.3.

    What the server process grows by, its trio task included; every sample is a new server.

    \b
    Examples:
      p2pnoise bench memory
      p2pnoise bench memory --connections 4000 --json
    """
    from cli.bench import memory as bench  # noqa: PLC0415 - not for --help

    _run("memory", bench.run, seconds=seconds, connections=connections, as_json=as_json)


@_bench(
    30.0,
    _how_many("--peers", 60, most=100, what="how many are idle at a time, to measure the memory of one"),
    click.option(
        "--beside",
        metavar="PYTHON",
        help="measure py-libp2p, too, by this interpreter that has it; make bench-peers makes one",
    ),
)
def node(*, seconds: float, peers: int, beside: str | None, as_json: bool) -> None:
    """Streams between two nodes: connect, echo, bulk, services, messages, memory.

    Two processes on the loopback interface, with cards, lists and a store on the disk each; against what a plain
    NoiseStream does, against the targets that this project has set itself, and against py-libp2p by its side.

    \b
    Examples:
      p2pnoise bench node
      p2pnoise bench node --beside .peers/bin/python --seconds 120
      p2pnoise bench node --json
    """
    from cli.bench import node as bench  # noqa: PLC0415 - not for --help

    _run("node", bench.run, seconds=seconds, peers=peers, beside=beside, as_json=as_json)


@_bench(20.0, _cards)
def cards(*, seconds: float, cards: int, as_json: bool) -> None:
    """Cards read, judged and issued, against bare Ed25519 operations.

    Each card is met for the first time, under a policy whose issuers' lists are held. The floor is to verify the same
    signatures with cryptography and nothing else. Where the extra `fast` is installed, libsodium is measured too.

    \b
    Examples:
      p2pnoise bench cards
      p2pnoise bench cards --cards 10000 --seconds 60 --json
    """
    from cli.bench import cards as bench  # noqa: PLC0415 - not for --help

    _run("cards", bench.run, seconds=seconds, cards=cards, as_json=as_json)


@_bench(20.0, _cards)
def store(*, seconds: float, cards: int, as_json: bool) -> None:
    """Rows written, against SQLite's own executemany, and a newcomer's table against its signatures.

    \b
    Examples:
      p2pnoise bench store
      p2pnoise bench store --cards 10000 --seconds 60 --json
    """
    from cli.bench import store as bench  # noqa: PLC0415 - not for --help

    _run("store", bench.run, seconds=seconds, cards=cards, as_json=as_json)


@command.command()
@click.option("--quick", is_flag=True, help="a few nodes each, to see that it runs; no targets then")
@click.option("--only", multiple=True, metavar="LINE", help="one of the lines; may be given several times")
@options.as_json
def simulate(*, quick: bool, only: tuple[str, ...], as_json: bool) -> None:
    """The simulator on one core: seconds until all know all, memory, node-seconds per second, against its targets.

    Lines are bytes, messages, messages-twice, publishers, model and model-large; all of them take some 20 minutes. Each
    is a process of its own. Seconds are processor time.

    \b
    Examples:
      p2pnoise bench simulate --quick
      p2pnoise bench simulate --only model --only model-large
      p2pnoise bench simulate --json
    """
    from cli.bench import simulate as bench  # noqa: PLC0415 - not for --help

    if unknown := [name for name in only if name not in bench.NAMES]:
        raise click.BadParameter(f"{unknown[0]!r} is none of {', '.join(bench.NAMES)}", param_hint="--only")
    _run("simulate", bench.run, quick=quick, only=only, as_json=as_json)


@command.command()
@click.option("--quick", is_flag=True, help="2,000 items and small networks, to see that it runs")
@options.as_json
def gossip(*, quick: bool, as_json: bool) -> None:
    """Comparing two tables of 100,000 items: bytes, messages and processor time, against the targets.

    Equal ones; such as differ in the 100 newest items; in 100 of any age; and one that is empty. Then what a node sends
    when nothing happens, in simulated networks of two sizes, and how many copies of an item come too many: of news, and
    where nodes come and go.

    \b
    Examples:
      p2pnoise bench gossip
      p2pnoise bench gossip --quick --json
    """
    from cli.bench import gossip as bench  # noqa: PLC0415 - not for --help

    _run("gossip", bench.run, quick=quick, as_json=as_json)
