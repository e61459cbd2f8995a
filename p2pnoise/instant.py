"""Instant: the only form in which time enters a core. Leaf of every floor."""

from typing import NamedTuple

SECOND = 1_000_000_000  # nanoseconds


class Instant(NamedTuple):
    """One moment on two clocks, handed in with every input.

    Intervals use `monotonic` (nanoseconds since any start), validity uses `unix` (seconds since 1970), so a stepped
    wall clock cannot disturb timers. Integers, so that equal deadlines are equal in every simulation.
    """

    monotonic: int
    unix: int

    @property
    def unix_ms(self) -> int:
        return self.unix * 1000


def ns(seconds: float) -> int:
    """Seconds of a configuration as nanoseconds of the monotonic clock."""
    return int(seconds * SECOND)
