"""Transcripts in a document are run as they stand, line by line.

In a transcript `$ ` begins a command and what follows is what it answers on stdout; `…` stands for anything within a
line, and alone on a line for any number of lines. A command that ends in `&` runs beside those that follow, which are
asked again for some seconds where they answer something else; `$ kill %N` ends the Nth of those. An example that begins
with `# NAME` is a file of this name, for the transcripts to use.
"""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from tests.patience import PATIENCE

BLOCK = re.compile(r"^```(console|python|toml)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"# ([\w./-]+\.\w+)(?: |$)", re.MULTILINE)


def blocks(document: str, kind: str) -> list[str]:
    """What stands in the blocks of this kind, in order."""
    return [body for found, body in BLOCK.findall(document) if found == kind]


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
        out, _ = process.communicate(timeout=PATIENCE)
    matches(command.expected, out)
    return out


def run_until_it_matches(command, folder, environment):
    """What is asked of running nodes is true after a while."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            return run(command, folder, environment)
        except AssertionError:
            if time.monotonic() > end:
                raise


def environment_in(folder):
    return {**os.environ, "HOME": str(folder), "XDG_DATA_HOME": str(folder / "data"), "COLUMNS": "100"}


def play(document: str, folder: Path, words: dict[str, str], leave_out: Iterable[str] = ()) -> None:
    """Run every command of a document in `folder`. `words` are regular expressions, with one group, by the variable
    that is set to the first thing that they find in an answer."""
    environment = environment_in(folder)
    with ExitStack() as stack:
        running = []
        for kind, body in BLOCK.findall(document):
            named = FILE.match(body)
            if kind != "console" and named is not None:
                path = folder / named[1]
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(body, encoding="utf-8")
            for command in commands(body) if kind == "console" else ():
                if command.line in leave_out:
                    continue
                if command.line.endswith(" &"):
                    process = stack.enter_context(start(command.line[:-2], folder, environment))
                    stack.callback(process.send_signal, signal.SIGINT)
                    running.append(process)
                    continue
                if job := re.fullmatch(r"kill %(\d+)", command.line):
                    running[int(job[1]) - 1].terminate()
                    running[int(job[1]) - 1].communicate(timeout=PATIENCE)
                    continue
                out = run_until_it_matches(command, folder, environment)
                for name, pattern_of in words.items():
                    if found := re.search(pattern_of, out, re.MULTILINE):
                        environment.setdefault(name, found[1])
