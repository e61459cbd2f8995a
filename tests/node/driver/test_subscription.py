"""Subscriptions: a node's events for one listener, bounded, and saying so where it was too slow."""

import pytest
import trio

from p2pnoise.events import EventsMissed, PeerLost, PeerVerified, Stopped
from p2pnoise.node.driver.subscription import Subscription
from p2pnoise.testing import network


async def next_of(events, count):
    return [await anext(events) for _ in range(count)]


async def test_what_happens_is_told_in_order(autojump_clock):
    async with network(1) as net:
        with net.nodes["alice"].events() as events:
            async with net.run("bob") as bob:
                await net.wait_until(lambda: net.linked("alice", "bob"))
            told = []
            while not told or not isinstance(told[-1], PeerLost):
                told.append(await anext(events))
        kinds = [type(event) for event in told]
        assert kinds.index(PeerVerified) < kinds.index(PeerLost)
        assert told[-1].node_id == bob.node_id
        assert told == net.events["alice"][-len(told) :]


async def test_who_listens_is_woken_and_the_end_of_the_node_ends_it(autojump_clock):
    told = []

    async def listen(events):
        with events:
            told.extend([event async for event in events])

    async with trio.open_nursery() as nursery, network(1) as net:
        nursery.start_soon(listen, net.nodes["alice"].events())
        async with net.run("bob"):
            await net.wait_until(lambda: net.linked("alice", "bob"))
    assert any(isinstance(event, PeerVerified) for event in told)
    assert isinstance(told[-1], Stopped)


async def test_after_the_end_of_the_node_there_is_nothing_to_hear(autojump_clock):
    async with network(1) as net:
        alice = net.nodes["alice"]
    with alice.events() as events:
        assert [event async for event in events] == []


async def test_what_a_slow_listener_misses_is_counted_in_its_place(autojump_clock):
    stopped = Stopped(node_id=b"")
    events = Subscription(3, lambda _: None)
    for _ in range(8):
        events.put(stopped)
    assert await next_of(events, 2) == [stopped] * 2
    events.put(stopped)
    assert await next_of(events, 2) == [stopped, EventsMissed(count=5)]
    assert await next_of(events, 1) == [stopped]


async def test_a_listener_that_never_reads_holds_no_more_than_it_may(autojump_clock):
    events = Subscription(3, lambda _: None)
    for _ in range(1_000):
        events.put(Stopped(node_id=b""))
    assert len(events._waiting) == 4


@pytest.mark.parametrize("most", [0, -1])
async def test_room_for_no_event_is_refused_where_it_is_asked_for(autojump_clock, most):
    async with network(1) as net:
        with pytest.raises(ValueError, match=f"room for {most} events, at least 1"):
            net.nodes["alice"].events(most=most)


async def test_each_listener_hears_all_and_who_has_left_hears_nothing(autojump_clock):
    async with network(1) as net:
        alice = net.nodes["alice"]
        with alice.events() as one, alice.events() as other:
            async with net.run("bob"):
                await net.wait_until(lambda: net.linked("alice", "bob"))
            assert list(one._waiting) == list(other._waiting) != []
        with pytest.raises(StopAsyncIteration):
            await anext(one)
        assert alice._listeners._subscriptions == set()
