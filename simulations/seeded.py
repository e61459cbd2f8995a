"""Seeded: what every world draws from its seed, its time, and the trace that shows whether two runs were the same."""

import hashlib
import random
from collections.abc import Callable

from p2pnoise.instant import SECOND

from .clocks import START


class Seeded:
    """A world at nanosecond `now`. One stream for each node and concern: a draw added in one place shifts no other."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.now = 0
        self._trace = hashlib.blake2b(digest_size=16)

    def chance(self, *label: object) -> random.Random:
        """The seeded stream for one concern."""
        name = "/".join(map(str, (self.seed, *label)))
        return random.Random(hashlib.sha256(name.encode()).digest())  # noqa: S311 - repeatable is what is wanted

    def entropy(self, *label: object) -> Callable[[int], bytes]:
        """The seeded stand-in for os.urandom: keys of a simulated world are worth nothing outside it."""
        return self.chance("entropy", *label).randbytes

    @property
    def unix(self) -> int:
        """Seconds since 1970 by a clock that is right."""
        return START + self.now // SECOND

    def note(self, what: str) -> None:
        """Make something part of the trace."""
        self._trace.update(b"%d %s\n" % (self.now, what.encode()))

    @property
    def trace_hash(self) -> str:
        """BLAKE2b over all that was delivered and noted so far; each world says what that is."""
        return self._trace.copy().hexdigest()
