"""`p2pnoise bench bulk` and `bench messages`: one connection, one way, from a client process to a server process.

Counted: writing, and the receiver's word that it has every byte, once for each 16 MiB of bulk and each 2,000 writes of
messages. The handshake is not. The receiver takes what comes with `receive_some()` and counts bytes, on every side
alike; a message is 64 of them.

TLS negotiates what OpenSSL prefers, which is AES-256-GCM; ours is ChaChaPoly, which is quicker where the processor
has no instructions for AES, and for bulk AESGCM as well. Plain TCP is trio's SocketStream.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial

from cli.bench.report import Case, Result, at_least, compare
from cli.bench.rounds import Progress, interleave
from cli.bench.sides import IK, IK_AESGCM, PLAIN, TLS
from cli.bench.stage import stage

__all__ = ["bulk", "messages"]


@dataclass(frozen=True, slots=True)
class _Load:
    """So many writes of so many messages of so many bytes, and one answer."""

    writes: int
    batch: int
    message: int


_MIB = 1024 * 1024
_SAMPLE = 0.2  # seconds of one sample; a guess: several answers on the slowest side, and many rounds

_BULK_CASES = (
    Case(name="ChaChaPoly / TLS 1.3, 1 MiB writes", ours=IK, other=TLS, unit="MB/s", target=at_least(3.0)),
    Case(name="ChaChaPoly / plain TCP, 64 KiB writes", ours=IK, other=PLAIN, unit="MB/s", target=at_least(0.85)),
    Case(name="AESGCM / TLS 1.3, 1 MiB writes", ours=IK_AESGCM, other=TLS, unit="MB/s", target=at_least(3.0)),
    Case(name="AESGCM / plain TCP, 64 KiB writes", ours=IK_AESGCM, other=PLAIN, unit="MB/s", target=at_least(0.85)),
)
_BULK_LOADS = {
    IK: (IK, _Load(16, 1, _MIB)),
    IK_AESGCM: (IK_AESGCM, _Load(16, 1, _MIB)),
    TLS: (TLS, _Load(16, 1, _MIB)),
    PLAIN: (PLAIN, _Load(256, 1, _MIB // 16)),
}

_MESSAGE = 64
_SINGLE, _AT_ONCE = _Load(2000, 1, _MESSAGE), _Load(2000, 64, _MESSAGE)
_MESSAGE_CASES = (
    Case(
        name="64 messages written at once / TLS 1.3",
        ours="IK at once",
        other="TLS at once",
        unit="messages/s",
        target=at_least(1.5),
    ),
    Case(name="one write a message / TLS 1.3", ours="IK", other="TLS", unit="messages/s", target=at_least(2.0)),
)
_MESSAGE_LOADS = {
    "IK at once": (IK, _AT_ONCE),
    "TLS at once": (TLS, _AT_ONCE),
    "IK": (IK, _SINGLE),
    "TLS": (TLS, _SINGLE),
}


def bulk(*, seconds: float, progress: Progress) -> list[Result]:
    """Measure for about so many seconds."""
    return _run("bulk", _BULK_CASES, _BULK_LOADS, unit=1_000_000, seconds=seconds, progress=progress)


def messages(*, seconds: float, progress: Progress) -> list[Result]:
    """Measure for about so many seconds."""
    return _run("messages", _MESSAGE_CASES, _MESSAGE_LOADS, unit=_MESSAGE, seconds=seconds, progress=progress)


def _run(
    bench: str,
    cases: Sequence[Case],
    loads: Mapping[str, tuple[str, _Load]],
    *,
    unit: int,
    seconds: float,
    progress: Progress,
) -> list[Result]:
    """Samples in units of so many bytes a second."""
    with stage(list(dict.fromkeys(side for side, _ in loads.values()))) as both:
        length = min(_SAMPLE, seconds / len(loads))
        sides = {
            name: partial(both.load, "transfer", side, seconds=length, **asdict(load))
            for name, (side, load) in loads.items()
        }
        rates = interleave(sides, seconds=seconds, progress=progress)
    return compare(bench, cases, {name: [rate / unit for rate in each] for name, each in rates.items()})
