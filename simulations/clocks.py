"""Clocks: what a simulated node takes for the time; ahead or behind, faster or slower, and steppable."""

from dataclasses import dataclass

from p2pnoise.instant import SECOND, Instant

from .fields import check, within

START = 1_800_000_000  # seconds since 1970 at which every world begins; any fixed second would do
MILLION = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockLaw:
    """How wrong clocks are: each is off by up to `skew` seconds, and runs up to `drift` millionths too fast or slow.

    A quartz of a computer drifts by 10 to 100 millionths.
    """

    skew: int = 0
    drift: int = 0

    def __post_init__(self) -> None:
        """Raises ValueError for what no clock can be."""
        check(self)
        within("skew", self.skew, 0, 1_000_000_000)  # a generation; more leads out of the years that dates can name
        within("drift", self.drift, 0, MILLION // 2)  # nearer to a million it would stand still


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
