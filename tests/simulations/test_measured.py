"""What is measured of every run, beside its checks: curves, links, and who is down."""

import json
from types import SimpleNamespace

import pytest

from p2pnoise.instant import SECOND
from simulations import Outcome, begin, run
from simulations.watching import Watching


class Node:
    """What is measured of a node, as a test has it."""

    def __init__(self, number, *, kind="honest", online=True, leads_to=()):
        self.number, self.kind, self.online = number, kind, online
        self.honest = kind == "honest"
        self.citizen = SimpleNamespace(key=SimpleNamespace(public=bytes([number])))
        self.known = 0
        self._leads_to = list(leads_to)

    def leads_to(self):
        return self._leads_to

    def linked(self):
        return [bytes([there]) for there in self._leads_to]


def watching(*nodes):
    return Watching(SimpleNamespace(nodes=nodes, now=0), (), (), (), started=0)


def last(found, name):
    found.look()
    return found.curves.curves[name][-1][1]


def test_of_the_links_of_honest_nodes_that_run_those_to_attackers_are_counted():
    liar = Node(3, kind="liar", leads_to=[0, 1, 2])
    down = Node(2, online=False, leads_to=[3])
    found = watching(Node(0, leads_to=[1, 3]), Node(1, leads_to=[0]), down, liar)
    assert last(found, "attacker_share") == pytest.approx(1 / 3, abs=1e-4)


def test_nobody_who_is_linked_to_nobody_is_linked_to_attackers():
    assert last(watching(Node(0), Node(1, kind="liar")), "attacker_share") == 0


def test_without_attackers_their_share_is_not_measured():
    assert "attacker_share" not in watching(Node(0, leads_to=[1]), Node(1, leads_to=[0])).curves.curves


def test_a_link_to_a_copied_key_leads_to_the_copy_and_not_to_whom_it_was_copied_from():
    with begin("cloned-key", nodes=6) as running:
        running.advance(8 * SECOND)
        (clone,) = (node for node in running.world.nodes if not node.honest)
        ends = [there for node in running.world.nodes if node.honest for there in node.leads_to()]
        assert clone.number in ends
        share = running.watching.curves.curves["attacker_share"][-1][1]
        assert share == pytest.approx(ends.count(clone.number) / len(ends), abs=1e-4)


def test_links_of_messages_lead_where_the_names_of_their_peers_say():
    with begin("sybil", nodes=30) as running:
        running.advance(8 * SECOND)
        numbers = {bytes(node.citizen.key.public): node.number for node in running.world.nodes}
        for node in running.world.nodes:
            assert node.leads_to() == [numbers[name] for name in node.linked()]
        assert running.watching.curves.curves["attacker_share"][-1][1] > 0.1


def test_links_of_those_that_run_with_those_that_do_not_are_none():
    crashed = Node(2, online=False, leads_to=[0])
    found = watching(Node(0, leads_to=[1, 2]), Node(1), crashed)
    assert found.edges() == ((0, 1),)
    assert found.down() == (2,)


def test_a_key_whose_owner_is_down_is_that_of_its_copy():
    copy, owner = Node(1, kind="clone"), Node(2, online=False)
    copy.citizen = owner.citizen
    assert watching(Node(0, leads_to=[2]), copy, owner).edges() == ((0, 1),)


def test_an_outcome_names_who_is_down_at_its_end():
    found = run("mass-failure", nodes=10, parameters={"share": 0.5})
    assert len(found.down) == 5
    assert not {*found.down} & {node for pair in found.edges for node in pair}
    assert Outcome.from_json(json.loads(found.line())) == found
