"""`p2pnoise bench rps`: requests over a new connection each, from a client process to a server process.

Counted: TCP connect, handshake, a request of 64 bytes and its echo, and both ends closed; eight clients at once, the
same handler and the same client on every side. Sessions are never resumed. All sides are trio streams with their
defaults; ours is `serve_noise` and `open_noise_stream`.
"""

from functools import partial

from cli.bench.report import Case, Result, at_least, compare
from cli.bench.rounds import Progress, interleave
from cli.bench.sides import IK, TLS, TLS_RSA, TLS_SERVER_ONLY, XX
from cli.bench.stage import stage

__all__ = ["run"]

_UNIT = "requests/s"
_CASES = (
    Case(name="XX / TLS 1.3 mutual ECDSA P-256", ours=XX, other=TLS, unit=_UNIT, target=at_least(2.9)),
    Case(name="IK / TLS 1.3 mutual ECDSA P-256", ours=IK, other=TLS, unit=_UNIT, target=at_least(2.9)),
    Case(name="XX / TLS 1.3 mutual RSA-2048", ours=XX, other=TLS_RSA, unit=_UNIT, target=at_least(4.0)),
    Case(name="XX / TLS 1.3 server-only ECDSA", ours=XX, other=TLS_SERVER_ONLY, unit=_UNIT, target=at_least(2.0)),
    Case(name="IK / TLS 1.3 server-only ECDSA", ours=IK, other=TLS_SERVER_ONLY, unit=_UNIT, target=at_least(2.0)),
)
_SIDES = (XX, TLS, IK, TLS_RSA, TLS_SERVER_ONLY)
_SAMPLE = 0.4  # seconds of one sample; a guess: some hundred requests of the slowest side


def run(*, seconds: float, progress: Progress) -> list[Result]:
    """Measure for about so many seconds."""
    with stage(_SIDES) as both:
        length = min(_SAMPLE, seconds / len(_SIDES))
        sides = {side: partial(both.load, "requests", side, seconds=length) for side in _SIDES}
        return compare("rps", _CASES, interleave(sides, seconds=seconds, progress=progress))
