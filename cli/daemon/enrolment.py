"""Enrolment: a port on which an issuer's side gives cards to who has a join token; the wire is in PROTOCOL.md.

Who connects there can do nothing else: the peers' port does not understand this protocol, nor this one theirs.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from functools import partial
from typing import TypeVar

import trio

from cards import Address, Card, CardError, NodeId, NodeKey
from cli.join_table import Desk
from cli.output import Fault
from p2pnoise.enrolment import (
    BACK,
    FIRST,
    MAX_ASK,
    PROLOGUE,
    TOKEN_ID,
    Join,
    MessageError,
    Pending,
    Refused,
    Renewed,
    Status,
    parse_ask,
)
from p2pnoise.enrolment.messages import Answer, Ask
from p2pnoise.events import Enrolled, EnrolmentRefused, EnrolmentWaiting, Event
from p2pnoise.node.driver.real_world import reason_of
from p2pnoise.noise import KeyPair
from p2pnoise.noisesocket.stream import HalfOpen, NoiseListener, NoiseStream, anyone
from p2pnoise.noisesocket.stream.half_open import host_of

from .enroller import Enroller

__all__ = ["renewing", "serve_enrolment"]

FULL = Refused("busy", "too many connections")

_Given = TypeVar("_Given")
_Found = TypeVar("_Found")

HANDSHAKE_TIMEOUT = 10.0  # seconds; as of every handshake
MAX_HANDSHAKES, MAX_HANDSHAKES_PER_HOST = 128, 16
"""Handshakes under way. Guesses: one costs 20 KiB and, with its first message authentic, one look into the registry."""
QUESTION_TIMEOUT = 5.0  # seconds from the handshake; a guess: an honest question is under way when it ends
MAX_SILENT, MAX_SILENT_PER_HOST = 64, 16
"""Connections with their handshake done whose question is not read. Guesses: each holds 1 KiB. Beyond these the oldest
goes, as of handshakes: anybody who knows our Node ID comes so far."""
MAX_CONNECTIONS, MAX_CONNECTIONS_PER_HOST = 64, 16
"""Connections that are being answered, each by a token that there is. Guesses."""
ANSWER_TIMEOUT = 60.0
"""Seconds from the question to the answer's end: as long as a signer may take, and a slow line for a long list."""


async def serve_enrolment(
    enroller: Enroller,
    *,
    key: NodeKey,
    listen: Sequence[Address],
    advertise: Sequence[Address] = (),
    on_event: Callable[[Event], None],
    task_status: trio.TaskStatus[tuple[Address, ...]] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Answer joiners until cancelled; `started` with the addresses that tokens will name.

    `key` is the node key by which joiners know us; tokens made from then on name it, and `advertise` or else where we
    listen. Raises `Fault` if no port can be had.
    """
    async with AsyncExitStack() as stack:
        sockets = []
        for address in listen:
            sockets.extend([await stack.enter_async_context(one) for one in await _listen(address)])
        told = tuple(advertise) or tuple(where for one in sockets if (where := _dialable(one)) is not None)
        service = _Service(enroller, on_event)
        await service.looking(enroller.stand, Desk(key.public, told))
        half_open = HalfOpen(HANDSHAKE_TIMEOUT, MAX_HANDSHAKES, MAX_HANDSHAKES_PER_HOST)
        listeners = [
            NoiseListener(
                one,
                s=KeyPair.from_private(key.static),
                verify=anyone,
                application_prologue=PROLOGUE,
                accepts=(FIRST, BACK),
                psks={2: None},
                psk_of=service.psk_of,
                half_open=half_open,
            )
            for one in sockets
        ]
        task_status.started(told)
        await trio.serve_listeners(service.serve, listeners)


def renewing(enroller: Enroller) -> Callable[[Card], Awaitable[Renewed | Refused]]:
    """How a node at an issuer renews cards, for `answer_renewals` and `keep_renewed`: one after the other."""
    one = trio.CapacityLimiter(1)

    async def renew(card: Card) -> Renewed | Refused:
        try:
            return await _alone(one, enroller.renew, card)
        except Fault:
            return Refused("busy", "the issuer's files cannot be used now")

    return renew


class _Service:
    """What all connections share."""

    def __init__(self, enroller: Enroller, on_event: Callable[[Event], None]) -> None:
        self._enroller = enroller
        self._tell = on_event
        self._silent = HalfOpen(QUESTION_TIMEOUT, MAX_SILENT, MAX_SILENT_PER_HOST)
        self._hosts: Counter[str] = Counter()
        self._looking, self._granting = trio.CapacityLimiter(1), trio.CapacityLimiter(1)
        self.looking = partial(trio.to_thread.run_sync, limiter=self._looking)

    async def psk_of(self, rs: bytes, payload: bytes) -> bytes | None:
        """The psk for message 2. What is wrong with our files ends no server: who comes back hears that we are busy."""
        del rs
        try:
            return await self.looking(self._enroller.look_up, payload) if len(payload) == TOKEN_ID else None
        except Fault as fault:
            self._tell(EnrolmentRefused(node_id=None, source="here", reason="busy", text=str(fault)))
            return None

    async def serve(self, stream: NoiseStream) -> None:
        """One joiner, from its handshake to our answer."""
        host = _host(stream.transport_stream)
        try:
            await stream.do_handshake()
            rs = NodeId(stream.rs or b"")
            ask = await self._asked(stream, rs, host)
            if ask is not None:
                with trio.move_on_after(ANSWER_TIMEOUT), self._place(host) as room:
                    await self._say(stream, await self._answer(stream, ask, rs, host) if room else FULL, rs, host)
        except (trio.BrokenResourceError, CardError):
            pass  # it left, broke the rules, or has no key that a card may name
        finally:
            await trio.aclose_forcefully(stream)

    async def _asked(self, stream: NoiseStream, rs: NodeId, host: str) -> Ask | None:
        """What is asked about a token that there is; None where there is nothing more to say.

        Strangers come so far, so they take no place of those that have a token.
        """
        place = self._silent.take_place(host)
        try:
            with place.scope:
                try:
                    ask = parse_ask(await _read_all(stream))
                    if await self.looking(self._enroller.knows, _token_id(stream)):
                        return ask
                    refused = Refused("token-unknown")
                except MessageError as error:
                    refused = Refused("request-invalid", str(error))
                except Fault as fault:
                    refused = self._broken(fault, rs, host)
                await self._say(stream, refused, rs, host)
            return None
        finally:
            place.leave()

    def _broken(self, fault: Fault, rs: NodeId, host: str) -> Refused:
        self._tell(EnrolmentRefused(node_id=rs, source=host, reason="busy", text=str(fault)))
        return Refused("busy", "the issuer's files cannot be used now")

    @contextmanager
    def _place(self, host: str) -> Iterator[bool]:
        """Whether there is room for one more of this host."""
        room = self._hosts[host] < MAX_CONNECTIONS_PER_HOST and self._hosts.total() < MAX_CONNECTIONS
        if not room:
            yield False
            return
        self._hosts[host] += 1
        try:
            yield True
        finally:
            self._hosts[host] -= 1
            if not self._hosts[host]:
                del self._hosts[host]

    async def _say(self, stream: NoiseStream, answer: Answer, rs: NodeId, host: str) -> None:
        if isinstance(answer, Refused) and (answer.code != "busy" or answer is FULL):
            self._tell(EnrolmentRefused(node_id=rs, source=host, reason=answer.code, text=answer.text))
        await stream.send_all(answer.encode())
        await stream.aclose()

    async def _answer(self, stream: NoiseStream, ask: Ask, rs: NodeId, host: str) -> Answer:
        try:
            return await self._settle(stream, ask, rs, host)
        except Fault as fault:
            return self._broken(fault, rs, host)

    async def _settle(self, stream: NoiseStream, ask: Ask, rs: NodeId, host: str) -> Answer:
        token_id = _token_id(stream)
        first = stream.protocol == FIRST
        if first and isinstance(ask, Join):
            settled = await self.looking(self._enroller.take, token_id, bytes(rs), ask, host)
        elif not first and isinstance(ask, Status):
            settled = await self.looking(self._enroller.settle, token_id, bytes(rs))
        else:
            return Refused("request-invalid", "who joins brings its psk, and who comes back does not")
        if isinstance(settled, Refused):
            return settled
        request = await self.looking(self._enroller.request, token_id)
        if request is None:
            return Refused("token-unknown")
        waiting = partial(EnrolmentWaiting, node_id=rs, name=request.card.name, source=host, request=request.short)
        if settled is not None:
            if first:
                self._tell(waiting(reason=f"p2pnoise join approve {request.short}, or join deny"))
            return settled
        granting = await _alone(self._granting, self._enroller.grant, token_id)
        if granting.new:
            self._tell(Enrolled(node_id=rs, name=request.card.name, source=host, request=request.short))
        elif isinstance(granting.answer, Pending):
            self._tell(waiting(reason=granting.note))
        return granting.answer


async def _alone(limiter: trio.CapacityLimiter, function: Callable[[_Given], _Found], given: _Given) -> _Found:
    """What waits for a signer: one after the other. Who ends us does not wait for it; its thread ends by itself, and
    what it does to the registry is whole or not at all.
    """
    return await trio.to_thread.run_sync(function, given, limiter=limiter, abandon_on_cancel=True)


async def _read_all(stream: NoiseStream) -> bytes:
    """The question, whole. Raises MessageError if it is too long."""
    data = b""
    while more := await stream.receive_some():
        data += more
        if len(data) > MAX_ASK:
            raise MessageError(f"question of more than {MAX_ASK} bytes")
    return data


def _token_id(stream: NoiseStream) -> bytes:
    found = stream.peer_payload
    if len(found) != TOKEN_ID:
        raise MessageError(f"token number of {len(found)} bytes, {TOKEN_ID} expected")
    return found


async def _listen(address: Address) -> list[trio.SocketListener]:
    try:
        return await trio.open_tcp_listeners(address.port, host=address.host)
    except OSError as error:
        raise Fault(
            f"cannot listen on {address}: {reason_of(error)}", "choose another address or port, see --listen"
        ) from None


def _dialable(listener: trio.SocketListener) -> Address | None:
    """Where a listener can be dialled; None for a wildcard, which is no address."""
    name = listener.socket.getsockname()
    return None if name[0] in ("0.0.0.0", "::") else Address(name[0], name[1])  # noqa: S104


def _host(stream: trio.abc.Stream) -> str:
    """Whom we count: an IPv4 address or an IPv6 /64, as text."""
    host = host_of(stream)
    return host if isinstance(host, str) else f"{host.hex(':', 2)}::/64" if host else "nowhere"
