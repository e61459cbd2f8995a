"""Flood: one thing told on every link at once, each with a delay of its own; who hears it tells it on at once.

This is what a network at rest does with news, whose links are the message world's: a ring, and random pairs until a
node has `DEGREE` links on average. When a node knows is the length of the shortest path to it, a link being as long as
its delay, which is drawn once. Delays are even between `evenness` and 2 - `evenness` of a round, so that a round is the
mean delay; with 1 all are alike, and the thing goes from circle to circle. Time passes in `TICKS` to a round.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from .epidemic import DEGREE, RUMOURS

__all__ = ["Flood"]

TICKS = 16
_AT_ONCE = 8_000_000  # nodes times things that are looked at together, within some 500 MB
_NEVER = np.iinfo(np.int32).max

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Flood:
    """What is to be run."""

    nodes: int
    evenness: float
    begin: int = 1
    """How many nodes know at first, drawn for each thing."""
    ticks: ClassVar[int] = TICKS

    @property
    def live(self) -> int:
        return self.nodes

    def together(self, seed: int, *, rounds: int) -> Ints:
        """How many nodes know each of some things after 0, 1, 2 … ticks: a line for each, of the same links.

        As many things as `RUMOURS`, or fewer where nodes are many; until all know all, or for so many rounds.
        """
        random = np.random.Generator(np.random.SFC64(seed))
        first, targets, delays = self._links(random)
        things = max(1, min(RUMOURS, _AT_ONCE // self.nodes))
        # A node that knows a thing is one number: the thing's, times `nodes`, and its own.
        due: list[list[Ints]] = [[] for _ in range(2 * TICKS + 1)]
        at = np.arange(things) * self.nodes + random.integers(self.nodes, size=(self.begin, things))
        when = np.full(things * self.nodes, _NEVER, np.int32)
        when[at] = 0
        due[0].append(at.ravel())
        known = np.zeros(things, np.int64)
        counts: list[Ints] = []
        while known.min() < self.nodes and len(counts) <= rounds * TICKS:
            tick = len(counts)
            slot, due[tick % len(due)] = due[tick % len(due)], []
            told = np.unique(np.concatenate(slot)) if slot else np.zeros(0, np.int64)
            told = told[when[told] == tick]  # the others have heard it sooner
            known = known + np.bincount(told // self.nodes, minlength=things)
            counts.append(known)
            own = told % self.nodes
            links = first[own + 1] - first[own]
            link = np.repeat(first[own] - np.cumsum(links) + links, links) + np.arange(links.sum())
            hears, hears_at = targets[link] + np.repeat(told - own, links), tick + delays[link]
            sooner = hears_at < when[hears]
            hears, hears_at = hears[sooner], hears_at[sooner]
            np.minimum.at(when, hears, hears_at)
            for one in np.unique(hears_at):
                due[one % len(due)].append(hears[hears_at == one])
        return np.array(counts).T

    def _links(self, random: np.random.Generator) -> tuple[Ints, Ints, NDArray[np.int32]]:
        """Node n has the links from number `first[n]` to `first[n + 1]`, each with who is there and a delay."""
        others = max(0, self.nodes * DEGREE // 2 - self.nodes)
        one = np.concatenate([np.arange(self.nodes), random.integers(self.nodes, size=others)])
        other = np.concatenate([(np.arange(self.nodes) + 1) % self.nodes, random.integers(self.nodes, size=others)])
        least, most = self.evenness * TICKS, (2 - self.evenness) * TICKS
        delay = np.maximum(1, np.rint(random.uniform(least, most, size=len(one)))).astype(np.int32)
        sources = np.concatenate([one, other])
        order = np.argsort(sources, kind="stable")
        first = np.zeros(self.nodes + 1, np.int64)
        np.cumsum(np.bincount(sources, minlength=self.nodes), out=first[1:])
        return first, np.concatenate([other, one])[order], np.concatenate([delay, delay])[order]
