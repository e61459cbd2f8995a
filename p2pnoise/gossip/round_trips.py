"""Round trips: how long peers take to answer a question, from which it follows how long to wait for anything else."""

from p2pnoise.instant import SECOND

from .effects import LinkId

GUESS = SECOND // 10  # before the first answer; a guess: between two of the cities of one continent
SHORTEST = SECOND // 50  # what comes on other ways takes longer than the quickest answer: pushes make pauses; a guess
LONGEST = SECOND  # what an answer took beyond this says that the peer is busy, not far; a guess
_SMOOTHING = 8  # a new time counts for one part in so many: RFC 6298, 2.3


class RoundTrips:
    """From a question to the end of its answer, of each link of one node, in nanoseconds."""

    def __init__(self) -> None:
        self.typical = GUESS
        """The median over the links: a peer that lets us wait on purpose does not move it."""
        self._asked: dict[LinkId, int] = {}
        self._smoothed: dict[LinkId, int] = {}

    def asked(self, link: LinkId, now: int) -> None:
        self._asked[link] = now

    def answered(self, link: LinkId, now: int) -> None:
        asked = self._asked.pop(link, None)
        if asked is not None:
            took = max(SHORTEST, min(now - asked, LONGEST))
            known = self._smoothed.get(link)
            self._smoothed[link] = took if known is None else known + (took - known) // _SMOOTHING
            self.typical = sorted(self._smoothed.values())[(len(self._smoothed) - 1) // 2]  # a sixth of `median_low`

    def forget(self, link: LinkId) -> None:
        """What was measured counts until something else is: one that has gone is as good a guess as any."""
        self._asked.pop(link, None)
        self._smoothed.pop(link, None)
