"""Measuring: what one core did until it knew everybody, counted alike in simulated worlds and in real processes."""

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import asdict, dataclass, field
from typing import Any

from p2pnoise.instant import Instant
from p2pnoise.node import effects as io
from p2pnoise.node.core import NodeCore

__all__ = ["Figures", "Meter"]


@dataclass(slots=True, kw_only=True)
class Figures:
    """Of one node of one run. All but `links` and `noticed_after` are up to the moment at which it knew all."""

    number: int
    listening_after: float = 0.0
    """Seconds since the network began."""
    knew_all_after: float | None = None
    """Seconds since the network began."""
    bytes_sent: int = 0
    messages_sent: int = 0
    """Portions that the core wanted sent at once."""
    offered: int = 0
    """Ids of cards and records that others told it of."""
    held: int = 0
    """Of these, those that it held already."""
    links: int = 0
    """That stood when all had settled, before one was killed."""
    noticed_after: float | None = None
    """Seconds from the killing of a peer to the loss of the last link to it; None for who had none."""

    @property
    def duplicates(self) -> float | None:
        """The share of what it was told that it held already."""
        return self.held / self.offered if self.offered else None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(slots=True)
class Meter:
    """Counts what a core does, from when it is made until the core knows `everybody`.

    It looks from outside, so that a node that nobody measures pays nothing. `now` gives seconds since the network
    began.
    """

    core: NodeCore
    number: int
    everybody: int
    now: Callable[[], float]
    figures: Figures = field(init=False)

    def __post_init__(self) -> None:
        self.figures = Figures(number=self.number, listening_after=self.now())
        handle, overlay = self.core.handle, self.core._overlay  # noqa: SLF001 - a meter looks inside
        offered = overlay._offered  # noqa: SLF001

        def watched(given: io.Input, now: Instant) -> list[io.Effect]:
            effects = handle(given, now)
            if self.figures.knew_all_after is None:
                self._count(effects)
            return effects

        def told(link: int, ids: AbstractSet[bytes], now: Instant) -> None:
            if self.figures.knew_all_after is None:
                items = self.core.table.items
                self.figures.offered += len(ids)
                self.figures.held += sum(one in items for one in ids)
            offered(link, ids, now)

        self.core.handle = watched  # type: ignore[method-assign]
        overlay._offered = told  # type: ignore[method-assign]  # noqa: SLF001

    def _count(self, effects: list[io.Effect]) -> None:
        for effect in effects:
            if isinstance(effect, io.SendBytes):
                self.figures.bytes_sent += len(effect.data)
                self.figures.messages_sent += 1
        table = self.core.table
        if len(table) == self.everybody and all(peer.record is not None for peer in table):
            self.figures.knew_all_after = self.now()

    def look_at_links(self) -> None:
        """Count the links that stand now."""
        self.figures.links = sum(link.counted_up for link in self.core.links.all.values())
