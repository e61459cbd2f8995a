"""The simulated world: seeded, in order, of virtual time only, and with hostile inhabitants where asked for."""

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cards import Address, IdentityKey, IssuerKey, NodeKey, Policy, grant, make_card, make_list
from p2pnoise.config import Bootstrap, NodeConfig
from p2pnoise.instant import SECOND
from p2pnoise.node import effects as io
from p2pnoise.node.link import MAX_UNDERWAY
from p2pnoise.node.streams import WINDOW
from simulations import Report, Scenario, World, run
from simulations.world import LATENCY, START

ROOT = Path(__file__).parents[2]
SMALL = Scenario(nodes=12, seed=3)


@pytest.fixture(scope="module")
def small():
    return run(SMALL)


def test_the_same_seed_gives_the_same_report_in_one_process(small):
    assert run(SMALL) == small


def test_another_seed_gives_another_trace(small):
    assert run(Scenario(nodes=12, seed=4)).trace_hash != small.trace_hash


def test_what_the_nodes_remember_together_changes_nothing(small, monkeypatch):
    monkeypatch.setattr("simulations.world.Memo", lambda **_limit: None)
    assert run(SMALL) == small


@pytest.mark.parametrize("hash_seed", ["0", "1"])
def test_the_same_seed_gives_the_same_report_in_any_process(small, hash_seed):
    program = "from simulations import Scenario, run; print(run(Scenario(nodes=12, seed=3)))"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=os.environ | {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == repr(small)


def test_a_run_touches_neither_the_clock_nor_the_systems_entropy(small, monkeypatch):
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
    assert run(SMALL) == small


def test_a_report_says_what_was_asked_and_what_came_of_it(small):
    assert small.ok
    assert (small.nodes, small.seed) == (12, 3)
    assert 0 < small.converged_after < 120
    assert 0 < small.revoked_cut_after < 5
    assert 0 < small.bytes_per_node_median <= small.bytes_per_node_max
    assert small.links_per_node_median > 0
    assert small.deliveries > small.handshakes > 0
    assert small.events["listening"] == 12
    assert small.events["list-applied"] >= 11
    assert len(small.trace_hash) == 32
    assert small.to_json()["ok"] is True
    assert set(small.to_json()) == {"ok", *Report.__dataclass_fields__}


@pytest.mark.parametrize("nodes", [1, 2, 30])
def test_any_number_of_nodes_converges(nodes):
    report = run(Scenario(nodes=nodes, seed=7))
    assert report.ok
    assert report.events["listening"] == nodes


def test_a_question_without_an_answer_is_given_up():
    report = run(Scenario(nodes=5, seed=1, limit=0.01))
    assert not report.ok
    assert report.converged_after is None
    assert report.revoked_cut_after is None


def test_progress_is_told_now_and_then():
    told = []
    run(Scenario(nodes=3, seed=1), progress=lambda now, done: told.append((now, done)))
    assert told[0] == (0, 0)
    assert max(done for _, done in told) == 3
    assert [now for now, _ in told] == sorted(now for now, _ in told)


@pytest.mark.long
def test_a_hundred_nodes_converge_and_cut_a_revoked_one_within_a_second():
    report = run(Scenario(nodes=100, seed=1))
    assert report.ok
    assert report.converged_after < 60
    assert report.revoked_cut_after < 1


# The world itself.


class Town:
    """A world of a few nodes of one issuer, each knowing the first."""

    def __init__(self, seed=1):
        self.world = World(seed)
        self.issuer = IssuerKey.generate(self.world.entropy("issuer"))
        self.policy = Policy(network="simulated", issuers={"sim": self.issuer.public})
        self.lists = (make_list(self.issuer, network="simulated", sequence=1, now=START),)

    def add(self, *, core=None, known=True):
        number = len(self.world.nodes)
        entropy = self.world.entropy("keys", number)
        key = NodeKey.generate(entropy)
        card = make_card(IdentityKey.generate(entropy), key, network="simulated", now=START)
        first = self.world.nodes[0] if self.world.nodes and known else None
        start = (Bootstrap(first.address, first.core.node_id),) if first else ()
        self.world.add(
            key=key,
            card=grant(self.issuer, card, serial=number + 1, now=START, entropy=entropy),
            policy=self.policy,
            config=NodeConfig(bootstrap=start),
            address=Address(f"10.0.0.{number}", 7060),
            lists=self.lists,
        )
        node = self.world.nodes[number]
        if core is not None:
            node.core = core(node.core)
        return node

    def converged(self, nodes):
        return all(
            len(node.core.table) == len(nodes) and all(peer.record is not None for peer in node.core.table)
            for node in nodes
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

    one, other = town.add(core=Listening), town.add(core=Listening)
    town.world.run(30 * SECOND)
    assert town.converged([one, other])
    for mine, theirs in ((one, other), (other, one)):
        for connection, carrier in mine.carriers.items():
            sent = theirs.core.given[carrier.peer_connection]
            taken = mine.core.taken[connection]
            assert sent.startswith(taken)
            assert len(sent) - len(taken) < 2_000  # at most what is on its way


def test_a_dial_to_nobody_fails_after_a_while(town):
    ada = town.add()
    town.world.nodes[0].core._dialler._config = NodeConfig(bootstrap=(Bootstrap(Address("10.9.9.9", 1)),))
    town.world.run(SECOND)
    (failed, *_) = [event for _, event in ada.events if event.kind == "dial-failed"]
    dialled = next(time for time, event in ada.events if event.kind == "dialling")
    assert failed.reason == "connection refused"
    assert next(time for time, event in ada.events if event.kind == "dial-failed") == dialled + 2 * LATENCY[1]


def test_a_dial_to_a_node_that_is_down_fails(town):
    ada = town.add()
    ada.online = False
    bob = town.add()
    town.world.run(SECOND)
    assert {event.reason for _, event in bob.events if event.kind == "dial-failed"} == {"connection refused"}


def test_a_node_that_goes_dark_is_lost_and_found_again(town):
    nodes = [town.add() for _ in range(4)]
    town.world.run(20 * SECOND)
    assert town.converged(nodes)
    nodes[3].online = False
    town.world.run(80 * SECOND)
    assert any(event.kind == "peer-lost" for _, event in nodes[0].events)
    nodes[3].online = True
    town.world.schedule(3, io.Tick())
    town.world.run(600 * SECOND)
    assert town.converged(nodes)


def test_a_stream_in_a_simulated_world_carries_more_than_is_ever_under_way(town):
    ada, bob = town.add(), town.add()
    town.world.run(20 * SECOND)
    town.world.schedule(1, io.StreamWanted(1, ada.core.node_id, "bulk"))
    town.world.run(21 * SECOND)
    ((connection, link),) = bob.core.links.all.items()
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
    honest = [town.add() for _ in range(6)]
    vandal = town.add(core=Vandal)
    town.world.run(60 * SECOND)
    names = {node.core.node_id for node in honest}
    for node in honest:
        assert names <= {peer.node_id for peer in node.core.table if peer.record is not None}
        standing = {link.node_id for link in node.core.links.all.values() if link.counted_up}
        assert len(standing & names) == 5
    assert vandal.bytes_sent > 0
