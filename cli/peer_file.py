"""Peer files: cards and address records of many nodes as they were signed, in one file; nothing is verified here.

    file    head row ... end      each a length in 2 bytes, highest first, then so many bytes of deterministic msgpack
    head    ["p2pnoise/v1/peers", network, made]      made: seconds since 1970
    row     [card, record]                            envelopes; the record is empty where there is none
    end     [rows]                                    how many there were; nothing follows

Or the same as lines of JSON: {"format": ..., "network": ..., "made": ...}, {"card": "card1:...", "record":
"record1:..." or null}, {"end": rows}. Read one row at a time, of which each has its limit.
"""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from cards import CardError
from cards.address import MAX_RECORD
from cards.card import MAX_CARD
from cards.codec import MAX_INT, decode, encode
from cards.fields import name as name_field
from cards.text import from_line, to_line
from p2pnoise.gossip.table import MAX_PEERS

from . import files
from .output import naming, os_fault

__all__ = ["MAX_ROWS", "PeerFile", "Row", "fits", "opened", "write"]

FORMAT = "p2pnoise/v1/peers"
MAX_ROWS = MAX_PEERS  # as many as a table holds
MAX_FRAME = MAX_CARD + MAX_RECORD + 8  # bytes
MAX_LINE = 3 * MAX_FRAME  # bytes; base64 takes 4/3
_FIX = "export it again, whole: p2pnoise peers export"


class Row(NamedTuple):
    """The envelopes of a card and of its node's address record, empty where there is none."""

    card: bytes
    record: bytes


def fits(row: Row) -> bool:
    """Whether it is of a size that cards and records have."""
    return 0 < len(row.card) <= MAX_CARD and len(row.record) <= MAX_RECORD


class PeerFile:
    """One that is being read. Iterating gives its rows, once. Raises `CardError` for what is none."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        first = stream.read(1)
        self._said = self._lines(first) if first == b"{" else self._frames(first)
        head = next(self._said, None)
        match head:
            case [str(kind), str(network), made] if kind == FORMAT and type(made) is int and 0 <= made <= MAX_INT:
                self.network = str(name_field(32)(network, "network"))
                self.made = made
            case [str(kind), *_] if kind.startswith("p2pnoise/"):
                raise CardError("unsupported-version", f"{kind[:40]!r}, this software knows {FORMAT}")
            case _:
                raise CardError("malformed", "no head of a peer file")

    def __iter__(self) -> Iterator[Row]:
        count = 0
        for said in self._said:
            match said:
                case [bytes(card), bytes(record)] if fits(Row(card, record)):
                    count += 1
                    if count > MAX_ROWS:
                        raise CardError("too-large", f"more than {MAX_ROWS} rows")
                    yield Row(card, record)
                case [rows] if type(rows) is int and rows == count:
                    if next(self._said, None) is not None:
                        raise CardError("trailing-data", f"something follows the end after {count} rows")
                    return
                case [int()]:
                    raise CardError("malformed", f"{count} rows, the end says another number")
                case _:
                    raise CardError("malformed", f"row {count + 1} is none")
        raise CardError("truncated", f"it ends after {count} rows, without the end that every peer file has")

    def _frames(self, first: bytes) -> Iterator[Any]:
        """Each value of the binary form."""
        prefix = first + self._stream.read(1)
        while prefix:
            if len(prefix) < 2:
                raise CardError("truncated", "it is cut within the length of a row")
            size = int.from_bytes(prefix, "big")
            if not 0 < size <= MAX_FRAME:
                raise CardError("malformed", f"a row of {size} bytes, 1 to {MAX_FRAME} expected")
            data = self._stream.read(size)
            if len(data) < size:
                raise CardError("truncated", f"a row of {size} bytes is cut after {len(data)}")
            yield decode(data, limit=MAX_FRAME, what="row")
            prefix = self._stream.read(2)

    def _lines(self, first: bytes) -> Iterator[Any]:
        """The same of lines of JSON."""
        line = first + self._stream.readline(MAX_LINE)
        while line:
            if not line.endswith(b"\n"):
                raise CardError("truncated", f"a line of {len(line)} bytes without an end, at most {MAX_LINE}")
            yield _from_line(line)
            line = self._stream.readline(MAX_LINE)


def _from_line(line: bytes) -> Any:
    try:
        match json.loads(line):
            case {"format": str(kind), "network": str(network), "made": made, **more} if not more:
                return [kind, network, made]
            case {"card": str(card), "record": None, **more} if not more:
                return [from_line("card1", card), b""]
            case {"card": str(card), "record": str(record), **more} if not more:
                return [from_line("card1", card), from_line("record1", record)]
            case {"end": rows, **more} if not more:
                return [rows]
    except CardError:
        raise
    except (ValueError, RecursionError):
        pass
    return None


def write(stream: BinaryIO, rows: Iterable[Row], *, network: str, made: int, as_lines: bool) -> int:
    """All of these as a peer file; how many there were."""
    put = _line if as_lines else _frame
    stream.write(put([FORMAT, network, made]))
    count = 0
    for row in rows:
        stream.write(put([row.card, row.record]))
        count += 1
    stream.write(put([count]))
    return count


def _frame(said: list[Any]) -> bytes:
    data = encode(said)
    return len(data).to_bytes(2, "big") + data


def _line(said: list[Any]) -> bytes:
    match said:
        case [bytes(card), bytes(record)]:
            fields: dict[str, Any] = {
                "card": to_line("card1", card),
                "record": to_line("record1", record) if record else None,
            }
        case [count]:
            fields = {"end": count}
        case _:
            fields = dict(zip(("format", "network", "made"), said, strict=True))
    return json.dumps(fields).encode() + b"\n"


@contextmanager
def opened(path: str) -> Iterator[tuple[PeerFile, BinaryIO]]:
    """A peer file, or `-` for standard input, and the stream that it is read from. Raises `Fault` that names it."""
    what = "standard input" if path == files.STREAM else path
    try:
        with files.stdin("peer file") if path == files.STREAM else Path(path).open("rb") as stream, naming(what, _FIX):
            yield PeerFile(stream), stream
    except OSError as error:
        raise os_fault(error, path) from None
