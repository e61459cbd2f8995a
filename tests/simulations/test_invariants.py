"""Invariants: each is broken by a node or a world that does what it says must never happen, and by nothing else."""

from types import SimpleNamespace

import pytest

from cards import make_record
from p2pnoise.config import Bootstrap, NodeConfig
from p2pnoise.gossip.effects import StorePeer
from p2pnoise.gossip.table import PeerTable
from p2pnoise.instant import SECOND
from p2pnoise.node import effects as io
from simulations import Clog, Crash, Leave, Partition, Scenario, World, begin, run
from simulations.experiment import LOOK
from simulations.invariants import Bounded, Calm, Clean, Genuine, Steady, Timely
from simulations.nodes import honest
from simulations.scenario import ScenarioFile


def file(scenario):
    return ScenarioFile(name="own", question="?", number=None, recorded="", parameters={}, make=lambda: scenario)


def broken(outcome):
    return [check.name.split()[0] for check in outcome.broken]


@pytest.fixture
def world():
    world = World(1)
    nodes = [world.add(), world.add()]
    world.run(SECOND)
    return world, nodes


@pytest.fixture
def linked():
    world = World(1)
    ada = world.add()
    bob = world.add(bootstrap=[Bootstrap(ada.address, ada.citizen.key.public)])
    world.run(5 * SECOND)
    return world, (ada, bob)


def stored(watch, node, card, record=None):
    """Have a watch hear that a node stored this card, and what it says of that."""
    content = SimpleNamespace(verdict=SimpleNamespace(ok=True), card=card, record=record)
    row = SimpleNamespace(content=content, card=card, grants={}, record=record)
    watch.stored(node, StorePeer(row))
    return watch.check


def test_s1_a_card_that_nobody_signed_is_noticed_when_it_is_stored(world):
    world, (ada, bob) = world
    watch = Genuine(world, ())
    assert stored(watch, ada, bob.citizen.card).holds
    del world.oracle.signed[bytes(bob.citizen.card.card_id)]
    assert "never signed" in stored(watch, ada, bob.citizen.card).detail


def test_s1_a_card_that_came_from_a_disk_is_noticed_when_the_run_is_over(world):
    world, (ada, _) = world
    watch = Genuine(world, ())
    watch.finish()
    assert watch.check.holds
    world.oracle.signed.clear()
    watch = Genuine(world, ())
    watch.finish()
    assert f"node {ada.number} took a card" in watch.check.detail


def test_s1_a_grant_that_no_issuer_signed_is_noticed(world):
    world, (ada, bob) = world
    world.oracle.granted.clear()
    peer = next(iter(ada.table))
    watch = Genuine(world, ())
    watch.stored(ada, StorePeer(peer))
    assert "no issuer signed" in watch.check.detail
    del bob


def test_s2_two_bodies_of_one_number_are_noticed(world):
    world, (ada, bob) = world
    first = bob.citizen.card
    bob.citizen.cards.clear()
    second = world.oracle.rotate(bob.citizen)
    assert first.sequence == second.sequence
    watch = Steady(world, ())
    assert stored(watch, ada, first).holds
    assert "two bodies" in stored(watch, ada, second).detail


def test_s3_a_number_that_goes_back_is_noticed_unless_the_database_was_lost(world):
    world, (ada, bob) = world
    first, second = bob.citizen.card, world.oracle.issue(bob.citizen)
    watch = Steady(world, ())
    assert stored(watch, ada, second).holds
    assert "number 1 of node-1" in stored(watch, ada, first).detail


def test_s2_two_address_records_of_one_number_are_noticed_whoever_takes_them(world):
    world, (ada, bob) = world
    watch = Steady(world, ())
    addresses = [str(bob.address)], [str(ada.address)]
    one, other = (
        make_record(bob.citizen.key, network="simulated", addresses=given, sequence=7, now=world.unix)
        for given in addresses
    )
    assert stored(watch, ada, bob.citizen.card, one).holds
    assert stored(watch, bob, bob.citizen.card, one).holds
    assert "second address record" in stored(watch, bob, bob.citizen.card, other).detail


def test_s4_more_links_than_there_may_be_are_noticed(linked):
    world, (_, bob) = linked
    bob.config = NodeConfig(max_links=0)
    watch = Bounded(world, ())
    watch.look()
    assert "links, at most 0" in watch.check.detail


def test_s5_a_core_that_raises_is_noticed_and_said(world):
    world, (ada, _) = world
    watch = Clean(world, ())
    world.on_failure.append(watch.failed)
    ada.core.handle = None
    world.schedule(0, io.Tick())
    ada.tick = world.now
    world.run(2 * SECOND)
    assert watch.check.detail.startswith("node 0: TypeError")


def test_s6_a_card_that_has_ended_is_noticed(monkeypatch):
    monkeypatch.setattr(PeerTable, "expire", lambda *_args: [])
    outcome = run(file(Scenario(seconds=30, lifetime=10, expects=[_Lasts()])), nodes=3)
    assert broken(outcome) == ["S6"]


class _Lasts:
    """Nothing, to the end of the run."""

    def watch(self, view, schedule):
        watch = Timely(view, schedule)
        watch.look = lambda: None
        watch.name, watch.settled = "lasts", False
        return watch


def test_s7_a_node_that_is_busy_without_end_is_noticed():
    watch_me = Scenario(seconds=30, expects=[_Lasts()])
    with begin(file(watch_me), nodes=2) as running:
        ada = running.world.nodes[0]
        while not running.over:
            running.advance(running.now + LOOK)
            ada.inputs += 200
        assert broken(running.outcome()) == ["S7"]


@pytest.mark.parametrize(("lasts", "inputs", "holds"), [(4, 20_001, False), (4, 20_000, True), (0.1, 5_000, True)])
def test_s7_what_is_left_of_a_run_is_judged_in_proportion_when_it_is_over(world, lasts, inputs, holds):
    world, (ada, _) = world
    watch = Calm(world, ())
    watch.look()
    world.now += int(lasts * SECOND)
    ada.inputs = inputs
    watch.look()
    assert watch.check.holds
    watch.finish()
    assert watch.check.holds == holds


def test_s7_time_that_goes_back_is_noticed(world):
    world, _ = world
    watch = Calm(world, ())
    watch.look()
    world.now -= 1
    watch.look()
    assert watch.check.detail == "time went back"


# The end of a run


def test_a_fault_that_outlasts_the_run_is_over_when_all_say_goodbye():
    schedule = (
        Partition(at=3, until=14, nodes=(1,)),
        Clog(at=3, until=12, nodes=(2,)),
        Crash(at=3, until=11, nodes=(3,)),
        Leave(at=9.9, until=10.1, nodes=(4,)),
        Crash(at=11, nodes=(0,)),
    )
    outcome = run(file(Scenario(seconds=10, expects=[_Lasts()])), nodes=6, schedule=schedule)
    assert outcome.ok


def test_who_says_goodbye_at_the_end_is_nobodys_loss():
    told = []

    class Told(_Lasts):
        def watch(self, view, schedule):
            watch = super().watch(view, schedule)
            watch.told = lambda _node, event: told.append(event.kind)
            return watch

    run(file(Scenario(seconds=10, expects=[Told()])), nodes=3)
    assert "peer-verified" in told
    assert "peer-lost" not in told


def test_s5_a_connection_that_is_left_over_when_all_have_said_goodbye_is_noticed(monkeypatch):
    def deaf(world, node):
        core = honest(world, node)
        handle = core.handle
        core.handle = lambda given, now: [] if isinstance(given, io.Stop) else handle(given, now)
        return core

    monkeypatch.setattr("simulations.byte_experiment.honest", deaf)
    outcome = run(file(Scenario(seconds=5, expects=[_Lasts()])), nodes=3)
    assert broken(outcome) == ["S5"]
    assert "connections" in outcome.broken[0].detail
