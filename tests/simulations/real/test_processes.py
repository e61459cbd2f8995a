"""Real processes: the network of a seed as processes with sockets, measured as simulated nodes are, and then gone."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cards import Address
from simulations import ScenarioError, find
from simulations.real import netns, processes
from simulations.real.plan import loopback, make_plan
from simulations.real.processes import run_processes
from simulations.real.simulated import simulate
from simulations.real.tun_relay import RelayLaw
from tests.patience import PATIENCE

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="real runs fork")

ROOT = Path(__file__).parents[3]
QUICK = {"start": 1.0, "settle": 4.0}


def fleets():
    """The processes of a fleet that are this one's, or nobody's any more; others may test beside us."""
    found = subprocess.run(["ps", "-eo", "pid,ppid,args"], capture_output=True, text=True, check=True).stdout
    lines = [line for line in found.splitlines() if "simulations.real.fleet" in line]
    return [line for line in lines if line.split()[1] in ("1", str(os.getpid()))]


@pytest.fixture(autouse=True)
def nothing_is_left():
    before = set(fleets())
    yield
    deadline = time.monotonic() + PATIENCE
    while set(fleets()) - before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not set(fleets()) - before


def test_processes_of_one_network_come_to_know_all_and_notice_who_was_killed():
    run = run_processes("like-reality", nodes=5, seed=1, parameters=QUICK)
    assert run.whole
    assert [one.number for one in run.figures] == [0, 1, 2, 3, 4]
    for one in run.figures:
        assert one.knew_all_after >= one.listening_after > 0
        assert one.bytes_sent > 0 < one.messages_sent
        assert 0 <= one.duplicates <= 1
        assert one.links > 0
    noticed = [one.noticed_after for one in run.figures if one.noticed_after is not None]
    assert 1 <= len(noticed) <= 4
    assert min(noticed) > 0
    assert min(run.round_trips) > 0
    assert run.cpu_seconds > 0


@pytest.mark.skipif(netns.impossible() is not None, reason=f"{netns.impossible()}")
def test_a_relay_between_namespaces_makes_lines_as_long_as_it_is_told():
    run = run_processes("like-reality", nodes=3, seed=1, parameters=QUICK, relay=RelayLaw(delay=0.05))
    assert run.whole
    assert min(run.round_trips) >= 0.1
    noticed = [one.noticed_after for one in run.figures if one.noticed_after is not None]
    assert min(noticed) >= 0.05


def test_a_plan_is_the_network_that_is_simulated_with_this_seed():
    from simulations import begin  # noqa: PLC0415

    addresses = loopback(6)
    plan = make_plan(find("like-reality").with_parameters({}), 6, 3, addresses)
    with begin("like-reality", nodes=6, seed=3) as running:
        nodes = running.world.nodes
    assert [one.key.public for one in plan.inhabitants] == [node.citizen.key.public for node in nodes]
    assert [one.card.identity for one in plan.inhabitants] == [node.citizen.card.identity for node in nodes]
    for one, node in zip(plan.inhabitants, nodes, strict=True):
        assert [known.node_id for known in one.config.bootstrap] == [known.node_id for known in node.config.bootstrap]
    assert plan.killed == running.schedule[0].nodes[0]
    assert plan.kill_at == running.schedule[0].at
    assert len(set(addresses)) == 6


@pytest.mark.parametrize("fidelity", ["bytes", "virtual"])
def test_simulated_nodes_are_measured_alike(fidelity):
    figures = simulate("like-reality", nodes=5, seed=1, parameters={"latency": 0.01, **QUICK}, fidelity=fidelity)
    assert [one.number for one in figures] == [0, 1, 2, 3, 4]
    for one in figures:
        assert one.knew_all_after > one.listening_after >= 0
        assert one.bytes_sent > 0 < one.messages_sent
        assert one.links > 0
    noticed = [one.noticed_after for one in figures if one.noticed_after is not None]
    assert noticed
    assert all(0.0099 < one < 0.1 for one in noticed)


def test_what_only_simulated_networks_can_be_is_refused():
    with pytest.raises(ScenarioError, match="one is killed"):
        run_processes("partition", nodes=4, seed=1, parameters={})
    with pytest.raises(ScenarioError, match="at most 200"):
        run_processes("like-reality", nodes=1_000, seed=1, parameters={})


def test_where_no_namespace_can_be_made_that_is_said(monkeypatch):
    monkeypatch.setattr(netns, "TUN", Path("/dev/net/none"))
    with pytest.raises(ScenarioError, match="no relay between namespaces: /dev/net/none is missing"):
        run_processes("like-reality", nodes=2, seed=1, parameters={}, relay=RelayLaw())


def test_a_run_that_fails_says_why(monkeypatch):
    monkeypatch.setattr(processes, "_check", lambda *_: None)  # which would have said so before
    with pytest.raises(ScenarioError, match=r"the real run of seed 1 failed: .*one is killed"):
        run_processes("partition", nodes=2, seed=1, parameters={})


@pytest.mark.parametrize(
    ("how", "together"),
    [(signal.SIGKILL, False), (signal.SIGTERM, False), (signal.SIGTERM, True), (signal.SIGINT, True)],
)
def test_whatever_ends_whoever_started_them_ends_all_processes(how, together, tmp_path):
    program = (
        "from simulations.real.processes import run_processes\n"
        "print('begun', flush=True)\n"
        "run_processes('like-reality', nodes=4, seed=1, parameters={'start': 1.0, 'settle': 60.0})\n"
    )
    one = subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert one.stdout.readline() == b"begun\n"
    deadline = time.monotonic() + PATIENCE
    while not list(tmp_path.glob("*/*.db")) and time.monotonic() < deadline:
        time.sleep(0.05)  # until the first node has its database
    assert list(tmp_path.glob("*/*.db"))
    os.killpg(one.pid, how) if together else one.send_signal(how)
    one.wait()
    one.stdout.close()
    while list(tmp_path.iterdir()) and time.monotonic() < deadline + PATIENCE:
        time.sleep(0.05)
    assert not list(tmp_path.iterdir())


def test_loopback_addresses_are_of_this_machine_and_different():
    addresses = loopback(300)
    assert len(set(addresses)) == 300
    assert all(isinstance(one, Address) and one.host.startswith("127.") for one in addresses)


def test_an_outcome_of_a_process_travels_as_json():
    run = simulate("like-reality", nodes=2, seed=1, parameters=QUICK, fidelity="bytes")
    assert json.loads(json.dumps([one.to_json() for one in run])) == [one.to_json() for one in run]
