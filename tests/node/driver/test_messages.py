"""Messages: in order, at most once, within bounds, on a stream that is kept open while it is used."""

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from p2pnoise.node.driver import memory_world
from p2pnoise.node.driver.errors import PeerTimeout, StreamReset
from p2pnoise.node.driver.messages import IDLE, deliver, receiving
from p2pnoise.node.stream_events import StreamCode
from p2pnoise.testing import connected_nodes, network


class Received:
    """Messages as they come; `gate` holds the one that is being worked on."""

    def __init__(self):
        self.messages = []
        self.gate = trio.Event()
        self.gate.set()

    async def take(self, message):
        await self.gate.wait()
        self.messages.append(message)

    @property
    def data(self):
        return [message.data for message in self.messages]


@pytest.fixture
async def received():
    return Received()


def streams(node):
    return sum(len(link.streams) for link in node.core.links.all.values())


async def test_messages_come_in_order_on_one_stream(autojump_clock, received):
    sent = [bytes([number % 251]) * (number * 37 % 5_000) for number in range(300)]
    async with connected_nodes(2, handlers={"note/1": receiving(received.take)}) as (alice, bob):
        for message in sent:
            await alice.send("bob", "note/1", message)
        await wait_all_tasks_blocked()
        assert received.data == sent
        assert {(message.peer.name, message.protocol) for message in received.messages} == {("alice", "note/1")}
        assert [streams(alice), streams(bob)] == [1, 1]


async def test_messages_of_many_tasks_come_whole_and_each_task_s_in_order(autojump_clock, received):
    async with connected_nodes(2, handlers={"note/1": receiving(received.take)}) as (alice, _):

        async def send(name):
            for number in range(30):
                await alice.send("bob", "note/1", b"%d %d " % (name, number) * 3_000)

        async with trio.open_nursery() as nursery:
            for name in range(5):
                nursery.start_soon(send, name)
        await wait_all_tasks_blocked()
        heads = [tuple(map(int, data.split()[:2])) for data in received.data]
        assert sorted(heads) == [(name, number) for name in range(5) for number in range(30)]
        for name in range(5):
            assert [number for who, number in heads if who == name] == list(range(30))


@pytest.mark.parametrize("how", ["left", "cancelled"])
async def test_what_is_sent_last_arrives_although_the_node_is_left(autojump_clock, received, how, monkeypatch):
    last = [bytes(60_000)] * 4 + [b"goodbye"]
    async with network(1, handlers={"note/1": receiving(received.take)}) as net:
        with trio.CancelScope() as scope:
            async with net.run("bob") as bob:
                await net.wait_until(lambda: net.linked("bob", "alice"))
                monkeypatch.setattr(memory_world, "CAPACITY", 1_000)  # so that most of it is still here
                for message in last:
                    await bob.send("alice", "note/1", message)
                if how == "cancelled":
                    scope.cancel()
                    with trio.CancelScope(shield=True):
                        for _ in range(3):  # whoever else is cancelled comes before the block ends
                            await trio.lowlevel.checkpoint()
        await wait_all_tasks_blocked()
        assert received.data == last


async def test_a_receiver_that_is_slow_makes_the_sender_wait_and_loses_nothing(autojump_clock, received):
    async with connected_nodes(2, handlers={"note/1": receiving(received.take)}) as (alice, _):
        received.gate = trio.Event()
        sent = 0

        async def send_on():
            nonlocal sent
            while True:
                await alice.send("bob", "note/1", b"%d" % sent + bytes(60_000), timeout=3)
                sent += 1

        with pytest.raises(PeerTimeout, match="did not leave"):
            await send_on()
        assert 4 < sent < 12
        received.gate.set()
        await wait_all_tasks_blocked()
        assert received.data == [b"%d" % number + bytes(60_000) for number in range(sent)]
        await alice.send("bob", "note/1", b"and on")
        await wait_all_tasks_blocked()
        assert received.data[-1] == b"and on"


async def test_a_message_that_is_too_large_breaks_the_stream_off_and_the_next_one_is_told(autojump_clock, received):
    handler = receiving(received.take, max_message=100)
    async with connected_nodes(2, handlers={"note/1": handler}) as (alice, _):
        await alice.send("bob", "note/1", bytes(101))
        await wait_all_tasks_blocked()
        with pytest.raises(StreamReset) as reset:
            await alice.send("bob", "note/1", b"a")
        assert reset.value.code is StreamCode.TOO_LARGE
        await alice.send("bob", "note/1", b"b")
        await wait_all_tasks_blocked()
        assert received.data == [b"b"]


async def test_a_message_for_nobody_is_told_to_the_next_one(autojump_clock):
    async with connected_nodes(2) as (alice, _):
        await alice.send("bob", "note/1", b"a")
        await wait_all_tasks_blocked()
        with pytest.raises(StreamReset) as reset:
            await alice.send("bob", "note/1", b"b")
        assert reset.value.code is StreamCode.UNKNOWN_PROTOCOL


async def test_the_stream_is_closed_when_nobody_has_written_for_long(autojump_clock, received):
    async with connected_nodes(2, handlers={"note/1": receiving(received.take)}) as (alice, bob):
        await alice.send("bob", "note/1", b"a")
        await trio.sleep(IDLE - 1)
        await alice.send("bob", "note/1", b"b")
        await trio.sleep(IDLE - 1)
        assert [streams(alice), streams(bob)] == [1, 1]
        await trio.sleep(2)
        assert [streams(alice), streams(bob)] == [0, 0]
        assert alice._outbox._lines == {}
        await alice.send("bob", "note/1", b"c")
        await wait_all_tasks_blocked()
        assert received.data == [b"a", b"b", b"c"]


async def test_messages_go_on_over_a_new_link(autojump_clock, received):
    async with network(2, handlers={"note/1": receiving(received.take)}) as net:
        alice = net.nodes["alice"]
        await alice.send("bob", "note/1", b"a")
        await wait_all_tasks_blocked()
        net.cut("alice", "bob")
        await wait_all_tasks_blocked()
        await alice.send("bob", "note/1", b"b")
        await wait_all_tasks_blocked()
        assert received.data == [b"a", b"b"]


async def test_a_message_that_is_cut_off_is_not_received(autojump_clock, received):
    async with connected_nodes(2, handlers={"note/1": receiving(received.take)}) as (alice, bob):
        async with await alice.open_stream("bob", "note/1") as stream:
            await stream.send_all((5).to_bytes(4, "big") + b"whole" + (5).to_bytes(4, "big") + b"par")
        await wait_all_tasks_blocked()
        assert received.data == [b"whole"]
        assert streams(bob) == 0


@pytest.mark.parametrize("step", [1, 3])
async def test_messages_are_found_however_the_bytes_come(autojump_clock, received, step):
    sent = [b"", b"a", b"bc", bytes(300)]
    stream_of = b"".join(len(one).to_bytes(4, "big") + one for one in sent)
    async with connected_nodes(2, handlers={"note/1": receiving(received.take)}) as (alice, _):
        async with await alice.open_stream("bob", "note/1") as stream:
            for at in range(0, len(stream_of), step):
                await stream.send_all(stream_of[at : at + step])
                await wait_all_tasks_blocked()
        await wait_all_tasks_blocked()
        assert received.data == sent


# One by itself


async def test_a_message_that_is_delivered_has_been_taken(autojump_clock, received):
    async with connected_nodes(2, handlers={"note/1": receiving(received.take)}) as (alice, bob):
        await deliver(await alice.open_stream("bob", "note/1"), b"hello")
        assert received.data == [b"hello"]
        await wait_all_tasks_blocked()
        assert [streams(alice), streams(bob)] == [0, 0]


async def test_a_message_is_delivered_only_once_its_handler_is_done(autojump_clock, received):
    received.gate = trio.Event()
    async with connected_nodes(2, handlers={"note/1": receiving(received.take)}) as (alice, _):
        with pytest.raises(trio.TooSlowError), trio.fail_after(60):
            await deliver(await alice.open_stream("bob", "note/1"), b"hello")


async def test_a_message_that_nobody_takes_is_not_delivered(autojump_clock, received):
    async with connected_nodes(2, handlers={"note/1": receiving(received.take, max_message=10)}) as (alice, _):
        for protocol, code in (("nope/1", StreamCode.UNKNOWN_PROTOCOL), ("note/1", StreamCode.TOO_LARGE)):
            with pytest.raises(StreamReset) as reset:
                await deliver(await alice.open_stream("bob", protocol), b"more than ten")
            assert reset.value.code is code
    assert received.data == []
