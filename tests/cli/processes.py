"""Processes: a node, or whatever else tells its story line by line, in a process of its own, and all that it told."""

import json
import subprocess
import sys
import threading

from tests.patience import PATIENCE

COMMAND = [sys.executable, "-m", "cli"]
# The software is a year old, or a clock behind that would be known to have never been set.
SHIFTED = """
import time
import cards.facts
real, cards.facts.BUILD_TIME = time.time, cards.facts.BUILD_TIME - 365 * 86_400
time.time = lambda: real() + {shift}
from cli.main import main
main()
"""


def shifted(shift):
    """The command by the clock of its process alone, so many seconds off, as a machine whose clock is wrong has it."""
    return [sys.executable, "-c", SHIFTED.format(shift=shift)] if shift else COMMAND


class Telling:
    """A process with every line that it has told, and, where these are JSON, the facts."""

    def __init__(self, process, *, as_json=True):
        self.process, self._as_json = process, as_json
        self.lines, self.facts = [], []
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self):
        for line in self.process.stdout:
            with self._changed:
                self.lines.append(line)
                if self._as_json and line.endswith("\n"):  # or else it ended in the middle of a word
                    self.facts.append(json.loads(line))
                self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()

    def wait_until(self, condition, seconds=PATIENCE):
        """Until this is so, or nothing more will be told, or so many seconds have passed; what it is then."""
        with self._changed:
            self._changed.wait_for(lambda: condition() or not self._reader.is_alive(), seconds)
        return condition()

    def end(self, number=None, seconds=PATIENCE):
        """Send this signal, if one is given, and wait; the exit code, and what went to stderr."""
        if number is not None:
            self.process.send_signal(number)
        code = self.process.wait(seconds)
        self._reader.join()
        return code, self.process.stderr.read()

    def close(self):
        self.process.kill()
        self.process.wait()
        self._reader.join()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()


class Daemon(Telling):
    """A node in this folder, run by `p2pnoise run` or another verb that does so."""

    def __init__(self, home, *options, verb=("run",), listen="127.0.0.1:0", as_json=True, command=COMMAND, env=None):
        arguments = [*verb, "--home", home, "--listen", listen, *(["--json"] if as_json else []), *options]
        process = subprocess.Popen(
            [*command, *map(str, arguments)], cwd=home.parent, env=env, stdin=-1, stdout=-1, stderr=-1, text=True
        )
        super().__init__(process, as_json=as_json)
        self.home = home

    @property
    def events(self):
        return [fact for fact in self.facts if "event" in fact]

    def find(self, kind, **fields):
        for event in self.events:
            if event["event"] == kind and all(event.get(name) == value for name, value in fields.items()):
                return event
        return None

    def wait(self, kind, **fields):
        """The first event of this kind with these fields; the test fails where none comes."""
        found = self.wait_until(lambda: self.find(kind, **fields))
        assert found, (kind, fields, self.lines, self.process.poll() is not None and self.process.stderr.read())
        return found

    def wait_for_lines(self, count):
        assert self.wait_until(lambda: len(self.lines) >= count), self.lines

    @property
    def address(self):
        return self.wait("listening")["addresses"][0]

    @property
    def node_id(self):
        return self.wait("listening")["node_id"]

    @property
    def bootstrap(self):
        """As one names it who begins with it."""
        return f"{self.node_id}@{self.address}"
