"""The virtual world: the daemon's driver on lines of a world, through faults, and repeatable bit for bit."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from p2pnoise.instant import SECOND
from simulations import (
    ClockLaw,
    ClockStep,
    Clog,
    Connected,
    Converged,
    Crash,
    Cut,
    DiskFault,
    Lag,
    Leave,
    Loss,
    NetworkLaw,
    Partition,
    Renew,
    Reset,
    Revoke,
    Rotate,
    ScenarioError,
    Slow,
    all_scenarios,
    find,
    run,
)
from simulations.guard import RealWorldError
from tests.patience import PATIENCE

ROOT = Path(__file__).parents[3]
TURMOIL = (
    Partition(at=2, nodes=(1, 2), until=4, one_way=True),
    Reset(at=3, nodes=(0, 3)),
    Crash(at=5, nodes=(1,), until=7),
    Leave(at=6, nodes=(4,), until=9),
    Renew(at=8, nodes=(2,)),
    Revoke(at=10, nodes=(3,)),
)


def test_nodes_of_the_daemons_driver_find_and_know_each_other(ask):
    outcome = ask(expects=[Converged(within=30), Connected()])
    assert outcome.ok, outcome.broken
    assert outcome.fidelity == "virtual"
    assert outcome.events["listening"] == 5
    assert outcome.metrics["deliveries"] > outcome.metrics["handshakes"] > 0
    assert min(outcome.samples["bytes_sent"]) > 0 < min(outcome.samples["messages_sent"])
    assert outcome.versions["trio"] == trio.__version__


def test_the_bytes_world_does_the_same_without_the_driver(ask):
    """The same keys, lines and choices: what differs is whether the driver or the world carries out what cores want."""
    here, there = (ask(fidelity=one, nodes=12, expects=[Converged(within=30)]) for one in ("virtual", "bytes"))
    assert here.ok
    assert there.ok
    assert here.events == pytest.approx(there.events, rel=0.1)
    assert here.metrics["converged_after"] == pytest.approx(there.metrics["converged_after"], rel=0.1)
    for figure in ("bytes_sent", "messages_sent"):
        assert sum(here.samples[figure]) == pytest.approx(sum(there.samples[figure]), rel=0.1)


def _hold(name, seed):
    outcome = run(name, nodes=8, seed=seed, fidelity="virtual")
    assert outcome.ok, (seed, outcome.broken)


@pytest.mark.parametrize("name", ["cold-start", "crash-restart", "duplicate-connections", "revocation"])
def test_scenarios_that_ship_hold_at_this_fidelity(name):
    _hold(name, 2)


@pytest.mark.long
@pytest.mark.parametrize("name", [one.name for one in all_scenarios() if "virtual" in one.make().fidelities])
def test_all_scenarios_of_the_daemons_own_nodes_hold_at_this_fidelity(name):
    for seed in range(1, 6):
        _hold(name, seed)


# The same seed, the same bits.


def test_the_same_seed_gives_the_same_outcome_and_another_seed_another(ask):
    one, same, other = (ask(seed=seed, seconds=15, faults=lambda _: TURMOIL) for seed in (7, 7, 8))
    assert one == same
    assert one.trace_hash != other.trace_hash


@pytest.mark.long
def test_a_hundred_repeats_have_one_trace(ask):
    assert len({ask(nodes=6, seed=3, seconds=15, faults=lambda _: TURMOIL).trace_hash for _ in range(100)}) == 1


def test_processes_that_hash_differently_have_one_trace():
    program = "from simulations import run; print(run('revocation', nodes=5, fidelity='virtual').line())"
    lines = {
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=ROOT,
            env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
            timeout=PATIENCE,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(lines) == 1


def test_what_nodes_share_of_what_is_pure_changes_nothing(ask):
    hashes = set()
    for remember in (True, False):
        with ask(begun=True) as running:
            running.world.memo = running.world.memo if remember else None
            running.advance(8 * SECOND)
            hashes.add(running.world.trace_hash)
    assert len(hashes) == 1


def test_it_may_be_run_in_pieces_of_any_size(ask):
    hashes = set()
    for piece in (SECOND // 40, SECOND // 3, 5 * SECOND):
        with ask(begun=True, seconds=15, faults=lambda _: TURMOIL) as running:
            while running.now < 15 * SECOND:
                running.advance(running.now + piece)
            hashes.add(running.world.trace_hash)
    assert len(hashes) == 1


def test_a_world_rests_while_another_one_runs(ask):
    with ask(begun=True, seed=1) as one, ask(begun=True, seed=1) as other:
        for second in range(1, 6):
            one.advance(second * SECOND)
            other.advance(second * SECOND)
        assert one.world.trace_hash == other.world.trace_hash


async def test_a_world_runs_inside_a_run_of_trio(ask):
    begun = trio.current_time()
    assert ask(expects=[Converged(within=30)]).ok
    await trio.lowlevel.checkpoint()
    assert trio.current_time() - begun < 60  # its own clock, which no world has moved


# What goes wrong.


@pytest.mark.parametrize(
    "fault",
    [
        Partition(at=3, nodes=(1, 2), until=50),
        Partition(at=3, nodes=(1, 2), until=50, one_way=True),
        Clog(at=1, nodes=(3,), until=6),
        Reset(at=3, nodes=(0, 1, 2, 3)),
        Crash(at=3, nodes=(1, 3), until=20),
        Crash(at=3, nodes=(1, 3), until=60, silent=True),
        Leave(at=3, nodes=(1, 3), until=20),
        Lag(at=1, nodes=(2,), until=20, seconds=0.5),
        Loss(at=0, until=20, share=0.2),
        Slow(at=0, nodes=(3,), until=20, bytes_per_second=8_000),
        ClockStep(at=5, nodes=(2,), seconds=120),
        Renew(at=5, nodes=(2, 3)),
        Rotate(at=5, nodes=(2,)),
    ],
    ids=lambda fault: (
        f"{fault.kind}{'-silent' * getattr(fault, 'silent', False)}{'-one-way' * getattr(fault, 'one_way', False)}"
    ),
)
def test_after_a_fault_all_find_together_again(ask, fault):
    later = Renew(at=120, nodes=(0,))  # by then links stand again; the run lasts as long as something is to come
    outcome = ask(seconds=180, nodes=4, faults=lambda _: [fault, later], expects=[Converged(within=30), Connected()])
    assert outcome.ok, outcome.broken


def test_a_revoked_node_is_cut_off(ask):
    outcome = ask(seconds=40, faults=lambda _: [Revoke(at=20, nodes=(3,))], expects=[Cut(within=3)])
    assert outcome.ok, outcome.broken


def test_whoever_is_killed_is_missed_at_once_and_whoever_loses_power_after_a_ping(ask):
    def lost(*, silent):
        with ask(begun=True, nodes=3, faults=lambda _: [Crash(at=20, nodes=(2,), silent=silent)]) as running:
            heard = []
            running.world.on_event.append(lambda _, event: heard.append((running.now, event.kind)))
            running.advance(60 * SECOND)
        return min(time for time, kind in heard if kind == "peer-lost") / SECOND - 20

    assert lost(silent=False) < 1
    assert 10 <= lost(silent=True) < 30


def test_a_goodbye_is_no_loss_of_a_connection(ask):
    outcome = ask(nodes=3, seconds=30, faults=lambda _: [Leave(at=20, nodes=(2,))])
    assert outcome.ok
    assert "connection-failed" not in outcome.events


def test_a_node_that_starts_again_finds_what_its_disk_kept(ask):
    with ask(begun=True, faults=lambda _: [Crash(at=20, nodes=(2,), until=30)]) as running:
        running.advance(25 * SECOND)
        assert not running.world.nodes[2].online
        running.advance(30 * SECOND)
        running.advance(30 * SECOND + 1)
        assert running.world.nodes[2].known == 5


def test_disks_are_the_daemons_database_where_the_scenario_says_so(ask):
    outcome = ask(
        seconds=120,
        disks="files",
        faults=lambda _: [Crash(at=10, nodes=(1,), until=20)],
        expects=[Converged(within=90)],
    )
    assert outcome.ok, outcome.broken


def test_a_node_whose_disk_is_full_ends_and_the_others_go_on(ask):
    outcome = ask(
        seconds=90,
        disks="files",
        faults=lambda _: [DiskFault(at=5, nodes=(1,), how="full", until=30), Renew(at=6, nodes=(2,))],
        expects=[Converged(within=60)],
    )
    assert outcome.ok, outcome.broken


def test_clocks_may_be_wrong_and_lines_narrow_and_nodes_behind_a_nat(ask):
    outcome = ask(
        nodes=6,
        law=NetworkLaw(bytes_per_second=50_000, jitter=0.01, undialable=0.3),
        clocks=ClockLaw(skew=60),
        begin_with="first",
        expects=[Converged(within=50)],
    )
    assert outcome.ok, outcome.broken


def test_a_run_may_be_held_and_looked_into(ask):
    with ask(begun=True, faults=lambda _: [Clog(at=5, nodes=(1,), until=60)]) as running:
        running.advance(25 * SECOND)
        state = running.inspect(1)
        assert len(running.overview()) == 5
    assert state["online"]
    assert sum(one["held"] for one in state["connections"]) > 0


# What it refuses.


def test_a_version_of_trio_that_nobody_has_read_is_refused_with_a_sentence(ask, monkeypatch):
    monkeypatch.setattr(trio, "__version__", "0.99.0")
    with pytest.raises(ScenarioError, match=r"trio 0\.35\.0, and this is trio 0\.99\.0") as caught:
        ask()
    assert "pip install trio==0.35.0" in caught.value.hint


def test_what_it_cannot_run_it_refuses(ask):
    with pytest.raises(ScenarioError, match="at most 1000"):
        ask(nodes=1_001)
    with pytest.raises(ScenarioError, match="the daemon's own"):
        ask(adversaries={"liar": 1})
    with pytest.raises(ScenarioError, match="by one clock"):
        ask(clocks=ClockLaw(drift=10))
    assert "virtual" not in find("clocks").make().fidelities


def test_a_node_that_reaches_for_the_real_world_ends_the_run(ask, monkeypatch):
    from p2pnoise.node.driver import driver  # noqa: PLC0415

    real = driver.Driver._note_idle
    monkeypatch.setattr(driver.Driver, "_note_idle", lambda self: (os.urandom(1), real(self)))
    with pytest.raises(RealWorldError, match=r"os\.urandom"):
        ask(expects=[Converged(within=30)])


def test_trio_is_as_it_was_when_the_run_is_over(ask):
    from trio._core import _run  # noqa: PLC0415

    places = [
        (_run, "_r"),
        (_run, "_ALLOW_DETERMINISTIC_SCHEDULING"),
        (_run.CancelStatus, "__attrs_post_init__"),
        (_run.Deadlines, "add"),
    ]
    before = [vars(owner)[name] for owner, name in places]
    ask(seconds=5)
    with pytest.raises(KeyError), ask(begun=True) as running:  # noqa: PT012 - it is the block that is looked at
        running.advance(SECOND)
        raise KeyError
    assert all(vars(owner)[name] is value for (owner, name), value in zip(places, before, strict=True))
    assert trio.run(trio.sleep, 0) is None
