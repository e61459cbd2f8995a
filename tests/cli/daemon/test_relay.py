"""A relay where one end reads no more: what was sent to that end, and by it, still arrives."""

import socket
from contextlib import asynccontextmanager

import trio
import trio.testing

from cli.daemon.relay import Traffic, relay
from p2pnoise import StreamCode, StreamReset
from tests.patience import PATIENCE


class Peer:
    """A stream to a peer who says `says`, takes what is sent once `takes` is set, or has hung up and takes nothing."""

    def __init__(self, *, hung_up=False):
        self.says, self._heard = trio.open_memory_channel(100)
        self.takes = trio.Event()
        self.taken = []
        self._hung_up = hung_up

    async def receive_some(self):
        try:
            return await self._heard.receive()
        except trio.EndOfChannel:
            return b""

    async def send_all(self, data):
        if self._hung_up:
            raise StreamReset("the peer reads no more", StreamCode.CANCELLED)
        await self.takes.wait()
        self.taken.append(bytes(data))

    async def send_eof(self):
        self.taken.append("end")

    async def aclose(self):
        self.taken.append("closed")

    def abort(self):
        self.taken.append("broken off")


@asynccontextmanager
async def relayed(peer):
    """The other end of the connection that is joined with the stream."""
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with listener, trio.open_nursery() as nursery:
        with trio.fail_after(PATIENCE):
            connection = trio.socket.socket()
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)  # or the system takes all at once
            await connection.connect(listener.socket.getsockname())
            application = trio.SocketStream(connection)
            nursery.start_soon(relay, peer, await listener.accept(), Traffic())
            async with application:
                yield application


async def test_an_answer_arrives_whole_of_an_application_that_has_hung_up_since():
    peer = Peer()
    async with relayed(peer) as application:
        await application.send_all(b"no more of this")
        await application.aclose()
        await trio.testing.wait_all_tasks_blocked()
        for _ in range(2):  # the system refuses the second
            await peer.says.send(b"part of an upload")
            await trio.testing.wait_all_tasks_blocked(0.05)
        peer.takes.set()
        await peer.says.aclose()
    assert peer.taken == [b"no more of this", "end", "closed"]


async def test_an_answer_arrives_whole_at_an_application_that_goes_on_sending():
    peer, answer = Peer(hung_up=True), bytes(range(256)) * 64
    async with relayed(peer) as application:
        await application.send_all(b"part of an upload")
        await trio.testing.wait_all_tasks_blocked(0.05)
        await application.send_all(b"another part, which nobody reads")
        await peer.says.send(answer)
        await peer.says.aclose()
        await trio.testing.wait_all_tasks_blocked(0.05)  # all of it is on its way, and the stream is closed
        assert b"".join([data async for data in application]) == answer
    assert peer.taken == ["closed"]
