"""NoiseStream with peers that speak plain NoiseSocket or as the Go reference does."""

import pytest
import trio
import trio.testing

from p2pnoise import LocalProtocolError
from p2pnoise.noisesocket import GO, PLAIN

every_profile = pytest.mark.parametrize("profile", [PLAIN, GO], ids=["plain", "Go"])


async def send_and_end(stream, data):
    await stream.send_all(data)
    await stream.send_eof()


@pytest.mark.parametrize("pattern", ["XX", "IK"])
@every_profile
async def test_payloads_and_data_go_both_ways_and_each_end_is_the_carrier_s(streams, carriers, pattern, profile):
    client, server = streams.pair(await carriers(), pattern, connections={"profile": profile})
    await streams.shake_hands(client, server)
    assert (client.peer_payload, server.peer_payload) == (b"server", b"client")
    for one, other in ((client, server), (server, client)):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(send_and_end, one, b"x" * 100_000)
            received = b""
            while data := await other.receive_some():
                received += data
        assert received == b"x" * 100_000


@every_profile
def test_early_data_have_no_place(streams, profile):
    with pytest.raises(LocalProtocolError, match="early data"):
        streams.pair(trio.testing.memory_stream_pair(), client={"early_data": b"x"}, connections={"profile": profile})


class Whole(trio.abc.Stream):
    """A carrier without a half-close."""

    def __init__(self, stream):
        self._stream = stream

    async def send_all(self, data):
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self):
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes=None):
        return await self._stream.receive_some(max_bytes)

    async def aclose(self):
        await self._stream.aclose()


@every_profile
async def test_an_end_that_the_carrier_cannot_say_is_refused_each_time_and_changes_nothing(streams, profile):
    carriers = [Whole(stream) for stream in trio.testing.memory_stream_pair()]
    client, server = await streams.open_pair(carriers, connections={"profile": profile})
    for _ in range(2):
        with pytest.raises(LocalProtocolError, match="no half-close"):
            await client.send_eof()
    await client.send_all(b"still open")
    assert await server.receive_some() == b"still open"


@every_profile
async def test_an_end_that_was_cancelled_can_be_said_again(streams, tcp, profile):
    client, server = await streams.open_pair(await tcp(), connections={"profile": profile})
    # Behind our own question whether we are cancelled, the carrier asks again.
    with trio.CancelScope() as scope:
        client.transport_stream.send_eof = cancelled_first(scope, client.transport_stream.send_eof)
        await client.send_eof()
    assert scope.cancelled_caught
    await client.send_eof()
    assert await server.receive_some() == b""


def cancelled_first(scope, call):
    async def cancel_and_call():
        scope.cancel()
        await call()

    return cancel_and_call
