"""Fuzz targets of files that people pass around: peer files, in both forms."""

import io
from collections.abc import Iterator
from contextlib import suppress

from cards import CardError
from cli.peer_file import PeerFile, Row, write
from cli.peer_weighing import claims
from tests.fuzz import world
from tests.fuzz.target import Target


def peer_file(data: bytes) -> bool:
    try:
        given = PeerFile(io.BytesIO(data))
        rows = list(given)
    except CardError:
        return False
    for row in rows:
        with suppress(CardError):
            claims(row)
    binary = _written(rows, given, as_lines=False)
    assert data[:1] == b"{" or binary == data
    for again in (binary, _written(rows, given, as_lines=True)):
        assert list(PeerFile(io.BytesIO(again))) == rows
    return True


def _written(rows: list[Row], given: PeerFile, *, as_lines: bool) -> bytes:
    stream = io.BytesIO()
    write(stream, rows, network=given.network, made=given.made, as_lines=as_lines)
    return stream.getvalue()


def peer_file_seeds() -> Iterator[bytes]:
    rows = [Row(world.CARDS["ada"].raw, world.RECORDS["ada"].raw), Row(world.REQUESTS["bob"].raw, b"")]
    for as_lines in (False, True):
        stream = io.BytesIO()
        write(stream, rows, network=world.NETWORK, made=world.NOW, as_lines=as_lines)
        yield stream.getvalue()


TARGETS = {"peer-file": Target(peer_file, peer_file_seeds, 3_000)}
