"""Epidemics: the arrays and the counts against nodes that are told one by one."""

import random
import statistics

import pytest

from simulations.model.epidemic import DEGREE, RUMOURS, Epidemic


def one_by_one(epidemic, seed):
    """The same in plain Python, contact by contact, as the first lines of the module say it."""
    chance = random.Random(seed)
    nodes, live = epidemic.nodes, epidemic.live
    given = [[chance.randrange(nodes) for _ in range(DEGREE)] for _ in range(nodes)]
    knows, counts = {0}, [1]
    while counts[-1] < live:
        learned = set()
        for node in range(live):
            for contact in range(epidemic.contacts):
                if epidemic.graph == "uniform":
                    other = (node + chance.randrange(1, nodes)) % nodes
                elif epidemic.contacts < DEGREE:
                    other = chance.choice(given[node])
                else:
                    other = given[node][contact]
                if other < live and chance.random() >= epidemic.loss and (node in knows) != (other in knows):
                    learned.add(other if node in knows else node)
        knows |= learned
        counts.append(len(knows))
    return counts


def mean_course(runs, rounds=12):
    return [statistics.mean(run[min(at, len(run) - 1)] for run in runs) for at in range(rounds)]


@pytest.mark.parametrize("graph", ["uniform", "neighbours"])
@pytest.mark.parametrize(
    "how", [{}, {"loss": 0.4}, {"dead": 0.3}, {"contacts": 3, "loss": 0.2}, {"contacts": 8, "loss": 0.7}]
)
def test_many_epidemics_take_the_course_of_nodes_that_are_told_one_by_one(graph, how):
    epidemic = Epidemic(nodes=60, graph=graph, **how)
    ours = mean_course([epidemic.run(seed, rounds=99) for seed in range(400)])
    theirs = mean_course([one_by_one(epidemic, seed) for seed in range(100)])
    together = mean_course([line for seed in range(8) for line in epidemic.together(seed, rounds=99).tolist()])
    for at, (one, other, bits) in enumerate(zip(ours, theirs, together, strict=True)):
        assert one == pytest.approx(other, abs=3.5), f"round {at}"  # of 60; a mean of 100 is known to some 1.5
        assert one == pytest.approx(bits, abs=3.5), f"round {at}, many things at once"


@pytest.mark.parametrize("graph", ["uniform", "neighbours"])
def test_the_same_seed_gives_the_same_counts_and_another_one_others(graph):
    epidemic = Epidemic(nodes=5000, graph=graph, loss=0.1)
    assert epidemic.run(1, rounds=99) == epidemic.run(1, rounds=99) != epidemic.run(2, rounds=99)
    one, again, other = (epidemic.together(seed, rounds=99).tolist() for seed in (1, 1, 2))
    assert one == again != other


@pytest.mark.parametrize("graph", ["uniform", "neighbours"])
@pytest.mark.parametrize("nodes", [1, 2, 3, 9, 65536, 65537, 131073])
def test_all_come_to_know_whatever_the_size(graph, nodes):
    counts = Epidemic(nodes=nodes, graph=graph).run(7, rounds=99)
    assert counts[0] == 1
    assert counts[-1] == nodes
    assert counts == sorted(counts)
    assert Epidemic(nodes=nodes, graph=graph).together(7, rounds=99)[:, -1].tolist() == [nodes] * RUMOURS


def test_the_dead_never_know_and_what_nobody_hears_ends_with_its_rounds():
    assert Epidemic(nodes=1000, dead=0.3).run(1, rounds=99)[-1] == 700
    assert Epidemic(nodes=1000, dead=0.3, graph="neighbours").run(1, rounds=99)[-1] <= 700
    assert len(Epidemic(nodes=1000, loss=0.999).run(1, rounds=5)) == 6


def test_a_million_take_a_few_rounds_more_than_a_thousand():
    thousand, million = (len(Epidemic(nodes=nodes).run(1, rounds=99)) for nodes in (1000, 1_000_000))
    assert thousand < million < 2 * thousand + 4
