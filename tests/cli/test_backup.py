"""`p2pnoise backup` and `restore`: a folder at one moment in one file, and nothing but that out of any file."""

import io
import json
import random
import shutil
import signal
import sqlite3
import tarfile
import threading
from contextlib import closing

import pytest

from cards import NodeKey, Pin
from cli import backup_file
from cli.folders import IssuerFolder
from p2pnoise.enrolment import JoinToken
from p2pnoise.store import PeerStore, read_table
from tests.patience import PATIENCE

BACK_TO_1 = """
DROP TABLE scores; DROP INDEX idx_peers_ceased;
DROP TABLE anchors; DROP TABLE statements; DROP TABLE pins;
ALTER TABLE marks DROP COLUMN next_key_digest; PRAGMA user_version = 1;
"""


@pytest.fixture
def node(place, installed):
    """The node db-03 of ops, which knows ada; with everything that a folder may have."""
    assert installed.exists()
    place.make_card("ada", "ada")
    place.remember(node="live", ada="live")
    place.ok("trust", "pin", "ada", place.keys(place / "ada")[0].public)
    place.ok("ban", "ada", "--reason", "floods us")
    return place


@pytest.fixture
def saved(node):
    node.ok("backup", node / "saved")
    return node / "saved"


def members(path):
    """Of a backup, as any tar reads it."""
    with tarfile.open(path) as archive:
        return {one.name: archive.extractfile(one).read() for one in archive}


def restored(place, source, name="again"):
    place.ok("restore", source, "--home", place / name)
    return place / name


def is_refused(place, source, *, says, code=3):
    """One sentence, and nothing is there that was not there before."""
    before = sorted(place.path.iterdir())
    place.refuses("restore", source, "--home", place / "again", says=says, code=code)
    assert sorted(place.path.iterdir()) == before


# There and back


def test_a_folder_is_restored_as_it_was(node, saved):
    again = restored(node, saved)
    before, after = node.snapshot(node.node), node.snapshot(again)
    assert {name: data for name, data in after.items() if name != "node.db"} == {
        name: data for name, data in before.items() if name in after and name != "node.db"
    }
    assert {"node.key", "identity.key", "card.pem", "policy.toml", "pins.toml", "bans.toml", "request.pem"} < set(after)
    was, now = read_table(node.node / "node.db"), read_table(again / "node.db")
    assert [row.card.raw for row in now.rows] == [row.card.raw for row in was.rows]
    assert len(now.rows) == 2
    assert again.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in again.iterdir()} == {0o600}


def test_a_backup_is_for_its_owner_alone_and_says_so(node):
    result = node.ok("backup", node / "saved")
    assert (node / "saved").stat().st_mode & 0o777 == 0o600
    assert "it holds secret keys" in result.stderr


def test_a_backup_is_an_ordinary_tar_in_a_fixed_order(node, saved):
    with tarfile.open(saved) as archive:
        found = archive.getmembers()
    names = [one.name for one in found]
    assert names == ["manifest.json", *sorted(names[1:])]
    assert {(one.mode, one.mtime, one.uid, one.gid, one.uname) for one in found} == {(0o600, 0, 0, 0, "")}
    manifest = json.loads(members(saved)["manifest.json"])
    assert (manifest["what"], manifest["version"]) == ("node", 1)
    assert [one["name"] for one in manifest["files"]] == names[1:]


def test_the_same_folder_at_the_same_time_makes_the_same_file(node, monkeypatch):
    monkeypatch.setattr("cli.options.now", lambda: 1_795_262_400)
    for name in ("one", "two"):
        node.ok("backup", node / name)
    assert (node / "one").read_bytes() == (node / "two").read_bytes()


def test_what_is_not_known_is_left_out_and_named(node):
    (node.node / "notes.txt").write_text("mine")
    said = node.json("backup", node / "saved")
    assert said["left_out"] == ["notes.txt"]
    assert "notes.txt" not in members(node / "saved")
    assert "notes.txt" in node.ok("backup", node / "again").stderr


def test_people_are_told_what_was_restored(node, saved):
    shown = node.ok("restore", saved, "--home", node / "again")
    assert "db-03" in shown.stdout
    assert "must not run any more" in shown.stderr
    said = node.json("restore", saved, "--home", node / "third")
    assert (said["what"], said["name"]) == ("node", "db-03")


def test_the_open_join_tokens_of_a_restored_issuer_let_nobody_in(node):
    """They may have been used since the backup, and would be good once more."""
    node_id = node.keys(node.node)[1].public
    made = [
        JoinToken.parse(node.ok("join", "token", "--node", node_id, "--address", "127.0.0.1:7061").stdout.strip())
        for _ in range(2)
    ]
    node.ok("backup", node / "ops", "--issuer-home", node.issuer)
    restored = node.ok("restore", node / "ops", "--issuer-home", node / "again")
    assert "2 join tokens that were open are cancelled" in restored.stderr
    assert node.json("restore", node / "ops", "--issuer-home", node / "third")["cancelled_tokens"] == 2
    with IssuerFolder(node / "again").open_registry() as registry:
        assert [one.state for one in registry.joins.tokens()] == ["cancelled", "cancelled"]
        assert [registry.joins.psk(one.token_id, 0) for one in made] == [None, None]
    for one in made:
        assert one.psk.hex().encode() not in (node / "again" / "registry.db").read_bytes()


def test_an_issuer_goes_on_where_it_was(node):
    node.ok("backup", node / "ops", "--issuer-home", node.issuer)
    shutil.move(node.issuer, node / "lost")
    node.ok("restore", node / "ops", "--issuer-home", node.issuer)
    last = node.card(node / "ada.card").grants[0].serial
    assert node.card(node.make_card("bob", "bob")).grants[0].serial == last + 1
    node.ok("doctor", "--issuer-home", node.issuer)


def test_the_one_is_no_backup_of_the_other(node, saved):
    node.refuses("restore", saved, "--issuer-home", node / "again", says="is the backup of a node", code=2)
    node.ok("backup", node / "ops", "--issuer-home", node.issuer)
    is_refused(node, node / "ops", says="is the backup of an issuer", code=2)


# Writing


def test_an_existing_file_is_replaced_by_force_alone(node, saved):
    before = saved.read_bytes()
    node.refuses("backup", saved, says="exists already", code=1)
    assert saved.read_bytes() == before
    (node.node / "pins.toml").write_text("")
    node.ok("backup", saved, "--force")
    assert members(saved)["pins.toml"] == b""


def test_what_is_no_nodes_folder_is_refused(node):
    node.refuses("backup", node / "saved", "--home", node / "nowhere", says="there is no folder", code=1)
    (node / "empty").mkdir()
    node.refuses("backup", node / "saved", "--home", node / "empty", says="no node.key", code=1)
    node.refuses("backup", node / "saved", "--issuer-home", node.node, says="no issuer.toml", code=1)
    assert not (node / "saved").exists()


def test_a_key_that_is_not_the_cards_is_refused(node):
    shutil.copyfile(node / "ada" / "node.key", node.node / "node.key")
    node.refuses("backup", node / "saved", says="card.pem names node", code=9)
    assert not (node / "saved").exists()


def test_a_database_that_is_damaged_is_refused(node):
    path = node.node / "node.db"
    data = bytearray(path.read_bytes())
    data[4096:] = bytes(len(data) - 4096)
    path.write_bytes(data)
    result = node.run("backup", node / "saved")
    assert result.exit_code in (1, 3)
    assert "node.db" in result.stderr
    assert [one.name for one in node.path.iterdir() if one.name.startswith((".p2pnoise", "saved"))] == []


def test_a_disk_that_is_full_leaves_the_backup_before(node, saved, monkeypatch):
    before = saved.read_bytes()

    def full(*_arguments):
        raise OSError(28, "no space")

    monkeypatch.setattr(tarfile.TarFile, "addfile", full)
    node.refuses("backup", saved, "--force", says="no space left", code=1)
    assert saved.read_bytes() == before


def test_a_database_that_is_being_written_is_copied_at_one_moment(node):
    """Every batch has two rows; a copy between the two would have one."""
    own = node.card(node.node / "card.pem")
    stop = threading.Event()
    ready = threading.Event()

    def write():
        with closing(PeerStore(node.node / "node.db", network="example-net", node_id=own.node_id)) as store:
            number = 0
            while not stop.is_set():
                number += 1
                store.commit([Pin(f"a-{number}", own.identity), Pin(f"b-{number}", own.identity)])
                ready.set()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert ready.wait(PATIENCE)
        for number in range(5):
            node.ok("backup", node / f"saved-{number}")
    finally:
        stop.set()
        writer.join()
    counts = []
    for number in range(5):
        pins = read_table(restored(node, node / f"saved-{number}", f"again-{number}") / "node.db").pins
        assert {name[2:] for name in pins if name[0] == "a"} == {name[2:] for name in pins if name[0] == "b"}
        counts.append(len(pins))
    assert 0 < counts[0] <= counts[-1]


# Reading


def test_a_folder_that_is_not_empty_is_left_alone(node, saved):
    before = node.snapshot(node.node)
    node.refuses("restore", saved, "--home", node.node, says="is not empty", code=1)
    assert node.snapshot(node.node) == before
    node.refuses("restore", saved, "--home", saved, says="not a folder", code=1)


def test_an_empty_folder_and_one_below_nothing_will_do(node, saved):
    (node / "empty").mkdir()
    assert (restored(node, saved, "empty") / "node.key").exists()
    assert (restored(node, saved, "a/b/c") / "node.key").exists()


KEY = NodeKey.generate(random.Random(1).randbytes).to_pem()
PARTS = [("bans.toml", b""), ("node.key", KEY), ("policy.toml", b"anything"), ("statements.pem", b"more\n")]
"""The least that a backup has, and a little more."""


def tar(*entries):
    """A tar of names with bytes, or of headers that are ready."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for info, data in entries:
            one = info if isinstance(info, tarfile.TarInfo) else tarfile.TarInfo(info)
            one.size = len(data) if one.isreg() else 0
            archive.addfile(one, io.BytesIO(data) if one.isreg() else None)
    return out.getvalue()


def special(name, kind, target=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def with_manifest(parts, change=lambda _manifest: None):
    """These parts, with a manifest that is right for them but for `change`."""
    listed = [
        {"name": name, "size": len(data), "sha256": backup_file.hashlib.sha256(data).hexdigest()}
        for name, data in parts
    ]
    manifest = {"p2pnoise": "backup", "version": 1, "what": "node", "made": 1, "files": listed}
    change(manifest)
    return (json.dumps(manifest, indent=1) + "\n").encode()


def packed(parts, change=lambda _manifest: None):
    return tar(("manifest.json", with_manifest(parts, change)), *parts)


def good(saved):
    return [(name, data) for name, data in members(saved).items() if name != "manifest.json"]


def replaced(parts, index, entry):
    """One member in place of another, in a tar whose manifest is of those before."""
    entries = [("manifest.json", with_manifest(parts)), *parts]
    entries[index + 1] = entry
    return tar(*entries)


HOSTILE = {
    "a path upwards": lambda parts: packed([("../evil", b"x"), *parts]),
    "an absolute path": lambda parts: packed([("/tmp/evil", b"x"), *parts]),
    "a name of nobody": lambda parts: packed([*parts, ("zzz", b"x")]),
    "an issuer's file": lambda parts: packed(sorted([*parts, ("issuer.key", b"x")])),
    "a symbolic link": lambda parts: replaced(parts, 1, (special(parts[1][0], tarfile.SYMTYPE, "/etc/passwd"), b"")),
    "a hard link": lambda parts: replaced(parts, 1, (special(parts[1][0], tarfile.LNKTYPE, "/etc/passwd"), b"")),
    "a device": lambda parts: replaced(parts, 1, (special(parts[1][0], tarfile.CHRTYPE), b"")),
    "a fifo": lambda parts: replaced(parts, 1, (special(parts[1][0], tarfile.FIFOTYPE), b"")),
    "a folder": lambda parts: replaced(parts, 1, (special(parts[1][0], tarfile.DIRTYPE), b"")),
    "a sparse file": lambda parts: replaced(parts, 1, (special(parts[1][0], tarfile.GNUTYPE_SPARSE), b"")),
    "a long name": lambda parts: replaced(parts, 1, ("n" * 300, parts[1][1])),
    "another order": lambda parts: tar(("manifest.json", with_manifest(parts)), *parts[::-1]),
    "an order of its own": lambda parts: packed(parts[::-1]),
    "a file twice": lambda parts: packed([parts[0], *parts]),
    "a file more": lambda parts: tar(("manifest.json", with_manifest(parts)), *parts, ("zzz", b"x")),
    "a file less": lambda parts: tar(("manifest.json", with_manifest(parts)), *parts[:-1]),
    "no key": lambda parts: packed([part for part in parts if part[0] != "node.key"]),
    "no manifest": lambda parts: tar(*parts),
    "the manifest last": lambda parts: tar(*parts, ("manifest.json", with_manifest(parts))),
    "another byte": lambda parts: replaced(parts, 1, (parts[1][0], b"x" * len(parts[1][1]))),
    "another size": lambda parts: replaced(parts, 1, (parts[1][0], parts[1][1] + b"x")),
    "a negative size": lambda parts: packed(parts, lambda m: m["files"][0].update(size=-1)),
    "a huge size": lambda parts: packed(parts, lambda m: m["files"][0].update(size=10**30)),
    "a size that is a text": lambda parts: packed(parts, lambda m: m["files"][0].update(size="1")),
    "a word more": lambda parts: packed(parts, lambda m: m["files"][0].update(mode="0777")),
    "no time": lambda parts: packed(parts, lambda m: m.update(made=10**18)),
    "no kind": lambda parts: packed(parts, lambda m: m.update(what="world")),
    "no number": lambda parts: packed(parts, lambda m: m.update(version="1")),
    "a manifest of a megabyte": lambda parts: tar(("manifest.json", b" " * 2**20), *parts),
    "a manifest that is deep": lambda parts: tar(("manifest.json", b"[" * 10_000), *parts),
    "a manifest that is none": lambda parts: tar(("manifest.json", b"\xff"), *parts),
    "nothing": lambda _parts: b"",
    "zeros": lambda _parts: bytes(10_240),
    "noise": lambda _parts: bytes(range(256)) * 40,
    "more behind it": lambda parts: packed(parts) + b"more",
    "a second one behind it": lambda parts: packed(parts) * 2,
    "zeros without end": lambda parts: packed(parts) + bytes(2**20),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_file_that_no_backup_is_makes_no_folder(place, what):
    (place / "bad").write_bytes(HOSTILE[what](PARTS))
    is_refused(place, place / "bad", says="bad")


def test_a_good_one_made_by_hand_would_do(place):
    """The companion of those above."""
    (place / "good").write_bytes(packed(PARTS))
    assert place.snapshot(restored(place, place / "good")) == dict(PARTS)


def test_one_that_was_cut_anywhere_makes_no_folder(node, saved):
    data = saved.read_bytes()
    for end in (*range(0, 6_000, 211), len(data) // 2, len(data.rstrip(b"\0")) - 1):
        (node / "cut").write_bytes(data[:end])
        is_refused(node, node / "cut", says="cut")


def test_a_bit_that_fell_over_anywhere_is_seen(node, saved):
    data = saved.read_bytes()
    content = len(data.rstrip(b"\0"))
    for at in range(700, content, 3_001):
        if not data[at]:
            continue  # padding of a header, which says nothing
        (node / "bad").write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        is_refused(node, node / "bad", says="bad")


def test_a_backup_of_later_software_is_refused_as_one(node, saved):
    (node / "newer").write_bytes(packed(good(saved), lambda manifest: manifest.update(version=2)))
    is_refused(node, node / "newer", says="this software knows 1", code=1)


def test_keys_that_do_not_belong_together_are_refused(node, saved):
    parts = dict(good(saved)) | {"node.key": (node / "ada" / "node.key").read_bytes()}
    (node / "mixed").write_bytes(packed(sorted(parts.items())))
    is_refused(node, node / "mixed", says="card.pem names node", code=9)


def test_a_file_that_is_not_there_is_named(node):
    is_refused(node, node / "nowhere", says="nowhere does not exist", code=1)


# Databases of other versions


def set_schema(path, script):
    with closing(sqlite3.connect(path)) as database:
        database.executescript(script)


def test_a_backup_from_before_an_upgrade_is_upgraded_when_the_node_starts(node, run):
    set_schema(node.node / "node.db", BACK_TO_1)
    node.ok("backup", node / "saved")
    again = restored(node, node / "saved")
    process = run("again")
    assert process.wait("listening")["known_peers"] >= 1
    assert process.end(signal.SIGTERM) == (0, "")
    assert (again / "node.db.v1").exists()
    assert len(read_table(again / "node.db").rows) == 2


def test_a_database_of_later_software_is_refused(node):
    set_schema(node.node / "node.db", "PRAGMA user_version = 99;")
    node.ok("backup", node / "saved")
    is_refused(node, node / "saved", says="schema 99", code=1)


# A node that runs


def test_a_running_node_is_backed_up_and_its_copy_takes_over_from_it(place, run, member):
    member("hub")
    member("ada")
    hub = run("hub")
    ada = run("ada", "--bootstrap", hub.bootstrap)
    ada.wait("peer-verified", name="hub")
    ada.wait("address-learned")
    said = place.json("backup", place / "saved", "--home", ada.home)
    assert {"node.key", "node.db"} <= set(said["files"])
    assert "control.sock" not in said["left_out"]
    restored(place, place / "saved")
    assert ada.end(signal.SIGTERM) == (0, "")
    again = run("again")
    assert again.wait("dialling")["source"] == "table"
    again.wait("peer-verified", name="hub")
    assert not hub.find("duplicate-node")
