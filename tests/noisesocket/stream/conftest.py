"""What the NoiseStream tests share: two streams, and carriers between them."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import trio
import trio.testing

from p2pnoise import KeyPair, NoiseStream, anyone
from p2pnoise.noise import Protocol
from p2pnoise.noisesocket import NoiseSocketConnection

CLIENT, SERVER, STRANGER = (KeyPair.from_private(bytes([number]) * 32) for number in (1, 2, 3))
PROLOGUE = b"tests of p2pnoise"
XX = Protocol.parse("Noise_XX_25519_ChaChaPoly_BLAKE2s")
IK = Protocol.parse("Noise_IK_25519_ChaChaPoly_BLAKE2s")


def client_connection(pattern: str = "IK", **options: object) -> NoiseSocketConnection:
    options = {"s": CLIENT, "rs": SERVER.public if pattern == "IK" else None} | options
    return NoiseSocketConnection(initiator=True, application_prologue=PROLOGUE, entropy=os.urandom, **options)


def server_connection(**options: object) -> NoiseSocketConnection:
    options = {"s": SERVER} | options
    return NoiseSocketConnection(initiator=False, application_prologue=PROLOGUE, entropy=os.urandom, **options)


class StreamPlay:
    """Helpers for tests, which cannot import a conftest."""

    client, server, stranger = CLIENT, SERVER, STRANGER
    prologue = PROLOGUE
    xx, ik = XX, IK
    client_connection = staticmethod(client_connection)
    server_connection = staticmethod(server_connection)

    @staticmethod
    def pair(carriers, pattern="IK", *, client=None, server=None, connections=None):
        """Both streams over a pair of carriers, their handshake still to be done."""
        return (
            NoiseStream(
                carriers[0],
                client_connection(pattern, **connections or {}),
                **{"verify": anyone, "payload": b"client"} | (client or {}),
            ),
            NoiseStream(
                carriers[1],
                server_connection(**connections or {}),
                **{"verify": anyone, "payload": b"server"} | (server or {}),
            ),
        )

    @staticmethod
    async def shake_hands(client, server):
        """Have both done the handshake."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.do_handshake)
            nursery.start_soon(server.do_handshake)
        return client, server

    @classmethod
    async def open_pair(cls, carriers, pattern="IK", **options):
        """Both streams over a pair of carriers, their handshake done."""
        return await cls.shake_hands(*cls.pair(carriers, pattern, **options))


@pytest.fixture(scope="session")
def streams() -> type[StreamPlay]:
    return StreamPlay


Maker = Callable[[], Awaitable[tuple[trio.abc.Stream, trio.abc.Stream]]]


@pytest.fixture
async def tcp() -> AsyncIterator[Maker]:
    """Makes a pair of connected SocketStreams over the loopback interface, closed when the test is over."""
    made = []
    async with (await trio.open_tcp_listeners(0, host="127.0.0.1"))[0] as listener:

        async def make():
            port = listener.socket.getsockname()[1]
            made.append((await trio.open_tcp_stream("127.0.0.1", port), await listener.accept()))
            return made[-1]

        yield make
    for pair in made:
        for stream in pair:
            await trio.aclose_forcefully(stream)


@pytest.fixture(params=["memory", "tcp", "unix"])
async def carriers(request, tcp) -> AsyncIterator[Maker]:
    """Makes a pair of connected carriers, of each kind in turn."""
    made = []

    async def memory():
        return trio.testing.memory_stream_pair()

    async def unix():
        made.extend(trio.SocketStream(socket) for socket in trio.socket.socketpair())
        return made[-2:]

    yield {"memory": memory, "tcp": tcp, "unix": unix}[request.param]
    for stream in made:
        await trio.aclose_forcefully(stream)
