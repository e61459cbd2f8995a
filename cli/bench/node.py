"""`p2pnoise bench node`: streams between two nodes, each a process of its own, over real sockets of one machine.

Both have cards of one issuer, its list, and a store on the disk; what runs over a stream is the same on every side.

    connect    from `open_stream` without a link until 64 bytes have come back: TCP, handshake, cards, lists, stream;
               the two have met before
    CPU        of both processes, for one of these and its end, with what they gossip meanwhile
    echo       64 bytes there and back on an open stream, one after another
    streams    opened, 64 bytes there and back, closed; eight at once
    bulk       one way, in writes of 1 MiB; the receiver says that it has all, after 16 MiB, of ten streams 2 MiB each
    services   the same over TCP connections that one node forwards to what the other exposes, as a share of it; the
               applications at both ends are in the nodes' processes
    messages   64 bytes each, one way on one stream, a write each or 64 in one
    memory     what the server's process grows by for a node that it has just met, linked to it without a stream

A NoiseStream is the same work over a connection of its own, without frames, streams and a node around it. Where another
interpreter has py-libp2p, the same runs on two of its hosts, by turns: TCP, Noise and yamux, with its defaults.
"""

import subprocess
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

from cli.bench.node_sides import NODE, NODE_LINKS, NODE_PEERS, NODE_SERVICES
from cli.bench.report import Case, Result, Target, at_least, at_most, compare
from cli.bench.rounds import Progress, interleave
from cli.bench.sides import IK
from cli.bench.stage import OURS, Stage, stage
from cli.output import Fault

__all__ = ["run"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """What is measured, and what it is compared with."""

    what: str
    name: str
    unit: str
    limit: float | None = None
    plain: bool = False  # with a NoiseStream
    libp2p: bool = True
    part_of: str = ""  # with another row, by what it measures and in words
    target: Target | None = None  # of the ratio to py-libp2p


_ROWS = (
    _Row(what="connect", name="connect to first bytes", unit="ms", limit=5.0),
    _Row(what="cpu", name="CPU of it, both ends", unit="ms", limit=5.0),
    _Row(what="echo", name="echo of 64 bytes", unit="ms", limit=0.3, plain=True),
    _Row(what="streams", name="streams opened", unit="streams/s"),
    _Row(what="bulk", name="bulk, one stream", unit="MB/s", plain=True, target=at_least(10.0)),
    _Row(what="services", name="through forward and expose", unit="MB/s", libp2p=False, part_of="bulk"),
    _Row(what="bulk of ten", name="bulk, ten streams", unit="MB/s", target=at_least(10.0)),
    _Row(what="messages", name="messages, one write each", unit="messages/s", plain=True),
    _Row(what="messages at once", name="messages, 64 written at once", unit="messages/s", plain=True),
)
_MEMORY = _Row(what="memory", name="memory of an idle peer", unit="MB", limit=0.05)

_OURS, _PLAIN, _LIMIT, _LIBP2P = "node", "NoiseStream", "limit", "py-libp2p"
_SAMPLE = 0.3  # seconds of one sample; a guess: one connect of py-libp2p takes 0.25
_MIB = 1024 * 1024
_MESSAGE = 64  # bytes
_FIRST = 20  # peers whose memory is not counted: they fill the allocator's pools; a guess

Samplers = dict[str, Callable[[], float]]


def run(*, seconds: float, peers: int, beside: str | None, progress: Progress) -> list[Result]:
    """Measure for about so many seconds, with so many idle peers, and on py-libp2p of the interpreter `beside`."""
    commands = {_OURS: OURS}
    if beside is not None:
        commands[_LIBP2P] = _libp2p(beside)
    loads = _loads(commands, seconds=seconds * 0.8, progress=lambda done: progress(done * 0.8))
    memory = interleave(
        {f"{who} memory": partial(_grows, command, peers) for who, command in commands.items()},
        seconds=seconds * 0.2,
        progress=lambda done: progress(0.8 + done * 0.2),
        warm_up=False,
    )
    rows = (*_ROWS, _MEMORY)
    limits = {f"{_LIMIT} {row.what}": [row.limit] for row in rows if row.limit is not None}
    cases = [case for row in rows for case in _cases(row, beside=beside is not None)]
    return compare("node", cases, {**loads, **memory, **limits})


def _cases(row: _Row, *, beside: bool) -> list[Case]:
    others = [
        (_LIMIT, f"{row.limit:g} {row.unit}" if row.limit else "", at_most(1.0)),
        (_PLAIN, "NoiseStream" if row.plain else "", None),
        (_LIBP2P, "py-libp2p" if beside and row.libp2p else "", row.target),
        (_OURS, f"{row.part_of}, one stream" if row.part_of else "", None),
    ]
    ours = f"{_OURS} {row.what}"
    return [
        Case(
            name=f"{row.name} / {words}",
            ours=ours,
            other=f"{who} {row.part_of or row.what}",
            unit=row.unit,
            target=target,
        )
        for who, words, target in others
        if words
    ] or [Case(name=row.name, ours=ours, other="", unit=row.unit)]


def _libp2p(python: str) -> tuple[str, ...]:
    """What starts an end on py-libp2p. Raises Fault where that interpreter has none."""
    try:
        tried = subprocess.run([python, "-c", "import libp2p"], capture_output=True, text=True, check=False)  # noqa: S603
        why = tried.stderr.strip().splitlines()[-1] if tried.returncode else ""
    except OSError as error:
        why = str(error)
    if why:
        raise Fault(
            f"{python} does not run py-libp2p: {why}",
            "`make bench-peers` in a checkout makes an interpreter that does, and runs this with it",
        )
    return python, str(Path(__file__).with_name("libp2p_side.py"))


def _loads(commands: dict[str, Sequence[str]], *, seconds: float, progress: Progress) -> dict[str, list[float]]:
    with ExitStack() as stack:
        samplers: Samplers = {}
        for who, command in commands.items():
            sides = [NODE, NODE_LINKS, *([IK, NODE_SERVICES] if who == _OURS else [])]
            both = stack.enter_context(stage(sides, command=command))
            length = min(_SAMPLE, seconds / len(_ROWS))
            samplers |= {f"{who} {what}": sample for what, sample in _on_nodes(both, length).items()}
            if who == _OURS:
                samplers |= {f"{_PLAIN} {what}": sample for what, sample in _on_streams(both, IK, length).items()}
                samplers[f"{_OURS} services"] = _bulk(both, NODE_SERVICES, length)
        return interleave(samplers, seconds=seconds, progress=progress)


def _on_nodes(both: Stage, length: float) -> Samplers:
    """All that two nodes are asked for."""
    spent = 0.0

    def connect() -> float:
        nonlocal spent
        before = both.cpu()
        took = both.load("connects", NODE_LINKS, seconds=length)
        spent = (both.cpu() - before) / len(took)
        return float(median(took)) * 1000

    return {
        "connect": connect,
        "cpu": lambda: spent * 1000,
        "streams": lambda: float(both.load("requests", NODE, seconds=length)),
        **_on_streams(both, NODE, length),
        "bulk of ten": _transfer(both, NODE, length, unit=1e6, message=_MIB, writes=2, streams=10),
    }


def _on_streams(both: Stage, side: str, length: float) -> Samplers:
    """What one stream is asked for, of nodes or not."""
    return {
        "echo": lambda: median(both.load("echoes", side, seconds=length)) * 1000,
        "bulk": _bulk(both, side, length),
        "messages": _transfer(both, side, length, unit=_MESSAGE, message=_MESSAGE, writes=2000),
        "messages at once": _transfer(both, side, length, unit=_MESSAGE, message=_MESSAGE, writes=2000, batch=64),
    }


def _bulk(both: Stage, side: str, length: float) -> Callable[[], float]:
    return _transfer(both, side, length, unit=1e6, message=_MIB, writes=16)


def _transfer(
    both: Stage,
    side: str,
    length: float,
    *,
    unit: float,
    message: int,
    writes: int,
    batch: int = 1,
    streams: int = 1,
) -> Callable[[], float]:
    """Samples in units of so many bytes a second."""
    load = partial(
        both.load, "transfer", side, seconds=length, message=message, writes=writes, batch=batch, streams=streams
    )
    return lambda: float(load()) / unit


def _grows(command: Sequence[str], peers: int) -> float:
    """MB of a peer in a server that is new."""
    with stage([NODE_PEERS], command=command) as both:
        both.load("meet", NODE_PEERS, count=min(_FIRST, peers))
        before = both.server_memory()
        both.load("meet", NODE_PEERS, count=peers)
        return (both.server_memory() - before) / peers / 1e6
