"""The report card of a fleet, in real processes: a hub that lets agents in by tokens and takes what they stream."""

import base64
import socket
import socketserver
import subprocess
import threading
import time
from collections import defaultdict
from contextlib import closing, contextmanager, suppress
from dataclasses import replace

import pytest

from cards import Address, IssuerKey
from p2pnoise.enrolment import JoinToken
from tests.cli.conftest import Place
from tests.cli.processes import Daemon, shifted
from tests.patience import PATIENCE

LOCAL = "127.0.0.1"
PACE = 0.05  # seconds between two lines of an agent
CONFIG = """listen = ["127.0.0.1:0"]
[enrol]
listen = "127.0.0.1:0"
issuer_home = "../issuer"
[[expose]]
service = "events"
to = "127.0.0.1:{port}"
groups = ["*"]
"""


class Sink(socketserver.ThreadingTCPServer):
    """Takes lines `name number`, and keeps the numbers by name, a list for each connection."""

    def __init__(self):
        self.heard, self.news = defaultdict(list), threading.Condition()
        super().__init__((LOCAL, 0), Connection)

    def wait(self, condition):
        with self.news:
            assert self.news.wait_for(lambda: condition(self.heard), PATIENCE), dict(self.heard)


class Connection(socketserver.StreamRequestHandler):
    def handle(self):
        numbers = None
        for line in self.rfile:
            name, number = line.split()
            with self.server.news:
                if numbers is None:
                    self.server.heard[name.decode()].append(numbers := [])
                numbers.append(int(number))
                self.server.news.notify_all()


class Fleet:
    """A hub with its issuer, and agents that joined by tokens and say lines to the hub's service."""

    def __init__(self, place, sink):
        self.place, self.sink = place, sink
        self.processes, self._speakers, self._silence = {}, [], threading.Event()
        self.issuer = place.make_issuer()
        place.member("hub", self.issuer)
        (place / "hub" / "node.toml").write_text(CONFIG.format(port=sink.server_address[1]))
        self.hub = self.run("hub")
        deadline = time.monotonic() + PATIENCE
        while place.run("join", "token", "-o", place / "first.token").exit_code:  # until its second port is open
            assert time.monotonic() < deadline

    def run(self, name):
        self.processes[name] = self.place.daemon(name)
        self.processes[name].wait("listening")
        return self.processes[name]

    def token(self, name):
        self.place.ok("join", "token", "--name", name, "-o", self.place / f"{name}.token", "--force")
        return self.place / f"{name}.token"

    def enrol(self, name):
        """From nothing to an agent that runs; the port that leads to the hub's service."""
        self.place.ok("join", "run", self.token(name), "--home", self.place / name)
        with closing(socket.create_server((LOCAL, 0))) as free:
            port = free.getsockname()[1]
        with (self.place / name / "node.toml").open("a") as config:
            config.write(f'[[forward]]\nlisten = "{LOCAL}:{port}"\nto = "hub:events"\n')
        self.run(name).wait("peer-verified", name="hub")
        return port

    def speak(self, name, port):
        """Have an agent say lines until all are silenced."""

        connection = connect(port)

        def say():
            with connection, suppress(OSError):
                number = 0
                while not self._silence.wait(PACE):
                    connection.sendall(b"%s %d\n" % (name.encode(), number))
                    number += 1

        self._speakers.append(threading.Thread(target=say))
        self._speakers[-1].start()

    def spoken(self, names, lines):
        """Wait until each of these has been heard so many times more."""
        before = {name: len(self.sink.heard[name][0]) if self.sink.heard[name] else 0 for name in names}
        self.sink.wait(lambda heard: all(heard[name] and len(heard[name][0]) >= before[name] + lines for name in names))

    def close(self):
        self._silence.set()
        for one in self._speakers:
            one.join()
        for process in self.processes.values():
            process.close()


def connect(port):
    """A connection to this port, which is about to be opened."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return socket.create_connection((LOCAL, port), PATIENCE)
        except ConnectionRefusedError:
            assert time.monotonic() < deadline


@contextmanager
def fleet_of(agents, path):
    with Sink() as sink:
        serving = threading.Thread(target=sink.serve_forever, args=(0.05,))
        serving.start()
        fleet = Fleet(Place(path), sink)
        try:
            ports = [fleet.enrol(f"agent-{number}") for number in range(agents)]
            for number, port in enumerate(ports):
                fleet.speak(f"agent-{number}", port)
            yield fleet
        finally:
            fleet.close()
            sink.shutdown()
            serving.join()


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    with fleet_of(3, tmp_path_factory.mktemp("fleet")) as fleet:
        yield fleet


# O1


def adds_one(fleet, agents):
    names = [f"agent-{number}" for number in range(agents)]
    fleet.spoken(names, 20)
    status = fleet.place.json("status", "--home", fleet.place / "hub")
    before = len(fleet.hub.events)  # a hub with neighbours enough has sent on who came before it had anything to say
    fleet.speak("newcomer", fleet.enrol("newcomer"))
    fleet.spoken([*names, "newcomer"], 20)
    after = fleet.place.json("status", "--home", fleet.place / "hub")
    assert (after["pid"], after["since"]) == (fleet.hub.process.pid, status["since"])
    lost = {event["name"] for event in fleet.hub.events[before:] if event["event"] == "peer-lost"}
    assert lost.isdisjoint(names)
    for name in [*names, "newcomer"]:
        (numbers,) = fleet.sink.heard[name]  # one connection, from the beginning
        assert numbers == list(range(len(numbers)))


def test_an_agent_that_is_enrolled_while_others_stream_disturbs_nobody(fleet):
    adds_one(fleet, 3)


@pytest.mark.long
def test_an_agent_that_is_enrolled_while_twenty_others_stream_disturbs_nobody(tmp_path):
    with fleet_of(20, tmp_path) as fleet:
        adds_one(fleet, 20)


# O3


def forms(key):
    """A private key as it could lie somewhere."""
    pem = b"".join(key.to_pem().splitlines()[1:-1])
    return {key._seed, key._seed.hex().encode(), base64.b64encode(key._seed).rstrip(b"="), pem}


def stored(*folders):
    """All bytes of these folders, of the databases that are in use among them."""
    return b"\n".join(path.read_bytes() for folder in folders for path in folder.rglob("*") if path.is_file())


def test_neither_the_hub_nor_an_agent_holds_a_private_key_of_another(fleet):
    place = fleet.place
    names = ["hub", *(f"agent-{number}" for number in range(3))]
    secrets = {name: set() for name in names}
    for name in names:
        identity, node = place.keys(place / name)
        for key in (identity, node):
            secrets[name] |= forms(key)
        secrets[name] |= {node.static, node.static.hex().encode()}
    secrets["issuer"] = forms(IssuerKey.from_pem((place.issuer / "issuer.key").read_bytes()))
    for holder in names:
        kept = stored(place / holder)
        assert b"SQLite format 3" in kept
        assert any(secret in kept for secret in secrets[holder])
        for other in secrets.keys() - {holder}:
            assert not any(secret in kept for secret in secrets[other]), (holder, other)
    enrolling = stored(place.issuer)  # what the hub's side keeps of those whom it let in
    assert not any(secret in enrolling for name in names for secret in secrets[name])


# O5


def test_an_impostor_with_the_hub_s_key_and_without_the_token_lets_nobody_in(fleet):
    place = fleet.place
    place.ok("issuer", "new", "evil", "--network", "example-net", "--issuer-home", place / "evil")
    place.ok("id", "new", "--home", place / "thief")
    (place / "thief" / "node.key").write_bytes((place / "hub" / "node.key").read_bytes())
    arguments = ("--home", place / "thief", "--issuer-home", place / "evil", "--listen", f"{LOCAL}:0")
    impostor = place.start("join", "serve", *arguments, stdout=-1, stderr=-1, text=True)
    try:
        address = next(line for line in impostor.stderr if line.startswith("at ")).split()[1]
        token = JoinToken.parse(fleet.token("victim").read_text().strip())
        led_astray = replace(token, addresses=(Address.parse(address),))
        (place / "victim.token").write_text(led_astray.to_text())
        result = place.run("join", "run", place / "victim.token", "--home", place / "victim", "--no-wait")
        assert result.exit_code
        assert "NOT JOINED" in result.stderr
        assert not {"card.pem", "policy.toml", "node.toml"} & set(place.snapshot(place / "victim"))
        assert token.proof not in stored(place / "evil")
    finally:
        impostor.kill()
        impostor.communicate()
    (place / "victim.token").write_text(token.to_text())
    assert place.run("join", "run", place / "victim.token", "--home", place / "victim").exit_code == 0


# O8


def test_a_device_whose_clock_says_1970_joins_and_is_linked(fleet):
    shift = 1_000 - int(time.time())
    home = fleet.place / "device"
    arguments = ["join", "run", str(fleet.token("device")), "--home", str(home)]
    joined = subprocess.run(
        [*shifted(shift), *arguments],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert joined.returncode == 0, joined.stderr
    device = Daemon(home, command=shifted(shift))
    try:
        assert device.wait("peer-verified", name="hub")["at"] < 2_000
        fleet.hub.wait("peer-verified", name="device")
        fleet.hub.wait("address-learned", node_id=device.node_id)
    finally:
        device.close()
