"""Codes: every one is tested somewhere, leads to an exit and says what to do next."""

import ast
from pathlib import Path

import pytest

from cards.findings import CODES, EXIT_ORDER, CardError, Finding, exit_code
from tests.cards.corpus import expectations

NOT_HERE = {
    "self-peer": "told by whoever knows which keys are its own, which no function of this package does",
    "over-quota": "told by a node that has no room for more of an issuer, of which no card says anything",
    "banned": "told by a node whose operator has banned a peer, of which no card says anything",
    "locked": "told by whoever opens a key file, which no peer sends",
}


def test_every_code_is_expected_by_a_hostile_case_or_is_found_elsewhere():
    told = {
        code for case in expectations() for key in ("codes", "warnings") for code in [case["code"], *case.get(key, [])]
    }
    assert (told - {None}) | NOT_HERE.keys() == CODES.keys()
    assert not told & NOT_HERE.keys()


def test_every_code_that_the_package_uses_is_known():
    used = set()
    for path in Path(__file__).parents[2].joinpath("cards").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            name = getattr(getattr(node, "func", None), "id", getattr(getattr(node, "func", None), "attr", ""))
            if name in ("CardError", "Finding", "error", "warn") and isinstance(
                node.args[0] if node.args else 0, ast.Constant
            ):
                used.add(node.args[0].value)
    assert used <= CODES.keys()
    assert len(used) > 30


@pytest.mark.parametrize("code", sorted(CODES))
def test_every_code_has_an_exit_and_a_hint(code):
    finding = Finding(code, "message")
    assert finding.exit in EXIT_ORDER
    assert len(finding.hint) > 20
    assert finding.to_json() == {"code": code, "severity": "error", "message": "message", "hint": finding.hint}


def test_the_exit_code_is_that_of_the_gravest_error():
    findings = [Finding("threshold", ""), Finding("expired", ""), Finding("revoked", "", "warning")]
    assert exit_code(findings) == 6
    assert exit_code([*findings, Finding("node-mismatch", "")]) == 9
    assert exit_code([*findings, Finding("node-mismatch", ""), Finding("malformed", "")]) == 3
    assert exit_code(findings[2:]) == 0
    assert exit_code([]) == 0


def test_an_error_names_the_byte_where_it_is_known():
    assert str(CardError("malformed", "text", offset=41)) == "byte 41: text"
    assert str(CardError("malformed", "text")) == "text"
