"""The folder of a sweep: whatever ends its process, no finished line is lost, and no line of another sweep comes in."""

import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from p2pnoise.folder.fault import Fault
from p2pnoise.folder.reading import only_one
from simulations.outcome import Outcome
from simulations.sweep import Serial, folder, software, sweep
from tests.simulations.sweep.stand_in import tasks, work

ROOT = str(Path(__file__).parents[3])


class Stops:
    """The serial engine, until so many answers are given."""

    def __init__(self, after):
        self.after, self.begun = after, []

    def run(self, some, work):
        for number, task in some.items():
            if len(self.begun) == self.after:
                raise KeyboardInterrupt
            self.begun.append(number)
            yield from Serial().run({number: task}, work)


def run(path, some, engine=None):
    return sweep(some, engine=engine or Serial(), folder=path, work=work)


def test_the_same_command_goes_on_where_it_was_stopped(tmp_path):
    whole = run(tmp_path / "whole", tasks(7))
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "stopped", tasks(7), Stops(3))
    rest = Stops(99)
    found = run(tmp_path / "stopped", tasks(7), rest)
    assert rest.begun == [3, 4, 5, 6]
    assert (found.resumed, found.result_hash) == (3, whole.result_hash)
    assert [one.to_json() for one in found.summaries] == [one.to_json() for one in whole.summaries]


def test_a_file_cut_at_any_byte_loses_the_line_that_was_cut_and_no_other(tmp_path):
    whole = run(tmp_path, tasks(3))
    file = tmp_path / "outcomes.jsonl"
    data = file.read_bytes()
    ends = [at for at, byte in enumerate(data, 1) if byte == 10]
    for cut in {0, 1, *ends, *(end - 1 for end in ends), *random.Random(7).sample(range(len(data)), 8)}:
        file.write_bytes(data[:cut])
        rest = Stops(99)
        assert run(tmp_path, tasks(3), rest).result_hash == whole.result_hash
        assert len(rest.begun) == 3 - sum(end <= cut for end in ends), cut
        assert sorted(file.read_bytes().splitlines()) == sorted(data.splitlines())


_SWEEP = """
import sys
from pathlib import Path
from simulations.sweep import Processes, sweep
from tests.simulations.sweep.stand_in import tasks, work
if __name__ == "__main__":
    sweep(tasks(40, sleep=0.02), engine=Processes(1), folder=Path(sys.argv[1]), work=work,
          progress=lambda done, bad: print(done, flush=True))
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_sweep_that_is_killed_or_interrupted_leaves_what_it_had_and_no_worker(how, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(_SWEEP)
    with subprocess.Popen(
        (sys.executable, script, tmp_path / "swept"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": ROOT},
    ) as process:
        while int(process.stdout.readline()) < 7:
            pass
        process.send_signal(how)
        said = process.stderr.read()  # ends when the last worker has, since they share it
        assert process.wait() != 0
    assert ("KeyboardInterrupt" in said) == (how == signal.SIGINT)
    rest = Stops(99)
    assert run(tmp_path / "swept", tasks(40, sleep=0.02), rest).resumed >= 7
    assert len(rest.begun) <= 33


def test_lines_are_outcomes_with_the_number_of_their_task_and_the_manifest_says_what_they_answer(tmp_path):
    some = tasks(3)
    run(tmp_path, some)
    lines = [json.loads(line) for line in (tmp_path / "outcomes.jsonl").read_text().splitlines()]
    assert [Outcome.from_json(line) for line in lines] == [work(task) for task in some]
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest["tasks"][lines[1]["task"]]["seed"] == lines[1]["seed"] == 2
    assert manifest["software"]["code"] == software.code()
    assert manifest["software"]["libraries"]["cryptography"]


def test_failures_are_kept_with_the_place_in_the_code_and_tried_again(tmp_path):
    some = [*tasks(1), *tasks(1, raises="on purpose")]
    assert not run(tmp_path, some).ok
    (line,) = (json.loads(line) for line in (tmp_path / "failures.jsonl").read_text().splitlines())
    assert (line["task"], line["seed"], line["failure"]) == (1, 1, "ValueError: on purpose")
    assert "stand_in.py" in line["trace"]
    again = Stops(99)
    run(tmp_path, some, again)
    assert again.begun == [1]
    assert len((tmp_path / "failures.jsonl").read_text().splitlines()) == 1


def test_a_folder_of_another_sweep_is_refused_and_unchanged(tmp_path):
    run(tmp_path, tasks(3))
    before = {file: file.read_bytes() for file in tmp_path.iterdir()}
    with pytest.raises(
        Fault, match=r"is of another sweep: stand-in, 3 nodes, seeds 1 to 3 there, .* seeds 1 to 4 here"
    ):
        run(tmp_path, tasks(4))
    assert {file: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_a_folder_of_other_software_is_refused(tmp_path, monkeypatch):
    run(tmp_path, tasks(3))
    monkeypatch.setattr(folder, "software", lambda _files: {**software.software(), "code": "changed"})
    with pytest.raises(Fault, match="begun with other software: not the same code"):
        run(tmp_path, tasks(3))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        '{"format": "p2pnoise sweep 1", "software": {}, "tasks": [7]}',
        '{"format": "p2pnoise sweep 1", "software": [], "tasks": []}',
        '{"format": "p2pnoise sweep 1"}',
        '{"format": 7, "tasks": []}',
        "\udcff",
    ],
)
def test_a_manifest_that_is_none_is_refused(text, tmp_path):
    (tmp_path / "manifest.json").write_text(text, errors="surrogateescape")
    with pytest.raises(Fault, match="is no manifest of a sweep"):
        run(tmp_path, tasks(1))


def test_a_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "holiday.jpg").touch()
    with pytest.raises(Fault, match="holds something else than a sweep"):
        run(tmp_path, tasks(1))


@pytest.mark.parametrize(
    "line",
    [
        b"nonsense\n",
        b'{"task":9,"ok":true}\n',
        b'{"task":-1,"ok":true}\n',
        b'{"task":1,"ok":true}\n',
        b"\n",
        b'{"task":1,\n',
    ],
)
def test_a_whole_line_that_is_no_outcome_is_named_and_nothing_is_cut(line, tmp_path):
    run(tmp_path, tasks(2))
    file = tmp_path / "outcomes.jsonl"
    first = file.read_bytes().splitlines(keepends=True)[0]
    file.write_bytes(first + line)
    with pytest.raises(Fault, match=r"outcomes\.jsonl: line 2 is no outcome"):
        run(tmp_path, tasks(2))
    assert file.read_bytes() == first + line


def test_two_sweeps_of_one_folder_at_a_time_are_refused(tmp_path):
    with only_one(tmp_path, "sweep"), pytest.raises(Fault, match="a sweep runs on"):
        run(tmp_path, tasks(1))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_a_sentence_and_the_sweep_goes_on_when_there_is_room(tmp_path):
    with folder.SweepFolder(tmp_path, tasks(2)) as kept, Path("/dev/full").open("wb", buffering=0) as full:
        kept._outcomes = full
        with pytest.raises(Fault, match="no space left"):
            kept.record(next(Serial().run(kept.left, work)))
    assert run(tmp_path, tasks(2)).resumed == 0
