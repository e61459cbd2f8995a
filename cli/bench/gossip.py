"""`p2pnoise bench gossip`: what it costs two nodes to find in what their tables differ, against the targets.

What whole networks send stands in traffic.py. The tables are of made-up items in one process; bytes are those of the
messages as written, both directions together, and what one is offered it has at once. Each line is compared once: bytes
and messages are the same every time. Seconds are processor time of both, with writing and reading the messages.
"""

import random
import time
from collections.abc import Mapping
from dataclasses import dataclass

from cards import IssuerKey, NodeId, Policy
from cli.bench import traffic
from cli.bench.report import Case, Quartiles, Result, at_most
from cli.bench.rounds import Progress
from p2pnoise.gossip.encoding import decode, encode
from p2pnoise.gossip.items import Place
from p2pnoise.gossip.messages import Message, Ranges
from p2pnoise.gossip.reconciliation import Reconciliation
from p2pnoise.gossip.table import PeerTable
from p2pnoise.gossip.wants import Wants
from p2pnoise.instant import Instant

__all__ = ["run"]

ITEMS = 100_000
QUICK = 2_000
HOURS = 720  # a month
_FEW = 100  # differences
_LINK = 1
_NOW = Instant(0, 0)
_ISSUER = IssuerKey(bytes(32)).public

Items = Mapping[bytes, Place]


class _Side:
    """One of two tables, which hold `items`."""

    def __init__(self, name: bytes, items: Items) -> None:
        self.said: list[Message] = []
        self.items = items
        self._table = PeerTable(Policy(network="bench", issuers={"bench": _ISSUER}), own=NodeId(name * 32))
        for item, place in items.items():
            self._table.items.add(item, b"", place)
        wants = Wants(self._table.items, most=1)
        wants.open(_LINK)
        self._core = Reconciliation(
            self._table,
            wants,
            lambda _link, message: self.said.append(message),
            random=random.Random(1),  # noqa: S311 - the same choices every time
        )
        self._core.open(_LINK, b"of the other")

    def __len__(self) -> int:
        return len(self._table.items)

    def begin(self) -> None:
        self._core.begin(_LINK, _NOW)

    def hear(self, message: Ranges, places: Items) -> int:
        """Have what is offered, and answer; how many items came."""
        new = [item for item in self._core.offered(message) if item not in self._table.items]
        for item in new:
            self._table.items.add(item, b"", places[item])
        self._core.earned(_LINK, asked=0, given=len(new), now=_NOW)
        self._core.message(_LINK, message, _NOW)
        return len(new)

    def gave(self, count: int) -> None:
        """The other asked for so many items, and has them."""
        self._core.earned(_LINK, asked=count, given=0, now=_NOW)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """Two tables, and what comparing them may cost."""

    name: str
    ours: Items
    theirs: Items
    bytes: int | None = None
    messages: int | None = None


def _lines(count: int) -> tuple[_Line, ...]:
    chance = random.Random(1)  # noqa: S311 - the same tables every time
    made = sorted((500_000 + chance.randrange(HOURS), chance.randbytes(16)) for _ in range(count))
    group = frozenset((bytes(_ISSUER),))
    items = {item: Place(hour, group) for hour, item in made}
    recent, scattered = [*items][-_FEW:], chance.sample([*items], _FEW)
    return (
        _Line(name="equal", ours=items, theirs=items, bytes=512),
        _Line(name="newest lacking here", ours=_without(items, recent), theirs=items, bytes=5_000, messages=4),
        _Line(name="newest lacking there", ours=items, theirs=_without(items, recent), bytes=5_000, messages=4),
        _Line(
            name="newest, half lacking on each side",
            ours=_without(items, recent[::2]),
            theirs=_without(items, recent[1::2]),
            bytes=5_000,
            messages=4,
        ),
        _Line(name="scattered, lacking here", ours=_without(items, scattered), theirs=items),
        _Line(name="all lacking here", ours={}, theirs=items),
    )


def _without(items: Items, missing: list[bytes]) -> Items:
    gone = frozenset(missing)
    return {item: place for item, place in items.items() if item not in gone}


def run(*, quick: bool, progress: Progress) -> list[Result]:
    """Compare the tables of every line, and simulate the networks."""
    count = QUICK if quick else ITEMS
    lines = _lines(count)
    results = []
    for number, line in enumerate(lines):
        size, messages, seconds = _compared(line)
        name = f"{count:,} items, {line.name}"
        results.append(_result(f"{name}: bytes", "B", size, line.bytes))
        results.append(_result(f"{name}: messages", "messages", messages, line.messages))
        results.append(_result(f"{name}: processor time", "ms", seconds * 1_000, None))
        progress((number + 1) / len(lines) / 2)
    return results + traffic.run(quick=quick, progress=lambda done: progress((1 + done) / 2))


def _compared(line: _Line) -> tuple[int, int, float]:
    """Bytes, messages and seconds until neither has anything to say. Raises `RuntimeError` if they then differ."""
    places = {**line.ours, **line.theirs}
    speaker, listener = _Side(b"\1", line.ours), _Side(b"\2", line.theirs)
    size = messages = 0
    begun = time.process_time()
    speaker.begin()
    while speaker.said:
        data = encode(speaker.said.pop())
        size += len(data)
        messages += 1
        heard = decode(data)
        if isinstance(heard, Ranges):
            speaker.gave(listener.hear(heard, places))
        speaker, listener = listener, speaker
    seconds = time.process_time() - begun
    if not len(speaker) == len(listener) == len(places):
        raise RuntimeError(f"{len(speaker)} and {len(listener)} of {len(places)} items after a comparison")
    return size, messages, seconds


def _result(name: str, unit: str, value: float, limit: int | None) -> Result:
    title = name if limit is None else f"{name} / {limit:,}"
    case = Case(name=title, ours=name, other="", unit=unit, target=None if limit is None else at_most(1.0))
    other = None if limit is None else Quartiles.of([limit])
    return Result("gossip", case, Quartiles.of([value]), other, rounds=1)
