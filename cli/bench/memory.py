"""`p2pnoise bench memory`: what an idle accepted connection holds of its server's memory, its trio task included.

Counted: how much the resident memory of the server process grows from one connection to the next. OpenSSL's memory is
its own, so no tool of Python's sees it. Every sample is a new server: freed memory that is used again would make
connections look free. Each of them has done its handshake, asked and been answered; the first hundred fill the
allocator's pools and are not counted. The kernel's socket buffers are not in it, on either side.
"""

from functools import partial

from cli.bench.report import Case, Result, at_most, compare
from cli.bench.rounds import Progress, interleave
from cli.bench.sides import IK, TLS
from cli.bench.stage import stage

__all__ = ["run"]

_FIRST = 100  # connections that are not counted; a guess
_LIMIT = "limit"
_MAX_KIB = 10.0
_CASES = (
    Case(name="IK / TLS 1.3 mutual ECDSA", ours=IK, other=TLS, unit="KiB", target=at_most(0.35)),
    Case(name=f"IK / {_MAX_KIB:g} KiB", ours=IK, other=_LIMIT, unit="KiB", target=at_most(1.0)),
)


def run(*, seconds: float, connections: int, progress: Progress) -> list[Result]:
    """Measure with so many connections at a time, for about so many seconds."""
    sides = {side: partial(_grows, side, connections) for side in (IK, TLS)}
    samples = interleave(sides, seconds=seconds, progress=progress, warm_up=False)
    return compare("memory", _CASES, {**samples, _LIMIT: [_MAX_KIB]})


def _grows(side: str, connections: int) -> float:
    """KiB of a connection on this side."""
    with stage([side]) as both:
        both.load("hold", side, count=_FIRST)
        before = both.server_memory()
        both.load("hold", side, count=connections)
        return (both.server_memory() - before) / connections / 1024
