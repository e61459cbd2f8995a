"""Faults are data, and strike: each begins and ends in its time, also where several meet at one node."""

import json
from dataclasses import replace

import pytest

from p2pnoise.instant import SECOND
from p2pnoise.node import effects as io
from simulations import (
    ClockStep,
    Clog,
    Crash,
    DiskFault,
    Lag,
    Leave,
    Loss,
    Partition,
    Renew,
    Reset,
    Revoke,
    Rotate,
    ScheduleError,
    Slow,
    World,
)
from simulations.faults import KINDS, checked, fault_from
from simulations.striking import plan
from tests.simulations.puppets import Stage

EXAMPLES = (
    Partition(at=1, until=2, nodes=(1, 2), one_way=True),
    Clog(at=1, until=2.5, nodes=(1,)),
    Reset(at=1, nodes=(1,), chance=0.5),
    Crash(at=1, nodes=(1,), silent=True),
    Leave(at=1, nodes=(1,), until=4),
    Slow(at=1, until=2, nodes=(1,), bytes_per_second=8_000),
    Lag(at=1, until=2, nodes=(1,), seconds=0.5),
    Loss(at=1, until=2, share=0.1),
    ClockStep(at=1, nodes=(1,), seconds=-3600),
    DiskFault(at=1, nodes=(1,), how="torn"),
    Revoke(at=1, nodes=(1, 2), by=3),
    Renew(at=1, nodes=(1,)),
    Rotate(at=1, nodes=(1,)),
)


def test_there_is_an_example_of_every_kind():
    assert [type(one) for one in EXAMPLES] == list(KINDS.values())


@pytest.mark.parametrize("fault", EXAMPLES, ids=lambda fault: fault.kind)
def test_a_fault_is_the_same_when_it_was_saved(fault):
    assert fault_from(json.loads(json.dumps(fault.to_json()))) == fault


@pytest.mark.parametrize(
    "value",
    [
        None,
        {},
        {"kind": "meteor", "at": 1},
        {"kind": "crash", "at": 1},
        {"kind": "crash", "at": -1, "nodes": [1]},
        {"kind": "crash", "at": float("nan"), "nodes": [1]},
        {"kind": "crash", "at": 1, "nodes": [-1]},
        {"kind": "crash", "at": 1, "nodes": "12"},
        {"kind": "crash", "at": 1, "nodes": [1], "until": "never"},
        {"kind": "crash", "at": 1, "nodes": [1], "how": "torn"},
        {"kind": "loss", "at": 1, "until": 2, "share": 1.0},
        {"kind": "reset", "at": 1, "nodes": [1], "chance": 1.5},
        {"kind": "slow", "at": 1, "until": 2, "nodes": [1], "bytes_per_second": 0},
        {"kind": "disk", "at": 1, "nodes": [1], "how": "eaten"},
    ],
)
def test_what_no_world_can_do_is_said_to_be_so(value):
    with pytest.raises(ScheduleError):
        fault_from(value)


@pytest.fixture
def stage():
    return Stage(4)


def online(stage, seconds):
    """Whether node 1 runs, half a second after each of these."""
    answers = []
    for second in seconds:
        stage.run(second + 0.5)
        answers.append(stage.nodes[1].online)
    return answers


def test_a_crash_ends_a_node_until_it_is_over(stage):
    plan(stage.world, (Crash(at=2, until=4, nodes=(1,)),))
    assert online(stage, range(1, 6)) == [True, False, False, True, True]


def test_of_two_crashes_the_last_that_is_over_lets_it_start(stage):
    plan(
        stage.world,
        (Crash(at=1, until=4, nodes=(1,)), Crash(at=2, until=6, nodes=(1,)), Leave(at=3, nodes=(1,), until=5)),
    )
    assert online(stage, range(7)) == [True, False, False, False, False, False, True]


def test_who_is_down_for_good_is_not_woken_by_anything(stage):
    schedule = (
        Crash(at=1, nodes=(1,)),
        Rotate(at=2, nodes=(1,)),
        Renew(at=2, nodes=(1,)),
        Crash(at=2, until=3, nodes=(1,)),
        Leave(at=2, until=3, nodes=(1,)),
        DiskFault(at=2, until=3, nodes=(1,), how="full"),
        Reset(at=2, nodes=(1,)),
        ClockStep(at=2, nodes=(1,), seconds=5),
    )
    plan(stage.world, schedule)
    assert online(stage, range(5)) == [True, False, False, False, False]
    assert len(stage.nodes[1].citizen.cards) == 3  # what its owner did meanwhile stays done


def test_who_crashes_before_it_was_to_start_does_not_start_before_that_is_over():
    world = World(1)
    node = world.add(at=2 * SECOND)
    plan(world, (Crash(at=1, until=5, nodes=(0,)),))
    world.run(4 * SECOND)
    assert not node.online
    world.run(5 * SECOND)
    assert node.online


def test_a_fault_that_is_over_when_it_begins_leaves_nothing_behind(stage):
    plan(
        stage.world,
        (Partition(at=3, until=3, nodes=(1,)), Clog(at=3, until=1, nodes=(1,)), Crash(at=3, until=2, nodes=(1,))),
    )
    stage.run(4)
    assert not stage.world.lines.blocked(0, 1)
    assert stage.nodes[1].online


@pytest.mark.parametrize(
    "fault",
    [*(replace(one, nodes=(1, 4)) for one in EXAMPLES if one.nodes_hit), Revoke(at=1, nodes=(1,), by=4)],
    ids=lambda fault: fault.kind,
)
def test_a_fault_that_names_a_node_that_there_is_not_is_refused(fault):
    assert checked([fault], nodes=5) == (fault,)
    with pytest.raises(ScheduleError, match=r"there is no node 4: there are 4, counted from 0"):
        checked([fault], nodes=4)


@pytest.mark.parametrize("faults", [3, [3], [Crash(at=1, nodes=(1,)), "crash"]])
def test_what_is_no_list_of_faults_is_refused(faults):
    with pytest.raises(ScheduleError):
        checked(faults, nodes=4)


def test_a_node_that_leaves_is_told_to_and_gone_when_its_connections_are(stage):
    stage.connect(1, 2)
    plan(stage.world, (Leave(at=2, nodes=(1,)),))
    stage.run(3)
    assert stage.given(1, io.Stop) == [io.Stop()]
    connection = next(iter(stage.nodes[1].carriers))
    stage.do(1, io.Disconnect(connection))
    stage.run(3.5)
    assert not stage.nodes[1].online


def test_a_node_that_leaves_waits_for_its_peers_no_longer_than_it_may(stage):
    stage.connect(1, 2)
    plan(stage.world, (Leave(at=2, nodes=(1,)),))
    assert online(stage, [5, 7]) == [True, False]


def test_a_node_that_is_started_while_it_leaves_starts(stage):
    stage.connect(1, 2)
    boot = stage.nodes[1].boot
    plan(stage.world, (Leave(at=2, nodes=(1,), until=3),))
    assert online(stage, [3, 20]) == [True, True]
    assert stage.nodes[1].boot > boot


def test_a_reset_breaks_each_connection_with_its_chance_once():
    stage = Stage(8)
    for one in range(8):
        for other in range(one):
            stage.connect(one, other)
    now = stage.world.now / SECOND
    plan(stage.world, (Reset(at=now + 1, nodes=tuple(range(8)), chance=0.5),))
    stage.run(now + 2)
    broken = sum(len(stage.given(number, io.ConnectFailed)) for number in range(8))
    assert 2 * 7 <= broken <= 2 * 21  # of 28 half, at both ends
    left = sum(len(node.carriers) for node in stage.nodes)
    assert left + broken == 2 * 28


def test_a_list_is_handed_to_the_next_node_that_runs_and_counts(stage):
    schedule = (Crash(at=1, nodes=(1,)), Revoke(at=2, nodes=(2,), by=1), Revoke(at=3, nodes=(0,), by=1))
    plan(stage.world, schedule)
    stage.run(5)
    heard = {number: stage.given(number, io.FactOffered) for number in (0, 2, 3)}
    assert [len(one) for one in heard.values()] == [0, 0, 2]  # 2 is revoked by the very list
    assert [one.fact.sequence for one in heard[3]] == [2, 3]


def test_when_a_world_calms_down_nothing_more_goes_wrong_and_nobody_comes(stage):
    plan(
        stage.world,
        (
            Partition(at=1, until=9, nodes=(1,)),
            Crash(at=1, until=9, nodes=(2,)),
            Crash(at=5, nodes=(3,)),
            Loss(at=5, until=9, share=0.5),
        ),
    )
    stage.run(2)
    stage.world.calm_down()
    stage.run(20)
    assert not stage.world.lines.blocked(0, 1)
    assert [node.online for node in stage.nodes] == [True, True, False, True]
