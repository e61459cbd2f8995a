"""Checks: each holds where what it says is so, and is broken where it is not; one that cannot fail proves nothing."""

from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest

from p2pnoise.instant import SECOND
from simulations import (
    Clog,
    Connected,
    Converged,
    Crash,
    Cut,
    DeadFound,
    EventsAtMost,
    Excluded,
    FirstNodeCarries,
    NobodyFalselyDead,
    OldKeysGone,
    Quiet,
    RefusesInWords,
    Revoke,
    Rotate,
    Slow,
    SteadyViews,
    World,
)
from simulations.checks_links import components
from simulations.disks import DiskError


@dataclass
class Node:
    """What checks see of a node, as a test has it."""

    number: int
    citizen: object
    kind: str = "honest"
    online: bool = True
    boot: int = 1
    bytes_sent: int = 0
    missing: set = field(default_factory=set)  # citizens that its table lacks
    peers: list = field(default_factory=list)
    old_nodes: set = field(default_factory=set)  # Node IDs of cards that it should not have

    @property
    def honest(self):
        return self.kind == "honest"

    @property
    def known(self):
        return 1_000

    def knows_all(self, citizens):
        return not self.lacks(citizens)

    def lacks(self, citizens):
        return sum(one.number in self.missing for one in citizens)

    def holds(self, citizen):
        return citizen.number not in self.missing

    def holds_node(self, node_id):
        return node_id in self.old_nodes

    def linked(self):
        return [bytes(one.citizen.key.public) for one in self.peers]


class View:
    """A world that is as a test has it."""

    def __init__(self, count=4):
        self.now = 0
        self.oracle = World(1).oracle
        self.nodes = [Node(number, self.oracle.settle(number)) for number in range(count)]

    def link(self, *pairs):
        for one, other in pairs:
            self.nodes[one].peers.append(self.nodes[other])
            self.nodes[other].peers.append(self.nodes[one])


@pytest.fixture
def view():
    return View()


def at(view, watch, second):
    view.now = int(second * SECOND)
    watch.look()


def answer(watch):
    watch.finish()
    return watch.check


# Converged


def test_all_know_all_once_the_last_does_and_counts_from_the_last_fault(view):
    watch = Converged(within=10).watch(view, (Crash(at=3, until=5, nodes=(1,)),))
    view.nodes[2].missing = {3}
    at(view, watch, 4)
    at(view, watch, 6)
    assert not watch.settled
    view.nodes[2].missing.clear()
    at(view, watch, 7.5)
    assert answer(watch).holds
    assert watch.metrics["converged_after"] == 2.5
    assert watch.samples["known_all_after"] == (1, 1, 2.5, 1)


def test_whoever_does_not_know_all_in_time_breaks_it_at_that_moment(view):
    watch = Converged(within=10).watch(view, ())
    view.nodes[2].missing = {0, 3}
    for second in (1, 9.9, 10.1, 11):
        at(view, watch, second)
    check = answer(watch)
    assert (check.holds, check.at, check.detail) == (False, 10.1, "1 of 4 nodes lack 2 cards or records")
    assert watch.metrics["converged_after"] is None


def knew_all_and_lost_some(view, watch):
    at(view, watch, 6)
    assert watch.settled
    view.nodes[2].missing = {3}
    view.now += SECOND
    return answer(watch)


def test_whoever_knew_all_and_lost_some_by_the_end_breaks_it(view):
    check = knew_all_and_lost_some(view, Converged(within=10).watch(view, (Crash(at=3, until=5, nodes=(1,)),)))
    assert check.detail == "1 of 4 nodes knew all and lost 1 cards or records"


@pytest.mark.parametrize(("options", "until"), [({"lasting": False}, 5), ({"since": 1}, 30)], ids=["ends", "before"])
def test_what_need_not_last_or_comes_before_a_fault_is_not_looked_at_again(view, options, until):
    watch = Converged(within=10, **options).watch(view, (Crash(at=3, until=until, nodes=(1,)),))
    assert knew_all_and_lost_some(view, watch).holds


def test_knowing_all_before_the_last_has_started_is_knowing_too_few(view):
    watch = Converged(within=10).watch(view, ())
    view.nodes[3].online, view.nodes[3].boot = False, 0
    at(view, watch, 1)
    view.nodes[3].online, view.nodes[3].boot = True, 1
    view.nodes[0].missing = {3}
    at(view, watch, 2)
    assert not watch.settled
    at(view, watch, 11)
    assert not answer(watch).holds


def test_who_knew_all_and_forgot_some_before_the_last_knew_all_does_not_count(view):
    watch = Converged(within=10).watch(view, ())
    view.nodes[3].missing = {0}
    at(view, watch, 1)
    view.nodes[3].missing, view.nodes[0].missing = set(), {3}
    at(view, watch, 2)
    assert not watch.settled
    at(view, watch, 11)
    assert "1 of 4" in answer(watch).detail


def test_a_larger_network_may_take_longer_by_each_doubling():
    for count, holds in ((4, False), (16, True)):
        view = View(count)
        watch = Converged(within=1, per_doubling=1).watch(view, ())
        view.nodes[1].missing = {0}
        at(view, watch, 4)
        view.nodes[1].missing.clear()
        at(view, watch, 4.5)
        assert answer(watch).holds is holds


def test_what_is_counted_since_a_second_does_not_wait_for_the_faults(view):
    watch = Converged(within=5, since=10).watch(view, (Clog(at=0, until=100, nodes=(1,)),))
    view.nodes[1].missing = {0}
    at(view, watch, 16)
    assert not answer(watch).holds


def test_those_whom_a_fault_meets_may_be_left_out(view):
    watch = Converged(within=5, apart_from=("slow",), since=0).watch(
        view, (Slow(at=0, until=100, nodes=(1,), bytes_per_second=9),)
    )
    view.nodes[1].missing = {0, 2, 3}
    view.nodes[2].missing = {1}
    at(view, watch, 1)
    assert watch.settled
    view.nodes[2].missing = {3}
    other = Converged(within=5, apart_from=("slow",), since=0).watch(view, watch.schedule)
    at(view, other, 6)
    assert not answer(other).holds


def test_what_a_run_was_too_short_for_is_undecided(view):
    watch = Converged(within=10).watch(view, ())
    view.nodes[2].missing = {3}
    at(view, watch, 5)
    check = answer(watch)
    assert (check.holds, check.decided) == (False, False)
    assert check.detail == "the run was over at 5 s, before anybody could say"


def test_who_has_not_started_is_not_said_to_lack_nothing(view):
    watch = Converged(within=10).watch(view, ())
    for node in view.nodes[1:]:
        node.online, node.boot = False, 0
    at(view, watch, 11)
    assert answer(watch).detail == "3 of 4 nodes have not started"


def test_where_nobody_is_left_nobody_is_said_to_lack_anything(view):
    watch = Converged(within=10).watch(view, ())
    for node in view.nodes:
        node.online = False
    at(view, watch, 11)
    assert answer(watch).detail == "nobody runs who is to know all"


# Cut


def cut(view, **named):
    watch = Cut(within=3, **named).watch(view, (Revoke(at=1, nodes=(2,)), Clog(at=1, until=20, nodes=(1,))))
    at(view, watch, 0.5)
    view.oracle.revoke((2,), 1 * SECOND)
    return watch


def rid(view):
    for node in view.nodes:
        node.missing = {2}


def test_a_revoked_node_is_cut_when_no_table_and_no_link_has_it(view):
    watch = cut(view)
    rid(view)
    view.link((0, 2))
    at(view, watch, 2)
    assert not watch.settled
    view.nodes[0].peers.clear()
    at(view, watch, 3)
    assert answer(watch).holds
    assert watch.metrics["cut_after"] == 2


@pytest.mark.parametrize("how", ["card", "link"])
def test_whoever_keeps_a_revoked_node_too_long_breaks_it(view, how):
    watch = cut(view)
    rid(view)
    if how == "card":
        view.nodes[3].missing.clear()
    else:
        view.link((3, 2))
    at(view, watch, 4.1)
    assert answer(watch).detail == "1 nodes, such as 3, keep node 2"


def test_of_a_divided_network_the_time_counts_from_when_it_is_whole(view):
    watch = cut(view, at_last=True)
    at(view, watch, 19)
    rid(view)
    at(view, watch, 21)
    assert answer(watch).holds
    assert watch.metrics["cut_after"] == 1


def test_a_revoked_node_that_comes_back_breaks_it(view):
    watch = cut(view)
    rid(view)
    at(view, watch, 2)
    view.nodes[1].missing.clear()
    assert answer(watch).detail == "node 2 was cut, and came back"


# The others


def test_a_network_of_two_parts_is_not_connected(view):
    view.link((0, 1), (2, 3))
    assert components(view.nodes) == [[0, 1], [2, 3]]
    watch = Connected(within=5).watch(view, (Clog(at=0, until=10, nodes=(1,)),))
    for second in (9, 14.9):
        at(view, watch, second)
        assert watch.check.holds
    at(view, watch, 15.1)
    assert watch.check.detail == "2 parts, the smallest of 2 nodes"


def test_a_network_is_connected_once_its_last_part_is(view):
    watch = Connected(within=5).watch(view, ())
    view.link((0, 1), (2, 3))
    at(view, watch, 1)
    view.link((3, 0))
    view.nodes[1].boot, view.nodes[1].online = 0, False
    at(view, watch, 1.5)
    assert not watch.settled  # somebody is still to come
    view.nodes[1].online = True
    at(view, watch, 2)
    assert answer(watch).holds
    assert watch.metrics["connected_after"] == 2


@pytest.mark.parametrize(("sent", "holds"), [(4_000, True), (4_100, False)])
def test_a_network_is_quiet_where_it_sends_little_after_its_beginning(view, sent, holds):
    watch = Quiet(bytes_per_second=100, after=10).watch(view, ())
    view.nodes[0].bytes_sent = 1_000_000
    at(view, watch, 10)
    view.nodes[1].bytes_sent = sent
    view.now = 20 * SECOND
    assert answer(watch).holds is holds


def event(kind, **named):
    return SimpleNamespace(kind=kind, **named)


def test_too_many_events_at_one_node_break_it(view):
    watch = EventsAtMost(kind="dialling", per_node=2, after=5, reason="so").watch(view, ())
    for node in view.nodes[:2]:
        for _ in range(2):
            view.now = 0
            watch.told(node, event("dialling", reason="so"))  # too early
            view.now = 6 * SECOND
            watch.told(node, event("dialling", reason="so and so"))
            watch.told(node, event("dialling", reason="not"))
            watch.told(node, event("dial-failed", reason="so"))
    assert watch.check.holds
    watch.told(view.nodes[1], event("dialling", reason="so"))
    assert answer(watch).detail == "3 at node 1"


@pytest.mark.parametrize("how", ["card", "link"])
def test_whoever_must_not_be_in_a_table_breaks_it_there(view, how):
    view.nodes[2].kind = "liar"
    rid(view)
    watch = Excluded(kinds=("liar",)).watch(view, ())
    at(view, watch, 1)
    assert watch.check.holds
    if how == "card":
        view.nodes[0].missing.clear()
    else:
        view.link((0, 2))
    at(view, watch, 2)
    assert answer(watch).detail.startswith("at node 0")


def lost(view, number, reason):
    return event("peer-lost", reason=reason, node_id=view.nodes[number].citizen.key.public)


def test_who_is_taken_for_dead_and_lives_breaks_it(view):
    watch = NobodyFalselyDead().watch(view, ())
    view.nodes[3].online = False
    watch.told(view.nodes[0], lost(view, 3, "silent for 10 s after a ping"))
    watch.told(view.nodes[0], lost(view, 2, "closed by the peer"))
    assert watch.check.holds
    watch.told(view.nodes[0], lost(view, 2, "silent for 10 s after a ping"))
    assert answer(watch).detail == "node 0 took node 2 for dead"
    assert not watch.settled


@pytest.fixture
def dark(view):
    """Node 3 is linked to two others, and loses its power after 5 s."""
    view.link((0, 3), (1, 3))
    watch = DeadFound(within=20).watch(view, (Crash(at=5, nodes=(3,), silent=True),))
    at(view, watch, 4)
    view.nodes[3].online = False
    at(view, watch, 6)
    return watch


def test_who_goes_dark_is_found_dead_when_nobody_is_linked_to_it(view, dark):
    for number, second in ((0, 15), (1, 19)):
        view.nodes[number].peers.clear()
        at(view, dark, second)
    assert answer(dark).holds
    assert (dark.metrics["found_dead_after"], dark.metrics["found_dead_last"]) == (12, 14)


def test_whoever_holds_the_dead_for_alive_breaks_it(view, dark):
    at(view, dark, 25)
    assert dark.check.holds
    at(view, dark, 25.5)
    assert answer(dark).detail.startswith("node 0 holds node 3 for alive")


def test_where_nobody_was_linked_to_who_goes_dark_there_was_nothing_to_find(view):
    watch = DeadFound(within=20).watch(view, (Crash(at=5, nodes=(3,), silent=True),))
    at(view, watch, 6)
    assert not answer(watch).decided


def test_a_first_node_that_sends_too_much_for_each_newcomer_breaks_it(view):
    view.nodes[0].bytes_sent = 4 * 1_000
    assert answer(FirstNodeCarries(bytes_a_node=1_000).watch(view, ())).holds
    view.nodes[0].bytes_sent += 4 * 10 * 4
    assert not answer(FirstNodeCarries(bytes_a_node=1_000).watch(view, ())).holds
    assert answer(FirstNodeCarries(bytes_a_node=1_000, bytes_a_card=10).watch(view, ())).holds
    assert not answer(FirstNodeCarries(bytes_a_node=1_000, bytes_a_card=9).watch(view, ())).holds


def test_a_view_that_shrinks_or_changes_is_not_steady(view):
    view.link((0, 1), (0, 2), (1, 2), (3, 0), (3, 1))
    watch = SteadyViews(after=10, least=2).watch(view, ())
    view.nodes[0].peers.pop()
    watch.told(view.nodes[0], lost(view, 3, "closed by us"))
    at(view, watch, 5)
    at(view, watch, 10)
    assert watch.check.holds
    watch.told(view.nodes[0], lost(view, 1, "closed by us"))
    assert watch.check.detail == "node 0 lost a peer: closed by us"
    other = SteadyViews(after=10, least=3).watch(view, ())
    at(view, other, 11)
    assert "at least 3" in answer(other).detail


@pytest.mark.parametrize("how", ["card", "link"])
def test_an_old_key_that_is_kept_or_comes_back_breaks_it(view, how):
    old = view.nodes[2].citizen.key.public
    ghost = SimpleNamespace(citizen=SimpleNamespace(key=view.nodes[2].citizen.key))
    view.oracle.rotate(view.nodes[2].citizen)

    def keep(second, *, kept):
        view.nodes[1].old_nodes = {bytes(old)} if kept and how == "card" else set()
        view.nodes[1].peers = [ghost] if kept and how == "link" else []
        at(view, watch, second)

    watch = OldKeysGone(within=5).watch(view, (Rotate(at=1, nodes=(2,)),))
    keep(2, kept=True)
    assert watch.check.holds
    keep(7, kept=True)
    assert not watch.check.holds
    watch = OldKeysGone(within=5).watch(view, (Rotate(at=1, nodes=(2,)),))
    keep(3, kept=False)
    assert watch.settled
    assert watch.metrics["old_keys_gone_after"] == 2
    keep(8, kept=True)
    assert not answer(watch).holds


@pytest.mark.parametrize(
    ("sentence", "holds"), [("7.db: damaged", True), ("", False), ("7.db: a\nTraceback", False), ("oops", False)]
)
def test_a_node_whose_disk_fails_must_say_so_in_a_sentence(view, sentence, holds):
    watch = RefusesInWords().watch(view, ())
    watch.failed(view.nodes[1], DiskError(sentence))
    assert answer(watch).holds is holds


def test_a_node_that_does_not_come_back_breaks_it_whatever_it_said(view):
    watch = RefusesInWords().watch(view, (Crash(at=1, nodes=(2,)),))
    view.nodes[2].online = False
    assert watch.check.holds
    watch.failed(view.nodes[1], DiskError("7.db: damaged"))
    view.nodes[1].online = False
    assert answer(watch).detail == "node 1 is down, 7.db: damaged"
