"""Bad input: one sentence that names file, fault and next step; the right exit code; nothing changed; no traceback."""

import os

import pytest

from tests.patience import PATIENCE

ESC = b"\x1b]0;owned\x07\x1b[2J"

JUNK = {
    "empty": b"",
    "binary": bytes(range(256)),
    "text": b"hello\n",
    "escapes": ESC + b"\n",
    "not-utf8": b"\xff\xfe-\x00-\x00",
    "begin-only": b"-----BEGIN P2PNOISE CARD-----\n",
    "foreign-block": b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    "other-label": b"-----BEGIN P2PNOISE THING-----\nAAAA\n-----END P2PNOISE THING-----\n",
    "escape-in-block": b"-----BEGIN P2PNOISE CARD-----\n" + ESC + b"\n-----END P2PNOISE CARD-----\n",
    "empty-array": b"\x95",
    "short-line": b"card1:AAAA",
    "short-qr": b"CARD1:AAAA",
    "oversized": b"x" * (300 * 1024),
    "private-key": b"-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n",
}


@pytest.mark.parametrize("junk", JUNK.values(), ids=JUNK)
@pytest.mark.parametrize(
    "verb",
    [["card", "show"], ["card", "verify"], ["card", "issue"], ["card", "install"], ["revoke", "add"]],
    ids=" ".join,
)
@pytest.mark.usefixtures("installed")
def test_a_card_file_that_is_none_is_a_sentence(place, verb, junk):
    bad = place / "bad.card"
    bad.write_bytes(junk)
    before = place.snapshot(place.node), place.snapshot(place.issuer)
    place.refuses(*verb, bad, says="bad.card", code=3)
    assert (place.snapshot(place.node), place.snapshot(place.issuer)) == before


@pytest.mark.parametrize("verb", [["card", "show"], ["card", "verify"], ["card", "issue"], ["card", "install"]])
@pytest.mark.usefixtures("installed")
def test_a_missing_card_file_is_a_sentence(place, verb):
    place.refuses(*verb, place / "none.card", says="none.card does not exist", code=1)


@pytest.mark.parametrize("verb", [["card", "show"], ["card", "verify"], ["card", "issue"], ["card", "install"]])
@pytest.mark.usefixtures("installed")
def test_a_folder_for_a_card_file_is_a_sentence(place, verb):
    place.refuses(*verb, place.node, says="is a folder", code=1)


def test_a_link_in_a_circle_is_a_sentence(place):
    (place / "loop").symlink_to(place / "loop")
    place.refuses("card", "show", place / "loop", says="is a loop of symbolic links", code=1)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_card_file_is_a_sentence(place, installed):
    installed.chmod(0)
    place.refuses("card", "show", installed, says="permission denied", code=1)


def test_a_cut_card_is_refused_at_every_length(place, installed):
    raw = place.card(installed).raw
    for length in range(0, len(raw), 7):
        (place / "cut").write_bytes(raw[:length])
        assert place.run("card", "show", place / "cut").exit_code == 3


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    "verb", [["card", "verify", "-", "--revocations", "-"], ["trust", "plan", "-", "-"], ["trust", "apply", "-", "-"]]
)
def test_standard_input_cannot_bring_two_things(place, verb):
    result = place.run(*verb, input=(place / "node.card").read_text())
    assert result.exit_code == 2
    assert "standard input is to bring a" in result.stderr
    assert "fix: name a file for one of the two" in result.stderr


def test_a_control_sequence_in_a_file_s_name_is_escaped(place):
    result = place.run("card", "show", place / "\x1b[2Jx")
    assert "\\x1b[2Jx does not exist" in result.stderr


def test_a_name_that_is_not_utf8_is_escaped(place):
    result = place.shell("card", "show", os.fsdecode(b"\xff.card"))
    assert (result.returncode, result.stderr.splitlines()[0]) == (1, "\\udcff.card does not exist")


def test_a_folder_is_not_called_unreadable_before_it_is_read(place, issuer, monkeypatch):
    """It may not be needed; and where it is, who can mend it is told."""
    card = place.make_card()
    monkeypatch.setattr(os, "access", lambda *_: False)
    place.ok("card", "verify", card, "--issuer", issuer)


def test_a_file_where_a_folder_is_to_be_made_is_a_sentence(place, issuer):
    place.refuses("demo", "--dir", place.issuer / "issuer.toml", says="issuer.toml exists already", code=1)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no full device here")  # noqa: PTH110
@pytest.mark.parametrize("more", [[], ["--json"]])
def test_a_full_disk_behind_standard_output_is_a_sentence(place, more):
    place.ok("id", "new")
    with open("/dev/full", "w") as full:  # noqa: PTH123
        process = place.start("id", "show", *more, stdout=full, stderr=-1, text=True)
    told = process.communicate(timeout=PATIENCE)[1]
    assert (process.returncode, told.splitlines()[0]) == (1, "no space left for standard input or output")


@pytest.mark.skipif(os.name != "posix", reason="needs a shell")
def test_nothing_is_drawn_where_standard_output_is_closed(place):
    place.ok("id", "new")
    process = place.start("id", "show", "--qr", stderr=-1, text=True, preexec_fn=lambda: os.close(1))
    assert (process.communicate(timeout=PATIENCE)[1], process.returncode) == ("", 0)


# Files of the node folder


@pytest.mark.parametrize("junk", ["empty", "binary", "text", "escapes", "oversized", "private-key", "begin-only"])
@pytest.mark.parametrize("name", ["identity.key", "node.key"])
def test_a_broken_key_file_is_a_sentence_and_stays(place, name, junk):
    place.ok("id", "new")
    (place.node / name).write_bytes(JUNK[junk])
    before = place.snapshot(place.node)
    place.refuses("card", "request", "--network", "n", says=name, code=3)
    assert place.snapshot(place.node) == before


def test_a_key_of_another_kind_is_a_sentence(place):
    place.ok("id", "new")
    (place.node / "node.key").write_text(X25519_KEY)
    place.refuses("id", "show", says="node.key", code=3)


def test_missing_keys_lead_to_id_new(place):
    result = place.run("card", "request", "--network", "n")
    assert result.stderr.splitlines() == [
        f"no identity.key in {place.node}",
        "fix: p2pnoise id new, or name the folder with --home",
    ]


@pytest.mark.parametrize(
    "text",
    ["", "network = ", "network = 5", 'network = "n"\nissuers = 1', 'network = "\x1b[2J"', "a = " + "9" * 5000,
     "[" * 9999],
)  # fmt: skip
def test_a_broken_policy_is_a_sentence(place, installed, text):
    (place.node / "policy.toml").write_text(text)
    before = place.snapshot(place.node)
    for verb in ("verify", "install"):
        place.refuses("card", verb, installed, says="policy.toml", code=3)
    assert place.snapshot(place.node) == before


def test_a_policy_that_is_not_utf8_is_a_sentence(place, installed):
    (place.node / "policy.toml").write_bytes(b'network = "\xff"')
    place.refuses("card", "verify", installed, says="policy.toml", code=3)


@pytest.mark.parametrize("junk", ["empty", "binary", "begin-only", "oversized"])
def test_a_broken_request_stops_the_next_one(place, junk):
    place.make_request()
    (place.node / "request.pem").write_bytes(JUNK[junk])
    place.refuses("card", "request", "--network", "example-net", says="request.pem", code=3)


@pytest.mark.parametrize("junk", ["empty", "binary", "begin-only", "oversized"])
def test_a_broken_list_in_the_node_folder_is_a_sentence(place, installed, junk):
    (place.node / "revocations.pem").write_bytes(JUNK[junk])
    place.refuses("card", "verify", installed, says="revocations.pem", code=3)


@pytest.mark.parametrize("junk", ["empty", "binary", "begin-only", "oversized", "other-label"])
def test_a_broken_file_of_statements_is_a_sentence_and_stays(place, installed, junk):
    (place.node / "statements.pem").write_bytes(JUNK[junk])
    before = place.snapshot(place.node)
    for verb in ("verify", "install"):
        place.refuses("card", verb, installed, says="statements.pem", code=3)
    place.refuses("revoke", "self", "--reason", "lost", "--yes", says="statements.pem", code=3)
    assert place.snapshot(place.node) == before


@pytest.mark.parametrize("name", ["identity.key.next", "node.key.next"])
def test_a_broken_key_that_waits_is_a_sentence_and_stays(place, installed, name):
    (place.node / name).write_bytes(b"hello\n")
    before = place.snapshot(place.node)
    place.refuses("card", "install", installed, says=name, code=3)
    place.refuses("id", "rotate", "--identity", says=name, code=3)
    assert place.snapshot(place.node) == before


X25519_KEY = """-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VuBCIEIHcHbQpzGKV9PBbBclGyZkXfTC+H68CZKrF3+6UduSwq
-----END PRIVATE KEY-----
"""
