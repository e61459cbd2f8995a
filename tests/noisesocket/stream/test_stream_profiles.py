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
