"""`p2pnoise peers diff`: what a node's table has that a file or another folder's table has not, and the other way.

Rows that are equal to the byte are told by a digest, and not read; of the others the cards are compared by their ids,
and nothing is verified.
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple, TypeAlias

import click

from cards import AddressRecord, Card, CardError
from p2pnoise.store.reading import envelopes

from . import files, options, peer_file, trust_state
from .bench.rounds import Progress, progress_bar
from .folders import NodeFolder
from .output import answer, answer_json, columns, say
from .peer_file import Row
from .peer_weighing import claims

SHOWN = 500  # differences, unless asked for more
EVERY = 500  # rows from one look at the progress to the next

Rows: TypeAlias = tuple[int, Iterator[Row]]
_Open: TypeAlias = AbstractContextManager[Rows]
_Claims: TypeAlias = tuple[Card, AddressRecord | None]


class Difference(NamedTuple):
    """A peer of whom the two sides say different things: `what` in words."""

    card: Card
    what: tuple[str, ...]


@click.command("diff")
@click.argument("other", metavar="FILE_OR_FOLDER", type=options.FILE)
@click.option("--all", "everybody", is_flag=True, help=f"show all differences, and not {SHOWN} of them")
@options.home
@options.as_json
def command(*, other: str, everybody: bool, home: NodeFolder, as_json: bool) -> None:
    """Compare a node's table with a file of p2pnoise peers export, or with the table in another folder.

    Whom one side alone knows, and where the other has a newer card, other grants or newer addresses. Nothing is
    judged: what counts says p2pnoise peers, and p2pnoise peers import takes over what does.

    \b
    Examples:
      p2pnoise peers diff example-net.peers
      p2pnoise peers diff /srv/other-node --json
    """
    folder = Path(other)
    with progress_bar("comparing", as_json=as_json) as progress, trust_state.store_faults():
        there = _file(other) if other == files.STREAM or not folder.is_dir() else _table(NodeFolder(folder))
        same, found = compare(lambda: _table(home), there, progress)
    count = len(found)
    shown = found if everybody or as_json else found[:SHOWN]
    if as_json:
        rows = [
            {
                "name": one.card.name,
                "node_id": str(one.card.node_id),
                "identity": str(one.card.identity),
                "what": list(one.what),
            }
            for one in shown
        ]
        answer_json({"ok": True, "equal": not found, "same": same, "differ": count, "peers": rows})
        return
    if shown:
        lines = [(one.card.name or "-", one.card.node_id.short, ", ".join(one.what)) for one in shown]
        answer(*columns(("NAME", "NODE", "WHAT"), *lines))
    say(f"{same} the same, {count} not" + ("; to see all: --all" if count > len(shown) else ""))


def compare(
    ours: Callable[[], _Open], theirs: _Open, progress: Progress = lambda _done: None
) -> tuple[int, list[Difference]]:
    """How many rows are the same, and the differences by name; `ours` is read twice, so that those alone are held."""
    with ours() as (total, rows):
        held = {_digest(row) for row in _watched(rows, total, 0, progress)}
    met: set[bytes] = set()
    with theirs as (total, rows):
        foreign = [row for row in _watched(rows, total, 1, progress) if not _meets(row, held, met)]
    left = held - met
    with ours() as (total, rows):
        own = [row for row in _watched(rows, total, 2, progress) if _digest(row) in left]
    here, there = _by_identity(own), _by_identity(foreign)
    both = {
        identity: Difference((here.get(identity) or there[identity])[0], _what(here.get(identity), there.get(identity)))
        for identity in {**here, **there}
    }
    found = sorted((one for one in both.values() if one.what), key=lambda one: (one.card.name or "", one.card.identity))
    return len(met) + len(both) - len(found), found


def _meets(row: Row, held: set[bytes], met: set[bytes]) -> bool:
    digest = _digest(row)
    if digest in held:
        met.add(digest)
    return digest in held


def _digest(row: Row) -> bytes:
    return hashlib.sha256(len(row.card).to_bytes(2, "big") + row.card + row.record).digest()


def _by_identity(rows: list[Row]) -> dict[bytes, _Claims]:
    """What can be read of these; the newest, where there are several."""
    found: dict[bytes, _Claims] = {}
    for row in rows:
        with suppress(CardError):
            claimed = claims(row)
            before = found.get(bytes(claimed[0].identity))
            if before is None or before[0].sequence < claimed[0].sequence:
                found[bytes(claimed[0].identity)] = claimed
    return found


def _what(here: _Claims | None, there: _Claims | None) -> tuple[str, ...]:
    """What one side has that the other has not; nothing where the ids of all items are the same."""
    if here is None or there is None:
        return ("only here" if there is None else "only there",)
    (card, record), (other, other_record) = here, there
    what = []
    if card.card_id != other.card_id:
        what.append(f"{_newer(card.sequence, other.sequence, 'card')}")
    elif {(one.kid, one.attrs) for one in card.grants} != {(one.kid, one.attrs) for one in other.grants}:
        what.append("other grants")
    bodies = [one.body if one is not None else b"" for one in (record, other_record)]
    if bodies[0] != bodies[1]:
        numbers = [one.sequence if one is not None else -1 for one in (record, other_record)]
        what.append(_newer(numbers[0], numbers[1], "addresses"))
    return tuple(what)


def _newer(here: int, there: int, what: str) -> str:
    if here == there:
        return f"another {what} of the same number"
    return f"newer {what} {'here' if here > there else 'there'}"


def _watched(rows: Iterator[Row], total: int, part: int, progress: Progress) -> Iterator[Row]:
    for number, row in enumerate(rows):
        if number % EVERY == 0:
            progress((part + number / max(1, total)) / 3)
        yield row


@contextmanager
def _table(home: NodeFolder) -> Iterator[Rows]:
    with envelopes(home.database) as (total, found):
        yield total, (Row(*one) for one in found)


@contextmanager
def _file(path: str) -> Iterator[Rows]:
    with peer_file.opened(path) as (given, _):
        yield peer_file.MAX_ROWS, iter(given)
