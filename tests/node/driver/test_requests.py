"""Requests: one question, one answer, in time and within bounds, or an error that says which of them failed."""

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from p2pnoise.node.driver.errors import PeerGone, PeerTimeout, UnknownPeer
from p2pnoise.node.driver.requests import RequestRefused, ResponseTooLarge, answering
from p2pnoise.node.stream_events import StreamCode
from p2pnoise.testing import connected_nodes, network


async def double(request):
    return 2 * request.data


async def drain(stream):
    while await stream.receive_some():
        pass


def rest(*nodes):
    """How many streams are left."""
    return [sum(len(link.streams) for link in node.core.links.all.values()) for node in nodes]


@pytest.mark.parametrize("size", [0, 1, 70_000, 500_000])
async def test_a_request_is_answered_and_leaves_nothing(autojump_clock, size):
    async with connected_nodes(2, handlers={"double/1": answering(double)}) as (alice, bob):
        assert await alice.request("bob", "double/1", bytes(size)) == bytes(2 * size)
        await wait_all_tasks_blocked()
        assert rest(alice, bob) == [0, 0]


async def test_a_request_says_who_asks_and_what_for(autojump_clock):
    async def who(request):
        return f"{request.peer.name} {request.protocol}".encode()

    async with connected_nodes(2, handlers={"who/1": answering(who)}) as (alice, _):
        assert await alice.request("bob", "who/1", b"") == b"alice who/1"


async def test_a_hundred_requests_at_once_are_answered_each(autojump_clock):
    async with connected_nodes(2, handlers={"double/1": answering(double)}) as (alice, bob):
        answers = {}

        async def ask(number):
            answers[number] = await alice.request("bob", "double/1", b"%d." % number)

        async with trio.open_nursery() as nursery:
            for number in range(100):
                nursery.start_soon(ask, number)
        assert answers == {number: b"%d.%d." % (number, number) for number in range(100)}
        await wait_all_tasks_blocked()
        assert rest(alice, bob) == [0, 0]


async def test_a_request_without_a_handler_is_refused_as_unknown(autojump_clock):
    async with connected_nodes(2) as (alice, _):
        with pytest.raises(RequestRefused, match="unknown-protocol") as refused:
            await alice.request("bob", "nope/1", b"")
        assert refused.value.code is StreamCode.UNKNOWN_PROTOCOL


async def test_a_request_that_is_too_large_is_refused_as_such(autojump_clock):
    handler = answering(double, max_request=1_000)
    async with connected_nodes(2, handlers={"double/1": handler}) as (alice, bob):
        assert len(await alice.request("bob", "double/1", bytes(1_000))) == 2_000
        for size in (1_001, 5_000_000):
            with pytest.raises(RequestRefused) as refused:
                await alice.request("bob", "double/1", bytes(size))
            assert refused.value.code is StreamCode.TOO_LARGE
        await wait_all_tasks_blocked()
        assert rest(alice, bob) == [0, 0]


async def test_an_answer_that_is_too_large_is_not_read(autojump_clock):
    async with connected_nodes(2, handlers={"double/1": answering(double)}) as (alice, bob):
        assert len(await alice.request("bob", "double/1", bytes(500), max_response=1_000)) == 1_000
        with pytest.raises(ResponseTooLarge, match="more than 1000 bytes"):
            await alice.request("bob", "double/1", bytes(1_000_000), max_response=1_000)
        await wait_all_tasks_blocked()
        assert rest(alice, bob) == [0, 0]


async def test_an_answer_that_takes_too_long_is_not_waited_for(autojump_clock):
    ended = []

    async def dawdle(_request):
        try:
            await trio.sleep(100)
        finally:
            ended.append(trio.current_time())

    async with connected_nodes(2, handlers={"dawdle/1": answering(dawdle)}) as (alice, _):
        began = trio.current_time()
        with pytest.raises(PeerTimeout, match=r"no answer of .* to dawdle/1 within 7 s"):
            await alice.request("bob", "dawdle/1", b"", timeout=7)
        assert trio.current_time() == began + 7
        with pytest.raises(trio.TooSlowError):  # which is what generic trio code catches
            await alice.request("bob", "dawdle/1", b"", timeout=7)


async def test_a_request_that_never_ends_is_broken_off(autojump_clock):
    async with connected_nodes(2, handlers={"double/1": answering(double, timeout=5)}) as (alice, _):
        stream = await alice.open_stream("bob", "double/1")
        await stream.send_all(b"and")
        began = trio.current_time()
        with pytest.raises(trio.BrokenResourceError):
            await stream.receive_some()
        assert trio.current_time() == began + 5


async def test_an_answer_that_nobody_takes_is_broken_off(autojump_clock):
    async with connected_nodes(2, handlers={"double/1": answering(double, timeout=5)}) as (alice, _):
        stream = await alice.open_stream("bob", "double/1")
        await stream.send_all(bytes(1_000_000))
        await stream.send_eof()
        await trio.sleep(6)
        with pytest.raises(trio.BrokenResourceError):
            await drain(stream)


async def test_a_function_may_refuse_with_a_code(autojump_clock):
    async def refuse(_request):
        raise RequestRefused(StreamCode.NOT_ALLOWED)

    async with connected_nodes(2, handlers={"no/1": answering(refuse)}) as (alice, _):
        for _ in range(2):
            with pytest.raises(RequestRefused) as refused:
                await alice.request("bob", "no/1", b"")
            assert refused.value.code is StreamCode.NOT_ALLOWED


async def test_an_error_of_the_function_comes_out_of_its_node(autojump_clock):
    async def fail(_request):
        raise KeyError("mine")

    async def run():
        async with connected_nodes(2, handlers={"fail/1": answering(fail)}) as (alice, _):
            await alice.request("bob", "fail/1", b"")

    with pytest.raises(KeyError, match="mine"):
        await run()


async def test_a_request_whose_link_ends_says_so(autojump_clock):
    async def cut(_request):
        net.cut("alice", "bob")
        await trio.sleep_forever()

    async with network(2, handlers={"cut/1": answering(cut)}) as net:
        with pytest.raises(PeerGone):
            await net.nodes["alice"].request("bob", "cut/1", b"")


async def test_a_request_to_nobody_says_so(autojump_clock):
    async with connected_nodes(2) as (alice, _):
        with pytest.raises(UnknownPeer):
            await alice.request("zoe", "double/1", b"")
