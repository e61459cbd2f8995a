"""The processes of a bench over sockets: a server and a client, started, asked and left behind by nobody."""

import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Self

from cli.bench.certificates import CLIENT, SERVER
from cli.bench.sides import PLAIN, TLS_SERVER_ONLY, Secrets
from cli.output import Fault

__all__ = ["OURS", "Process", "Stage", "stage"]

_LONGEST = 60.0  # seconds that an answer may take beyond what was asked for; on an idle machine none takes two
_STOP_TIMEOUT = 5.0  # seconds from the end of its stdin until a process is killed
_AGAIN = "run it again; if it ends so twice, report it"

# -P: a file named cli.py in the folder where the bench is started must not stand in for ours.
OURS: Sequence[str] = (sys.executable, "-P", "-m", "cli.bench.our_end")
"""What starts an end on our own sides."""


class Process:
    """One end, in a process of its own. Raises `Fault` when it ends, or does not answer."""

    def __init__(self, role: str, sides: Sequence[str], secrets: Secrets, *, command: Sequence[str] = OURS) -> None:
        self._role = role
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - for as long as the process
        self._process = subprocess.Popen(  # noqa: S603 - one of our own modules, no shell
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            # Ctrl-C is for the bench alone, which then ends its processes.
            start_new_session=True,
        )
        assert self._process.stdin is not None  # noqa: S101 - both are pipes
        assert self._process.stdout is not None  # noqa: S101
        self._stdin, self._stdout = self._process.stdin, self._process.stdout
        # It answers nothing yet: two processes start at the same time.
        self._say({"sides": sides, "secrets": secrets.to_json()})

    def ask(self, command: str, **arguments: Any) -> Any:
        """Its answer to a command."""
        longest = arguments.get("seconds", 0.0) + _LONGEST
        late = threading.Event()

        def end() -> None:
            late.set()
            self._process.kill()

        watchdog = threading.Timer(longest, end)
        watchdog.start()
        try:
            self._say({"command": command, **arguments})
            line = self._stdout.readline()
        finally:
            watchdog.cancel()
        if late.is_set():
            raise Fault(f"the bench's {self._role} did not answer within {longest:g} s", _AGAIN)
        if not line:
            self._process.wait()
            self.check()
        return json.loads(line)["answer"]

    def check(self) -> None:
        """Raises `Fault` if it has ended."""
        code = self._process.poll()
        if code is None:
            return
        self._errors.seek(0)
        words = self._errors.read().strip().splitlines()
        last = f": {words[-1]}" if words else ""
        raise Fault(f"the bench's {self._role} ended with {code}{last}", _AGAIN)

    def _say(self, line: Mapping[str, Any]) -> None:
        with suppress(BrokenPipeError):  # that it has ended is found when it does not answer
            self._stdin.write(json.dumps(line) + "\n")
            self._stdin.flush()

    def close(self) -> None:
        """End it: a word first, then force."""
        try:
            with suppress(BrokenPipeError):
                self._stdin.close()
            self._process.wait(_STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        finally:
            self._stdout.close()
            self._errors.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Stage:
    """A server that listens on every side, and a client that connects to it."""

    def __init__(self, server: Process, client: Process, sides: Sequence[str]) -> None:
        self._server, self._client = server, client
        self._ports = {side: server.ask("listen", side=side) for side in sides}
        for side in sides:
            self._check_who(side)

    def load(self, command: str, side: str, **arguments: Any) -> Any:
        """What the client answers that did this on this side. Raises `Fault` when either process ends."""
        try:
            return self._client.ask(command, side=side, port=self._ports[side], **arguments)
        except Fault:
            self._server.check()  # whose end the client only noticed
            raise

    def server_memory(self) -> int:
        """Bytes of memory that the server process holds."""
        memory: int = self._server.ask("memory")
        return memory

    def cpu(self) -> float:
        """Seconds of the processor that both have taken."""
        took: float = self._server.ask("cpu") + self._client.ask("cpu")
        return took

    def _check_who(self, side: str) -> None:
        """Raises `Fault` unless both ends see whom this side promises: a bench of unverified peers would be none."""
        seen = self.load("who", side)
        wanted = {"server": SERVER * (side != PLAIN), "client": CLIENT * (side not in (PLAIN, TLS_SERVER_ONLY))}
        if seen != wanted:
            raise Fault(f"{side}: verification shows {seen}, {wanted} expected", "report it: nothing was measured")


@contextmanager
def stage(sides: Sequence[str], *, command: Sequence[str] = OURS) -> Iterator[Stage]:
    """The two processes, for as long as they are needed; `command` starts each of them."""
    secrets = Secrets.generate(sides)
    with (
        Process(SERVER, sides, secrets, command=command) as server,
        Process(CLIENT, sides, secrets, command=command) as client,
    ):
        yield Stage(server, client, sides)
