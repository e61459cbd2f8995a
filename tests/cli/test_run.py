"""`p2pnoise run`: a node in a process of its own, its files watched, its end in order, and kill -9 at any event."""

import json
import random
import signal
import socket
import sqlite3
import time

import pytest

from cards import Address, IssuerKey, NodeKey, Policy, SelfRevocation
from cards.text import to_armor
from cli.daemon.config import Log
from cli.daemon.printing import Printer
from p2pnoise import events
from p2pnoise.store import read_table
from tests.patience import PATIENCE


@pytest.fixture
def node(run, member):
    """One running node, watched files and all."""
    member("ada")
    process = run("ada")
    process.wait("listening")
    return process


# What it needs


def test_a_node_without_keys_is_told_how_to_make_them(place):
    place.refuses("run", says="no node.key", code=1)


@pytest.mark.usefixtures("issuer")
def test_a_node_without_a_card_is_told_how_to_get_one(place):
    place.make_request()
    place.refuses("run", says="no card is installed", code=5)


@pytest.mark.usefixtures("installed")
def test_a_card_of_another_node_key_is_refused(place):
    (place.node / "node.key").write_bytes(NodeKey.generate(random.Random(1).randbytes).to_pem())
    place.refuses("run", says="names node", code=9)


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("name", ["card.pem", "policy.toml", "revocations.pem", "statements.pem", "node.key"])
@pytest.mark.parametrize("content", [b"", b"\xff\x00\x1b[2J", b"garbage\n" * 3, b"-----BEGIN P2PNOISE CARD-----\n"])
def test_a_broken_file_is_named(place, name, content):
    (place.node / name).write_bytes(content)
    place.refuses("run", says=name, code=3)


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("content", [b"\xff\x00\x1b[2J", b"garbage\n" * 3, b'"db-03" = "id1nonsense"\n'])
def test_broken_pins_are_named(place, content):
    (place.node / "pins.toml").write_bytes(content)
    place.refuses("run", says="pins.toml", code=3)


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("content", [b"garbage" * 1000, b"SQLite format 3\x00" + bytes(5000)])
def test_a_broken_database_is_named(place, content):
    (place.node / "node.db").write_bytes(content)
    place.refuses("run", "--listen", "127.0.0.1:0", says="node.db", code=1)


@pytest.mark.usefixtures("installed")
def test_a_foreign_database_is_named(place):
    foreign = sqlite3.connect(place.node / "node.db")
    foreign.execute("CREATE TABLE t (x)")
    foreign.close()
    place.refuses("run", "--listen", "127.0.0.1:0", says="not a node's database", code=1)


@pytest.mark.usefixtures("installed")
def test_a_port_in_use_is_named(place):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = place.run("run", "--listen", f"127.0.0.1:{port}")
    assert result.exit_code == 1
    assert result.stderr == (
        f"cannot listen on 127.0.0.1:{port}: address already in use\nfix: choose another port, or 0 for any free one\n"
    )


@pytest.mark.parametrize(
    "option",
    [
        ("--listen", "nowhere"),
        ("--listen", "127.0.0.1:70000"),
        ("--advertise", "127.0.0.1:0"),
        ("--bootstrap", "node1xyz@127.0.0.1:7060"),
        ("--bootstrap", "127.0.0.1"),
    ],
)
def test_an_address_that_is_none_is_refused_by_the_name_of_its_option(place, option):
    place.refuses("run", *option, says=option[0], code=2)


def test_a_second_node_on_one_folder_is_refused_and_the_first_goes_on(place, node):
    place.refuses("run", "--home", node.home, "--listen", "127.0.0.1:0", says="already", code=1)
    assert node.end(signal.SIGTERM) == (0, "")


# How it ends


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_in_order_from_the_moment_it_listens(run, member, number):
    member("ada")
    for _ in range(3):
        process = run("ada")
        process.wait("listening")
        assert process.end(number) == (0, "")
        assert process.events[-1]["event"] == "stopped"


def test_a_second_signal_ends_it_at_once(place, run, member):
    member("ada")
    home = member("bob")
    (home / "node.toml").write_text('stop_timeout = "10m"\n[limits]\nclose_timeout = 60\n')
    ada = run("ada")
    bob = run("bob", "--bootstrap", ada.bootstrap)
    bob.wait("peer-verified")
    ada.process.send_signal(signal.SIGSTOP)  # so that bob would have to wait a minute for a goodbye
    has_looked(place, bob)
    bob.process.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + PATIENCE
    while place.run("reload", "--home", home).exit_code == 0:  # until it has heard that: two that wait are one
        assert time.monotonic() < deadline
    assert bob.end(signal.SIGTERM, seconds=30) == (0, "")
    assert bob.find("stopped")
    ada.process.send_signal(signal.SIGCONT)


def test_the_end_of_standard_input_ends_it_where_that_is_asked_for(run, member):
    member("ada")
    process = run("ada", "--until-eof")
    process.wait("listening")
    process.process.stdin.close()
    assert process.end() == (0, "")
    assert process.find("stopped")


def test_a_closed_standard_input_is_an_ended_one(place, member):
    member("ada")
    done = place.shell("run", "--home", place / "ada", "--listen", "127.0.0.1:0", "--json", "--until-eof", input="")
    assert done.returncode == 0
    assert done.stderr == ""
    assert '"stopped"' in done.stdout


def test_standard_input_is_left_alone_otherwise(run, member):
    member("ada")
    process = run("ada")
    process.process.stdin.close()
    process.wait("listening")
    assert process.end(signal.SIGTERM) == (0, "")


@pytest.mark.parametrize("as_json", [True, False])
def test_a_reader_that_has_gone_ends_it_without_a_word(place, member, as_json):
    home = member("ada")
    flags = ["--json"] if as_json else []
    process = place.start("run", "--home", home, "--listen", "127.0.0.1:0", *flags, stdout=-1, stderr=-1, text=True)
    while "listening" not in process.stdout.readline():
        pass
    process.stdout.close()
    place.ok("revoke", "publish", "--output", home / "revocations.pem")  # something to tell
    assert process.wait(PATIENCE) == 1
    assert process.stderr.read() == ""
    process.stderr.close()


def test_a_database_that_breaks_while_it_runs_ends_it_with_a_sentence(place, node):
    other = sqlite3.connect(node.home / "node.db", isolation_level=None)
    other.execute("DROP TABLE lists")
    place.ok("revoke", "publish", "--output", node.home / "revocations.pem")
    code, errors = node.end()
    other.close()
    assert code == 1
    assert errors == ""
    assert node.find("list-applied", sequence=2) is None
    assert json.loads(node.lines[-1])["error"].endswith("no such table: lists")


# Watched files


def has_looked(place, node):
    """Wait until it has seen each of its files where it is."""
    node.wait("listening")
    deadline = time.monotonic() + PATIENCE
    while place.run("reload", "--home", node.home).exit_code:  # until its control socket is there
        assert time.monotonic() < deadline


def test_a_new_list_is_in_force_without_a_restart(place, node):
    place.ok("revoke", "publish", "--output", node.home / "revocations.pem")
    assert node.wait("list-applied", sequence=2)["source"] == "revocations.pem"


def ending(place, name):
    """The self-revocation of the node in a folder, as a block."""
    identity, _ = place.keys(place / name)
    values = {"net": "example-net", "iat": int(time.time()) - 60, "key": identity.public, "reason": "lost"}
    return to_armor("SELF-REVOCATION", SelfRevocation.make(values, identity).raw)


def test_a_statement_is_in_force_everywhere_without_a_restart(place, run, member):
    member("ada")
    member("bob")
    member("cleo")
    ada = run("ada")
    bob = run("bob", "--bootstrap", ada.bootstrap)
    cleo = run("cleo", "--bootstrap", ada.bootstrap, "--bootstrap", bob.bootstrap)
    lost = cleo.wait("listening")["node_id"]
    for process in (ada, bob):
        process.wait("peer-verified", node_id=lost)
    (ada.home / "statements.pem").write_text(ending(place, "cleo"))
    for process in (ada, bob):
        applied = process.wait("statement-applied", statement="self-revocation")
        assert applied["dropped"] == [lost]
        process.wait("peer-lost", node_id=lost, reason="revoked")
    assert ada.find("statement-applied", source="statements.pem")


def test_a_pin_is_in_force_without_a_restart_and_so_is_its_end(place, run, member):
    member("ada")
    member("bob")
    ada = run("ada")
    bob = run("bob", "--bootstrap", ada.bootstrap)
    pinned = bob.wait("listening")["node_id"]
    ada.wait("peer-verified", node_id=pinned)
    (ada.home / "pins.toml").write_text(f'"bob" = "{place.keys(place / "ada")[0].public}"\n')
    lost = ada.wait("peer-lost", node_id=pinned)
    assert "pin-changed" in {finding["code"] for finding in lost["findings"]}
    (ada.home / "pins.toml").write_text("")
    assert ada.wait_until(lambda: sum(event["event"] == "peer-verified" for event in ada.events) >= 2)


@pytest.mark.parametrize("name", ["statements.pem", "pins.toml"])
def test_a_broken_or_removed_file_of_trust_is_named_and_what_it_said_stays_in_force(place, run, member, name):
    member("ada")
    member("bob")
    folder = place / "ada"
    (folder / "statements.pem").write_text(ending(place, "bob"))
    (folder / "pins.toml").write_text(f'"bob" = "{place.keys(folder)[0].public}"\n')
    ada = run("ada")
    has_looked(place, ada)
    (folder / name).write_bytes(b"\x1b[2J broken")
    assert ada.wait("file-rejected", file=name)
    (folder / name).unlink()
    assert ada.wait_until(lambda: "is gone" in "".join(ada.lines))
    bob = run("bob", "--bootstrap", ada.bootstrap)
    refused = ada.wait("peer-refused", node_id=bob.wait("listening")["node_id"])
    assert {"revoked", "pin-changed"} <= {finding["code"] for finding in refused["findings"]}


@pytest.mark.parametrize("name", ["card.pem", "policy.toml", "revocations.pem"])
def test_a_broken_file_changes_nothing_and_is_named(place, node, name):
    before = (node.home / name).read_bytes()
    (node.home / name).write_bytes(b"\x1b[2J broken")
    assert node.wait("file-rejected")["file"] == name
    (node.home / name).write_bytes(before)
    place.ok("revoke", "publish", "--output", node.home / "revocations.pem")
    node.wait("list-applied", sequence=2)  # it is as well as before
    assert node.find("own-card-rejected") is None
    assert node.end(signal.SIGTERM) == (0, "")


@pytest.mark.parametrize("name", ["card.pem", "policy.toml", "revocations.pem"])
def test_a_file_that_is_removed_is_named_and_stays_in_force(place, node, name):
    has_looked(place, node)
    (node.home / name).unlink()
    rejected = node.wait("file-rejected")
    assert rejected["file"] == name
    assert "gone" in rejected["reason"]
    assert node.find("own-card-rejected") is None


def test_a_policy_of_another_network_is_refused(node):
    text = (node.home / "policy.toml").read_text()
    (node.home / "policy.toml").write_text(text.replace("example-net", "other-net"))
    assert "other-net" in node.wait("file-rejected", file="policy.toml")["reason"]


def test_a_card_of_another_node_is_refused(place, node):
    (node.home / "card.pem").write_bytes(place.make_card("bob", "bob").read_bytes())
    assert node.wait("file-rejected", file="card.pem")["reason"]


def test_a_new_policy_is_in_force_at_once(node):
    policy = Policy(network="example-net", issuers={"lab": IssuerKey(bytes(32)).public})
    (node.home / "policy.toml").write_text(policy.to_toml())
    codes = {finding["code"] for finding in node.wait("own-card-rejected")["findings"]}
    assert "threshold" in codes


# What it prints


def test_every_line_is_one_json_object(run, member):
    member("ada")
    member("bob")
    ada = run("ada")
    bob = run("bob", "--bootstrap", ada.bootstrap)
    bob.wait("peer-verified")
    assert bob.end(signal.SIGTERM) == (0, "")
    assert ada.wait("peer-lost")
    for line in (*ada.lines, *bob.lines):
        event = json.loads(line)
        assert {"at", "event"} <= set(event)
        assert line.isascii()


def test_plain_lines_begin_with_the_time_and_say_what_happened(run, member):
    member("ada")
    process = run("ada", as_json=False)
    process.wait_for_lines(2)
    assert process.end(signal.SIGTERM) == (0, "")
    assert [line.split()[1] for line in process.lines] == ["list", "listening", "stopped"]
    assert all(time.strptime(line.split()[0], "%H:%M:%S") for line in process.lines)


@pytest.mark.parametrize(
    "text", ["\x1b[2J\x1b]0;owned\x07", "two\nlines\r", "\x9b31m", "\u202eright to left", "\udcff"]
)
def test_no_text_of_a_stranger_reaches_the_terminal_raw(capsys, text):
    tell = Printer(Log()).tell
    address = Address("192.0.2.1", 7060)
    tell(events.FileRejected(file=text, reason=text))
    tell(events.ConnectionFailed(address=address, reason=text))
    tell(events.RefusedByPeer(node_id=None, name=text, address=address, reason=text))
    tell(events.PeerRefused(node_id=None, name=text, address=address, reason=text, told=False, findings=()))
    lines = capsys.readouterr().out.split("\n")
    assert len(lines) == 5
    assert all(character.isprintable() for line in lines for character in line)


def test_what_a_broken_policy_says_reaches_the_terminal_escaped(run, member):
    home = member("ada")
    process = run("ada", as_json=False)
    process.wait_for_lines(2)
    (home / "policy.toml").write_text('network = "example-net"\n"\\u001b[2J\\n" = 1\n')
    process.wait_for_lines(3)
    assert "not used" in process.lines[2]
    assert all(character.isprintable() or character == "\n" for character in "".join(process.lines))


# kill -9


def _kept(path, told):
    """Each of these events that the database of a dead node does not bear out."""
    table = read_table(path)
    rows = {str(row.card.node_id): row for row in table.rows}
    lost = []
    for event in told:
        row = rows.get(event.get("node_id"))
        match event["event"]:
            case "peer-verified":
                kept = row is not None and row.provenance == "live"
            case "card-learned":
                kept = row is not None and row.card.sequence >= event["sequence"]
            case "address-learned":
                kept = row is not None and row.record is not None
            case "list-applied":
                kept = any(one.sequence >= event["sequence"] for one in table.lists)
            case _:
                kept = True
        lost += [] if kept else [event]
    return lost


def _killed_at_events(place, run, member, rounds, seed):
    """A node joins three others, again and again, and is killed when it tells of something; what was told by then."""
    rng = random.Random(seed)
    hub = member("hub")
    first = run("hub")
    for name in ("ada", "bob"):
        member(name)
        run(name, "--bootstrap", first.bootstrap).wait("peer-verified")
    home = member("cleo")
    place.ok("revoke", "publish", "--output", hub / "revocations.pem")  # one that cleo learns from the others
    first.wait("list-applied", sequence=2)
    count = {}
    for _ in range(rounds):
        kinds = ["peer-verified"]
        if rng.random() < 0.7:
            for path in home.glob("node.db*"):
                path.unlink()
            kinds += ["card-learned", "list-applied", "address-learned"]  # which it knows otherwise
        process = run("cleo", "--bootstrap", first.bootstrap)
        process.wait(rng.choice(kinds))
        process.end(signal.SIGKILL)
        told = process.events
        assert _kept(home / "node.db", told) == []
        for event in told:
            count[event["event"]] = count.get(event["event"], 0) + 1
    return count


@pytest.mark.parametrize("seed", [1])
def test_what_a_node_told_before_a_kill_is_in_its_database(place, run, member, seed):
    count = _killed_at_events(place, run, member, 5, seed)
    assert {"peer-verified", "card-learned", "list-applied"} <= set(count)


@pytest.mark.long
@pytest.mark.parametrize("seed", [2, 3])
def test_what_a_node_told_before_any_of_many_kills_is_in_its_database(place, run, member, seed):
    count = _killed_at_events(place, run, member, 75, seed)
    assert {"peer-verified", "card-learned", "list-applied"} <= set(count)


def test_a_killed_node_starts_again_and_dials_from_its_table(run, member):
    member("ada")
    member("bob")
    ada = run("ada")
    bob = run("bob", "--bootstrap", ada.bootstrap)
    bob.wait("peer-verified")
    bob.wait("address-learned")
    bob.process.kill()
    bob.process.wait()
    again = run("bob")
    assert again.wait("dialling")["source"] == "table"
    again.wait("peer-verified")
