"""p2pnoise.testing: networks in memory for other people's tests: real cards and links, no real time."""

import threading

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

import p2pnoise.testing
from p2pnoise import NodeConfig, answering
from p2pnoise.events import ListApplied, PeerRefused
from p2pnoise.node.effects import OwnCardChanged
from p2pnoise.testing import START, connected_nodes, network


async def upper(request):
    return request.data.upper()


async def test_two_nodes_are_connected_and_take_no_time(autojump_clock):
    async with connected_nodes(2, handlers={"upper/1": answering(upper)}) as (alice, bob):
        assert await alice.request("bob", "upper/1", b"hello") == b"HELLO"
        assert await bob.request("alice", "upper/1", b"hello") == b"HELLO"
    assert autojump_clock.current_time() < 2


def test_the_example_of_the_module_is_a_test_that_passes():
    text = p2pnoise.testing.__doc__
    example = "\n".join(line[4:] for line in text.splitlines() if line.startswith("    "))
    names = {}
    exec(compile(example, "example", "exec"), names)
    clock = MockClock(autojump_threshold=0)
    trio.run(names["test_bob_answers"], clock, clock=clock)


async def test_a_few_are_all_linked_and_many_know_all(autojump_clock):
    async with network(5) as net:
        assert list(net.nodes) == ["alice", "bob", "carol", "node-3", "node-4"]
        assert all(net.linked(one, other) for one in net.nodes for other in net.nodes if one != other)
    async with network(12, config=NodeConfig(target_links=3)) as net:
        assert all(len(node.peers) == 11 for node in net.nodes.values())


async def test_there_are_no_threads_and_no_files(autojump_clock, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(threading.Thread, "start", lambda _self: pytest.fail("a thread"))
    async with connected_nodes(3):
        pass
    assert list(tmp_path.iterdir()) == []


async def test_the_same_seed_makes_the_same_keys_and_cards_and_another_makes_others(autojump_clock):
    cards = []
    for seed in (1, 1, 2):
        async with network(2, seed=seed) as net:
            cards.append([node.core.card.raw for node in net.nodes.values()])
    assert cards[0] == cards[1] != cards[2]


async def test_a_revoked_node_is_cut_off_by_all(autojump_clock):
    async with network(4) as net:
        others = ("alice", "bob", "node-3")

        def applied(name):
            """Whom this node no longer counts, list by list."""
            lists = [event for event in net.events[name] if isinstance(event, ListApplied)]
            return [event.revoked for event in lists if event.revoked]

        await net.revoke("carol", at="bob")
        await net.wait_until(lambda: all(applied(name) for name in others))
        assert [applied(name) for name in others] == [[(net.nodes["carol"].node_id,)]] * 3
        assert not any(net.linked(name, "carol") for name in others)
        await net.revoke("bob")
        await net.wait_until(lambda: not net.linked("alice", "bob"))
        assert [entry.reason for entry in net.revocations.entries] == ["lost", "lost"]


async def test_a_card_of_another_issuer_is_refused(autojump_clock):
    async with network(1) as net:
        async with network(0, seed=1) as other:
            stranger = other.issue("bob")
        key, _ = net.keys("bob")
        assert stranger.node_id != key.public
        net.keys = other.keys
        async with net.run("bob", card=stranger):
            await net.wait_until(lambda: any(isinstance(event, PeerRefused) for event in net.events["alice"]))
        assert net.nodes["alice"].peers == ()


async def test_groups_of_a_card_are_those_of_the_peer_and_change_with_it(autojump_clock):
    async with network(1) as net, net.run("bob", card=net.issue("bob", groups=["readers"])) as bob:
        alice = net.nodes["alice"]
        await net.wait_until(lambda: net.linked("alice", "bob"))
        assert alice.peers[0].groups == ("readers",)
        await bob.offer(OwnCardChanged(net.issue("bob", groups=["owners"], capabilities=["relay"], sequence=2)))
        await net.wait_until(lambda: alice.peers[0].groups == ("owners",))
        assert alice.peers[0].capabilities == ("relay",)


async def test_a_link_that_is_cut_comes_again(autojump_clock):
    async with network(2) as net:
        assert net.cut("alice", "bob") == 1
        await wait_all_tasks_blocked()
        await net.wait_until(lambda: net.linked("alice", "bob") and net.linked("bob", "alice"))
        assert net.cut("alice", "bob") == 1


async def test_a_node_that_starts_again_later_is_linked_again(autojump_clock):
    async with network(1) as net:
        for _ in range(2):
            async with net.run("bob"):
                await net.wait_until(lambda: net.linked("alice", "bob"))
            await trio.sleep(60)


async def test_what_never_comes_true_is_not_waited_for_for_ever(autojump_clock):
    async with network(1) as net, net.run("bob", bootstrap=[]):
        begun = trio.current_time()
        with pytest.raises(trio.TooSlowError):
            await net.wait_until(lambda: net.linked("alice", "bob"), timeout=30)
        assert trio.current_time() - begun == 30


async def test_time_is_the_clock_s(autojump_clock):
    async with network(2) as net:
        began = net.now
        assert 0 <= began - START < 5
        await trio.sleep(3_600)
        assert net.now == began + 3_600
        assert net.linked("alice", "bob")


async def test_an_error_of_a_handler_comes_out_of_the_network(autojump_clock):
    async def fail(_stream):
        raise KeyError("mine")

    async def run():
        async with connected_nodes(3, handlers={"fail/1": fail}) as (alice, _, carol):
            await alice.open_stream(carol.node_id, "fail/1")
            await trio.sleep_forever()

    with pytest.raises(KeyError, match="mine"):
        await run()
