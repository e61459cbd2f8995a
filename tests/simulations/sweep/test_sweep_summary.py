"""Summaries: what many seeds found together."""

from simulations.sweep import Serial, sweep
from simulations.sweep.summary import Band
from tests.simulations.sweep.stand_in import tasks, work


def test_a_summary_names_the_seeds_that_broke_and_the_checks_that_did(tmp_path):
    found = sweep([*tasks(5), *tasks(2, raises="no")], engine=Serial(), folder=tmp_path, work=work)
    one, other = found.summaries
    assert not found.ok
    assert (one.seeds, one.held, one.broken) == (5, 3, [(2, ("odd seeds only",)), (4, ("odd seeds only",))])
    assert (other.seeds, other.held, other.failed) == (2, 0, [(1, "ValueError: no"), (2, "ValueError: no")])


def test_a_band_holds_nine_in_ten(tmp_path):
    assert Band.of(range(101)) == Band(5.0, 50, 95.0)
    assert Band.of([3]) == Band(3, 3, 3)
    assert Band.of([1, 2]) == Band(1.05, 1.5, 1.95)


def test_figures_that_there_are_none_of_are_left_out(tmp_path):
    (one,) = sweep(tasks(5), engine=Serial(), folder=tmp_path, work=work).summaries
    assert list(one.metrics) == ["converged_after"]
    values = sorted(work(task).metrics["converged_after"] for task in tasks(5))
    assert one.metrics["converged_after"].median == values[2]
