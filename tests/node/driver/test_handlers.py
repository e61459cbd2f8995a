"""Handlers: they serve the streams that peers open, and what goes wrong in them comes out of the node's block."""

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from p2pnoise.config import NodeConfig
from p2pnoise.errors import LocalProtocolError
from p2pnoise.events import Stopped
from p2pnoise.node.driver.errors import StreamReset
from p2pnoise.node.driver.requests import allowing, answering
from p2pnoise.node.stream_events import StreamCode
from p2pnoise.testing import connected_nodes, network


class OwnError(Exception):
    pass


async def reset_of(stream):
    """The code with which the peer broke this stream off."""
    with pytest.raises(StreamReset) as reset:
        await drain(stream)
    return reset.value.code


async def drain(stream):
    while await stream.receive_some():
        pass


async def echo(stream):
    while data := await stream.receive_some():
        await stream.send_all(data)


async def upper(request):
    return request.data.upper()


async def test_a_stream_is_closed_when_its_handler_returns(autojump_clock):
    async def greet(stream):
        await stream.send_all(b"hello")

    async with connected_nodes(2, handlers={"greet/1": greet}) as (alice, bob):
        stream = await alice.open_stream(bob.node_id, "greet/1")
        assert [await stream.receive_some(), await stream.receive_some()] == [b"hello", b""]


async def test_a_protocol_without_a_handler_is_unknown(autojump_clock):
    async with connected_nodes(2) as (alice, bob):
        assert await reset_of(await alice.open_stream(bob.node_id, "nope/1")) is StreamCode.UNKNOWN_PROTOCOL


@pytest.mark.parametrize("name", ["", "Echo", "a b", "x" * 65, "é"])
async def test_what_is_no_protocol_is_neither_handled_nor_opened(autojump_clock, name):
    async with connected_nodes(2) as (alice, bob):
        with pytest.raises(LocalProtocolError, match="is no protocol"):
            alice.handle(name, echo)
        with pytest.raises(LocalProtocolError, match="is no protocol"):
            await alice.open_stream(bob.node_id, name)


async def test_a_protocol_has_one_handler(autojump_clock):
    async with connected_nodes(1, handlers={"echo/1": echo}) as (alice,):
        with pytest.raises(LocalProtocolError, match="has a handler already"):
            alice.handle("echo/1", echo)


async def test_a_handler_that_is_taken_away_gets_no_further_streams_and_keeps_those_that_it_has(autojump_clock):
    async with connected_nodes(2) as (alice, bob):
        bob.handle("echo/1", echo)
        async with await alice.open_stream(bob.node_id, "echo/1") as stream:
            await stream.send_all(b"one")
            assert await stream.receive_some() == b"one"
            bob.unhandle("echo/1")
            assert await reset_of(await alice.open_stream(bob.node_id, "echo/1")) is StreamCode.UNKNOWN_PROTOCOL
            await stream.send_all(b"two")
            assert await stream.receive_some() == b"two"


async def test_a_protocol_whose_handler_was_taken_away_may_have_another(autojump_clock):
    async with connected_nodes(2) as (alice, bob):
        bob.handle("shout/1", echo)
        bob.unhandle("shout/1")
        bob.handle("shout/1", answering(upper))
        assert await alice.request(bob.node_id, "shout/1", b"hello") == b"HELLO"


async def test_what_has_no_handler_cannot_lose_it(autojump_clock):
    async with connected_nodes(1) as (alice,):
        with pytest.raises(LocalProtocolError, match="has no handler"):
            alice.unhandle("echo/1")


async def test_an_error_of_a_handler_comes_out_of_its_node_as_it_is_and_breaks_its_stream_off(autojump_clock):
    error = OwnError()
    codes = []

    async def fail(_stream):
        raise error

    async def ask(net):
        await net.wait_until(lambda: net.linked("alice", "bob"))
        codes.append(await reset_of(await net.nodes["alice"].open_stream("bob", "fail/1")))

    async def run(net):
        async with net.run("bob", handlers={"fail/1": fail}):
            await trio.sleep_forever()

    async with network(1) as net, trio.open_nursery() as nursery:
        nursery.start_soon(ask, net)
        with pytest.raises(OwnError) as raised:
            await run(net)
        assert raised.value is error
    assert codes == [StreamCode.FAILED]


async def test_an_error_group_of_a_handler_comes_out_as_it_is(autojump_clock):
    group = ExceptionGroup("of the handler's own", [OwnError()])

    async def fail(_stream):
        raise group

    async def run():
        async with connected_nodes(2, handlers={"fail/1": fail}) as (alice, bob):
            await alice.open_stream(bob.node_id, "fail/1")
            await trio.sleep_forever()

    with pytest.raises(ExceptionGroup) as raised:
        await run()
    assert raised.value is group


async def test_errors_of_two_handlers_and_the_block_come_out_as_one_group(autojump_clock):
    go = trio.Event()

    async def fail(stream):
        await go.wait()
        raise OwnError(stream.protocol)

    async def run():
        async with connected_nodes(2, handlers={"one/1": fail, "two/1": fail}) as (alice, bob):
            for protocol in ("one/1", "two/1"):
                await alice.open_stream(bob.node_id, protocol)
            await wait_all_tasks_blocked()
            go.set()
            raise OwnError("block")

    errors = [pytest.RaisesExc(OwnError, match=name) for name in ("one/1", "two/1", "block")]
    with pytest.RaisesGroup(*errors, flatten_subgroups=True):
        await run()


async def test_an_error_of_a_block_that_a_failure_has_cancelled_comes_out_without_the_cancelling(autojump_clock):
    async def fail(_stream):
        raise OwnError("handler")

    async def clean_up():
        try:
            await trio.sleep_forever()
        finally:
            raise OwnError("block")

    async def run():
        async with connected_nodes(2, handlers={"fail/1": fail}) as (alice, bob), trio.open_nursery() as nursery:
            nursery.start_soon(clean_up)
            nursery.start_soon(trio.sleep_forever)
            await alice.open_stream(bob.node_id, "fail/1")

    errors = [pytest.RaisesExc(OwnError, match=name) for name in ("handler", "block")]
    with pytest.RaisesGroup(*errors, flatten_subgroups=True):
        await run()


async def test_what_a_peer_does_to_a_stream_does_not_end_the_node(autojump_clock):
    async def hurt(alice, bob):
        stream = await alice.open_stream(bob.node_id, "echo/1")
        await stream.send_all(b"x")
        await stream.receive_some()
        stream.abort()

    async def echo_in_a_nursery(stream):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(echo, stream)
            nursery.start_soon(trio.sleep_forever)

    for handler in (echo, echo_in_a_nursery):
        async with connected_nodes(2, handlers={"echo/1": handler}) as (alice, bob):
            await hurt(alice, bob)
            await wait_all_tasks_blocked()
            await hurt(alice, bob)


async def test_the_end_of_another_stream_is_an_error_of_the_handler(autojump_clock):
    async def relay(stream):
        other = await nodes[1].open_stream(nodes[0].node_id, "deaf/1")
        await stream.send_all(await other.receive_some())

    async def deaf(stream):
        stream.abort(StreamCode.BUSY)

    nodes = []

    async def run():
        async with connected_nodes(2, handlers={"relay/1": relay, "deaf/1": deaf}) as both:
            nodes.extend(both)
            await both[0].open_stream(both[1].node_id, "relay/1")
            await trio.sleep_forever()

    with pytest.raises(StreamReset):
        await run()


async def test_handlers_are_cancelled_at_once_when_the_block_is_left(autojump_clock):
    ended = []

    async def wait(_stream):
        try:
            await trio.sleep_forever()
        finally:
            ended.append(trio.current_time())

    async with network(1) as net:
        async with net.run("bob", handlers={"wait/1": wait}) as bob:
            await net.wait_until(lambda: net.linked("alice", "bob"))
            stream = await net.nodes["alice"].open_stream(bob.node_id, "wait/1")
            await wait_all_tasks_blocked()
            left = trio.current_time()
        assert ended == [left]
        assert trio.current_time() == left
        with pytest.raises(trio.BrokenResourceError):
            await stream.receive_some()


async def test_a_block_that_is_cancelled_ends_its_handlers_and_its_links(autojump_clock):
    async def wait(_stream):
        await trio.sleep_forever()

    async with network(1) as net:
        with trio.CancelScope() as scope:
            async with net.run("bob", handlers={"wait/1": wait}) as bob:
                await net.wait_until(lambda: net.linked("alice", "bob"))
                await net.nodes["alice"].open_stream(bob.node_id, "wait/1")
                scope.cancel()
                await trio.sleep_forever()
        assert scope.cancelled_caught
        assert isinstance(net.events["bob"][-1], Stopped)
        await net.wait_until(lambda: not net.nodes["alice"].peers[0].linked)


@pytest.mark.parametrize(
    ("groups", "code"), [(("operators",), None), (("guests",), StreamCode.NOT_ALLOWED), ((), StreamCode.NOT_ALLOWED)]
)
async def test_a_handler_can_be_for_some_groups_alone(autojump_clock, groups, code):
    async def status(request):
        return ",".join(request.peer.groups).encode()

    handler = allowing(answering(status), groups=("operators", "owners"))
    async with (
        network(1, handlers={"admin/1": handler}) as net,
        net.run("bob", card=net.issue("bob", groups=groups)) as bob,
    ):
        await net.wait_until(lambda: net.linked("bob", "alice"))
        if code is None:
            assert await bob.request("alice", "admin/1", b"") == b"operators"
        else:
            assert await reset_of(await bob.open_stream("alice", "admin/1")) == code


async def test_who_comes_again_and_again_does_not_pile_up_handlers(autojump_clock):
    """A handler may outlive its link."""
    running = 0

    async def slow(stream):
        nonlocal running
        running += 1
        await trio.sleep(1000)

    async with network(2, handlers={"slow/1": slow}, config=NodeConfig(max_streams=4)) as net:
        for _ in range(3):
            for _ in range(4):
                await net.nodes["alice"].open_stream("bob", "slow/1")
            await trio.sleep(1)
            net.cut("alice", "bob")
            await trio.sleep(5)
        assert running == 4
