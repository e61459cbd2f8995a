"""The command that runs any file of vectors: other implementations' handshakes, byte for byte, in both roles."""

import copy
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conformance.calling import conformance

ROOT = Path(__file__).parents[2]
ORACLES = ROOT / "tests" / "vectors" / "noise-oracles.json"


@pytest.fixture
def write(tmp_path):
    """Writes vectors to a file; its path."""

    def to_file(*vectors):
        path = tmp_path / "vectors.json"
        path.write_text(json.dumps({"vectors": vectors}))
        return path

    return to_file


@pytest.mark.parametrize(("name", "count"), [("noise/cacophony.json", 944), ("noise/noise-c-fallback.json", 16)])
def test_every_published_vector_is_reproduced(published, name, count):
    assert conformance("noise", published(name)) == (0, f"{count} passed, 0 failed\n", "")


def test_every_handshake_on_which_noiseprotocol_and_dissononce_agree_is_reproduced():
    assert conformance("noise", ORACLES) == (0, "16 passed, 0 failed\n", "")


def test_files_are_counted_together():
    assert conformance("noise", ORACLES, ORACLES)[:2] == (0, "32 passed, 0 failed\n")


def a_vector(oracle_vectors, pattern):
    return copy.deepcopy(next(vector for vector in oracle_vectors if f"_{pattern}_" in vector["protocol_name"]))


def flipped(text):
    # No bit that X25519 ignores in a private key.
    return f"{int(text[:2], 16) ^ 8:02x}{text[2:]}"


@pytest.mark.parametrize("number", range(7))
def test_another_ciphertext_fails_whoever_wrote_it(oracle_vectors, write, number):
    vector = a_vector(oracle_vectors, "XX")
    vector["messages"][number]["ciphertext"] = flipped(vector["messages"][number]["ciphertext"])
    code, answer, narration = conformance("noise", write(vector))
    assert (code, answer) == (1, "0 passed, 1 failed\n")
    assert "Noise_XX_25519_ChaChaPoly_SHA256: as initiator: " in narration


def test_a_vector_fails_if_only_the_responder_does(oracle_vectors, write):
    vector = a_vector(oracle_vectors, "XX")
    vector["resp_static"] = flipped(vector["resp_static"])
    code, answer, narration = conformance("noise", write(vector))
    assert (code, answer) == (1, "0 passed, 1 failed\n")
    assert "as responder: message 2 is " in narration


def test_another_handshake_hash_fails(oracle_vectors, write):
    vector = a_vector(oracle_vectors, "IK")
    vector["handshake_hash"] = flipped(vector["handshake_hash"])
    assert "handshake_hash is " in conformance("noise", write(vector))[2]


def test_a_vector_that_ends_inside_its_handshake_fails(oracle_vectors, write):
    vector = a_vector(oracle_vectors, "XX")
    del vector["messages"][2:]
    assert "ends inside its handshake" in conformance("noise", write(vector))[2]


def test_a_vector_without_a_handshake_hash_and_with_the_name_of_noise_c_passes(oracle_vectors, write):
    vector = a_vector(oracle_vectors, "IK")
    del vector["handshake_hash"]
    vector["name"] = vector.pop("protocol_name")
    assert conformance("noise", write(vector)) == (0, "1 passed, 0 failed\n", "")


def test_one_psk_may_stand_for_a_list_of_one(published, write):
    vectors = json.loads(published("noise/cacophony.json").read_text())["vectors"]
    vector = next(vector for vector in vectors if "_Xpsk1_" in vector["protocol_name"])
    vector["init_psk"], vector["resp_psk"] = vector.pop("init_psks")[0], vector.pop("resp_psks")[0]
    assert conformance("noise", write(vector))[0] == 0
    vector["resp_psk"] = flipped(vector["resp_psk"])
    assert "as responder: DecryptError" in conformance("noise", write(vector))[2]


def test_an_unknown_protocol_fails_and_says_why_while_the_others_pass(oracle_vectors, write):
    known, unknown = a_vector(oracle_vectors, "XX"), a_vector(oracle_vectors, "XX")
    unknown["protocol_name"] = "NoisePSK_XX_25519_ChaChaPoly_BLAKE2s"
    code, answer, narration = conformance("noise", write(unknown, known))
    assert (code, answer) == (1, "1 passed, 1 failed\n")
    assert "vector 1, NoisePSK_XX_25519_ChaChaPoly_BLAKE2s: as initiator: unknown protocol: " in narration


@pytest.mark.parametrize(
    "change",
    [
        {"messages": 3},
        {"messages": ["no object"]},
        {"messages": [{"payload": 1, "ciphertext": None}]},
        {"init_static": "xyz"},
        {"init_static": "00"},
        {"init_ephemeral": None},
        {"init_psks": ["00"]},
        {"protocol_name": 7},
    ],
)
def test_a_vector_that_says_nothing_clear_fails(oracle_vectors, write, change):
    code, answer, narration = conformance("noise", write(a_vector(oracle_vectors, "XX") | change))
    assert (code, answer) == (1, "0 passed, 1 failed\n")
    assert len(narration.splitlines()) == 1


@pytest.mark.parametrize(
    ("content", "code", "sentence"),
    [
        (None, 1, "cannot be read: No such file or directory"),
        (b"# no JSON", 3, "not JSON: "),
        (b"\xff\xfe", 3, "not a text file"),
        (b"[" * 100_000, 3, "not JSON: "),
        (b"[]", 3, "of another form"),
        (b'{"vectors": []}', 3, "of another form"),
        (b'{"vectors": [1, {"initial": {}, "messages": []}]}', 3, "of another form"),
    ],
)
def test_a_file_without_vectors_is_named_in_one_sentence(tmp_path, content, code, sentence):
    path = tmp_path / "vectors.json"
    if content is not None:
        path.write_bytes(content)
    exit_code, answer, narration = conformance("noise", path)
    assert (exit_code, answer) == (code, "0 passed, 0 failed\n")
    assert narration.startswith(f"{path}: {sentence}")
    assert len(narration.splitlines()) == 1


USAGE = "usage: python -m tests.conformance noise|noisesocket|ed25519|x25519|cards FILE...\n"


@pytest.mark.parametrize("arguments", [(), ("noise",), ("tls", "file"), ("--version",)])
def test_a_call_that_is_none_is_answered_with_the_usage(arguments):
    assert conformance(*arguments) == (2, "", USAGE)


def test_a_shell_is_told_the_same():
    command = [sys.executable, "-m", "tests.conformance"]
    for arguments, told in (((), (2, "", USAGE)), (("noise", ORACLES), (0, "16 passed, 0 failed\n", ""))):
        done = subprocess.run([*command, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout, done.stderr) == told
