"""Codes: every one is tested somewhere, leads to an exit and says what to do next."""

import ast
from pathlib import Path

import pytest

from cards.findings import CODES, EXIT_ORDER, CardError, Finding, exit_code

NOT_HERE = {
    "self-peer": "found by whoever knows which keys are its own, which no function of this package does",
}


def expected_codes():
    """All texts in the modules of cases that are codes: what they expect."""
    texts = set()
    modules = ("test_hostile_*", "test_rules", "test_delegations", "test_endings", "test_conflicts", "test_manifest")
    for path in (path for name in modules for path in Path(__file__).parent.glob(f"{name}.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.add(node.value)
    return texts & CODES.keys()


def test_every_code_is_expected_by_a_hostile_case_or_is_found_elsewhere():
    assert expected_codes() | NOT_HERE.keys() == CODES.keys()
    assert not expected_codes() & NOT_HERE.keys()


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
