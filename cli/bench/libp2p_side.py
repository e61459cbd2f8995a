"""One end of a bench on py-libp2p, the same work over its TCP, Noise and yamux; run by an interpreter that has it.

It imports trio, libp2p and what of ours knows nothing else: `child` and `work`.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import trio

# Behind all that is installed here, and in place of this folder, whose names are not meant for the top.
sys.path = [*sys.path[1:], str(Path(__file__).parents[2])]

from libp2p import new_host  # noqa: E402
from libp2p.crypto.ed25519 import create_new_key_pair  # noqa: E402
from libp2p.network.stream.exceptions import StreamEOF  # noqa: E402
from libp2p.peer.id import ID  # noqa: E402
from libp2p.peer.peerinfo import PeerInfo  # noqa: E402
from multiaddr import Multiaddr  # noqa: E402

from cli.bench.child import Handler, Side, main  # noqa: E402

_PROTOCOL = "/bench/1"
_HOST = "127.0.0.1"
_READ = 64 * 1024  # bytes; what one frame of its yamux carries, and the fastest of those tried
_SERVER, _CLIENT = "server", "client"


class _Stream(trio.abc.Stream):
    """A stream of py-libp2p with trio's names."""

    def __init__(self, stream: Any, host: Any = None) -> None:
        """With `host`, its connection ends with it."""
        self.peer_id = stream.muxed_conn.peer_id
        self._stream = stream
        self._host = host

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self._stream.write(bytes(data))

    async def wait_send_all_might_not_block(self) -> None:
        await trio.lowlevel.checkpoint()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        try:
            data: bytes = await self._stream.read(max_bytes or _READ)
        except StreamEOF:
            return b""
        return data

    async def aclose(self) -> None:
        await self._stream.close()
        if self._host is not None:
            await self._host.disconnect(self.peer_id)


class _Hosts:
    """One host that serves and one that opens streams to it; or a link each, or a client each."""

    def __init__(self, keys: Mapping[str, str], kind: str) -> None:
        self._keys = {end: create_new_key_pair(bytes.fromhex(key)) for end, key in keys.items()}
        self._names = {ID.from_pubkey(pair.public_key): end for end, pair in self._keys.items()}
        self._kind = kind
        self._client: Any = None

    async def listen(self, nursery: trio.Nursery, handler: Handler) -> int:
        host = await self._start(nursery, self._keys[_SERVER], listens=True)
        host.set_stream_handler(_PROTOCOL, lambda stream: handler(_Stream(stream)))
        return int(host.get_addrs()[0].value_for_protocol("tcp"))

    async def connect(self, nursery: trio.Nursery, port: int) -> trio.abc.Stream:
        host, server = self._client, ID.from_pubkey(self._keys[_SERVER].public_key)
        if host is None or self._kind == "node, a peer each":
            pair = self._keys[_CLIENT] if host is None else create_new_key_pair()
            host = self._client = await self._start(nursery, pair)
        await host.connect(PeerInfo(server, [Multiaddr(f"/ip4/{_HOST}/tcp/{port}")]))
        stream = await host.new_stream(server, [_PROTOCOL])
        return _Stream(stream, host if self._kind == "node, a link each" else None)

    def peer(self, stream: Any) -> str:
        return self._names.get(stream.peer_id, "")

    @staticmethod
    async def _start(nursery: trio.Nursery, pair: Any, *, listens: bool = False) -> Any:
        host = new_host(key_pair=pair)

        async def run(*, task_status: trio.TaskStatus[None]) -> None:
            async with host.run([Multiaddr(f"/ip4/{_HOST}/tcp/0")] if listens else []):
                task_status.started()
                await trio.sleep_forever()

        await nursery.start(run)
        return host


def _make(name: str, secrets: Mapping[str, Any]) -> Side:
    return _Hosts(secrets["noise"], name)


if __name__ == "__main__":
    main(_make)
