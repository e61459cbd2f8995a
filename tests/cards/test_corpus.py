"""The hostile corpus on disk, played through the library and the command line, and by whoever runs it elsewhere."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from cards import statements
from cards.findings import CODES
from tests.cards.conftest import ROOT
from tests.cards.corpus import FOLDER, build, expectations
from tests.conformance import card_cases
from tests.conformance.calling import conformance
from tests.conformance.report import Report
from tests.patience import PATIENCE

PASSED = f"{len(expectations())} passed, 0 failed\n"


def test_the_files_are_those_that_the_cases_make():
    """`python -m tests.cards.corpus` writes them; what it no longer writes is to be deleted by hand."""
    files = {path.name: path.read_bytes() for path in FOLDER.iterdir() if path.name != "README.md"}
    assert files == build().files


@pytest.mark.parametrize("pure", ["", "1"], ids=["C", "pure"])
def test_every_case_comes_to_what_it_says_whichever_msgpack_reads_it(pure):
    check = "import msgpack, sys; sys.exit((msgpack.Unpacker.__module__ == 'msgpack.fallback') != bool(sys.argv[1:]))"
    environment = {"MSGPACK_PUREPYTHON": pure}
    subprocess.run([sys.executable, "-c", check, *pure], env=os.environ | environment, check=True, timeout=PATIENCE)
    command = [sys.executable, "-m", "tests.conformance", "cards", FOLDER]
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, PASSED, "")


@pytest.mark.parametrize("engine", sorted(statements.ENGINES))
def test_every_case_comes_to_what_it_says_whichever_library_verifies(engine, monkeypatch):
    monkeypatch.setattr(statements, "ENGINE", engine)
    report = Report(pytest.fail)
    card_cases.run(FOLDER, report)
    assert f"{report}\n" == PASSED


def test_every_exit_is_that_of_its_code():
    for case in expectations():
        assert case["exit"] == (CODES[case["code"]].exit if case["code"] else 0)


@pytest.fixture
def case(tmp_path):
    """Writes one case; its folder."""

    def write(about, raw=None, steps=None, policy=None):
        shutil.copy(FOLDER / "policy.toml", tmp_path)
        if policy is not None:
            (tmp_path / "policy.toml").write_bytes(policy)
        if about is not None:
            (tmp_path / "case.json").write_bytes(about if isinstance(about, bytes) else json.dumps(about).encode())
        if raw is not None:
            (tmp_path / "case.bin").write_bytes(raw)
        if steps is not None:
            (tmp_path / "case.steps.json").write_text(json.dumps(steps))
        return tmp_path

    return write


GOOD = {"exit": 0, "code": None}


def ordinary():
    return (FOLDER / "accepted-ordinary-card.bin").read_bytes()


@pytest.mark.parametrize(
    ("about", "raw", "steps", "sentence"),
    [
        ({"exit": 3, "code": "malformed"}, ordinary(), None, "the library says exit 0, 3 expected"),
        ({"exit": 3, "code": "malformed"}, b"", None, "the library says code truncated, malformed expected"),
        ({"exit": 0, "code": None, "warnings": []}, ordinary(), None, "the library says warnings"),
        ({"exit": 3, "code": "trailing-data", "offset": 1}, ordinary() + b"\0", None, "the library says offset"),
        ({"code": None}, ordinary(), None, "says no exit"),
        ({"exit": 0, "code": 5}, ordinary(), None, "says no exit, or no code or null"),
        (b"[]", ordinary(), None, "case.json is no object"),
        (b"{", ordinary(), None, "case.json is not JSON"),
        (b"\xff", ordinary(), None, "text that is not UTF-8"),
        (None, ordinary(), None, "case.json cannot be read"),
        (GOOD, None, None, "case.bin cannot be read"),
        (GOOD | {"object": "fish"}, ordinary(), None, "unknown object 'fish'"),
        (GOOD | {"object": "line"}, b"\xff", None, "text that is not UTF-8"),
        (GOOD | {"now": "noon"}, ordinary(), None, "'noon' is no whole number"),
        (GOOD, None, [], "case.steps.json is no object"),
        (GOOD, None, {"steps": []}, "steps is no list of objects"),
        (GOOD, None, {"steps": [1]}, "steps is no list of objects"),
        (GOOD, None, {"steps": [{"bake": 1}]}, "unknown step bake"),
        (GOOD, None, {"steps": [{"add": "card", "bytes": ""}]}, "unknown step add, bytes"),
        (GOOD, None, {"steps": [{"verify": "xyz"}]}, "'xyz' is not hexadecimal"),
        (GOOD, None, {"policy": "x", "steps": [{"verify": ""}]}, "policy: "),
        (GOOD, None, {"steps": [{"verify": "00"}, {"verify": "00"}]}, "step 1 came to malformed"),
    ],
)
def test_a_case_that_fails_or_says_nothing_clear_is_told_in_one_sentence(case, about, raw, steps, sentence):
    code, answer, narration = conformance("cards", case(about, raw, steps))
    assert (code, answer) == (1, "0 passed, 1 failed\n")
    assert narration.startswith(f"case: {sentence}")
    assert len(narration.splitlines()) == 1


def test_the_command_line_is_asked_too(case, monkeypatch):
    """With another policy than the library has, only the command line differs."""
    folder = case(GOOD, ordinary())
    assert conformance("cards", folder)[0] == 0
    monkeypatch.setattr(card_cases, "POLICY", "other.toml")
    (folder / "other.toml").write_text('network = "example-net"\n')
    good = card_cases.cards.Policy.from_toml((folder / "policy.toml").read_text())
    with pytest.raises(card_cases.VectorFailed, match="the command line says exit 5, 0 expected"):
        card_cases.play(folder, "case", good)


@pytest.mark.parametrize(
    ("name", "code", "sentence"),
    [("missing", 1, "not a folder"), ("empty", 3, "of another form: policy.toml"), ("broken", 3, "policy.toml: ")],
)
def test_a_folder_without_cases_is_named_in_one_sentence(case, tmp_path, name, code, sentence):
    folder = case(GOOD, ordinary(), policy=b"leway = 1") if name == "broken" else tmp_path / name
    if name == "empty":
        folder.mkdir()
    exit_code, answer, narration = conformance("cards", folder)
    assert (exit_code, answer) == (code, "0 passed, 0 failed\n")
    assert narration.startswith(f"{folder}: {sentence}")
    assert len(narration.splitlines()) == 1
