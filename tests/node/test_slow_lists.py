"""A long revocation list by a slow line: as long as pages come it is waited for, and not without end."""

import hashlib

import pytest

from cards.pages import MAX_PAGES
from cards.revocation import IssuerRevocations
from p2pnoise.gossip.encoding import decode, encode
from p2pnoise.gossip.messages import GivenList, GivenPage, Heads, WantPages
from p2pnoise.node.frames import Code, Kind
from p2pnoise.node.link import Stage

SLOW = 9  # seconds a page


def subjects(count, what):
    return [hashlib.sha256(f"{what} {number}".encode()).digest() for number in range(count)]


def say(puppet, *messages):
    for message in messages:
        puppet.frame(Kind.GOSSIP, encode(message))


def asked(puppet):
    """All pages that the puppet was ever asked for, in their order."""
    gossip = [decode(frame[1]) for frame in puppet.inbox if frame[0] == Kind.GOSSIP]
    return [digest for message in gossip if isinstance(message, WantPages) for digest in message.digests]


def come_up_to_lists(net, ada, *lists):
    """A peer that names these lists and has given their heads."""
    puppet = net.puppet(ada, "carl").handshake().hello()
    heads = sorted(IssuerRevocations(current=(one,)).head for one in lists)
    say(puppet, Heads(tuple(heads)), *(GivenList(one.head, one.signature, ()) for one in lists))
    return puppet


def give_slowly(net, puppet, *lists):
    """Every page that is asked for, one every 9 s, until the link is up or ends; how many were given."""
    pages = {digest: page for one in lists for digest, page in zip(one.page_digests, one.pages, strict=True)}
    given = 0
    while puppet.link is not None and puppet.link.stage is Stage.COMPARING:
        waiting = asked(puppet)
        net.wait(SLOW)
        say(puppet, *([GivenPage(pages[waiting[given]])] if given < len(waiting) else []))
        given += 1
        if given == len(waiting):
            say(puppet, GivenPage(b""))
    return given


@pytest.fixture
def long_list(net):
    """16 pages."""
    return net.make_list(2, revoked=subjects(10_000, "a"))


def test_a_list_of_many_pages_may_take_as_long_for_each_as_a_handshake(net, long_list):
    ada = net.member("ada", target_links=0)
    puppet = come_up_to_lists(net, ada, long_list)
    assert give_slowly(net, puppet, long_list) == MAX_PAGES
    assert puppet.link.stage is Stage.UP
    assert ada.core.table.revocations.heads[0].sequence == 2


def test_every_page_is_answered_by_a_sign_of_life(net, long_list):
    """Whoever gives a long list by a slow line hears nothing else, and would take us for dead."""
    ada = net.member("ada", target_links=0)
    puppet = come_up_to_lists(net, ada, long_list)
    pages = dict(zip(long_list.page_digests, long_list.pages, strict=True))
    before = [frame[0] for frame in puppet.inbox].count(Kind.PING)
    say(puppet, *(GivenPage(pages[digest]) for digest in asked(puppet)[:3]))
    assert [frame[0] for frame in puppet.inbox].count(Kind.PING) == before + 3


def test_a_peer_that_gives_no_page_for_ten_seconds_hears_busy(net, long_list):
    ada = net.member("ada", target_links=0)
    puppet = come_up_to_lists(net, ada, long_list)
    say(puppet, GivenPage(long_list.pages[0]))
    net.wait(9)
    assert puppet.link.stage is Stage.COMPARING
    say(puppet, GivenPage(long_list.pages[0]))  # which is here already
    net.wait(1)
    assert puppet.told is Code.BUSY


def test_pages_that_nobody_asked_for_give_no_time(net, long_list):
    ada = net.member("ada", target_links=0)
    puppet = come_up_to_lists(net, ada, long_list)
    other = net.make_list(3, revoked=subjects(10_000, "b"))
    for number in range(9):
        say(puppet, GivenPage(other.pages[number]))
        net.wait(1)
    net.wait(1)
    assert puppet.told is Code.BUSY


def test_pages_of_many_lists_are_not_waited_for_without_end(net, long_list):
    second = net.make_list(2, revoked=subjects(10_000, "b"), issuer=net.second)
    lists = (net.first_list, net.make_list(1, issuer=net.second))
    ada = net.member("ada", target_links=0, policy=net.both, lists=lists)
    begun = net.now
    puppet = come_up_to_lists(net, ada, long_list, second)
    assert give_slowly(net, puppet, long_list, second) < 2 * MAX_PAGES
    assert puppet.told is Code.BUSY
    assert net.now - begun <= (1 + MAX_PAGES) * 10 * 10**9


def test_what_came_by_a_slow_line_is_not_asked_for_again(net, long_list):
    ada = net.member("ada", target_links=0)
    puppet = come_up_to_lists(net, ada, long_list)
    first = asked(puppet)
    say(puppet, GivenPage(long_list.pages[long_list.page_digests.index(first[0])]))
    net.wait(10)
    assert puppet.told is Code.BUSY
    again = come_up_to_lists(net, ada, long_list)
    assert first[0] not in asked(again)


def test_a_page_for_a_link_that_is_up_changes_nothing_of_when_that_ends(net, long_list):
    ada = net.member("ada", target_links=0)
    puppet = net.puppet(ada, "carl").come_up()
    before = puppet.link.deadline
    say(puppet, GivenList(long_list.head, long_list.signature, ()), GivenPage(long_list.pages[0]))
    assert (puppet.link.stage, puppet.link.deadline) == (Stage.UP, before)
