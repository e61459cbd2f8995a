"""`p2pnoise expose` and `forward` between two real daemons: HTTP, raw bytes, many at once, and the ends of each."""

import http.server
import json
import signal
import socket
import struct
import subprocess
import threading
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import pytest

from tests.cli.daemons import Daemons
from tests.cli.processes import COMMAND
from tests.patience import PATIENCE

LOCAL = "127.0.0.1"


class Holding:
    """A command that holds on until it is ended; what it says, a line each."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen(
            [*COMMAND, *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=-1, stderr=-1, text=True
        )

    def line(self):
        return self.process.stdout.readline().strip()

    def complaint(self):
        return self.process.stderr.readline().strip()

    def end(self, number=signal.SIGINT):
        self.process.send_signal(number)
        self.process.wait(PATIENCE)

    def close(self):
        if self.process.poll() is None:
            self.end()
        for pipe in (self.process.stdout, self.process.stderr):
            pipe.close()


@pytest.fixture(scope="module")
def daemons(tmp_path_factory):
    with Daemons(tmp_path_factory.mktemp("daemons")) as daemons:
        daemons.pair(groups=["staff"])
        yield daemons


@pytest.fixture
def hold():
    """Start commands; none outlives the test."""
    started = []

    def start(*arguments):
        started.append(Holding(*arguments))
        return started[-1]

    yield start
    for one in started:
        one.close()


@pytest.fixture
def join(daemons, hold):
    """Expose a port at bob's to the staff, of whom ada is, and forward it at hers; her port."""

    def join(port, *, groups=("--group", "staff")):
        exposed = hold("expose", "web", port, *groups, "--home", daemons.path / "bob", "--json")
        said = json.loads(exposed.line())
        assert (said["ok"], said["service"], said["to"]) == (True, "web", f"{LOCAL}:{port}")
        forwarded = hold("forward", "0", "bob:web", "--home", daemons.path / "ada", "--json")
        said = json.loads(forwarded.line())
        assert (said["ok"], said["peer"], said["service"]) == (True, "bob", "web")
        return int(said["listen"].rpartition(":")[2])

    return join


@contextmanager
def serving(serve):
    """A server that calls `serve(connection)` in a thread for each connection; its port."""
    with socket.create_server((LOCAL, 0), backlog=128) as listener:

        def accept():
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=serve, args=(connection,)).start()

        thread = threading.Thread(target=accept)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def free_port():
    """A port at which nobody listens."""
    with socket.create_server((LOCAL, 0)) as closed:
        return closed.getsockname()[1]


def connect(port):
    return socket.create_connection((LOCAL, port), timeout=PATIENCE)


def read_all(connection):
    return b"".join(iter(lambda: connection.recv(65536), b""))


def say_back(connection):
    """What was said, once all of it was."""
    with connection:
        connection.sendall(b"you said " + read_all(connection))


def break_off(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


# What goes through


def test_an_http_server_answers_a_client_at_another_node(join, tmp_path):
    (tmp_path / "hello.txt").write_text("hello from bob\n")
    (tmp_path / "large.bin").write_bytes(bytes(range(256)) * 8192)

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=tmp_path)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer((LOCAL, 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            here = f"http://{LOCAL}:{join(server.server_address[1])}"
            with urllib.request.urlopen(f"{here}/hello.txt", timeout=PATIENCE) as answer:
                assert answer.read() == b"hello from bob\n"
            with urllib.request.urlopen(f"{here}/large.bin", timeout=PATIENCE) as answer:
                assert answer.read() == bytes(range(256)) * 8192
        finally:
            server.shutdown()
            thread.join()


def test_raw_bytes_go_both_ways_with_half_close(join):
    with serving(say_back) as port, connect(join(port)) as client:
        client.sendall(bytes(range(256)) * 1000)
        client.shutdown(socket.SHUT_WR)
        assert read_all(client) == b"you said " + bytes(range(256)) * 1000


def test_64_connections_at_once(join):
    def talk(number):
        with connect(here) as client:
            ready.wait(PATIENCE)  # until all are connected
            client.sendall(b"%d" % number)
            client.shutdown(socket.SHUT_WR)
            return read_all(client)

    ready = threading.Barrier(64)
    with serving(say_back) as port, ThreadPoolExecutor(64) as pool:
        here = join(port)
        assert list(pool.map(talk, range(64))) == [b"you said %d" % number for number in range(64)]


def test_a_server_that_breaks_off_resets_the_client(join):
    def fail(connection):
        connection.recv(10)
        break_off(connection)

    with serving(fail) as port, connect(join(port)) as client:
        client.sendall(b"hello")
        with pytest.raises(ConnectionResetError):
            client.recv(10)


def test_a_client_that_breaks_off_resets_the_server(join):
    seen, outcome = threading.Event(), []

    def serve(connection):
        with connection:
            try:
                read_all(connection)
            except ConnectionResetError as error:
                outcome.append(error)
        seen.set()

    with serving(serve) as port:
        client = connect(join(port))
        client.sendall(b"half of i")
        break_off(client)
        assert seen.wait(PATIENCE)
        assert outcome


def test_what_node_toml_says_changes_while_connections_stand(daemons):
    """One that it names before and after goes on; one that it names no more is reset."""

    def take(name, text):
        (daemons.path / name / "node.toml").write_text(text)
        subprocess.run([*COMMAND, "reload", "--home", daemons.path / name], check=True, capture_output=True)

    def exposed(port, *services):
        return "".join(
            f'[[expose]]\nservice = "{one}"\nto = "{LOCAL}:{port}"\ngroups = ["staff"]\n' for one in services
        )

    def talk(client):
        client.sendall(b"hello")
        assert client.recv(10) == b"hello"

    def say_all(connection):
        with connection, suppress(ConnectionResetError):
            while data := connection.recv(10):
                connection.sendall(data)

    ports = [free_port(), free_port()]
    forwards = [f'[[forward]]\nlisten = "{LOCAL}:{ports[n]}"\nto = "bob:{name}"\n' for n, name in enumerate("ab")]
    with serving(say_all) as port:
        take("bob", exposed(port, "a", "b"))
        take("ada", "".join(forwards))
        with connect(ports[0]) as stays, connect(ports[1]) as goes:
            talk(stays)
            talk(goes)
            take("bob", exposed(port, "a", "c"))
            with pytest.raises(ConnectionResetError):
                goes.recv(10)
            talk(stays)
            take("ada", forwards[0])
            talk(stays)
            with pytest.raises(ConnectionRefusedError):
                connect(ports[1])
        for name in ("bob", "ada"):
            take(name, "")


# Who may, and what fails


def test_a_client_of_another_group_is_reset_and_the_command_says_why(daemons, hold):
    hold("expose", "web", 1, "--group", "admins", "--home", daemons.path / "bob").line()
    forwarded = hold("forward", "0", "bob:web", "--home", daemons.path / "ada")
    here = int(forwarded.line().split(":")[1].split()[0])
    with pytest.raises(ConnectionResetError), connect(here) as client:  # as early as while it connects
        client.recv(10)
    assert forwarded.complaint() == "a connection came to nothing: we are of no group that may use it"


def test_a_server_that_does_not_run_is_told_by_both_commands(daemons, hold):
    exposed = hold("expose", "web", free_port(), "--any", "--home", daemons.path / "bob", "--json")
    assert json.loads(exposed.line())["groups"] == ["*"]
    forwarded = hold("forward", "0", "bob:web", "--home", daemons.path / "ada", "--json")
    here = int(json.loads(forwarded.line())["listen"].rpartition(":")[2])
    with pytest.raises(ConnectionResetError), connect(here) as client:  # as early as while it connects
        client.recv(10)
    assert json.loads(exposed.line()) == {"failed": "connection refused"}
    assert json.loads(forwarded.line()) == {"failed": "it does not answer there"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_what_a_command_held_ends_with_it(daemons, hold, number):
    forwarded = hold("forward", "0", "bob:web", "--home", daemons.path / "ada", "--json")
    here = int(json.loads(forwarded.line())["listen"].rpartition(":")[2])
    forwarded.end(number)
    again = hold("forward", here, "bob:web", "--home", daemons.path / "ada", "--json")
    said = json.loads(again.line())
    assert said.get("listen") == f"{LOCAL}:{here}", said


def test_status_shows_what_is_exposed_and_forwarded(daemons, join):
    here = join(1)
    bob, ada = (
        subprocess.run([*COMMAND, "status", "--home", daemons.path / name], capture_output=True, text=True, check=True)
        for name in ("bob", "ada")
    )
    assert f"web exposed at {LOCAL}:1 for staff, 0 connections" in bob.stdout
    assert f"web of bob forwarded from {LOCAL}:{here}, 0 connections" in ada.stdout


def test_a_service_is_exposed_once(daemons, hold):
    hold("expose", "web", 1, "--any", "--home", daemons.path / "bob").line()
    second = hold("expose", "web", 2, "--any", "--home", daemons.path / "bob")
    assert second.complaint() == f"web is exposed already, at {LOCAL}:1"
    assert second.complaint() == "fix: choose another name, or end the other: p2pnoise status shows it"


def test_a_port_that_is_taken_is_named(daemons, hold):
    with socket.create_server((LOCAL, 0)) as taken:
        port = taken.getsockname()[1]
        forwarded = hold("forward", port, "bob:web", "--home", daemons.path / "ada")
        assert forwarded.complaint() == f"cannot listen on {LOCAL}:{port} for bob:web: address already in use"


def test_a_node_that_stops_ends_the_command(tmp_path, hold):
    with Daemons(tmp_path) as own:
        own.member("ada")
        ada = own.run("ada")
        forwarded = hold("forward", "0", "bob:web", "--home", ada.home)
        forwarded.line()
        assert ada.end(signal.SIGTERM)[0] == 0
        assert forwarded.process.wait(PATIENCE) == 1
        assert "stopped" in (said := forwarded.complaint()) or "went away" in said


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("verb", [["expose", "web", "80", "--any"], ["forward", "0", "bob:web"]])
def test_without_a_running_node_the_commands_say_so(place, verb):
    place.refuses(*verb, says="no node runs on", code=1)


@pytest.mark.parametrize(
    ("arguments", "says", "code"),
    [
        (["expose", "web", "80"], "'web' is exposed to nobody", 2),
        (["expose", "web", "80", "--any", "--group", "staff"], "all peers and certain groups", 2),
        (["expose", "Web", "80", "--any"], "service is 'Web'", 3),
        (["expose", "web", "80", "--group", "a b"], "group is 'a b'", 3),
        (["expose", "web", "0", "--any"], "port from 1 to 65535", 3),
        (["expose", "web", "\x1b[2J:80", "--any"], "has no valid host", 3),
        (["expose", "w" * 5000, "80", "--any"], "1 to 60 of", 3),
        (["forward", "0", "bob"], "'bob' is not PEER:SERVICE", 2),
        (["forward", "70000", "bob:web"], "port from 1 to 65535", 3),
        (["forward", "0", ":web"], "peer is ''", 3),
        (["forward", "0", "bob:\x1b[2J"], "service is", 3),
        (["forward", "0", "node1nonsense:web"], "node1", 3),
        (["forward"], "missing argument 'LOCAL'", 2),
        (["expose", "web"], "missing argument 'LOCAL'", 2),
    ],
)
def test_wrong_words_are_refused(place, arguments, says, code):
    place.refuses(*arguments, says=says, code=code)
