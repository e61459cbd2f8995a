"""PeerStream: a trio stream like any other, between two nodes in memory, and what a peer never takes for the whole."""

import random
import sys

import pytest
import trio
from trio.testing import check_half_closeable_stream, wait_all_tasks_blocked

from cards import Address
from p2pnoise.config import NodeConfig
from p2pnoise.node.driver.carriers import MAX_UNSENT
from p2pnoise.node.driver.errors import PeerGone, PeerTimeout, StreamReset
from p2pnoise.node.driver.peer_stream import MAX_WRITTEN, PIECE
from p2pnoise.node.stream_events import StreamCode, StreamReceived
from p2pnoise.node.streams import WINDOW
from p2pnoise.testing import network


class Pairs:
    """Streams between alice and bob, both ends."""

    def __init__(self, net):
        self.net = net
        self.alice, self.bob = net.nodes["alice"], net.nodes["bob"]
        self._send, self._receive = trio.open_memory_channel(0)

    async def hold(self, stream):
        """Bob's handler."""
        await self._send.send(stream)
        await trio.sleep_forever()

    async def make(self):
        here = await self.alice.open_stream("bob", "pair/1")
        return here, await self._receive.receive()

    async def make_clogged(self):
        """Both directions full, to the last byte: the windows, and what may wait before them."""
        pair = await self.make()
        for stream in pair:
            for size in (PIECE, 1):
                await fill(stream, size)
        return pair

    def left(self):
        """How many streams each node still knows of, in its application and in its core."""
        return [
            (
                sum(map(len, node._driver.switchboard._streams.values())),
                len(node._driver.switchboard._wishes),
                sum(len(link.streams) for link in node.core.links.all.values()),
            )
            for node in (self.alice, self.bob)
        ]


@pytest.fixture
async def pairs():
    async with network(2, config=NodeConfig(max_streams=1_000)) as net:
        pairs = Pairs(net)
        pairs.bob.handle("pair/1", pairs.hold)
        yield pairs


async def fill(stream, size=PIECE):
    """Send so many bytes at once, again and again, until no more are taken; how many were."""
    taken = 0
    while True:
        with trio.move_on_after(1) as full:
            await stream.send_all(bytes(size))
        if full.cancelled_caught:
            return taken
        taken += size


async def read_all(stream):
    """All that comes, and how it ended."""
    data = bytearray()
    try:
        while part := await stream.receive_some():
            data += part
    except trio.BrokenResourceError as error:
        return bytes(data), error
    return bytes(data), None


class CancelAt:
    """Awaits a coroutine, and cancels `scope` when it goes to sleep for the k-th time."""

    def __init__(self, coroutine, k, scope):
        self.coroutine, self.k, self.scope = coroutine, k, scope

    def __await__(self):
        step, given, count = self.coroutine.send, None, 0
        while True:
            try:
                trap = step(given)
            except StopIteration as done:
                return done.value
            count += 1
            if count == self.k:
                self.scope.cancel()
            try:
                step, given = self.coroutine.send, (yield trap)
            except BaseException as error:  # noqa: BLE001 - handed on
                step, given = self.coroutine.throw, error


async def test_it_is_a_half_closeable_stream(autojump_clock, pairs):
    await check_half_closeable_stream(pairs.make, pairs.make_clogged)


async def test_both_ends_know_whom_they_talk_to_and_what_for(autojump_clock, pairs):
    here, there = await pairs.make()
    assert (here.peer.name, here.peer.node_id, here.protocol) == ("bob", pairs.bob.node_id, "pair/1")
    assert (there.peer.name, there.peer.node_id, there.protocol) == ("alice", pairs.alice.node_id, "pair/1")
    assert here.peer.linked


async def test_large_data_come_whole_and_in_order_in_both_directions_at_once(autojump_clock, pairs):
    here, there = await pairs.make()
    data = [random.Random(number).randbytes(3_000_000) for number in range(2)]

    async def send(stream, number):
        await stream.send_all(data[number])
        await stream.send_eof()

    async def check(stream, number):
        assert await read_all(stream) == (data[number], None)

    async with trio.open_nursery() as nursery:
        for number, (sender, receiver) in enumerate([(here, there), (there, here)]):
            nursery.start_soon(send, sender, number)
            nursery.start_soon(check, receiver, number)


async def test_no_more_waits_at_the_sender_than_it_may(autojump_clock, pairs):
    here, _ = await pairs.make()
    assert WINDOW < await fill(here) <= WINDOW + MAX_WRITTEN


async def test_the_buffer_of_the_sender_is_its_own_again(autojump_clock, pairs):
    here, there = await pairs.make()
    await fill(here)  # so that what follows waits
    data = bytearray(b"\x01" * 40)
    await here.send_all(data)
    data[:] = b"\x02" * 40
    await here.send_eof()
    received, _ = await read_all(there)
    assert received.endswith(b"\x01" * 40)
    assert b"\x02" not in received


async def test_no_more_than_asked_for_is_received(autojump_clock, pairs):
    here, there = await pairs.make()
    await here.send_all(b"abc")
    await here.send_all(b"def")
    await wait_all_tasks_blocked()
    assert [await there.receive_some(2), await there.receive_some(2), await there.receive_some()] == [
        b"ab",
        b"cd",
        b"ef",
    ]


async def test_a_closed_stream_delivers_what_was_sent_and_is_forgotten(autojump_clock, pairs):
    here, there = await pairs.make()
    await here.send_all(bytes(WINDOW))
    await here.aclose()
    assert await read_all(there) == (bytes(WINDOW), None)
    await there.aclose()
    await wait_all_tasks_blocked()
    assert pairs.left() == [(0, 0, 0)] * 2


@pytest.mark.parametrize("code", StreamCode)
async def test_a_stream_that_is_broken_off_says_why(autojump_clock, pairs, code):
    here, there = await pairs.make()
    here.abort(code)
    with pytest.raises(StreamReset) as reset:
        await there.receive_some()
    assert reset.value.code is code
    with pytest.raises(StreamReset):
        await there.send_all(b"x")


async def test_the_first_reason_stays(autojump_clock, pairs):
    here, there = await pairs.make()
    here.abort(StreamCode.BUSY)
    await wait_all_tasks_blocked()
    pairs.net.cut("alice", "bob")
    await wait_all_tasks_blocked()
    with pytest.raises(StreamReset):
        await there.receive_some()


async def test_who_reads_no_more_breaks_the_sending_alone(autojump_clock, pairs):
    here, there = await pairs.make()
    await there.send_all(b"answer")
    await there.aclose()
    await wait_all_tasks_blocked()
    with pytest.raises(StreamReset):
        await here.send_all(b"x")
    assert await read_all(here) == (b"answer", None)


async def test_a_block_that_is_left_by_an_error_breaks_the_stream_off(autojump_clock, pairs):
    here, there = await pairs.make()

    async def fail():
        async with here:
            await here.send_all(b"half of it")
            raise KeyError

    with pytest.raises(KeyError):
        await fail()
    _, error = await read_all(there)
    assert isinstance(error, StreamReset)


async def test_a_stream_that_is_closed_forcefully_is_broken_off(autojump_clock, pairs):
    here, there = await pairs.make()
    await here.send_all(b"half of it")
    await trio.aclose_forcefully(here)
    _, error = await read_all(there)
    assert isinstance(error, StreamReset)


@pytest.mark.parametrize("how", ["closes", "leaves the block"])
async def test_what_was_cut_short_is_never_taken_for_the_whole(autojump_clock, pairs, how):
    here, there = await pairs.make()
    with trio.move_on_after(1):
        await here.send_all(bytes(WINDOW + MAX_WRITTEN + 1))
    with pytest.raises(trio.BrokenResourceError):
        await here.send_all(b"x")
    with pytest.raises(trio.BrokenResourceError):
        await here.send_eof()
    if how == "closes":
        await here.aclose()
    else:
        await here.__aexit__(None, None, None)
    _, error = await read_all(there)
    assert isinstance(error, StreamReset)


@pytest.mark.parametrize("size", [1, PIECE, PIECE + 1, WINDOW + MAX_WRITTEN + PIECE + 1])
async def test_sending_that_is_cancelled_anywhere_sends_all_or_is_broken_off(autojump_clock, pairs, size):
    data = random.Random(size).randbytes(size)
    cancelled = True
    k = 0
    while cancelled:
        k += 1
        here, there = await pairs.make()
        async with trio.open_nursery() as nursery:
            received = []

            async def receive(there=there, received=received):
                received.append(await read_all(there))

            nursery.start_soon(receive)
            with trio.CancelScope() as scope:
                async with here:
                    await CancelAt(here.send_all(data), k, scope)
            cancelled = scope.cancelled_caught
        ((got, error),) = received
        assert (got == data) if error is None else data.startswith(got)
        assert (error is None) is not cancelled
        await there.aclose()
    await wait_all_tasks_blocked()
    assert k > 1
    assert pairs.left() == [(0, 0, 0)] * 2


@pytest.mark.parametrize("size", [1, PIECE])
async def test_a_short_send_that_is_cancelled_has_sent_nothing_and_the_stream_goes_on(autojump_clock, pairs, size):
    here, there = await pairs.make()
    sent = await fill(here, PIECE)
    with trio.move_on_after(1) as scope:
        await here.send_all(b"\x01" * PIECE)
    assert scope.cancelled_caught
    async with trio.open_nursery() as nursery:
        nursery.start_soon(here.send_all, b"\x02" * size)
        got = b""
        while len(got) < sent + size:
            got += await there.receive_some()
    assert got == bytes(sent) + b"\x02" * size


async def test_receiving_that_is_cancelled_anywhere_loses_nothing(autojump_clock, pairs):
    here, there = await pairs.make()
    data = random.Random(1).randbytes(100_000)

    async def send():
        for at in range(0, len(data), 9_999):
            await here.send_all(data[at : at + 9_999])
            await trio.sleep(1)
        await here.send_eof()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(send)
        got, cancelled, k = b"", 0, 0
        while True:
            k = k % 3 + 1
            part = None
            with trio.CancelScope() as scope:
                part = await CancelAt(there.receive_some(7_777), k, scope)
            cancelled += scope.cancelled_caught
            if part == b"":
                break
            got += part or b""
    assert got == data
    assert cancelled > 10


async def test_opening_that_is_cancelled_anywhere_leaves_nothing(autojump_clock, pairs):
    async def leave(stream):
        await stream.receive_some()

    pairs.bob.handle("leave/1", leave)
    cancelled, k = True, 0
    while cancelled:
        k += 1
        with trio.CancelScope() as scope:
            await CancelAt(pairs.alice.open_stream("bob", "leave/1"), k, scope)
        cancelled = scope.cancelled_caught
        if cancelled:
            await wait_all_tasks_blocked()
            assert pairs.left() == [(0, 0, 0)] * 2
    assert k > 1


async def test_a_wish_for_a_peer_that_does_not_answer_is_taken_back(autojump_clock, pairs):
    deaf = Address("10.0.9.9", 7060)
    await pairs.net._memory.world(deaf.host, random.Random(1)).listen([deaf])
    with pytest.raises(PeerTimeout, match="within 5 s"):
        await pairs.alice.open_stream(f"{pairs.net.keys('nobody')[0].public}@{deaf}", "pair/1", timeout=5)
    assert pairs.alice.core.links.openings._wishes == {}
    assert pairs.left() == [(0, 0, 0)] * 2


async def test_who_reads_slowly_slows_its_own_stream_alone(autojump_clock, pairs):
    clogged = [await pairs.make() for _ in range(20)]
    for here, there in clogged:
        await fill(here)
        await fill(there)
    here, there = await pairs.make()
    began = autojump_clock.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(here.send_all, bytes(1_000_000))
        size = 0
        while size < 1_000_000:
            size += len(await there.receive_some())
    assert autojump_clock.current_time() == began


async def test_bulk_on_ten_streams_does_not_keep_a_short_message_waiting(autojump_clock, pairs):
    bulk = 0

    async def pour(stream):
        while True:
            await stream.send_all(bytes(1_000_000))

    async def drain(stream):
        nonlocal bulk
        while True:
            bulk += len(await stream.receive_some())

    here, there = await pairs.make()
    async with trio.open_nursery() as nursery:
        for _ in range(10):
            one, other = await pairs.make()
            nursery.start_soon(pour, one)
            nursery.start_soon(drain, other)
        while bulk < 10_000_000:
            await trio.lowlevel.checkpoint()
        worst = 0
        for _ in range(20):
            before = bulk
            await here.send_all(bytes(64))
            assert len(await there.receive_some()) == 64
            worst = max(worst, bulk - before)
            await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()
    # What was underway, a turn of each of the others, and what the carrier holds; the ten have ten times that queued.
    assert worst <= 512 * 1024


async def test_a_peer_that_is_revoked_is_gone_and_its_stream_says_so(autojump_clock, pairs):
    here, there = await pairs.make()
    await pairs.net.revoke("bob")
    with pytest.raises(PeerGone) as gone:
        await here.receive_some()
    assert gone.value.reason == "revoked"
    with pytest.raises(PeerGone, match="revoked"):
        await there.receive_some()


async def test_a_link_that_is_cut_ends_its_streams_and_another_comes(autojump_clock, pairs):
    here, there = await pairs.make()
    assert pairs.net.cut("alice", "bob") == 1
    for stream in (here, there):
        with pytest.raises(PeerGone):
            await stream.receive_some()
        await stream.aclose()
    await pairs.make()


async def test_what_came_before_the_end_of_the_link_is_handed_out_first(autojump_clock, pairs):
    here, there = await pairs.make()
    await here.send_all(b"last words")
    await wait_all_tasks_blocked()
    pairs.net.cut("alice", "bob")
    await wait_all_tasks_blocked()
    data, error = await read_all(there)
    assert data == b"last words"
    assert isinstance(error, PeerGone)


async def test_what_came_whole_before_the_end_of_the_link_stays_whole(autojump_clock, pairs):
    here, there = await pairs.make()
    await here.send_all(b"all of it")
    await here.send_eof()
    await wait_all_tasks_blocked()
    pairs.net.cut("alice", "bob")
    await wait_all_tasks_blocked()
    assert await read_all(there) == (b"all of it", None)


async def test_a_goodbye_brings_all_that_many_streams_have_left_to_say(autojump_clock):
    count, size = 100, 2 * PIECE
    arrived = []

    async def sink(stream):
        arrived.append(len((await read_all(stream))[0]))

    async with network(1, handlers={"sink/1": sink}) as net:
        async with net.run("bob") as bob:
            await net.wait_until(lambda: net.linked("bob", "alice"))
            streams = [await bob.open_stream("alice", "sink/1") for _ in range(count)]
            for stream in streams:
                await stream.send_all(bytes(size))
                await stream.aclose()
            (link,) = bob.core.links.all.values()
            assert sum(stream.queued for stream in link.streams._all.values()) > MAX_UNSENT
        await wait_all_tasks_blocked()
    assert arrived == [size] * count


async def wait(_stream):
    await trio.sleep_forever()


async def test_a_stream_outlives_its_node_as_a_broken_one(autojump_clock):
    async with network(2) as net:
        net.nodes["bob"].handle("pair/1", wait)
        async with net.run("carol") as carol:
            await net.wait_until(lambda: net.linked("carol", "bob"))
            stream = await carol.open_stream("bob", "pair/1")
        with pytest.raises(PeerGone):
            await stream.receive_some()
        with pytest.raises(PeerGone):
            await stream.send_all(b"x")
        await stream.aclose()


async def test_a_window_of_tiny_frames_holds_little_more_than_their_bytes(autojump_clock, pairs):
    """Each was kept as an object of its own: 5 MiB for a window of 256 KiB."""
    stream, _ = await pairs.make()
    for _ in range(100_000):
        stream.hear(StreamReceived(1, b"ab"))
    assert sum(map(sys.getsizeof, stream._arrived)) < 1.1 * 200_000
