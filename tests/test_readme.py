"""The README is true: every console transcript and every Python example in it is run as it stands.

In a transcript `$ ` begins a command and what follows is what it answers on stdout; `…` stands for anything within a
line, and alone on a line for any number of lines. `^C` interrupts the command above it. A command that ends in `&` runs
beside those that follow, which are asked again for some seconds where they answer something else. A Python example that
begins with `# NAME.py` is a file of this name, for the transcripts to run; `$ISSUER` is the issuer that was made, and
`$GAMMA` the Node ID in the folder gamma.
"""

import os
import re
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(console|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CONSOLE = [body for kind, body in BLOCK.findall(README) if kind == "console"]
PYTHON = [body for kind, body in BLOCK.findall(README) if kind == "python"]
PROGRAMS = {match[1]: body for body in PYTHON if (match := re.match(r"# (\w+\.py)", body))}


@dataclass
class Command:
    line: str
    expected: list[str] = field(default_factory=list)


def commands(block):
    found: list[Command] = []
    for line in block.splitlines():
        if line.startswith("$ "):
            found.append(Command(line[2:]))
        else:
            found[-1].expected.append(line)
    return found


def pattern(lines):
    parts = []
    for line in lines:
        if line.strip() == "…":
            parts.append(r"(?:[^\n]*\n)*?")
        else:
            # Columns are as wide as what stands in them, and keys are longer than their dots.
            words = [re.escape(word).replace("…", "[^\n]*?") for word in re.split(" +", line.strip())]
            parts.append(" *" + " +".join(words) + " *\n")
    return re.compile("".join(parts))


def matches(lines, output):
    assert pattern(lines).fullmatch(output), f"expected\n{chr(10).join(lines)}\n\ngot\n{output}"


def start(line, folder, environment):
    line = re.sub(r"^p2pnoise", f"{sys.executable} -m cli", line)
    line = re.sub(r"^python", sys.executable, line)
    return subprocess.Popen(
        ["sh", "-c", f"exec {line}"],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(command, folder, environment):
    with start(command.line, folder, environment) as process:
        out, _ = process.communicate(timeout=100)
    matches(command.expected, out)
    return out


def run_until_it_matches(command, folder, environment):
    """What is asked of running nodes is true after a while."""
    end = time.monotonic() + 20
    while True:
        try:
            return run(command, folder, environment)
        except AssertionError:
            if time.monotonic() > end:
                raise


def environment_in(folder):
    return {**os.environ, "HOME": str(folder), "XDG_DATA_HOME": str(folder / "data"), "COLUMNS": "100"}


def test_the_transcripts_are_what_a_newcomer_sees(tmp_path):
    environment = environment_in(tmp_path)
    for name, program in PROGRAMS.items():
        (tmp_path / name).write_text(program, encoding="utf-8")
    with ExitStack() as running:
        for block in CONSOLE:
            for command in commands(block):
                if command.line == "p2pnoise demo":
                    continue  # has a test of its own
                if command.line.endswith(" &"):
                    process = running.enter_context(start(command.line[:-2], tmp_path, environment))
                    running.callback(process.send_signal, signal.SIGINT)
                    continue
                out = run_until_it_matches(command, tmp_path, environment)
                if issuer := re.search(r"^issuer +(issuer1\S+)$", out, re.MULTILINE):
                    environment["ISSUER"] = issuer[1]
                if gamma := re.search(r"^node +(node1\S+)\nfolder +gamma$", out, re.MULTILINE):
                    environment["GAMMA"] = gamma[1]


def test_the_demo_is_what_a_newcomer_sees(tmp_path):
    (demo,) = [command for block in CONSOLE for command in commands(block) if command.line == "p2pnoise demo"]
    command = Command(f"{demo.line} --dir {tmp_path / 'demo'}", demo.expected)
    run(command, tmp_path, environment_in(tmp_path))


@pytest.mark.parametrize("example", [body for body in PYTHON if body not in PROGRAMS.values()])
def test_the_python_examples_run(example, tmp_path):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", example],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_readme_names_only_verbs_that_exist():
    named = set(re.findall(r"p2pnoise ([a-z]+)", " ".join(CONSOLE)))
    from cli.main import VERBS  # noqa: PLC0415 - the one import of ours that this file needs

    assert named <= set(VERBS)
