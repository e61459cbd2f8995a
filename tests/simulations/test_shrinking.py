"""Shrinking: what is left is what the failure needs, and no more plays are spent than allowed."""

from dataclasses import replace
from pathlib import Path

import pytest

from simulations import Crash, Loss, Partition, Reset, Revoke, mutations, run
from simulations.shrinking import Failing, as_test, shrink

FAULTS = (
    Loss(at=1, until=9, share=0.1),
    Crash(at=5, until=9, nodes=(1, 2, 7)),
    Reset(at=6, nodes=(3,)),
    Partition(at=7, until=20, nodes=(2, 4, 5)),
)
FAILING = Failing(
    scenario="partition",
    nodes=12,
    seed=7,
    fidelity="bytes",
    parameters={},
    schedule=FAULTS,
    seconds=60.0,
    check="one connected network",
)


def needs(candidate):
    """Goes wrong where node 2 crashes and is cut off, among five nodes or more, in 21 seconds or more."""
    hit = {fault.kind: fault.nodes_hit for fault in candidate.schedule}
    both = 2 in hit.get("crash", ()) and 2 in hit.get("partition", ())
    return both and candidate.nodes >= 5 and candidate.seconds >= 21


def test_faults_then_whom_they_meet_then_nodes_then_time_are_left_out():
    small = shrink(FAILING, fails=needs)
    assert [fault.kind for fault in small.schedule] == ["crash", "partition"]
    assert [fault.nodes_hit for fault in small.schedule] == [(2,), (2,)]
    assert small.nodes == 5
    assert 21 <= small.seconds < 21.2
    assert (small.seed, small.check) == (FAILING.seed, FAILING.check)


def test_what_cannot_be_made_smaller_stays_as_it_is():
    assert shrink(FAILING, fails=lambda candidate: candidate == FAILING) == FAILING


def test_no_more_is_played_than_allowed():
    played = []
    shrink(FAILING, fails=lambda candidate: bool(played.append(candidate)) or needs(candidate), most=7)
    assert len(played) == 7


def test_with_fewer_nodes_no_fault_names_one_that_is_gone():
    small = shrink(FAILING, fails=lambda candidate: len(candidate.schedule) == 4 or candidate.nodes >= 3)
    assert all(node < small.nodes for fault in small.schedule for node in fault.nodes_hit)


def test_with_fewer_nodes_the_first_does_what_one_that_is_gone_would():
    revoked = replace(FAILING, schedule=(Revoke(at=1, nodes=(1,), by=9),))
    small = shrink(revoked, fails=lambda candidate: bool(candidate.schedule) and candidate.nodes >= 3)
    assert (small.nodes, small.schedule) == (3, (Revoke(at=1, nodes=(1,), by=0),))


def test_what_goes_wrong_only_because_time_was_too_short_is_another_fault():
    run_over = replace(
        FAILING, scenario="cold-start", nodes=4, schedule=(), seconds=0.1, check="all know all within 4 s"
    )
    assert run_over.play().broken
    assert not run_over.fails


def test_what_is_left_becomes_a_test_that_says_all():
    names = {}
    exec(as_test(FAILING, Path()), names)  # it imports what it needs
    assert len(names["SCHEDULE"]) == 4
    with pytest.MonkeyPatch.context() as patch:
        asked = {}

        class Fine:
            broken = ()

        def played(name, **given):
            asked.update(given, name=name)
            return Fine

        patch.setitem(names, "run", played)
        names["test_one_connected_network"]()
    assert (asked["name"], asked["nodes"], asked["seed"], asked["seconds"]) == ("partition", 12, 7, 60.0)
    assert asked["schedule"] == [fault.to_json() for fault in FAULTS]


def test_the_test_of_a_fault_fails_until_that_is_mended():
    failing = replace(FAILING, scenario="rogue-issuer", nodes=6, schedule=(), check="")
    with mutations.applied(mutations.count_any_issuer):
        (check, *_) = run("rogue-issuer", nodes=6, seed=failing.seed).broken
        small = shrink(replace(failing, check=check.name), most=12)
        names = {}
        exec(as_test(small, Path()), names)
        (test,) = (one for name, one in names.items() if name.startswith("test_"))
        with pytest.raises(AssertionError):
            test()
    test()
