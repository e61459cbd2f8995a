"""Published edge cases of Ed25519 and X25519 through the command that anybody can run, and files not to believe."""

import copy
import json
import os
from pathlib import Path

import pytest

from tests.conformance.calling import conformance

ROOT = Path(__file__).parents[2]


@pytest.fixture
def published():
    def path(name):
        file = Path(os.environ.get("P2PNOISE_VECTORS") or ROOT.parent / "shared" / "vectors") / "crypto" / name
        if not file.exists():
            pytest.skip(f"skipped: no {file}; set P2PNOISE_VECTORS to the folder of vectors")
        return file

    return path


@pytest.mark.parametrize(
    ("kind", "name", "count"),
    [
        ("ed25519", "wycheproof-ed25519.json", 151),
        ("ed25519", "cctv-ed25519.json", 914),
        ("ed25519", "ed25519-speccheck.json", 12),
        ("x25519", "wycheproof-x25519.json", 518),
    ],
)
def test_every_published_case_is_judged_as_it_says_or_as_libsodium_does(published, kind, name, count):
    assert conformance(kind, published(name)) == (0, f"{count} passed, 0 failed\n", "")


SIGNATURE = {
    "testGroups": [
        {
            "type": "EddsaVerify",
            "publicKey": {"pk": "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"},
            "tests": [
                {
                    "tcId": 1,
                    "msg": "",
                    "sig": "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
                    "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
                    "result": "valid",
                }
            ],
        }
    ]
}
"""RFC 8032, section 7.1, test 1."""
EXCHANGE = {
    "testGroups": [
        {
            "type": "XdhComp",
            "tests": [
                {
                    "tcId": 1,
                    "private": "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
                    "public": "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
                    "shared": "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552",
                    "result": "valid",
                }
            ],
        }
    ]
}
"""RFC 7748, section 5.2, test 1."""


@pytest.fixture
def changed(tmp_path):
    """A file of one vector with these changes of its test; its path."""

    def write(vector, **changes):
        vector = copy.deepcopy(vector)
        vector["testGroups"][0]["tests"][0] |= changes
        path = tmp_path / "vectors.json"
        path.write_text(json.dumps(vector))
        return path

    return write


def test_the_vectors_of_the_two_standards_pass(changed):
    assert conformance("ed25519", changed(SIGNATURE)) == (0, "1 passed, 0 failed\n", "")
    assert conformance("x25519", changed(EXCHANGE)) == (0, "1 passed, 0 failed\n", "")


@pytest.mark.parametrize(
    ("kind", "vector", "changes", "sentence"),
    [
        ("ed25519", SIGNATURE, {"result": "invalid"}, "accepted, invalid expected"),
        ("ed25519", SIGNATURE, {"msg": "00"}, "refused, valid expected"),
        ("ed25519", SIGNATURE, {"sig": ""}, "refused, valid expected"),
        ("ed25519", SIGNATURE, {"result": "acceptable"}, "the result is 'acceptable', one of valid, invalid expected"),
        ("ed25519", SIGNATURE, {"sig": "xyz"}, "'xyz' is not hexadecimal"),
        ("x25519", EXCHANGE, {"shared": "00" * 31 + "01"}, "the secret is c3da55"),
        ("x25519", EXCHANGE, {"shared": "00" * 32}, "a Node ID with which every secret is zero is accepted"),
        ("x25519", EXCHANGE, {"public": "00" * 32}, "refused as of low order"),
        ("x25519", EXCHANGE, {"public": "00"}, "keys of 32 and 1 bytes, 32 expected"),
        ("x25519", EXCHANGE, {"result": "invalid"}, "the result is 'invalid'"),
        ("x25519", EXCHANGE, {"private": None}, "'None' is not hexadecimal"),
    ],
)
def test_what_does_not_agree_fails_and_says_why(changed, kind, vector, changes, sentence):
    code, answer, narration = conformance(kind, changed(vector, **changes))
    assert (code, answer) == (1, "0 passed, 1 failed\n")
    assert narration.startswith(f"vectors.json: test 1: {sentence}")
    assert len(narration.splitlines()) == 1


def test_a_secret_of_zeros_passes_where_the_peers_key_is_refused(changed):
    path = changed(EXCHANGE, public="00" * 32, shared="00" * 32, result="acceptable")
    assert conformance("x25519", path) == (0, "1 passed, 0 failed\n", "")


@pytest.mark.parametrize(
    ("content", "code", "sentence"),
    [
        (None, 1, "cannot be read: No such file or directory"),
        (b"\xff", 3, "not a text file"),
        (b"{", 3, "not JSON: "),
        (b"[]", 3, "of another form"),
        (b'[{"key": 1}]', 3, "of another form"),
        (b'{"testGroups": 1}', 3, "of another form"),
        (b'{"testGroups": [1, {"type": "EcdhTest", "tests": [{}]}]}', 3, "of another form"),
    ],
)
@pytest.mark.parametrize("kind", ["ed25519", "x25519"])
def test_a_file_without_vectors_is_named_in_one_sentence(tmp_path, kind, content, code, sentence):
    path = tmp_path / "vectors.json"
    if content is not None:
        path.write_bytes(content)
    exit_code, answer, narration = conformance(kind, path)
    assert (exit_code, answer) == (code, "0 passed, 0 failed\n")
    assert narration.startswith(f"{path}: {sentence}")


def test_an_edge_case_that_says_nothing_clear_fails_while_the_others_pass(tmp_path):
    good = {"key": "00" * 32, "sig": "00" * 64, "msg": "text"}
    path = tmp_path / "edge.json"
    path.write_text(json.dumps([good, good | {"sig": "xyz"}, {"key": ""}, 5]))
    code, answer, narration = conformance("ed25519", path)
    assert (code, answer) == (1, "1 passed, 3 failed\n")
    assert "edge.json: case 4: neither key, sig and msg nor" in narration
