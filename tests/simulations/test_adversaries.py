"""Inhabitants that mean no good: each does the harm that it is for, the others bear it, and two runs are the same."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from p2pnoise.instant import SECOND
from simulations import NoWorse, Outcome, ScenarioError, begin, find, run
from simulations.adversaries import KINDS
from simulations.adversaries.liar import GARBLED, garble
from simulations.checks_lies import Agreed, LiesEndLinks
from simulations.comparing import without_adversaries
from simulations.experiment import LOOK
from simulations.oracle import Lie
from simulations.world import World

ROOT = Path(__file__).parents[2]

SCENARIOS = {
    "forged-cards": {"links_ended_for_lies": 10, "signatures_failed": 10},
    "replay": {"replays": 10, "replayed_handshakes": 5},
    "equivocation": {"differed": 1},
    "stolen-card": {},
    "cloned-key": {},
    "rogue-issuer": {},
    "eclipse": {},
    "flooder": {"links_ended_for_lies": 5},
    "slowloris": {"strangers_most": 10, "strangers_given_up": 50},
    "selective-silence": {},
    "duplicate-connections": {"pairs_with_two_connections": 5},
    "mixed-versions": {"messages_ignored": 20, "frames_ignored": 20},
    "verification-cache": {"signatures_asked_on": 10},
}
"""With figures that are at least so high: that what the scenario is about was met."""


@pytest.mark.parametrize(("name", "met"), SCENARIOS.items(), ids=list(SCENARIOS))
def test_honest_nodes_bear_it(name, met):
    outcome = run(name, nodes=12, seed=1)
    assert outcome.ok, outcome.broken
    for metric, least in met.items():
        assert outcome.metrics[metric] >= least


def test_members_of_an_accepted_rogue_issuer_take_part():
    outcome = run("rogue-issuer", nodes=12, seed=1, parameters={"accepted": True})
    assert outcome.ok, outcome.broken


REPEATED = ["forged-cards", "flooder", "eclipse"]


@pytest.fixture(scope="module")
def outcomes():
    return [run(name, nodes=8, seed=3) for name in REPEATED]


@pytest.mark.parametrize("hash_seed", ["0", "1"])
def test_what_adversaries_do_is_the_same_in_any_process(outcomes, hash_seed):
    program = f"from simulations import run\nfor name in {REPEATED}: print(run(name, nodes=8, seed=3).line())"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=os.environ | {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert [Outcome.from_json(json.loads(line)) for line in done.stdout.splitlines()] == outcomes


def test_every_kind_lives_in_some_scenario():
    used = {kind for name in SCENARIOS for kind in find(name).make().adversaries}
    assert used | {"accepted-sybil"} == set(KINDS)


def test_the_oracle_knows_what_was_forged_and_never_takes_it_for_genuine():
    with begin("forged-cards", nodes=12, seed=2) as running:
        while not running.over:
            running.advance(running.now + 10**9)
        world = running.world
        assert {lie.kind for lie in world.oracle.lies if not lie.kind.startswith("garbled")} >= {"card", "record"}
        assert all(world.nodes[lie.node].kind == "liar" for lie in world.oracle.lies)
        owners = {bytes(citizen.identity.public) for citizen in world.oracle.citizens}
        assert {bytes(card.identity) for card in world.oracle.signed.values()} == owners


@pytest.mark.parametrize("kind", GARBLED)
def test_a_garbled_card_is_another_one(kind):
    world = World(1)
    world.add()
    raw = world.oracle.citizens[0].card.raw
    assert garble(raw, kind, world.chance("garble").randrange) != raw


def test_adversaries_that_never_come_are_what_a_run_is_compared_with():
    file = find("flooder")
    calm = replace(file, make=lambda **given: without_adversaries(file.make(**given)))
    with begin(calm, nodes=12, seed=1) as running:
        kinds = [node.kind for node in running.world.nodes]
        while not running.over:
            running.advance(running.now + SECOND)
            assert all(node.online == node.honest for node in running.world.nodes)
    assert "flooder" in kinds
    assert running.world.oracle.lies == []


def test_a_run_that_is_led_step_by_step_is_compared_in_the_end_too():
    with begin("flooder", nodes=12, seed=1) as running:
        while not running.over:
            running.advance(running.now + LOOK)
        outcome = running.outcome()
    assert outcome.line() == run("flooder", nodes=12, seed=1).line()
    assert outcome.checks[-1].name == "converged_after at most 2 times that without adversaries"
    assert outcome.checks[-1].holds


def test_a_run_that_is_twice_as_slow_as_without_adversaries_is_found(monkeypatch):
    calm = run("cold-start", nodes=3, seed=1)
    slow = Outcome.from_json(calm.to_json() | {"metrics": {"converged_after": calm.metrics["converged_after"] * 2.1}})
    never = Outcome.from_json(calm.to_json() | {"metrics": {"converged_after": None}})
    compares = NoWorse(metric="converged_after")
    assert compares.check(calm, calm).holds
    assert not compares.check(slow, calm).holds
    assert compares.check(slow, calm).decided
    for one, other in ((never, calm), (calm, never)):
        assert not compares.check(one, other).holds
        assert not compares.check(one, other).decided


def test_who_floods_too_much_is_found_beside_the_same_run_without():
    """Answers that are drawn without end are no news for a check of speed, but for one of bytes."""
    compares = NoWorse(metric="bytes_per_node_median", factor=1.01)
    outcome = run("flooder", nodes=12, seed=1)
    calm = run("cold-start", nodes=12, seed=1)
    assert not compares.check(outcome, calm).holds


def test_no_adversary_of_an_unknown_kind_is_let_in(tmp_path):
    path = tmp_path / "martian.py"
    path.write_text(
        '"""Who?"""\n\nfrom simulations import Scenario\n\n\n'
        'def scenario():\n    return Scenario(adversaries={"martian": 1})\n'
    )
    with pytest.raises(ScenarioError, match="no adversary of kind martian"):
        run(str(path), nodes=3)


def test_a_file_of_ones_own_may_have_adversaries_and_what_is_expected_of_them(tmp_path):
    path = tmp_path / "lies.toml"
    path.write_text(
        'question = "Are lies believed?"\nnodes = 8\nseconds = 30\nbegin_with = "first"\n'
        '[adversaries]\nliar = 2\n[[expects]]\nkind = "lies-end-links"\nleast = 3\n'
    )
    outcome = run(str(path), seed=1)
    assert outcome.ok, outcome.broken
    assert set(outcome.kinds.values()) == {"liar"}


@pytest.fixture
def villains():
    """An honest node, who is nobody's peer, and two that are not."""
    world = World(1)
    for kind in ("honest", "liar", "liar"):
        world.add(kind=kind)
    return world


@pytest.mark.parametrize(("to", "ended"), [(0, 1), (2, 0), (None, 0)])
def test_lies_that_end_links_are_those_that_honest_nodes_heard(villains, to, ended):
    villains.oracle.lies.append(Lie(0, 1, 7, to, "card", plain=True))
    watch = LiesEndLinks(within=0, least=1).watch(villains, ())
    watch.look()
    watch.finish()
    assert watch.metrics["links_ended_for_lies"] == ended
    assert watch.check.holds == bool(ended)


def test_where_there_was_nothing_to_agree_on_nobody_agreed(villains):
    villains.run(SECOND)
    watch = Agreed(kinds=("liar",), known=0, after=0).watch(villains, ())
    watch.look()
    watch.finish()
    assert watch.check.detail.startswith("there was nothing to agree on")
