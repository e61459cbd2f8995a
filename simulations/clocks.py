"""Clocks: what a simulated node takes for the time; ahead or behind, faster or slower, and steppable."""

from dataclasses import dataclass

from p2pnoise.instant import SECOND, Instant

START = 1_800_000_000  # seconds since 1970 at which every world begins; any fixed second would do
MILLION = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockLaw:
    """How wrong clocks are: each is off by up to `skew` seconds, and runs up to `drift` millionths too fast or slow.

    A quartz of a computer drifts by 10 to 100 millionths.
    """

    skew: int = 0
    drift: int = 0


@dataclass(slots=True)
class Clock:
    """One node's. `skew` is seconds that its wall clock is ahead, `drift` the millionths by which it runs too fast."""

    skew: int = 0
    drift: int = 0

    def instant(self, now: int) -> Instant:
        """What this clock shows at nanosecond `now` of the world."""
        local = now + now * self.drift // MILLION
        return Instant(local, START + local // SECOND + self.skew)

    def world_time(self, local: int) -> int:
        """The first nanosecond of the world at which this clock has counted `local` nanoseconds."""
        return -(-local * MILLION // (MILLION + self.drift))
