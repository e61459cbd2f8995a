"""The demo's stage: a data folder, the verbs of this very command line, and one operating-system process per node."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .output import Fault

VERB_TIMEOUT = 60.0  # seconds for one verb; they take a fifth of one
STOP_TIMEOUT = 8.0  # seconds from SIGTERM to SIGKILL; a node says goodbye within five

# -P: a file named cli.py in the folder where the demo is started must not stand in for ours.
_COMMAND = (sys.executable, "-P", "-m", "cli")

Event = dict[str, Any]


class DemoFailure(Fault):
    """A step did not do what it says."""


@dataclass(slots=True)
class Actor:
    """One node of the demo: its folder, its process, everything that the process has told."""

    name: str
    home: Path
    node_id: str = ""
    process: "subprocess.Popen[str] | None" = None
    events: list[Event] = field(default_factory=list)
    role: str = "member"

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def address(self) -> str:
        """Where it listens, by its own word; empty before it does."""
        return next(
            (str(event["addresses"][0]) for event in reversed(self.events) if event["event"] == "listening"), ""
        )

    @property
    def knows(self) -> int:
        """How many verified cards its table holds, ours included."""
        return next((int(event["known_peers"]) for event in reversed(self.events) if "known_peers" in event), 0)

    @property
    def links(self) -> set[str]:
        """The Node IDs that it is linked to now."""
        linked: set[str] = set()
        for event in self.events:
            if event["event"] == "listening":
                linked.clear()  # another start
            elif event["event"] == "peer-verified":
                linked.add(event["node_id"])
            elif event["event"] == "peer-lost":
                linked.discard(event["node_id"])
        return linked

    def find(self, kind: str, **fields: Any) -> Event | None:
        """The latest event of this kind with these fields."""
        for event in reversed(self.events):
            if event["event"] == kind and all(event.get(name) == value for name, value in fields.items()):
                return event
        return None


class Stage:
    """Owns every process that the demo starts. `close` leaves none behind; if the demo itself is killed, the nodes
    see the end of their standard input and stop by themselves.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.issuer_home = folder / "issuer"
        self.actors: list[Actor] = []
        self._changed = threading.Condition()
        self._closed = False
        self._stopping = False
        self._verbs: set[subprocess.Popen[str]] = set()

    def add(self, name: str, *, role: str = "member") -> Actor:
        actor = Actor(name, self.folder / name, role=role)
        self.actors.append(actor)
        return actor

    def verb(self, *arguments: str) -> dict[str, Any]:
        """Run one verb as a user would and return what it answers. Raises `DemoFailure` with the verb's own words."""
        process = subprocess.Popen(  # noqa: S603 - our own verbs, no shell
            [*_COMMAND, *arguments, "--json"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        with self._changed:
            self._verbs.add(process)
            if self._closed:
                process.kill()
        try:
            out, err = process.communicate(timeout=VERB_TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            raise DemoFailure(f"p2pnoise {' '.join(arguments)} took more than {VERB_TIMEOUT:g} s") from None
        finally:
            with self._changed:
                self._verbs.discard(process)
        if process.returncode != 0:
            raise DemoFailure(f"p2pnoise {' '.join(arguments)} ended with {process.returncode}: {(out + err).strip()}")
        answer: dict[str, Any] = json.loads(out)
        return answer

    def start(self, actor: Actor, *, bootstrap: str = "") -> None:
        """Start the node's process on a free port and wait until it listens."""
        arguments = ["run", "--home", str(actor.home), "--listen", "127.0.0.1:0", "--until-eof", "--json"]
        if bootstrap:
            arguments += ["--bootstrap", bootstrap]
        begun = len(actor.events)
        with (actor.home / "stderr.log").open("ab") as errors:
            actor.process = subprocess.Popen(  # noqa: S603 - our own verb, no shell
                [*_COMMAND, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True
            )
        with self._changed:
            if self._closed:
                actor.process.kill()
        threading.Thread(target=self._listen, args=(actor, actor.process), daemon=True).start()
        self.wait(
            lambda: any(event["event"] == "listening" for event in actor.events[begun:]), 20, f"{actor.name} to listen"
        )

    def _listen(self, actor: Actor, process: "subprocess.Popen[str]") -> None:
        """Keep what a node tells, in memory and in its event log."""
        if process.stdout is None:
            return
        with (actor.home / "events.jsonl").open("a") as log:
            for line in process.stdout:
                log.write(line)
                log.flush()
                try:
                    event = json.loads(line)
                except ValueError:
                    continue  # the last line of a process that was killed
                with self._changed:
                    actor.events.append(event)
                    self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()

    def wait(self, condition: Callable[[], bool], seconds: float, what: str) -> float:
        """Wait until `condition` holds; the seconds that took. Raises `DemoFailure` when it does not."""
        begun = time.monotonic()
        with self._changed:
            while not condition():
                left = begun + seconds - time.monotonic()
                if left <= 0:
                    raise DemoFailure(f"waited {seconds:g} s in vain for {what}", f"look at the logs in {self.folder}")
                self._check_alive()
                self._changed.wait(min(left, 0.2))
        return time.monotonic() - begun

    def _check_alive(self) -> None:
        """Raises `DemoFailure` for a node that has ended, and was not meant to, or not so."""
        for actor in self.actors:
            code = actor.process.poll() if actor.process is not None else None
            if code is None or actor.role == "killed" or (self._stopping and code == 0):
                continue
            words = (actor.home / "stderr.log").read_text(errors="replace")[-400:].strip()
            raise DemoFailure(
                f"{actor.name} ended with {code}" + (f": {words}" if words else ""),
                f"look at the logs in {self.folder}",
            )

    def kill(self, actor: Actor) -> None:
        """SIGKILL: no goodbye, nothing flushed."""
        if actor.process is not None:
            actor.role = "killed"
            actor.process.kill()
            actor.process.wait()

    def stop(self) -> None:
        """End every node by a word, as an operator would. Raises `DemoFailure` for one that does not end well."""
        self._stopping = True
        for process in self._processes():
            process.terminate()
        self.wait(lambda: not any(self._processes()), STOP_TIMEOUT, "all nodes to stop")

    def close(self) -> None:
        """Leave nothing running, whatever happened: a word first, force after `STOP_TIMEOUT`."""
        with self._changed:
            self._closed = True
            verbs = list(self._verbs)
        for verb in verbs:
            verb.kill()
        processes = list(self._processes())
        for process in processes:
            process.terminate()
        end = time.monotonic() + STOP_TIMEOUT
        for process in processes:
            try:
                process.wait(max(0.1, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdin is not None:
                process.stdin.close()

    def _processes(self) -> Iterator["subprocess.Popen[str]"]:
        for actor in self.actors:
            if actor.process is not None and actor.process.poll() is None:
                yield actor.process


def cpu_count() -> int:
    return os.cpu_count() or 1
