"""The published NoiseSocket vectors through the command that anybody can run, and files that it must not believe."""

import json
import os
from functools import partial
from pathlib import Path

import pytest

from tests.conformance import calling

conformance = partial(calling.conformance, "noisesocket")
SHARED = Path(__file__).parents[3] / "shared" / "vectors"


@pytest.fixture
def published():
    def path(name):
        file = Path(os.environ.get("P2PNOISE_VECTORS") or SHARED) / "noisesocket" / name
        if not file.exists():
            pytest.skip(f"skipped: no {file}; set P2PNOISE_VECTORS to the folder of vectors")
        return file

    return path


@pytest.fixture
def changed(published, tmp_path):
    """A file of the last vector of a kind alone, after `change` was done to it."""

    def write(name, key, change, chosen):
        vectors = json.loads(published(name).read_text())[key]
        vector = [vector for vector in vectors if chosen(vector)][-1]
        change(vector)
        file = tmp_path / name
        file.write_text(json.dumps({key: [vector]}))
        return file

    return write


@pytest.mark.parametrize(("name", "count"), [("negotiation.json", 960), ("go-transcripts.json", 16)])
def test_all_published_vectors_pass(published, name, count):
    assert conformance(published(name)) == (0, f"{count} passed, 0 failed\n", "")


def flip(text):
    """The hexadecimal text with another last digit."""
    return text[:-1] + ("0" if text[-1] != "0" else "1")


@pytest.mark.parametrize("way", ["accept", "switch", "retry"])
def test_one_wrong_bit_of_any_message_fails(changed, way):
    def chosen(vector):
        return (way in vector) if way != "accept" else not {"switch", "retry"} & vector.keys()

    for number in range(6 if way != "retry" else 7):

        def change(vector, number=number):
            vector["messages"][number]["message"] = flip(vector["messages"][number]["message"])

        code, answer, narration = conformance(changed("negotiation.json", "vectors", change, chosen))
        assert (code, answer) == (1, "0 passed, 1 failed\n"), (number, narration)


@pytest.mark.parametrize("part", ["handshake_hash", "bob_prologue", "alice_prologue"])
def test_a_wrong_field_of_a_negotiation_fails(changed, part):
    def change(vector):
        vector[part] = flip(vector[part])

    assert conformance(changed("negotiation.json", "vectors", change, lambda vector: "switch" in vector))[0] == 1


def test_a_wrong_wire_of_a_transcript_fails(changed):
    def change(transcript):
        transcript["transport"][-1]["wire_sha256"] = flip(transcript["transport"][-1]["wire_sha256"])

    code, _, narration = conformance(changed("go-transcripts.json", "transcripts", change, bool))
    assert code == 1
    assert "the digest of packet 19" in narration


def test_an_explicit_reject_can_be_a_vector(changed):
    def change(vector):
        vector["messages"] = [vector["messages"][0], {"message": "00024e6f0000", "negotiation_data": "4e6f"}]

    only_accepts = lambda vector: not {"switch", "retry"} & vector.keys()  # noqa: E731
    assert conformance(changed("negotiation.json", "vectors", change, only_accepts))[1] == "1 passed, 0 failed\n"


@pytest.mark.parametrize(
    ("text", "code"),
    [('{"vectors": [{"initial": 1, "messages": 2}]}', 1), ('{"vectors": [{}]}', 3), ("[]", 3), ("no", 3)],
)
def test_a_file_of_another_form_is_a_sentence(tmp_path, text, code):
    file = tmp_path / "strange.json"
    file.write_text(text)
    answered, _, narration = conformance(file)
    assert answered == code
    assert "of another form" in narration or "not JSON" in narration
