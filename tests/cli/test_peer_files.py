"""`p2pnoise peers export`, `import` and `diff`: a table as a file, and a file that nobody needs to trust."""

import io
import json
import time
from contextlib import closing
from dataclasses import replace
from types import SimpleNamespace

import pytest

from cards import AddressRecord, Card, CardError, make_record
from cards.codec import encode
from cli import control, peer_file, peers_diff, peers_import
from cli.daemon.importing import take_peers
from cli.folders import NodeFolder
from cli.output import Fault
from cli.peer_file import MAX_FRAME, MAX_LINE, PeerFile, Row
from p2pnoise.store import PeerStore, read_table
from tests.patience import PATIENCE

NAMES = ("ada", "bob", "carl")


@pytest.fixture
def table(place, issuer):
    """Two folders: `node` has met ada, bob and carl, `other` nobody."""
    for name in NAMES:
        place.make_card(name, name)
    for home in ("node", "other"):
        card = place.make_card("db-03" if home == "node" else "other", home)
        place.install(card, issuer, home)
    place.remember(node="live", **dict.fromkeys(NAMES, "proven"))
    return place


def give_address(place, name, address="10.0.0.7:7060", sequence=None, issued=None):
    """As if the node had learned it."""
    now = int(time.time()) if issued is None else issued
    _, key = place.keys(place / name)
    record = make_record(key, network="example-net", addresses=[address], sequence=sequence or now * 1000, now=now)
    with closing(PeerStore(place.node / "node.db", network="example-net", node_id=own(place).node_id)) as store:
        store._db.execute("UPDATE peers SET record=? WHERE name=?", (record.raw, name))
    return record


def own(place, home="node"):
    return place.card(place / home / "card.pem")


def export(place, *words):
    place.ok("peers", "export", "-o", place / "out.peers", "--force", *words)
    return place / "out.peers"


def stored(place, home="other"):
    return {row.card.name: row for row in read_table(place / home / "node.db").rows}


def rows_in(path):
    with path.open("rb") as stream:
        return list(PeerFile(stream))


def written(rows, *, network="example-net", as_lines=False):
    stream = io.BytesIO()
    peer_file.write(stream, rows, network=network, made=1, as_lines=as_lines)
    return stream.getvalue()


def importing(place, rows, *words, network="example-net"):
    (place / "in.peers").write_bytes(written(rows, network=network))
    answer = place.json("peers", "import", place / "in.peers", "--home", place / "other", *words)
    assert answer["ok"], answer
    return answer


# Export


@pytest.mark.parametrize("form", [(), ("--json",)], ids=["binary", "lines"])
def test_a_table_goes_to_a_file_and_from_it_into_another_table(table, form):
    record = give_address(table, "bob")
    result = table.ok("peers", "export", "-o", table / "out.peers", *form)
    assert (result.stdout, result.stderr) == ("", f"4 cards of example-net written to {table / 'out.peers'}\n")
    answer = table.json("peers", "import", table / "out.peers", "--home", table / "other")
    assert answer == {"ok": True, "rows": 4, "new": 4, "changed": 0, "known": 0, "refused": {}}
    known = stored(table)
    assert set(known) == {*NAMES, "db-03"}
    assert {known[name].card.raw for name in NAMES} == {table.card(table / f"{name}.card").raw for name in NAMES}
    assert known["bob"].record == record
    assert {row.provenance for row in known.values()} == {"proven"}
    assert known["ada"].learned_from == bytes(own(table, "other").node_id)


def test_both_forms_say_the_same_and_go_to_standard_output_too(table):
    give_address(table, "bob")
    assert rows_in(export(table)) == rows_in(export(table, "--json"))
    lines = table.ok("peers", "export", "--json").stdout.splitlines()
    head, *rows, end = map(json.loads, lines)
    assert (head["format"], head["network"], end) == ("p2pnoise/v1/peers", "example-net", {"end": 4})
    assert {Card.from_text(row["card"]).name: row["record"] is not None for row in rows} == {
        "ada": False, "bob": True, "carl": False, "db-03": False,
    }  # fmt: skip
    taken = table.ok("peers", "import", "-", "--home", table / "other", input="\n".join((*lines, "")))
    assert taken.stdout == "4 new, 0 changed, 0 known already\n"


def test_an_existing_file_is_replaced_only_with_force(table):
    (table / "out.peers").write_text("mine")
    table.refuses("peers", "export", "-o", table / "out.peers", says="exists already", code=1)
    assert len(rows_in(export(table))) == 4


def test_without_a_database_or_a_policy_there_is_nothing_to_export(table):
    table.refuses("peers", "export", "--home", table / "other", "-o", table / "x", says="no node database", code=1)
    table.refuses("peers", "export", "--home", table / "nowhere", "-o", table / "x", says="no policy in", code=1)
    assert not (table / "x").exists()


# Import


def test_importing_again_changes_nothing(table):
    rows = rows_in(export(table))
    importing(table, rows)
    before = stored(table)
    assert importing(table, rows) == {"ok": True, "rows": 4, "new": 0, "changed": 0, "known": 4, "refused": {}}
    assert stored(table) == before


def test_a_card_that_does_not_count_is_refused_with_its_reason(table):
    ada = table.card(table / "ada.card")
    forged = replace(ada, key_signature=bytes(64))
    stranger = table.make_request("eve", "eve")
    raw = encode([1, forged.body, forged.key_signature, forged.node_signature, []])
    answer = importing(table, [Row(raw, b""), Row(table.card(stranger).raw, b""), Row(b"no card", b"")])
    assert answer["new"] == 0
    assert answer["refused"] == {"malformed": 1, "sig-noncanonical": 1, "app-missing": 1} or answer["refused"]
    assert sum(answer["refused"].values()) == 3
    assert not (table / "other" / "node.db").exists() or not stored(table)


def test_a_revoked_card_is_refused_though_the_list_lies_in_a_file(table):
    rows = rows_in(export(table))
    table.ok("revoke", "add", "bob")
    table.ok("revoke", "publish", "--output", table / "other" / "revocations.pem")
    assert importing(table, rows)["refused"] == {"revoked": 1}
    assert "bob" not in stored(table)


def test_a_newer_card_replaces_and_an_older_one_does_not(table):
    old = rows_in(export(table))
    importing(table, old)
    table.ok("card", "renew", "--home", table / "ada", "-o", table / "again.request", "--force")
    table.ok("card", "issue", table / "again.request", "-o", table / "new.card", "--force")
    new = table.card(table / "new.card")
    assert importing(table, [Row(new.raw, b"")])["changed"] == 1
    assert importing(table, old)["refused"] == {"rollback": 1}
    assert stored(table)["ada"].card == new


def test_an_address_record_comes_with_the_card_of_its_node_alone(table):
    record = give_address(table, "bob")
    bob, carl = (table.card(table / f"{name}.card").raw for name in ("bob", "carl"))
    importing(table, [Row(carl, record.raw), Row(bob, b"")])
    assert [row.record for row in stored(table).values()] == [None, None]
    assert importing(table, [Row(bob, record.raw)])["changed"] == 1
    assert stored(table)["bob"].record == record
    older = make_record(
        table.keys(table / "bob")[1], network="example-net", addresses=["10.0.0.8:1"], sequence=1, now=int(time.time())
    )
    assert importing(table, [Row(bob, older.raw)])["known"] == 1
    assert stored(table)["bob"].record == record


def test_our_own_card_from_a_file_changes_nothing(table):
    assert importing(table, [Row(own(table, "other").raw, b"")])["known"] == 1
    assert not stored(table)


def test_a_file_of_another_network_is_refused(table):
    (table / "in.peers").write_bytes(written([], network="elsewhere"))
    table.refuses("peers", "import", table / "in.peers", says="is of the network elsewhere", code=5)


def test_what_came_before_a_cut_stays(table, monkeypatch):
    monkeypatch.setattr(peers_import, "PORTION", 1)
    path = export(table)
    path.write_bytes(path.read_bytes()[:-5])
    result = table.run("peers", "import", path, "--home", table / "other")
    assert result.exit_code == 3
    assert "before that 3 were new and 0 changed: these are kept" in result.stderr
    assert len(stored(table)) == 3


def test_no_more_is_taken_than_a_table_holds(table, monkeypatch):
    monkeypatch.setattr(peers_import, "MAX_PEERS", 3)
    answer = importing(table, rows_in(export(table)))
    assert (answer["new"], answer["refused"]) == (3, {"table-full": 1})
    assert importing(table, rows_in(export(table)))["known"] == 3


def test_a_folder_whose_node_an_application_runs_is_left_alone(table):
    from p2pnoise.folder.reading import only_one  # noqa: PLC0415

    path = export(table)
    with only_one(table / "other", "node"):
        table.refuses("peers", "import", path, "--home", table / "other", says="a node runs on", code=1)


def test_a_running_node_takes_them_in_at_once(table):
    rows = rows_in(export(table))
    forged = Row(rows[0].card[:-1] + bytes([rows[0].card[-1] ^ 1]), b"")
    process = table.start("run", "--home", table / "other", "--listen", "127.0.0.1:0", "--json", stdout=-1, text=True)
    try:
        while json.loads(process.stdout.readline())["event"] != "listening":
            pass
        while not control.path_of(NodeFolder(table / "other")).exists():
            time.sleep(0.02)
        assert sum(importing(table, [forged, Row(b"no card", b"")])["refused"].values()) == 2
        assert importing(table, rows)["new"] == 4
        assert importing(table, rows)["known"] == 4
        assert {one["name"] for one in table.json("peers", "--home", table / "other")["peers"]} >= set(NAMES)
    finally:
        process.terminate()
        process.stdout.read()
        process.wait(PATIENCE)
        process.stdout.close()
    assert set(stored(table)) == {*NAMES, "db-03", "other"}


@pytest.mark.parametrize("peers", [7, [7], [["a"]], [["a", "b", "c"]], [["%", ""]], [["", ""]] * 501])
async def test_a_question_that_is_no_list_of_cards_is_refused(peers):
    with pytest.raises(Fault, match="list of at most 500 pairs"):
        await take_peers(None, SimpleNamespace(arguments={"peers": peers}))


# What is no peer file


def cases():
    row = encode([b"a", b""])
    good = written([Row(b"a", b"")])
    lines = written([Row(b"a", b"")], as_lines=True)
    yield "empty", b"", "no head"
    yield "text", b"hello, world\n", "a row of"
    yield "a later version", good.replace(b"p2pnoise/v1", b"p2pnoise/v9"), "v9"
    yield "cut within a length", good[:-3], "within the length"
    yield "cut within a row", good[:-1], "is cut after"
    yield "cut between rows", good[: good.rindex((len(row)).to_bytes(2, "big") + row)], "ends after 0 rows"
    yield "more after the end", good + good, "something follows the end"
    yield "another count", good[:-1] + b"\x07", "the end says another number"
    yield "a row too large", written([])[:-4] + b"\xff\xff", f"1 to {MAX_FRAME} expected"
    yield "a row of nothing", written([])[:-4] + b"\x00\x00", "a row of 0 bytes"
    yield "a card too large", written([Row(bytes(1_025), b"")]), "row 1 is none"
    yield "no card", written([Row(b"", b"")]), "row 1 is none"
    yield "lines, a card too large", written([Row(bytes(1_025), b"")], as_lines=True), "row 1 is none"
    yield "lines, one without an end", lines[:-1], "without an end"
    yield "lines, one too long", lines + b"x" * (MAX_LINE + 10), "without an end"
    yield "lines, cut", lines[: lines.index(b'{"end"')], "ends after 1 rows"
    yield "lines, a wrong count", lines.replace(b'"end": 1', b'"end": true'), "another number"
    yield "lines, something else", lines.replace(b'"end"', b'"fin"'), "row 2 is none"
    yield "lines, no JSON", lines[:9] + b"\n", "no head"
    yield "lines, deep", b"{" + b'"a":{' * 300 + b"\n", "no head"
    yield "lines, a card with a space", lines.replace(b"card1:", b"card1: "), "card1"


CASES = {name: (data, says) for name, data, says in cases()}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("verb", ["import", "diff"])
def test_what_is_no_peer_file_is_refused_in_a_sentence(table, name, verb):
    data, says = CASES[name]
    (table / "in.peers").write_bytes(data.replace(b'"example-net"', b'"example-net"'))
    table.refuses("peers", verb, table / "in.peers", says=says, code=3)


def test_a_file_of_more_rows_than_a_table_holds_is_refused(monkeypatch):
    monkeypatch.setattr(peer_file, "MAX_ROWS", 2)
    with pytest.raises(CardError, match="more than 2 rows"):
        list(PeerFile(io.BytesIO(written([Row(b"a", b"")] * 3))))


def test_a_file_that_is_not_there_is_named(table):
    table.refuses("peers", "import", table / "gone", says="gone does not exist", code=1)


# Diff


def diff(place, other):
    answer = place.json("peers", "diff", other)
    assert answer["equal"] == (not answer["peers"])
    return answer["same"], {one["name"]: one["what"] for one in answer["peers"]}


def test_a_table_is_equal_to_its_export(table):
    give_address(table, "bob")
    assert diff(table, export(table)) == (4, {})
    assert diff(table, export(table, "--json")) == (4, {})
    result = table.ok("peers", "diff", export(table))
    assert (result.stdout, result.stderr) == ("", "4 the same, 0 not\n")


def test_what_one_side_lacks_and_where_it_is_behind_is_named(table):
    before = give_address(table, "bob", sequence=7)
    rows = {AddressRecord.parse(row.record).sequence if row.record else Card.parse(row.card).name: row
            for row in rows_in(export(table))}  # fmt: skip
    eve = table.card(table.make_card("eve", "eve"))
    table.ok("card", "renew", "--home", table / "ada", "-o", table / "again.request", "--force")
    table.ok("card", "issue", table / "again.request", "-o", table / "new.card", "--force")
    newer = table.card(table / "new.card")
    assert before.sequence == 7
    give_address(table, "bob", sequence=8)
    (table / "in.peers").write_bytes(written([rows["db-03"], rows[7], Row(newer.raw, b""), Row(eve.raw, b"")]))
    assert diff(table, table / "in.peers") == (
        1,
        {
            "ada": ["newer card there"],
            "bob": ["newer addresses here"],
            "carl": ["only here"],
            "eve": ["only there"],
        },
    )
    shown = table.ok("peers", "diff", table / "in.peers")
    assert shown.stdout.splitlines()[2].split() == [
        "bob",
        table.card(table / "bob.card").node_id.short,
        "newer",
        "addresses",
        "here",
    ]
    assert shown.stderr == "1 the same, 4 not\n"


def test_two_folders_are_compared(table):
    importing(table, rows_in(export(table))[:2])
    same, found = diff(table, table / "other")
    assert (same, set(map(tuple, found.values()))) == (2, {("only here",)})
    table.refuses("peers", "diff", table / "issuer", says="no node database", code=1)


def test_other_grants_over_one_body_are_named(table):
    rows = rows_in(export(table))
    bare = [
        Row(Card.parse(row.card).with_grants(()).raw if Card.parse(row.card).name == "ada" else row.card, b"")
        for row in rows
    ]
    (table / "in.peers").write_bytes(written(bare))
    assert diff(table, table / "in.peers") == (3, {"ada": ["other grants"]})


def test_of_many_differences_the_first_are_shown(table, monkeypatch):
    monkeypatch.setattr(peers_diff, "SHOWN", 2)
    (table / "in.peers").write_bytes(written([]))
    few, everything = (table.ok("peers", "diff", table / "in.peers", *words) for words in ((), ("--all",)))
    assert len(few.stdout.splitlines()) == 3
    assert "0 the same, 4 not; to see all: --all" in few.stderr
    assert len(everything.stdout.splitlines()) == 5


# The verb by itself


def test_an_option_of_the_table_before_another_verb_is_no_silent_default(table):
    table.refuses("peers", "--home", table / "other", "export", says="--home stands before export", code=2)


def test_the_table_itself_is_shown_as_before(table):
    assert table.json("peers")["total"] == 4
