"""Floods: shortest paths, against a search that looks at one node after another."""

import heapq

import numpy as np
import pytest

from simulations.model.flood import Flood


def searched(flood, seed):
    """When each node knows what begins at node 0, by Dijkstra's search over the same links."""
    first, targets, delays = flood._links(np.random.Generator(np.random.SFC64(seed)))
    known, waiting = {}, [(0, 0)]
    while waiting:
        at, node = heapq.heappop(waiting)
        if node not in known:
            known[node] = at
            for link in range(first[node], first[node + 1]):
                heapq.heappush(waiting, (at + int(delays[link]), int(targets[link])))
    return known


@pytest.mark.parametrize("nodes", [2, 3, 9, 200])
@pytest.mark.parametrize("evenness", [0.0, 0.5, 1.0])
def test_a_node_knows_when_the_shortest_path_to_it_ends(nodes, evenness, monkeypatch):
    flood = Flood(nodes=nodes, evenness=evenness)
    times = searched(flood, 3)
    links = flood._links(np.random.Generator(np.random.SFC64(3)))
    monkeypatch.setattr(Flood, "_links", lambda _self, _random: links)
    monkeypatch.setattr("simulations.model.flood.RUMOURS", 1)
    begun = next(
        seed for seed in range(9999) if np.random.Generator(np.random.SFC64(seed)).integers(nodes, size=1)[0] == 0
    )
    (counts,) = flood.together(begun, rounds=999)
    assert counts.tolist() == [sum(at <= tick for at in times.values()) for tick in range(len(counts))]
    assert counts[-1] == nodes


def test_links_are_a_ring_and_random_pairs_the_same_from_both_ends():
    nodes = 500
    first, targets, delays = Flood(nodes=nodes, evenness=0.5)._links(np.random.Generator(np.random.SFC64(1)))
    links = sorted(
        (node, int(targets[link]), int(delays[link]))
        for node in range(nodes)
        for link in range(first[node], first[node + 1])
    )
    assert links == sorted((other, one, delay) for one, other, delay in links)
    assert len(links) == 8 * nodes
    assert {(one, other) for one, other, _ in links} >= {(node, (node + 1) % nodes) for node in range(nodes)}
    assert {delay for *_, delay in links} == set(range(8, 25))


def test_the_same_seed_gives_the_same_counts_and_another_one_others():
    one, again, other = (Flood(nodes=3000, evenness=0.2).together(seed, rounds=99).tolist() for seed in (1, 1, 2))
    assert one == again != other
