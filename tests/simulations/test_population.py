"""Population: who lives in a network is drawn from the seed, each concern from a stream of its own."""

import pytest

from p2pnoise.instant import SECOND
from simulations import Crash, NetworkLaw, Scenario, Setting, World
from simulations.population import draw_schedule, settle


def places(nodes=100, seed=1, **named):
    return settle(Scenario(**named), nodes, World(seed).chance)


def test_the_same_seed_gives_the_same_people_and_another_gives_others():
    assert places() == places()
    assert places() != places(seed=2)


def test_the_first_starts_at_once_knows_nobody_is_honest_and_can_be_dialled():
    first, *others = places(law=NetworkLaw(undialable=0.99), adversaries={"liar": 0.99})
    assert (first.at, first.knows, first.kind, first.dialable) == (0, (), "honest", True)
    assert sum(one.dialable for one in others) < 10
    assert sum(one.kind == "liar" for one in others) == 99


def test_all_others_start_within_the_time_and_know_one_who_started_before():
    first, *others = places(start=3.0)
    assert all(0 <= one.at <= 3 * SECOND and len(one.knows) == 1 for one in others)
    assert max(one.at for one in others) > 2 * SECOND
    assert all(one.knows[0] < one.number for one in others)
    assert len({one.knows for one in others}) > 10
    del first


def test_with_begin_with_first_all_know_the_first():
    assert {one.knows for one in places(begin_with="first")[1:]} == {(0,)}


def test_what_one_concern_draws_shifts_no_other():
    plain, behind_nat = places(), places(law=NetworkLaw(undialable=0.5), adversaries={"liar": 3})
    assert [(one.at, one.knows) for one in plain] == [(one.at, one.knows) for one in behind_nat]


def test_a_share_of_nodes_is_never_nobody_and_never_the_first():
    setting = Setting(nodes=10, seconds=1, chance=World(1).chance("faults"))
    for share, count in ((0.01, 1), (0.5, 5), (1.0, 9)):
        for _ in range(50):
            some = setting.some(share)
            assert len(some) == count
            assert 0 not in some
    assert len(setting.some(1.0, but=())) == 10


@pytest.mark.parametrize("nodes", [1, 2])
def test_of_hardly_anybody_there_is_hardly_anybody_to_meet(nodes):
    setting = Setting(nodes=nodes, seconds=1, chance=World(1).chance("faults"))
    assert setting.some(0.5) == tuple(range(1, nodes))


def test_a_schedule_is_in_the_order_of_time():
    scenario = Scenario(faults=lambda _setting: [Crash(at=9, nodes=(1,)), Crash(at=3, nodes=(2,))])
    assert [one.at for one in draw_schedule(scenario, 5, World(1).chance)] == [3, 9]
