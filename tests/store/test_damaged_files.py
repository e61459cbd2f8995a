"""Files that are no database of ours, or not any more: opened and read, or refused with a sentence; never believed."""

import os
import random
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from cards import Card, CardError
from p2pnoise.store import StoreError, read_table
from p2pnoise.store.schema import VERSION
from tests.patience import PATIENCE

FLIPS = 120


def test_an_empty_file_becomes_a_database(shelf):
    shelf.path.touch()
    assert shelf.read() == ({}, (), [])


def test_an_empty_file_is_no_table_to_read(shelf):
    shelf.path.touch()
    with pytest.raises(StoreError, match="no node database"):
        read_table(shelf.path)
    assert shelf.path.stat().st_size == 0


def test_reading_makes_no_file(shelf):
    with pytest.raises(StoreError, match="no node database"):
        read_table(shelf.path)
    assert list(shelf.path.parent.iterdir()) == []


def test_a_foreign_database_is_refused_and_not_touched(shelf):
    foreign = sqlite3.connect(shelf.path)
    foreign.execute("CREATE TABLE t (x)")
    foreign.commit()
    foreign.close()
    before = shelf.path.read_bytes()
    assert "not a node's database" in shelf.refused()
    assert shelf.path.read_bytes() == before
    assert [path.name for path in shelf.path.parent.iterdir()] == ["node.db"]


def test_a_file_of_something_else_is_refused_and_not_touched(shelf):
    shelf.path.write_bytes(b"anything at all " * 1000)
    assert "not a SQLite file" in shelf.refused()
    assert shelf.path.read_bytes() == b"anything at all " * 1000


def test_a_folder_is_refused(shelf):
    shelf.path.mkdir()
    shelf.refused()


def test_a_folder_that_is_not_there_is_refused(make_shelf, tmp_path):
    make_shelf(tmp_path / "none" / "node.db").refused()


def test_a_device_is_refused(make_shelf):
    make_shelf(Path("/dev/null")).refused()


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_file_is_refused(shelf):
    shelf.filled(1)
    shelf.path.chmod(0)
    shelf.refused()


def as_nobody(code, *arguments):
    """Run this in a process that is not root, whoever runs the tests; what root alone can import is there before."""
    script = f"import os, sys\nif os.geteuid() == 0: os.setgid(65534), os.setuid(65534)\n{code}"
    return subprocess.run(
        [sys.executable, "-c", "import sys, urllib.parse, p2pnoise.store.tables\n" + script, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
        cwd=Path(__file__).parents[2],
    )


REFUSAL = """
from pathlib import Path
from p2pnoise.store import PeerStore, StoreError, read_table
try:
    if sys.argv[2] == "open":
        PeerStore(Path(sys.argv[1]), network="example-net", node_id=b"\\1" * 32).close()
        print("opened")
    else:
        print("read", len(read_table(Path(sys.argv[1])).rows))
except StoreError as error:
    print("refused", error, "|", error.hint)
"""


@pytest.fixture
def public(shelf):
    """The folders above are open to all, so that somebody else than root gets as far as the file."""
    for folder in list(shelf.path.parents)[:4]:
        if folder.owner() == shelf.path.parent.owner() and folder != Path("/"):
            folder.chmod(0o755)
    return shelf


def test_a_file_of_somebody_else_is_refused_with_a_sentence(public):
    public.filled(1)
    public.path.chmod(0)
    for verb in ("open", "read"):
        result = as_nobody(REFUSAL, public.path, verb)
        assert result.stdout.startswith("refused"), result
        assert "|" in result.stdout


def test_a_read_only_folder_is_refused_with_a_sentence(public):
    public.filled(1)
    public.path.chmod(0o444)
    public.path.parent.chmod(0o555)
    result = as_nobody(REFUSAL, public.path, "open")
    assert result.stdout.startswith("refused"), result


def test_a_table_in_a_read_only_folder_can_be_read(public):
    public.filled(2)
    public.path.chmod(0o444)
    public.path.parent.chmod(0o555)
    result = as_nobody(REFUSAL, public.path, "read")
    assert result.stdout == "read 2\n", result


def test_a_newer_schema_is_refused_and_not_touched(shelf):
    shelf.filled(1)
    database = sqlite3.connect(shelf.path)
    database.execute(f"PRAGMA user_version={VERSION + 1}")
    database.close()
    before = shelf.path.read_bytes()
    assert f"schema {VERSION + 1}, this software knows up to {VERSION}" in shelf.refused()
    assert shelf.path.read_bytes() == before


def test_the_database_of_another_network_is_refused(shelf):
    shelf.filled(1)
    assert "another network" in shelf.refused(network="other-net")


def test_the_database_of_another_node_is_refused(shelf):
    shelf.filled(1)
    assert "another node key" in shelf.refused(node_id=b"\x02" * 32)


def test_a_database_that_lost_a_table_is_refused(shelf):
    for table in ("meta", "marks", "lists", "peers"):
        shelf.path.unlink(missing_ok=True)
        shelf.filled(1)
        _change(shelf, f"DROP TABLE {table}")
        with pytest.raises(StoreError):
            shelf.read()
        if table not in ("marks", "meta"):  # which are not shown
            with pytest.raises(StoreError):
                read_table(shelf.path)


def _change(shelf, statement, *values):
    database = sqlite3.connect(shelf.path)
    database.execute(statement, values)
    database.commit()
    database.close()


@pytest.mark.parametrize(
    "change",
    ["card = x'95'", "card = 'text'", "card = 7", "card = zeroblob(2000)", "record = x'00'", "record = 'text'"],
)
def test_a_row_that_is_no_card_any_more_is_left_out(shelf, change):
    shelf.filled(3)
    name = shelf.card("peer-1").name
    _change(shelf, f"UPDATE peers SET {change} WHERE name = ?", name)
    assert name not in [row.card.name for row in shelf.read()[2]]
    assert len(shelf.read()[2]) == 2


@pytest.mark.parametrize("change", ["first_seen = 'soon'", "first_seen = 1e300", "learned_from = NULL"])
def test_a_row_with_senseless_values_is_left_out(shelf, change):
    shelf.filled(3)
    _change(shelf, f"UPDATE peers SET {change} WHERE name = 'peer-1'")
    assert len(shelf.read()[2]) == 2


@pytest.mark.parametrize("change", ["raw = x'94'", "raw = 'text'", "raw = 7", "raw = zeroblob(70000)"])
def test_a_damaged_list_is_refused_since_it_would_let_the_revoked_back_in(shelf, change):
    shelf.filled(3)
    _change(shelf, f"UPDATE lists SET {change} WHERE sequence = 1")
    for read in (shelf.read, lambda: read_table(shelf.path)):
        with pytest.raises(StoreError, match="revocation list"):
            read()


@pytest.mark.parametrize(
    "change",
    ["sequence = 'many'", "sequence = 1.5", "sequence = -1", "card_id = 'text'", "identity = 'text'", "card_id = 1"],
)
def test_a_damaged_mark_is_refused_since_it_would_let_an_older_card_back_in(shelf, change):
    shelf.filled(1)
    _change(shelf, f"UPDATE marks SET {change}")
    with pytest.raises(StoreError, match="mark"):
        shelf.read()


@pytest.mark.parametrize("column", ["standing", "provenance"])
def test_text_that_is_not_utf_8_is_refused_or_read(shelf, column):
    shelf.filled(2)
    _change(shelf, f"UPDATE peers SET {column} = CAST(x'ff80' AS TEXT) WHERE name = 'peer-1'")
    _served(shelf)


def _served(shelf):
    """Everything that opening and reading serve is whole; or a StoreError, which is the only one. Whether it worked."""
    try:
        store = shelf.open()
    except StoreError:
        return False
    try:
        for identity, mark in store.marks().items():
            assert type(identity) is bytes
            assert type(mark.sequence) is int
            assert type(mark.card_id) is bytes
        for one in store.lists():
            assert one.raw
        for row in store.rows():
            assert Card.parse(row.card.raw) == row.card
    except StoreError:
        return False
    finally:
        store.close()
    try:
        read_table(shelf.path)
    except StoreError:
        return False
    return True


def _fresh(shelf, original):
    for path in shelf.path.parent.glob("node.db*"):
        path.unlink()
    shutil.copy(original, shelf.path)


def _damage(shelf, tmp_path, change):
    original = tmp_path / "original"
    shutil.copy(shelf.filled(), original)
    data, served = original.read_bytes(), 0
    for number in range(FLIPS):
        _fresh(shelf, original)
        shelf.path.write_bytes(change(number, bytearray(data)))
        served += _served(shelf)
    return served


@pytest.mark.parametrize("seed", range(2))
def test_a_flipped_bit_is_refused_or_harmless(shelf, tmp_path, seed):
    rng = random.Random(seed)

    def flip(_number, data):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        return data

    assert 0 < _damage(shelf, tmp_path, flip) < FLIPS


def test_a_flipped_bit_near_the_head_of_a_page_is_refused_or_harmless(shelf, tmp_path):
    rng = random.Random(5)

    def flip(_number, data):
        page = rng.randrange(len(data) // 4096) * 4096
        data[page + rng.randrange(120)] ^= 1 << rng.randrange(8)
        return data

    _damage(shelf, tmp_path, flip)


def test_a_page_of_garbage_is_refused_or_harmless(shelf, tmp_path):
    rng = random.Random(6)

    def garble(_number, data):
        page = rng.randrange(len(data) // 4096) * 4096
        start = page + rng.randrange(4096)
        data[start : page + 4096] = rng.randbytes(page + 4096 - start)
        return data

    _damage(shelf, tmp_path, garble)


def test_a_truncated_file_is_refused_or_harmless(shelf, tmp_path):
    rng = random.Random(7)

    def cut(number, data):
        return data[: max(1, rng.randrange(len(data)) if number % 2 else rng.randrange(len(data) // 512) * 512)]

    _damage(shelf, tmp_path, cut)


def test_a_flipped_bit_in_the_log_is_refused_or_harmless(shelf):
    rng = random.Random(8)
    shelf.filled(5)
    store = shelf.open()
    store._db.execute("PRAGMA wal_autocheckpoint=0")
    for number in range(20):
        store.commit([shelf.peer(f"late-{number}")])
    copies = {name: (shelf.path.parent / name).read_bytes() for name in ("node.db", "node.db-wal")}
    store.close()
    for _ in range(FLIPS // 2):
        _damage_log(shelf, copies, rng)


def _damage_log(shelf, copies, rng):
    for path in shelf.path.parent.glob("node.db*"):
        path.unlink()
    log = bytearray(copies["node.db-wal"])
    log[rng.randrange(len(log))] ^= 1 << rng.randrange(8)
    shelf.path.write_bytes(copies["node.db"])
    (shelf.path.parent / "node.db-wal").write_bytes(log)
    assert _served(shelf)
    assert len(shelf.read()[2]) >= 5


@pytest.mark.parametrize(("table", "column"), [("marks", "identity"), ("peers", "provenance"), ("lists", "raw")])
def test_a_column_that_lost_its_name_is_said_to_be_damage_and_what_to_do(shelf, table, column):
    # One bit of the schema turned over: SQLite's own check finds nothing, and only reading fails.
    shelf.open().close()
    db = sqlite3.connect(shelf.path)
    db.execute("PRAGMA writable_schema=ON")
    spoilt = chr(ord(column[0]) ^ 1) + column[1:]
    db.execute(
        "UPDATE sqlite_schema SET sql = replace(sql, ?, ?) WHERE type = 'table' AND name = ?",
        (f'"{column}"', f'"{spoilt}"', table),
    )
    db.commit()
    db.close()
    with pytest.raises(StoreError, match="damaged: no such column") as refused:
        shelf.read()
    assert "move it aside" in refused.value.hint


def test_a_damaged_card_is_never_served(shelf):
    """Flips within the cards themselves, past all that SQLite would notice."""
    rng = random.Random(9)
    shelf.filled(3)
    good = shelf.card("peer-1").raw
    for _ in range(100):
        bad = bytearray(good)
        bad[rng.randrange(len(bad))] ^= 1 << rng.randrange(8)
        _change(shelf, "UPDATE peers SET card = ? WHERE name = 'peer-1'", bytes(bad))
        try:
            expected = [Card.parse(bytes(bad)).raw]
        except CardError:
            expected = []
        others = (shelf.card("peer-0").raw, shelf.card("peer-2").raw)
        assert [row.card.raw for row in shelf.read()[2] if row.card.raw not in others] == expected


FILL = """
import resource, signal
from pathlib import Path
sys.path.insert(0, str(Path("tests/store").absolute()))
from conftest import Shelf
from p2pnoise.store import StoreError
shelf = Shelf(Path(sys.argv[1]))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
store = shelf.open()
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
number = 0
try:
    while number < 2000:
        store.commit([shelf.peer(f"peer-{number}"), shelf.peer(f"twin-{number}")])
        number += 1
    print("never full")
except StoreError as error:
    print("full", number, "|", error, "|", error.hint)
store.close()
"""


@pytest.mark.parametrize("limit", [60_000, 90_001, 200_000])
def test_a_full_disk_is_named_and_everything_acknowledged_stays(shelf, limit):
    result = subprocess.run(
        [sys.executable, "-c", "import sys\n" + FILL, str(shelf.path), str(limit)],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
        cwd=Path(__file__).parents[2],
    )
    word, _, rest = result.stdout.partition(" ")
    assert word == "full", result
    acknowledged = int(rest.split()[0])
    names = {row.card.name for row in shelf.read()[2]}
    assert names >= {f"{kind}-{number}" for kind in ("peer", "twin") for number in range(acknowledged)}
    assert {f"peer-{acknowledged}" in names, f"twin-{acknowledged}" in names} != {True, False}  # whole batches only
    store = shelf.open()
    store.commit([shelf.peer("later")])
    store.close()


def test_a_disk_that_is_full_from_the_start_is_refused_with_a_sentence(shelf):
    code = f"""
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (2048, {resource.RLIM_INFINITY}))
{REFUSAL}"""
    shelf.path.parent.chmod(0o777)
    result = subprocess.run(
        [sys.executable, "-c", "import sys\n" + code, str(shelf.path), "open"],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
        cwd=Path(__file__).parents[2],
    )
    assert result.stdout.startswith("refused"), result
    assert signal.SIGXFSZ.name not in result.stderr
    assert shelf.read() == ({}, (), [])  # there is room again
