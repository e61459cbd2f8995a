"""`p2pnoise run` by its configuration: changes in force at once, SIGHUP, the end of a node, systemd, metrics."""

import json
import os
import signal
import socket
import socketserver
import threading
import time
import urllib.request
from contextlib import suppress

import pytest
from prometheus_client.parser import text_string_to_metric_families

from cards import NodeKey
from cli import control
from cli.folders import NodeFolder
from tests.cli.daemons import Daemons
from tests.patience import PATIENCE


@pytest.fixture
def daemons(tmp_path):
    with Daemons(tmp_path) as all_of_them:
        yield all_of_them


@pytest.fixture
def ada(daemons):
    """A running node that has a configuration, which says nothing."""
    home = daemons.member("ada")
    (home / "node.toml").write_text("")
    return daemons.run("ada")


def configure(daemon, text):
    """Write its configuration as an editor does."""
    new = daemon.home / "node.toml.new"
    new.write_text(text)
    new.replace(daemon.home / "node.toml")


def until(condition, what):
    """Wait for what no event tells of."""
    deadline = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < deadline, what
        time.sleep(0.02)
    return found


@pytest.fixture
def echo():
    """A server that says back what it hears; its address."""

    class Echo(socketserver.BaseRequestHandler):
        def handle(self):
            while data := self.request.recv(1000):
                self.request.sendall(data)

    socketserver.ThreadingTCPServer.allow_reuse_address = True
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Echo) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as one:
        return one.getsockname()[1]


def echoes(connection, data):
    connection.sendall(data)
    return connection.recv(1000) == data


# What is in force


def test_a_node_begins_by_the_file_in_its_folder(daemons):
    bob = daemons.run(daemons.member("bob").name)
    home = daemons.member("ada")
    (home / "node.toml").write_text(f'peers = ["{bob.bootstrap}"]\nadvertise = ["ada.example:7060"]\n')
    daemons.run("ada").wait("peer-verified", name="bob")
    bob.wait("address-learned", addresses=["ada.example:7060"])


def test_what_the_command_line_says_goes_before_the_file(daemons):
    bob = daemons.run(daemons.member("bob").name)
    home = daemons.member("ada")
    (home / "node.toml").write_text('listen = ["127.0.0.1:1"]\npeers = ["127.0.0.1:1"]\n')
    ada = daemons.run("ada", "--bootstrap", bob.bootstrap)  # and --listen
    ada.wait("peer-verified", name="bob")
    assert not ada.find("dialling", address="127.0.0.1:1")


def test_a_peer_that_is_added_is_linked_without_a_restart(daemons, ada):
    bob = daemons.run(daemons.member("bob").name)
    configure(ada, f'peers = ["{bob.bootstrap}"]')
    assert ada.wait("config-applied")["changed"] == ["peers"]
    ada.wait("peer-verified", name="bob")


def test_other_addresses_are_told_to_all_without_a_restart(daemons):
    ada, bob = daemons.pair()
    (ada.home / "node.toml").write_text('advertise = ["ada.example:7060"]')
    bob.wait("address-learned", addresses=["ada.example:7060"])
    configure(ada, "")
    bob.wait("address-learned", addresses=[ada.address])


def test_services_come_and_go_without_a_restart(daemons, echo):
    ada, bob = daemons.pair()
    (bob.home / "node.toml").write_text(f'[[expose]]\nservice = "echo"\nto = "{echo}"\ngroups = ["*"]')
    bob.wait("config-applied", changed=["expose"])
    port = free_port()
    (ada.home / "node.toml").write_text(f'[[forward]]\nlisten = "127.0.0.1:{port}"\nto = "bob:echo"')
    ada.wait("config-applied", changed=["forward"])
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as connection:
        assert echoes(connection, b"hello")
    configure(ada, "")
    until(lambda: connects(port) is False, "the listener is gone")


def connects(port):
    try:
        socket.create_connection(("127.0.0.1", port), PATIENCE).close()
    except ConnectionRefusedError:
        return False
    return True


def test_a_limit_is_in_force_without_a_restart(ada):
    configure(ada, "limits.max_links = 1\nlimits.target_links = 0")
    assert ada.wait("config-applied")["changed"] == ["limits.target_links", "limits.max_links"]
    host, port = ada.address.split(":")
    with socket.create_connection((host, int(port)), PATIENCE) as first:
        first.sendall(b"\x00")
        with socket.create_connection((host, int(port)), PATIENCE) as second:
            assert second.recv(1) == b""  # one too many


def test_another_form_of_the_log_is_in_force_without_a_restart(place, issuer):
    card = place.make_card()
    place.install(card, issuer)
    process = place.start("run", "--listen", "127.0.0.1:0", stdout=-1, text=True)
    lines = iter(process.stdout.readline, "")
    assert any("listening" in line for line in lines)
    (place.node / "node.toml").write_text('log.format = "json"')
    assert json.loads(next(lines))["event"] == "config-applied"
    process.terminate()
    assert [json.loads(line)["event"] for line in lines] == ["stopped"]
    assert process.wait(PATIENCE) == 0
    process.stdout.close()


def test_what_needs_a_restart_is_named_and_what_does_not_is_in_force(place, ada):
    configure(ada, 'limits.max_links = 9\n[metrics]\nlisten = "127.0.0.1:0"')
    applied = ada.wait("config-applied")
    assert (applied["changed"], applied["restart"]) == (["limits.max_links"], ["metrics.listen"])
    (warning,) = place.json("status", "--home", ada.home)["warnings"]
    assert warning == "metrics.listen of node.toml is not in force before a restart"
    configure(ada, "limits.max_links = 9")
    ada.wait("config-applied", changed=[], restart=[])


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        ("\n\nlissen = []", "line 3, column 1: the configuration has an unknown key 'lissen'; did you mean 'listen'?"),
        ("limits.max_links = 9\nlimits.max_links = 9", "line 2, column 21"),
        ("limits.max_links = 0", "line 1, column 1: limits.max_links is 0"),
        (None, "it is gone"),
    ],
)
def test_a_broken_file_is_named_and_changes_nothing_and_a_mended_one_is_in_force(daemons, ada, broken, says):
    configure(ada, f'peers = ["127.0.0.1:{free_port()}"]')
    ada.wait("config-applied", changed=["peers"])
    pid = ada.process.pid
    if broken is None:
        (ada.home / "node.toml").unlink()
    else:
        configure(ada, broken)
    assert says in ada.wait("file-rejected", file="node.toml")["reason"]
    bob = daemons.run(daemons.member("bob").name)
    configure(ada, f'peers = ["{bob.bootstrap}"]')
    ada.wait("peer-verified", name="bob")
    assert (ada.process.poll(), ada.process.pid) == (None, pid)


def test_a_service_that_cannot_be_had_changes_nothing_else_either(ada):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        configure(ada, f'limits.max_links = 9\n[[forward]]\nlisten = "127.0.0.1:{port}"\nto = "bob:web"')
        assert "in use" in ada.wait("file-rejected", file="node.toml")["reason"]
    configure(ada, "limits.max_links = 9")
    assert ada.wait("config-applied")["changed"] == ["limits.max_links"]


def test_a_hangup_takes_up_what_changed_and_names_again_what_is_broken(ada):
    configure(ada, "lissen = []")
    ada.wait("file-rejected", file="node.toml")
    ada.process.send_signal(signal.SIGHUP)
    until(lambda: sum(event["event"] == "file-rejected" for event in ada.events) >= 2, ada.events)
    configure(ada, "limits.max_links = 9")
    ada.process.send_signal(signal.SIGHUP)
    ada.wait("config-applied")
    assert ada.process.poll() is None
    assert ada.end(signal.SIGTERM)[0] == 0


# Another node key


def put(daemon, name, content):
    """Replace a file of its folder as an editor does; None removes it."""
    if content is None:
        (daemon.home / name).unlink()
        return
    new = daemon.home / f"{name}.new"
    new.write_bytes(content)
    new.replace(daemon.home / name)


def asked(daemon, verb, **arguments):
    """What the running node says; nothing while it has no control socket."""
    with suppress(control.NotRunning):
        return control.ask(NodeFolder(daemon.home), verb, **arguments)
    return {}


def change_key(daemons, daemon):
    """Put another node key and its card in place, as `card install` does; the new Node ID."""
    key = NodeKey.generate(os.urandom)
    put(daemon, "node.key", key.to_pem())
    daemons.install(daemon.home, daemons.issuer.card(daemon.home, "ada", sequence=2))
    return str(key.public)


@pytest.mark.parametrize(
    ("name", "broken"),
    [("policy.toml", b"network ="), ("bans.toml", b"nobody\n"), ("pins.toml", b"\xff"), ("bans.toml", None)],
)
def test_a_node_whose_next_one_could_not_begin_stays_what_it_is_until_it_can(daemons, ada, name, broken):
    before, pid = ada.node_id, ada.process.pid
    good = (ada.home / name).read_bytes() if (ada.home / name).exists() else b""
    put(ada, name, good + b"# changed\n")
    until(lambda: asked(ada, "reload", since=0), "the file counts as seen")
    put(ada, name, broken)
    ada.wait("file-rejected", file=name)
    node_id = change_key(daemons, ada)
    assert f"until {name} can be used" in ada.wait("file-rejected", file="card.pem")["reason"]
    assert ada.find("listening", node_id=node_id) is None
    assert asked(ada, "status")["node_id"] == before
    put(ada, name, good)
    ada.wait("listening", node_id=node_id)
    assert (ada.process.poll(), ada.process.pid) == (None, pid)


def test_a_broken_configuration_keeps_no_new_node_key_waiting(daemons, ada):
    configure(ada, "limits.max_links = 9")
    ada.wait("config-applied")
    configure(ada, "lissen = []")
    ada.wait("file-rejected", file="node.toml")
    node_id = change_key(daemons, ada)
    ada.wait("listening", node_id=node_id)
    until(lambda: sum(event["event"] == "file-rejected" for event in ada.events) >= 2, ada.events)
    assert until(lambda: asked(ada, "status").get("node_id"), "its socket is back") == node_id
    assert ada.process.poll() is None


# What it needs


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("content", "says", "code"),
    [
        (b"lissen = []", "line 1, column 1", 3),
        (b"\xff", "byte 0 is not UTF-8", 3),
        (b"# " + b"x" * 1024 * 1024, "more than 65536 bytes", 3),
        (b'[metrics]\nlisten = "192.0.2.1:1"', "cannot listen on 192.0.2.1:1 for metrics", 1),
        (b'[[forward]]\nlisten = "192.0.2.1:1"\nto = "bob:web"', "192.0.2.1:1", 1),
    ],
)
def test_a_configuration_that_cannot_be_used_is_named_before_anything_runs(place, content, says, code):
    (place / "some.toml").write_bytes(content)
    result = place.shell("run", "--listen", "127.0.0.1:0", "--config", place / "some.toml")
    assert result.returncode == code
    assert says in result.stderr.splitlines()[0]
    assert "fix: " in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.usefixtures("installed")
def test_a_configuration_that_is_named_must_be_there(place):
    place.refuses("run", "--config", place / "gone.toml", says="gone.toml does not exist", code=1)


# How it ends


@pytest.fixture
def joined(daemons, echo, request):
    """Ada and bob, and a connection through ada to what bob exposes; a parameter is bob's `stop_timeout`."""
    bob_home, ada_home, port = daemons.member("bob"), daemons.member("ada"), free_port()
    stop = getattr(request, "param", 4 * PATIENCE)
    expose = f'stop_timeout = {stop}\n[[expose]]\nservice = "echo"\nto = "{echo}"\ngroups = ["*"]'
    (bob_home / "node.toml").write_text(expose)
    (ada_home / "node.toml").write_text(f'[[forward]]\nlisten = "127.0.0.1:{port}"\nto = "bob:echo"')
    bob = daemons.run("bob")
    ada = daemons.run("ada", "--bootstrap", bob.bootstrap)
    ada.wait("peer-verified", name="bob")
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as connection:
        connection.settimeout(PATIENCE)
        assert echoes(connection, b"hello")
        yield ada, bob, connection, port


def is_turned_away(port):
    """Whoever comes now gets no connection."""

    def told(word):
        with socket.create_connection(("127.0.0.1", port), PATIENCE) as late:
            late.settimeout(PATIENCE)
            try:
                late.sendall(word)
                return late.recv(len(word))
            except ConnectionError:
                return b""

    until(lambda: told(b"late") == b"", "the word to stop is heard")


def test_a_node_that_is_told_to_stop_finishes_what_it_serves_and_begins_nothing_new(joined):
    ada, bob, connection, port = joined
    bob.process.send_signal(signal.SIGTERM)
    is_turned_away(port)
    assert bob.process.poll() is None
    assert echoes(connection, b"still there")
    connection.close()
    assert bob.process.wait(PATIENCE) == 0
    assert bob.find("stopped")
    assert ada.wait("peer-lost", name="bob")["reason"] == "closed by the peer"


@pytest.mark.parametrize("joined", [6], indirect=True, ids=["short"])
def test_a_node_that_is_told_to_stop_stops_in_time_whatever_is_open(joined):
    _, bob, connection, _ = joined
    begun = time.monotonic()
    bob.process.send_signal(signal.SIGTERM)
    assert bob.process.wait(PATIENCE) == 0
    assert time.monotonic() - begun >= 3  # half of stop_timeout for what was open
    with pytest.raises((ConnectionResetError, AssertionError)):
        assert echoes(connection, b"gone")


def test_a_second_signal_ends_what_is_being_served(joined):
    """Long before half of its `stop_timeout` is over."""
    _, bob, _, port = joined
    bob.process.send_signal(signal.SIGTERM)
    is_turned_away(port)  # so it has heard the first one
    bob.process.send_signal(signal.SIGTERM)
    assert bob.process.wait(PATIENCE) == 0


# systemd


@pytest.fixture
def manager(tmp_path, monkeypatch):
    """What a service manager hears from now on."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(str(tmp_path / "notify"))
        heard.settimeout(PATIENCE)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "1000000")  # a socket holds some ten words that nobody reads

        def wait(word):
            while word not in (lines := heard.recv(4096).decode().split("\n")):
                pass
            return lines

        yield wait


def test_systemd_hears_that_it_is_ready_lives_reloads_and_stops(manager, daemons):
    daemons.member("ada")
    ada = daemons.run("ada")
    assert any(line.startswith("STATUS=ada/") or ada.address in line for line in manager("READY=1"))
    manager("WATCHDOG=1")
    ada.process.send_signal(signal.SIGHUP)
    assert any(line.startswith("MONOTONIC_USEC=") for line in manager("RELOADING=1"))
    manager("READY=1")
    ada.process.send_signal(signal.SIGTERM)
    manager("STOPPING=1")
    assert ada.process.wait(PATIENCE) == 0


# Metrics and logs


def test_metrics_are_those_of_the_running_node(daemons):
    bob_home, port = daemons.member("bob"), free_port()
    (bob_home / "node.toml").write_text(f'[metrics]\nlisten = "127.0.0.1:{port}"')
    bob = daemons.run("bob")
    daemons.member("ada")
    ada = daemons.run("ada", "--bootstrap", bob.bootstrap)
    bob.wait("peer-verified", name="ada")
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=PATIENCE) as response:
        families = {one.name: one for one in text_string_to_metric_families(response.read().decode())}
    (peers,) = families["p2pnoise_verified_peers"].samples
    assert peers.value == 1
    kinds = {one.labels["kind"]: one.value for one in families["p2pnoise_events"].samples if "kind" in one.labels}
    assert kinds["peer-verified"] == 1
    assert families["process_resident_memory_bytes"].samples
    assert ada.end(signal.SIGTERM)[0] == 0
    assert bob.end(signal.SIGTERM)[0] == 0


def test_a_scanner_takes_a_few_lines_and_no_more(daemons):
    daemons.member("ada")
    (daemons.path / "ada" / "node.toml").write_text("log.repeat = 2")
    ada = daemons.run("ada")
    host, port = ada.address.split(":")
    for number in range(300):
        with socket.create_connection((host, int(port)), PATIENCE) as junk:
            junk.sendall(os.urandom(20 + number % 7))
    more = until(lambda: [event for event in ada.events if event.get("more", 0) > 100], "a count")
    assert more[0]["event"] in ("connection-failed", "others")
    assert len(ada.events) < 60
