"""Processes: a node that runs in one of its own, with everything that it tells."""

import json
import threading

from tests.patience import PATIENCE


class Process:
    """A running node with everything it has told."""

    def __init__(self, place, home, *options, as_json=True, listen="127.0.0.1:0"):
        arguments = ["run", "--home", place / home, "--listen", listen, *(["--json"] if as_json else []), *options]
        self.home = place / home
        self.process = place.start(*arguments, stdin=-1, stdout=-1, stderr=-1, text=True)
        self.lines, self._changed = [], threading.Condition()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self):
        for line in self.process.stdout:
            with self._changed:
                self.lines.append(line)
                self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()

    @property
    def events(self):
        told = [json.loads(line) for line in list(self.lines) if line.endswith("\n")]
        return [event for event in told if "event" in event]

    def find(self, kind, **fields):
        for event in self.events:
            if event["event"] == kind and all(event[name] == value for name, value in fields.items()):
                return event
        return None

    def wait(self, kind, **fields):
        with self._changed:
            found = self._changed.wait_for(lambda: self.find(kind, **fields) or not self._reader.is_alive(), PATIENCE)
        assert found, self.lines
        event = self.find(kind, **fields)
        assert event, (self.lines, self.process.stderr.read())
        return event

    def wait_for_lines(self, count):
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.lines) >= count, PATIENCE)

    @property
    def address(self):
        return self.wait("listening")["addresses"][0]

    @property
    def bootstrap(self):
        return f"{self.wait('listening')['node_id']}@{self.address}"

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
            pipe.close()
