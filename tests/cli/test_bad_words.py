"""Bad words on the command line, and errors as programs read them."""

import pytest
from click.testing import CliRunner

from cli.main import root


@pytest.mark.parametrize(
    ("args", "code", "word"),
    [
        (["issuer", "new", "Ops", "--network", "n"], 3, "'Ops'"),
        (["issuer", "new", "ops", "--network", "a b"], 3, "'a b'"),
        (["issuer", "new", "ops", "--network", "n" * 33], 3, "network"),
        (["card", "request", "--network", "n", "--name", "\x1b[2J"], 3, "'\\x1b[2J'"),
        (["card", "request", "--network", "n", "--days", "0"], 2, "--days"),
        (["card", "request", "--network", "n", "--days", "3654"], 2, "--days"),
        (["card", "verify", "node.card", "--issuer", "issuer1qqqq"], 3, "issuer1qqqq"),
        (["card", "verify", "node.card", "--issuer", "node1qqqq"], 3, "does not begin with issuer1"),
        (["card", "verify", "node.card", "--policy", "none.toml"], 1, "none.toml does not exist"),
        (["card", "verify", "node.card", "--revocations", "none"], 1, "none does not exist"),
        (["card", "issue", "node.request", "--group", "A B"], 3, "'A B'"),
        (["card", "issue", "node.request", "--group", "x" * 33], 3, "group"),
        (["card", "issue", "node.request", "-o", "no/where"], 1, "no is no folder"),
        (["card", "issue", "node.request", "-o", "node"], 1, "node is a folder"),
        (["revoke", "add", "id1qqqq"], 3, "id1qqqq"),
        (["revoke", "add", "node1qqqq"], 3, "node1qqqq"),
        (["revoke", "add", "db-03", "--reason", "whim"], 2, "'whim'"),
        (["revoke", "publish", "--output", "node"], 1, "node is a folder"),
        (["revoke", "publish", "--output", "no/where"], 1, "no is no folder"),
        (["revoke", "publish", "--days", "401"], 2, "--days"),
    ],
)
@pytest.mark.usefixtures("ready")
def test_a_word_that_does_not_fit_is_named(place, args, code, word):
    before = place.snapshot(place.issuer)
    place.refuses(*args, says=word, code=code)
    assert place.snapshot(place.issuer) == before


def test_a_mistyped_issuer_key_is_called_mistyped(place, ready):
    typo = ready[:20] + ("q" if ready[20] != "q" else "p") + ready[21:]
    result = place.run("card", "verify", "node.card", "--issuer", typo)
    assert result.exit_code == 3
    assert "mistyped" in result.stderr


def test_an_error_in_json_has_the_sentence_the_step_and_the_code(place):
    error = place.json("card", "show", place / "none")
    assert error == {
        "ok": False,
        "exit": 1,
        "error": f"{place / 'none'} does not exist",
        "fix": "check the name",
        "findings": [],
    }


def test_what_nobody_foresaw_says_how_to_report_it(place, monkeypatch):
    monkeypatch.setattr("cli.id.rows", lambda *_pairs: {}["\x1b[2J"])
    result = CliRunner().invoke(root, ["id", "new"], env=place.env)
    assert result.exit_code == 1
    assert result.stderr.startswith("unexpected: KeyError: ")
    assert "fix: run it again with P2PNOISE_DEBUG=1" in result.stderr
    assert "\x1b" not in result.stderr
    assert "Traceback" not in result.stderr
