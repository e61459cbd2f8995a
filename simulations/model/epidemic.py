"""Epidemic: one thing told from node to node in rounds, as counts and arrays; no protocol code runs in it.

In each round every live node makes `contacts` contacts, to nodes drawn anew among all (`uniform`) or among the `DEGREE`
that it was given at the start (`neighbours`). Where a contact is not lost, the two exchange what they know: push and
pull. What is learned in a round is told from the next one on. The dead neither tell, nor hear, nor answer.

Where partners are drawn among all, nodes differ in nothing but what they know, so the number of those who know is all
the state there is: how many pull it is binomial, and of the pushes, which hit the ignorant like balls that fall into
bins, those that fall into an empty one count.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["DEGREE", "RUMOURS", "Epidemic", "Graph"]

Graph = Literal["uniform", "neighbours"]

DEGREE = 8  # neighbours that a node is given; the mean degree of the message world's topology
RUMOURS = 64  # things that are told together, a bit each of one word
_BLOCK = 1 << 16  # nodes looked at together: what they need stays in a processor's cache


@dataclass(frozen=True, slots=True, kw_only=True)
class Epidemic:
    """What is to be run. `loss` is the share of contacts that are lost, `dead` that of nodes that never take part."""

    nodes: int
    ticks: ClassVar[int] = 1  # to a round
    loss: float = 0.0
    dead: float = 0.0
    graph: Graph = "uniform"
    contacts: int = 1
    """A node's contacts in a round; `DEGREE` of `neighbours` are all of them, each once, and nothing is drawn."""
    begin: int = 1
    """How many nodes know at first, drawn where the thing is not the only one."""

    @property
    def live(self) -> int:
        """How many nodes take part; at least the one that knows."""
        return max(1, self.nodes - round(self.nodes * self.dead))

    def run(self, seed: int, *, rounds: int) -> list[int]:
        """How many live nodes know after 0, 1, 2 … rounds: until all do, or for so many rounds."""
        random = np.random.Generator(np.random.SFC64(seed))
        counts = [min(self.begin, self.live)]
        course = self._uniform(random) if self.graph == "uniform" else self._neighbours(random)
        while counts[-1] < self.live and len(counts) <= rounds:
            counts.append(next(course))
        return counts

    def together(self, seed: int, *, rounds: int) -> NDArray[np.int64]:
        """How many live nodes know each of `RUMOURS` things after 0, 1, 2 … rounds: a line for each thing.

        All are told by the same contacts, as a network does; each begins at a node of its own choice.
        """
        random = np.random.Generator(np.random.SFC64(seed))
        knows = np.zeros(self.nodes, np.uint64)  # a bit for each thing
        bits = np.uint64(1) << np.arange(RUMOURS, dtype=np.uint64)
        first = random.integers(self.live, size=(self.begin, RUMOURS))
        np.bitwise_or.at(knows, first, np.broadcast_to(bits, first.shape))
        graph = random.integers(self.nodes, size=(self.nodes, DEGREE)) if self.graph == "neighbours" else None
        counts = [self._count(knows)]
        while counts[-1].min() < self.live and len(counts) <= rounds:
            told = knows.copy()
            for contact in range(self.contacts):
                ours, partners = self._contacts(random, graph, contact)
                told[ours] |= knows[partners]
                np.bitwise_or.at(told, partners, knows[ours])
            knows = told
            counts.append(self._count(knows))
        return np.array(counts).T

    def _contacts(
        self, random: np.random.Generator, graph: NDArray[np.int64] | None, contact: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Who contacts whom, where both are alive and nothing is lost; each live node at most once."""
        ours = np.flatnonzero(random.random(self.live) >= self.loss)
        if graph is None:
            partners = random.integers(max(1, self.nodes - 1), size=len(ours))
            partners += partners >= ours  # nobody contacts itself
            partners %= self.nodes
        elif self.contacts < DEGREE:
            partners = graph[ours, random.integers(DEGREE, size=len(ours))]
        else:
            partners = graph[ours, contact]
        alive = partners < self.live
        return ours[alive], partners[alive]

    @staticmethod
    def _count(knows: NDArray[np.uint64]) -> NDArray[np.int64]:
        counts = np.zeros(RUMOURS, np.int64)
        for first in range(0, len(knows), _BLOCK):
            bits = np.unpackbits(knows[first : first + _BLOCK].view(np.uint8).reshape(-1, RUMOURS // 8), axis=1)
            counts += bits.sum(axis=0, dtype=np.int64)
        return counts

    def _uniform(self, random: np.random.Generator) -> Iterator[int]:
        """The course of the count. Nobody contacts itself."""
        live, others, kept = self.live, max(1, self.nodes - 1), 1 - self.loss
        known = min(self.begin, self.live)
        while True:
            ignorant = live - known
            heard = 1 - (1 - kept * known / others) ** self.contacts
            pulled = int(random.binomial(ignorant, heard))
            pushes = int(random.binomial(known * self.contacts, kept * ignorant / others))
            known += pulled + _bins_hit(random, pushes, bins=ignorant, full=pulled)
            yield known

    def _neighbours(self, random: np.random.Generator) -> Iterator[int]:
        """The course of the count on a graph that is drawn first. The first nodes know; the last ones are the dead."""
        neighbours = random.integers(self.nodes, size=(self.nodes, DEGREE), dtype=np.uint32)
        knows = np.zeros(self.nodes, np.bool_)
        knows[: min(self.begin, self.live)] = True
        while True:
            bits = np.packbits(knows, bitorder="little")  # an eighth of the memory to look things up in: half the time
            learned = [
                found
                for first in range(0, self.live, _BLOCK)
                for found in self._round(random, neighbours[first : min(first + _BLOCK, self.live)], bits, first)
            ]
            knows[np.concatenate(learned)] = True
            yield int(np.count_nonzero(knows))

    def _round(
        self, random: np.random.Generator, neighbours: NDArray[np.uint32], bits: NDArray[np.uint8], first: int
    ) -> Iterator[NDArray[np.int64]]:
        """Who learns by the contacts of one block of nodes, some of them several times."""
        rows = np.arange(len(neighbours), dtype=np.int64)
        ours = _looked_up(bits, rows + first)
        for contact in range(self.contacts):
            if self.contacts < DEGREE:
                choice = random.integers(DEGREE, size=len(rows), dtype=np.uint8)
                partners = neighbours.reshape(-1)[rows * DEGREE + choice]
            else:
                partners = neighbours[:, contact]
            # A contact of two that know the same changes nothing, lost or not: chance is spent on the others alone.
            news = np.flatnonzero(_looked_up(bits, partners) != ours)
            told = partners[news]
            kept = (told < self.live) & (random.random(len(news)) >= self.loss)
            news, told = news[kept], told[kept]
            yield np.where(ours[news], told, news + first)


def _looked_up(bits: NDArray[np.uint8], nodes: NDArray[Any]) -> NDArray[np.uint8]:
    """1 for each of the nodes whose bit is set."""
    found: NDArray[np.uint8] = (bits[nodes >> 3] >> (nodes & 7).astype(np.uint8)) & 1
    return found


def _bins_hit(random: np.random.Generator, balls: int, *, bins: int, full: int) -> int:
    """How many of `bins` get their first ball, when `full` of them have one already."""
    hit = np.zeros(bins, np.bool_)
    hit[:full] = True
    for first in range(0, balls, 1 << 22):
        hit[random.integers(bins, size=min(1 << 22, balls - first), dtype=np.int64)] = True
    return int(np.count_nonzero(hit)) - full
