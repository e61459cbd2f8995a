"""Company: whom a node takes for a neighbour, whom it dials first, and who goes, by networks and issuers."""

import random
from itertools import count

import pytest

from cards import Address, Policy
from p2pnoise.gossip.company import CROWDS, ENOUGH, SEVERAL, Company
from p2pnoise.gossip.effects import LeaveLink
from p2pnoise.gossip.networks import admits
from p2pnoise.gossip.views import CHOSEN, MOST, SHUFFLE, Views

NOBODY = frozenset()  # of issuers


def networks(*, lucky, own):
    """Networks without end, on whom the lot fell at this node, or did not."""
    every = (f"{20 + number // 256}.{number % 256}" for number in count())
    return (network for network in every if admits(own, network) is lucky)


@pytest.fixture
def table(place):
    return place.table()


@pytest.fixture
def effects():
    return []


@pytest.fixture
def views(table, effects):
    """Views of a node that knows of many networks."""
    views = Views(table, lambda *_: None, effects, random=random.Random(1))
    views.candidates.networks = lambda _now: SEVERAL
    return views


class Arrivals:
    """Peers that come to a node, or are dialled by it, each by a link of its own."""

    def __init__(self, views):
        self.views = views
        self.links = count(1)

    def up(self, network, *, ours=False, verdict=None):
        link = next(self.links)
        self.views.peer_up(link, link.to_bytes(32, "big"), network, verdict, 0, ours=ours, visit=False)
        return link


@pytest.fixture
def arrive(views):
    return Arrivals(views).up


@pytest.fixture
def lucky(table):
    return networks(lucky=True, own=table.own)


@pytest.fixture
def unlucky(table):
    return networks(lucky=False, own=table.own)


# Whom it takes


def test_where_there_are_enough_nobody_comes_whose_network_the_lot_did_not_fall_on(views, arrive, unlucky, lucky):
    for _ in range(ENOUGH):
        arrive(next(unlucky))
    assert arrive(next(unlucky)) not in views.active
    assert arrive(next(lucky)) in views.active


def test_one_that_crowds_goes_for_one_that_does_not(views, arrive, effects, unlucky, lucky):
    links = [arrive(next(unlucky)) for _ in range(ENOUGH)]
    arrive(next(lucky))
    assert effects == [LeaveLink(links[-1])]
    assert len(views.active) == ENOUGH


def test_a_second_of_one_network_does_not_come_where_there_are_enough(views, arrive, lucky):
    shared = next(lucky)
    for network in (shared, *(next(lucky) for _ in range(ENOUGH - 1))):
        arrive(network)
    assert arrive(shared) not in views.active


def test_of_those_we_chose_nobody_goes_for_whoever_comes(views, arrive, lucky):
    chosen = [arrive(next(lucky), ours=True) for _ in range(CHOSEN)]
    for _ in range(3 * MOST):
        arrive(next(lucky))
    assert set(chosen) <= set(views.active)
    assert len(views.active) == 2 * MOST


def test_those_who_came_first_keep_no_place_from_those_we_choose(views, arrive, lucky):
    for _ in range(3 * MOST):
        arrive(next(lucky))
    assert arrive(next(lucky), ours=True) in views.active


def test_a_visitor_that_crowds_is_sent_away_however_long_it_stays(views, arrive, effects, lucky, unlucky):
    for _ in range(ENOUGH):
        arrive(next(lucky))
    link = arrive(next(unlucky))
    assert views.is_visitor(link)
    assert not views.peer_stays(link)
    assert effects == [LeaveLink(link)]


def test_where_few_networks_are_known_there_are_no_such_limits(views, arrive, unlucky):
    views.candidates.networks = lambda _now: SEVERAL - 1
    shared = next(unlucky)
    assert all(arrive(shared) in views.active for _ in range(MOST))


def test_of_private_addresses_there_may_be_any_number(views, arrive):
    assert all(arrive(None) in views.active for _ in range(MOST))


def test_those_who_came_while_few_networks_were_known_go_when_it_is_time(views, arrive, effects, unlucky):
    views.candidates.networks = lambda _now: 0
    for _ in range(MOST):
        arrive(next(unlucky))
    views.candidates.networks = lambda _now: SEVERAL
    views.tick(2 * SHUFFLE)
    assert len(effects) == MOST - ENOUGH
    assert len(views.active) == ENOUGH


# Whom it chooses


@pytest.fixture
def company(table):
    company = Company(table)
    company.known = SEVERAL
    return company


def test_whose_network_is_there_already_is_dialled_last(company):
    company.join(1, "20.1", NOBODY, ours=False)
    rank = company.ranking()
    assert rank(b"b" * 32, "20.1") == CROWDS
    assert rank(b"b" * 32, "20.2") == rank(b"c" * 32, None) == 0
    company.part(1)
    assert company.ranking()(b"b" * 32, "20.1") == 0


def test_who_would_not_have_us_is_dialled_after_who_would(place):
    table = place.table("own")
    table.offer_card(place.card("own"), place.START, source=table.own, own=True)
    table.offer_record(place.record("own", addresses=["20.4.1.1:7060"]), place.START)
    company = Company(table)
    company.known = SEVERAL
    others = [number.to_bytes(32, "big") for number in range(100)]
    rank = company.ranking()
    assert [rank(other, "20.9") for other in others] == [int(not admits(other, "20.4")) for other in others]
    assert Address.parse("20.4.1.1:7060") == table.by_node(table.own).record.addresses[0]


def test_two_of_our_choice_in_one_network_are_one_too_many(company):
    for link, network in enumerate(("20.1", "20.2", "20.1", "20.1"), 1):
        company.join(link, network, NOBODY, ours=True)
    assert company.crowding(ours=True) == [4, 3]


def test_who_was_chosen_from_a_table_half_as_large_may_be_replaced(place, company, table):
    for name in "ab":
        table.offer_card(place.card(name), place.START, source=table.own)
    company.join(1, "20.1", NOBODY, ours=True)
    assert company.crowding(ours=True) == []
    for name in "cde":
        table.offer_card(place.card(name), place.START, source=table.own)
    assert company.crowding(ours=True) == [1]
    assert company.crowding(ours=False) == []


def of_issuers(place, *, issuers):
    """Company of a node of so many issuers, for whom ten nodes count, and the ids of these and of two of another."""
    names = {"ops": place.issuer.public, "lab": place.second.public, "far": place.stranger.public}
    policy = Policy(network=place.NETWORK, issuers=dict(list(names.items())[:issuers]))
    table = place.table(policy=policy, lists=[place.first_list, place.make_list(1, issuer=place.second)])
    many = [place.card(f"many-{number}") for number in range(10)]
    few = [place.card(f"few-{number}", issuer=place.second) for number in range(2)]
    for card in (*many, *few):
        assert table.offer_card(card, place.START, source=table.own)[1] is not None
    company = Company(table)
    company.known = SEVERAL
    ops = company.issuers(table.by_node(many[0].node_id).verdict)
    return company, ops, [bytes(card.node_id) for card in many], [bytes(card.node_id) for card in few]


def test_one_issuer_of_three_has_half_of_the_neighbours_at_most(place):
    company, ops, many, few = of_issuers(place, issuers=3)
    for link in range(1, ENOUGH // 2 + 1):
        company.join(link, f"20.{link}", ops, ours=True)
    rank = company.ranking()
    assert rank(many[9], "20.99") == CROWDS
    assert rank(few[0], "20.99") == 0
    company.join(9, "20.99", ops, ours=True)
    assert company.crowding(ours=True) == [9]


def test_one_of_two_issuers_may_have_them_all(place):
    company, ops, many, _ = of_issuers(place, issuers=2)
    for link in range(1, 10):
        company.join(link, f"20.{link}", ops, ours=True)
    assert company.ranking()(many[9], "20.99") == 0


def test_nor_has_it_more_by_members_for_whom_the_table_has_no_place(place, arrive, table, views, lucky):
    others = {"lab": place.second.public, "far": place.stranger.public}
    table.policy = Policy(network=place.NETWORK, issuers={"ops": place.issuer.public, **others})
    table.most = 4  # so one issuer has room for one
    verdicts = [table.offer_card(place.card(f"many-{n}"), place.START, source=table.own)[0] for n in range(20)]
    assert all(verdict.ok for verdict in verdicts)
    assert len(table) == 1
    for verdict in verdicts:
        arrive(next(lucky), verdict=verdict)
    assert len(views.active) == ENOUGH


def test_who_has_gone_leaves_nothing_behind(company):
    for link in range(1, 100):
        company.join(link, f"20.{link}", NOBODY, ours=False)
        company.part(link)
    assert not company._networks
