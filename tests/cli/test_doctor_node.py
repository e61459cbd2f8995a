"""`p2pnoise doctor` on a node's folder: whatever is wrong is named with what mends it, whatever is well is not."""

import sqlite3
import time

import pytest

from cards import Delegation, IssuerKey, make_list
from cards.text import to_armor
from cli import documents

NOW = int(time.time())
DAY = 86400


@pytest.fixture
def node(place, installed):
    """A node that is well: what `doctor` has to say of it is advice."""
    assert installed.exists()
    return place


@pytest.fixture
def at(monkeypatch):
    """Have the clock say another time."""
    return lambda now: monkeypatch.setattr("cli.options.now", lambda: now)


def examine(place):
    """The exit code and the findings, by their codes."""
    answer = place.json("doctor", "--home", place.node)
    (report,) = answer["folders"]
    assert answer["ok"] is (answer["exit"] == 0)
    assert all(one["message"] and one["hint"] for one in report["findings"])
    return answer["exit"], {one["code"]: one["severity"] for one in report["findings"]}


def issuer_key(place):
    return IssuerKey.from_pem((place.issuer / "issuer.key").read_bytes())


def sign_again(place, **options):
    """A card of this node with a sequence number or a time of our choosing, granted."""
    from cards import grant, make_card  # noqa: PLC0415

    identity, node = place.keys(place.node)
    options = {"network": "example-net", "now": NOW, "name": "db-03", "sequence": 1} | options
    card = make_card(identity, node, **options)
    return grant(issuer_key(place), card, serial=9, now=options["now"], entropy=bytes)


def test_a_folder_that_is_well_is_said_to_be_well(node):
    (node.node / "identity.key").unlink()  # it may live elsewhere
    assert examine(node) == (0, {})
    result = node.ok("doctor", "--home", node.node)
    assert "all is well: permissions, keys, card" in result.stdout


def test_who_verifies_signatures_is_told(node, monkeypatch):
    monkeypatch.setattr("cli.doctor.ENGINE", "libsodium")
    assert node.run("doctor").stderr == "signatures are verified by libsodium\n"
    assert node.json("doctor")["verified_by"] == "libsodium"
    monkeypatch.setattr("cli.doctor.ENGINE", "cryptography")
    assert "faster: pip install 'p2pnoise[fast]'" in node.run("doctor").stderr


def test_nothing_is_changed(node):
    before = node.snapshot(node.node)
    node.ok("doctor")
    assert node.snapshot(node.node) == before


def test_an_unlocked_identity_key_on_a_node_is_advice(node):
    assert examine(node) == (0, {"unlocked": "advice"})


def test_a_locked_identity_key_is_neither_opened_nor_advised_on(place, issuer):
    place.env["P2PNOISE_PASSPHRASE"] = "open"
    place.ok("id", "new", "--lock")
    place.install(place.make_card(), issuer)
    del place.env["P2PNOISE_PASSPHRASE"]
    assert examine(place) == (0, {})


@pytest.mark.parametrize("name", ["identity.key", "node.key", "node.key.old"])
def test_a_secret_that_others_can_read_is_named(node, name):
    path = node.node / name
    path.touch()
    path.chmod(0o640)
    code, found = examine(node)
    assert (code, found["permissions"]) == (1, "error")
    assert f"chmod 600 {path}" in node.run("doctor").stdout


@pytest.mark.parametrize("name", [".", "policy.toml", "card.pem", "revocations.pem", "pins.toml"])
def test_what_decides_trust_and_can_be_written_by_others_is_named(node, name):
    path = node.node / name
    if not path.exists():
        path.touch()
    path.chmod(0o777)
    assert examine(node)[1]["permissions"] == "error"


@pytest.mark.parametrize(
    ("name", "code"),
    [("policy.toml", 3), ("card.pem", 3), ("revocations.pem", 3), ("statements.pem", 3), ("pins.toml", 3),
     ("node.key", 3), ("identity.key", 3), ("node.db", 1), ("request.pem", 3)],
)  # fmt: skip
def test_a_file_that_cannot_be_read_is_named(node, name, code):
    if name == "request.pem":
        node.remember(node="proven")
    (node.node / name).write_bytes(b"broken\n" * 100)
    assert examine(node)[0] == code
    assert name in node.run("doctor").stdout


@pytest.mark.parametrize(
    ("name", "code", "what"),
    [("node.key", 1, "missing"), ("card.pem", 5, "missing"), ("policy.toml", 5, "missing"),
     ("revocations.pem", 5, "revocation-missing")],
)  # fmt: skip
def test_a_file_that_is_not_there_is_named(node, name, code, what):
    (node.node / name).unlink()
    found = examine(node)
    assert (found[0], found[1][what]) == (code, "error")


@pytest.mark.parametrize("name", ["identity.key", "node.key"])
def test_a_key_of_another_card_is_named(node, name):
    node.ok("id", "new", "--home", node / "other")
    (node.node / name).write_bytes((node / "other" / name).read_bytes())
    code, found = examine(node)
    assert (code, found["key-mismatch"]) == (9, "error")


def test_a_configuration_that_cannot_be_used_is_named_and_so_is_one_that_others_can_write(node):
    config = node.node / "node.toml"
    config.write_text("limits.max_links = 9")
    config.chmod(0o644)
    assert examine(node)[0] == 0
    config.write_text("lissen = []")
    config.chmod(0o622)
    code, found = examine(node)
    assert (code, found["unreadable"], found["permissions"]) == (3, "error", "error")


def test_every_fault_is_told_at_once_and_the_gravest_gives_the_exit_code(node):
    (node.node / "node.key").chmod(0o644)
    (node.node / "revocations.pem").unlink()
    (node.node / "pins.toml").write_text("broken")
    code, found = examine(node)
    assert code == 3
    assert {"permissions", "revocation-missing", "threshold", "unreadable"} <= set(found)


# Time


@pytest.mark.parametrize(
    ("days", "expected"),
    [(340, "warning"), (366, "error")],
)
def test_a_grant_that_ends_is_told_before_and_after(node, at, days, expected):
    at(NOW + days * DAY)
    code, found = examine(node)
    assert found["expired-app"] == expected
    assert code == (6 if expected == "error" else 5)  # by then the list is overdue too


def test_a_card_that_ends_is_told_before_and_after(node, at):
    end = node.card(node.node / "card.pem").not_after
    at(end - DAY)
    assert examine(node)[1]["expired"] == "warning"
    at(end)
    assert examine(node)[1]["expired"] == "error"


@pytest.mark.parametrize(
    ("days", "expected", "code"), [(19, None, 0), (21, "warning", 0), (30.5, "warning", 0), (31.5, "error", 5)]
)
def test_a_list_is_asked_for_before_it_is_due_and_missed_when_it_is_overdue(node, at, days, expected, code):
    at(int(NOW + days * DAY))
    found = examine(node)
    assert (found[0], found[1].get("revocation-stale")) == (code, expected)


def test_a_delegation_that_ends_is_told_before_and_after(node, at):
    values = {"net": "example-net", "iat": NOW - 5, "nbf": NOW - 5, "exp": NOW + 9 * DAY, "path": 0}
    values |= {"iss": issuer_key(node).public, "key": IssuerKey(bytes(32)).public}
    made = Delegation.make(values, issuer_key(node))
    (node.node / "statements.pem").write_text(to_armor(made.label, made.raw))
    assert "issuer-constraint" not in examine(node)[1]
    at(NOW + 7 * DAY)
    assert examine(node)[1]["issuer-constraint"] == "warning"
    at(NOW + 10 * DAY)
    assert examine(node)[1]["issuer-constraint"] == "error"


def test_a_clock_behind_what_issuers_signed_is_named(node, at):
    at(NOW - 400 * DAY)
    code, found = examine(node)
    assert (code, found["clock"]) == (6, "error")


# Trust


def test_what_lies_in_the_folder_and_does_not_count_is_told(node):
    stranger = make_list(IssuerKey(bytes(32)), network="example-net", sequence=1, now=NOW)
    with (node.node / "revocations.pem").open("a") as file:
        file.write(documents.list_blocks([stranger]))
    assert examine(node) == (0, {"unlocked": "advice", "unknown-issuer": "warning"})


def test_a_policy_that_refuses_our_own_card_is_told(node):
    identity, _ = node.keys(node.node)
    text = (node.node / "policy.toml").read_text()
    (node.node / "policy.toml").write_text(f'deny = ["{identity.public}"]\n{text}')
    code, found = examine(node)
    assert (code, found["denied"]) == (5, "error")


# Copies


def test_a_folder_from_an_older_backup_is_suspected(node):
    node.remember(node="proven")
    newer = sign_again(node, sequence=4)
    (node / "newer.card").write_text(documents.card_block(newer))
    node.remember(newer="proven")
    code, found = examine(node)
    assert (code, found["rollback"]) == (8, "error")
    assert "restored backup or a cloned image" in node.run("doctor").stdout


def test_two_cards_with_one_number_are_suspected(node):
    (node / "twin.card").write_text(documents.card_block(sign_again(node, name="db-04")))
    node.remember(twin="proven")
    code, found = examine(node)
    assert (code, found["equivocation"]) == (8, "error")


def test_a_number_that_was_spent_on_a_request_is_no_copy(node):
    node.remember(node="proven")
    node.make_request()
    assert examine(node)[0] == 0


def test_a_database_of_another_node_is_named(node):
    node.remember(node="proven")
    database = sqlite3.connect(node.node / "node.db")
    database.execute("UPDATE meta SET value = ? WHERE name = 'node_id'", (bytes(32),))
    database.commit()
    database.close()
    code, found = examine(node)
    assert (code, found["node-mismatch"]) == (9, "error")


# Which folder


def test_without_a_folder_the_next_step_is_told(place):
    place.refuses("doctor", says="neither a node in", code=1)


def test_a_folder_that_was_named_is_missed(place):
    code, found = examine(place)
    assert (code, found) == (1, {"missing": "error"})
