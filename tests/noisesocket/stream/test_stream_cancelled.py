"""Cancelling a NoiseStream at any await leaves it usable or closed, and never silently wrong."""

import pytest
import trio
import trio.testing

from p2pnoise import NoiseStreamError

DATA = bytes(number % 251 for number in range(300_000))


class CancelAt:
    """A carrier over another that is cancelled at its call number `at`, before or after the bytes have moved."""

    def __init__(self, carrier, scope, at, *, after):
        self._carrier = carrier
        self._scope = scope
        self._at = at
        self._after = after

    async def _call(self, method, *arguments):
        self._at -= 1
        if self._at == 0 and not self._after:
            self._scope.cancel()
            await trio.lowlevel.checkpoint()
        result = await method(*arguments)
        if self._at == 0 and self._after:
            self._scope.cancel()
            if method == self._carrier.send_all:  # what was received is handed over: nothing is awaited behind it
                await trio.lowlevel.checkpoint()
        return result

    async def send_all(self, data):
        await self._call(self._carrier.send_all, data)

    async def receive_some(self, max_bytes=None):
        return await self._call(self._carrier.receive_some, max_bytes)

    async def aclose(self):
        await self._carrier.aclose()

    async def wait_send_all_might_not_block(self):
        await self._carrier.wait_send_all_might_not_block()


async def outcome(call, *arguments):
    """What a call came to."""
    try:
        return await call(*arguments)
    except trio.BrokenResourceError as error:
        return error


async def zeros_for_ever(stream):
    """Receives zeros until something is raised."""
    while True:
        assert set(await stream.receive_some()) == {0}


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", range(1, 9))
@pytest.mark.parametrize("pattern", ["XX", "IK"])
async def test_cancelled_at_any_call_of_the_carrier_the_peer_gets_a_true_prefix(streams, pattern, at, after):
    near, far = trio.testing.memory_stream_pair()
    scope = trio.CancelScope()
    client, server = streams.pair((CancelAt(near, scope, at, after=after), far), pattern)
    seen = bytearray()

    async def serve():
        try:
            while data := await server.receive_some():
                seen.extend(data)
                await server.send_all(data[:1])
        except NoiseStreamError:
            return "truncated"
        return "ended"

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        with scope:
            for start in range(0, len(DATA), 60_000):
                await client.send_all(DATA[start : start + 60_000])
                assert await client.receive_some(1)
        sent = bytes(seen)
        rest = DATA[-10:]
        again = await outcome(client.send_all, rest)
        # Usable: what is sent now arrives behind what was sent; or refused, loudly.
        await trio.testing.wait_all_tasks_blocked()
        if again is None:
            assert bytes(seen).endswith(rest)
            assert DATA.startswith(bytes(seen)[: -len(rest)])
        else:
            assert isinstance(again, trio.BrokenResourceError)
            assert DATA.startswith(bytes(seen))
        assert DATA.startswith(sent)
        await client.aclose()


async def test_a_send_cancelled_before_it_began_leaves_the_stream_as_it_was(streams, carriers):
    client, server = await streams.open_pair(await carriers())
    with trio.CancelScope() as scope:
        scope.cancel()
        await client.send_all(b"never")
    assert scope.cancelled_caught
    await client.send_all(b"now")
    assert await server.receive_some() == b"now"
    await client.aclose()
    assert await server.receive_some() == b""


async def test_a_send_cancelled_midway_sends_no_more_and_still_receives(streams, tcp):
    client, server = await streams.open_pair(await tcp())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.send_all, bytes(100_000_000))
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    for call in (lambda: client.send_all(b"x"), lambda: client.send_all(b""), client.send_eof):
        with pytest.raises(trio.BrokenResourceError, match="was cut short"):
            await call()
    await server.send_all(b"the other way")
    assert await client.receive_some() == b"the other way"
    await client.aclose()
    with pytest.raises(NoiseStreamError):
        await zeros_for_ever(server)


async def test_an_end_that_was_cut_short_is_not_taken_for_said(streams):
    client, _server = await streams.open_pair(trio.testing.lockstep_stream_pair())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.send_eof)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    with pytest.raises(trio.BrokenResourceError, match="was cut short"):
        await client.send_eof()


async def test_a_receive_that_is_cancelled_loses_nothing(streams, carriers):
    client, server = await streams.open_pair(await carriers())
    seen = bytearray()
    for number in range(100):
        await client.send_all(b"%02d" % number)
        with trio.CancelScope() as scope:
            if number % 2:
                scope.cancel()
            seen += await server.receive_some(3)
    await client.aclose()
    while data := await server.receive_some():
        seen += data
    assert seen == b"".join(b"%02d" % number for number in range(100))


async def test_a_handshake_that_is_cancelled_closes_the_stream(streams):
    near, far = trio.testing.memory_stream_pair()
    client, _server = streams.pair((near, far))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.do_handshake)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    with pytest.raises(NoiseStreamError, match="the handshake was cut short"):
        await client.send_all(b"x")
    assert await far.receive_some()
    assert await far.receive_some() == b""


async def test_closing_cancelled_closes_at_once_and_the_peer_sees_a_truncation(streams, carriers):
    client, server = await streams.open_pair(await carriers())
    await trio.aclose_forcefully(client)
    with pytest.raises(NoiseStreamError):
        await server.receive_some()


async def test_closing_while_a_task_sends_does_not_write_into_the_middle_of_its_message(streams, tcp):
    client, server = await streams.open_pair(await tcp())

    async def send():
        with pytest.raises(trio.ClosedResourceError):
            await client.send_all(bytes(100_000_000))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(send)
        await trio.testing.wait_all_tasks_blocked()
        await client.aclose()
        with pytest.raises(NoiseStreamError, match="carrier"):
            await zeros_for_ever(server)
