"""The simulated world: seeded, in order, of virtual time only, and with hostile inhabitants where asked for."""

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cards import Address
from p2pnoise.config import Bootstrap
from p2pnoise.instant import SECOND
from p2pnoise.node import effects as io
from p2pnoise.node.link import MAX_UNDERWAY
from p2pnoise.node.streams import WINDOW
from simulations import NetworkLaw, Outcome, World, run
from simulations.nodes import honest

ROOT = Path(__file__).parents[2]
MOST = int(NetworkLaw().most * SECOND)


def small(seed=3):
    return run("cold-start", nodes=12, seed=seed)


@pytest.fixture(scope="module")
def outcome():
    return small()


def test_the_same_seed_gives_the_same_outcome_in_one_process(outcome):
    assert small() == outcome


def test_another_seed_gives_another_trace(outcome):
    assert small(4).trace_hash != outcome.trace_hash


@pytest.mark.parametrize("name", ["cold-start", "random-faults", "expiry"])
def test_what_the_nodes_remember_together_changes_nothing(name, monkeypatch):
    remembering = run(name, nodes=8, seed=3)
    monkeypatch.setattr("simulations.world.Memo", lambda **_given: None)
    assert run(name, nodes=8, seed=3) == remembering


@pytest.mark.parametrize("hash_seed", ["0", "1"])
def test_the_same_seed_gives_the_same_outcome_in_any_process(outcome, hash_seed):
    program = "from simulations import run; print(run('cold-start', nodes=12, seed=3).line())"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=os.environ | {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == outcome.line()


def test_a_run_touches_neither_the_clock_nor_the_systems_entropy(outcome, monkeypatch):
    def forbidden(*_args):
        raise AssertionError("the real world")

    for module, name in (
        (time, "time"),
        (time, "monotonic"),
        (time, "time_ns"),
        (time, "sleep"),
        (os, "urandom"),
        (random, "random"),
        (random, "choice"),
        (random, "randrange"),
    ):
        monkeypatch.setattr(module, name, forbidden)
    assert small() == outcome


def test_an_outcome_says_what_was_asked_and_what_came_of_it(outcome):
    assert outcome.ok
    assert (outcome.scenario, outcome.nodes, outcome.seed, outcome.fidelity) == ("cold-start", 12, 3, "bytes")
    assert 0 < outcome.metrics["converged_after"] < 30
    assert 0 < outcome.metrics["connected_after"] < 30
    assert 0 < outcome.metrics["bytes_per_node_median"] <= outcome.metrics["bytes_per_node_most"]
    assert outcome.metrics["deliveries"] > outcome.metrics["handshakes"] > 0
    assert len(outcome.samples["known_all_after"]) == 12
    assert outcome.events["listening"] == 12
    assert outcome.curves["informed"][-1][1] == 1
    assert len(outcome.trace_hash) == 32


def test_an_outcome_survives_its_line(outcome):
    assert Outcome.from_json(json.loads(outcome.line())) == outcome


@pytest.mark.parametrize("nodes", [1, 2, 30])
def test_any_number_of_nodes_converges(nodes):
    outcome = run("cold-start", nodes=nodes, seed=7)
    assert outcome.ok
    assert outcome.events["listening"] == nodes


def test_progress_is_told_now_and_then():
    told = []
    run("cold-start", nodes=3, seed=1, progress=lambda now, end: told.append((now, end)))
    assert {end for _, end in told} == {60}
    assert [now for now, _ in told] == sorted(now for now, _ in told)


@pytest.mark.long
def test_a_hundred_nodes_converge_and_cut_a_revoked_one_within_three_seconds():
    outcome = run("revocation", nodes=100, seed=1)
    assert outcome.ok
    assert outcome.metrics["cut_after"] < 3


# The world itself.


class Town:
    """A world of a few nodes of one issuer, each knowing the first."""

    def __init__(self, seed=1):
        self.world = World(seed)
        self.told = {}
        self.world.on_event.append(lambda node, event: self.told[node.number].append((self.world.now, event)))

    def add(self, *, around=None, bootstrap=None):
        """One more, who knows the first; its core may be wrapped, as those who mean no good are."""
        first = self.world.nodes[0] if self.world.nodes else None
        start = (Bootstrap(first.address, first.citizen.key.public),) if first else ()
        make = (lambda world, node: around(honest(world, node))) if around else None
        node = self.world.add(bootstrap=start if bootstrap is None else bootstrap, make=make)
        self.told[node.number] = []
        return node

    def converged(self, nodes):
        return all(
            len(node.table) == len(nodes) and all(peer.record is not None for peer in node.table) for node in nodes
        )


@pytest.fixture
def town():
    return Town()


def test_bytes_of_one_carrier_arrive_in_the_order_in_which_they_were_sent(town):
    class Listening:
        def __init__(self, core):
            self.core, self.taken, self.given = core, {}, {}

        def __getattr__(self, name):
            return getattr(self.core, name)

        def handle(self, given, now):
            if isinstance(given, io.BytesReceived):
                self.taken[given.connection] = self.taken.get(given.connection, b"") + given.data
            effects = self.core.handle(given, now)
            for effect in effects:
                if isinstance(effect, io.SendBytes):
                    self.given[effect.connection] = self.given.get(effect.connection, b"") + effect.data
            return effects

    one, other = town.add(around=Listening), town.add(around=Listening)
    town.world.run(30 * SECOND)
    assert town.converged([one, other])
    for mine, theirs in ((one, other), (other, one)):
        for connection, carrier in mine.carriers.items():
            sent = theirs.core.given[carrier.peer_connection]
            taken = mine.core.taken[connection]
            assert sent.startswith(taken)
            assert len(sent) - len(taken) < 2_000  # at most what is on its way


def test_a_dial_to_nobody_fails_after_a_while(town):
    ada = town.add(bootstrap=(Bootstrap(Address("10.9.9.9", 1)),))
    town.world.run(SECOND)
    when, failed = next((when, event) for when, event in town.told[ada.number] if event.kind == "dial-failed")
    dialled = next(when for when, event in town.told[ada.number] if event.kind == "dialling")
    assert failed.reason == "no route to host"
    assert when == dialled + 2 * MOST


def test_a_dial_to_a_node_that_is_down_fails(town):
    ada, bob = town.add(), town.add()
    town.world.alarm(0, lambda: town.world.kill(ada))
    town.world.run(SECOND)
    failed = [event for _, event in town.told[bob.number] if event.kind == "dial-failed"]
    assert {event.reason for event in failed} == {"connection refused"}


def test_a_node_that_goes_dark_is_lost_and_found_again(town):
    nodes = [town.add() for _ in range(4)]
    town.world.run(20 * SECOND)
    assert town.converged(nodes)
    town.world.kill(nodes[3], silent=True)
    town.world.run(80 * SECOND)
    assert any(event.kind == "peer-lost" for _, event in town.told[0])
    town.world.start(nodes[3])
    town.world.run(600 * SECOND)
    assert town.converged(nodes)


def test_a_stream_in_a_simulated_world_carries_more_than_is_ever_under_way(town):
    ada, bob = town.add(), town.add()
    town.world.run(20 * SECOND)
    town.world.schedule(1, io.StreamWanted(1, ada.node.node_id, "bulk"))
    town.world.run(21 * SECOND)
    ((connection, link),) = bob.node.links.all.items()
    before = bob.bytes_sent
    town.world.schedule(1, io.StreamWritten(connection, 1 if link.initiator else 2, bytes(WINDOW)))
    town.world.run(22 * SECOND)
    assert bob.bytes_sent - before > WINDOW > MAX_UNDERWAY


def test_the_world_may_be_run_in_pieces_of_any_size():
    hashes = []
    for step in (SECOND // 7, SECOND, 20 * SECOND):
        town = Town()
        for _ in range(4):
            town.add()
        now = 0
        while now < 20 * SECOND:
            now = min(now + step, 20 * SECOND)
            town.world.run(now)
        hashes.append(town.world.trace_hash)
    assert len(set(hashes)) == 1


def test_a_draw_for_one_concern_shifts_no_other():
    one, other = World(5), World(5)
    other.chance("something new").random()
    assert one.chance("latency").random() == other.chance("latency").random()
    assert one.entropy(1)(16) != one.entropy(2)(16)


class Vandal:
    """A node that answers every byte with garbage, and does as it likes with its own."""

    def __init__(self, core):
        self.core = core
        self.noise = random.Random(9)

    def __getattr__(self, name):
        return getattr(self.core, name)

    def handle(self, given, now):
        effects = []
        for effect in self.core.handle(given, now):
            if isinstance(effect, io.SendBytes) and self.noise.random() < 0.5:
                spoilt = bytearray(effect.data)
                spoilt[self.noise.randrange(len(spoilt))] ^= 1 << self.noise.randrange(8)
                effect = io.SendBytes(effect.connection, bytes(spoilt))  # noqa: PLW2901
            effects.append(effect)
            if isinstance(effect, io.SendBytes) and self.noise.random() < 0.2:
                effects.append(io.SendBytes(effect.connection, self.noise.randbytes(self.noise.randrange(2_000))))
        return effects


@pytest.mark.parametrize("seed", [1, 2])
def test_a_vandal_in_the_world_does_not_keep_the_others_from_converging(seed):
    town = Town(seed)
    nodes = [town.add() for _ in range(6)]
    vandal = town.add(around=Vandal)
    town.world.run(60 * SECOND)
    names = {node.node.node_id for node in nodes}
    for node in nodes:
        assert names <= {peer.node_id for peer in node.table if peer.record is not None}
        assert len(names.intersection(node.linked())) == 5
    assert vandal.bytes_sent > 0
