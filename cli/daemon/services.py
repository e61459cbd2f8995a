"""Services: the TCP services that a running node exposes to its peers and forwards from them, changed while it runs.

    an application here -> listener of a forward -> stream tcp/SERVICE -> an exposed service -> its application there

Whoever may connect to the listener may use the service: a forward listens for this machine unless told otherwise.
"""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import trio

from cards import Address
from cli.daemon.connections import CONFIGURED
from cli.daemon.exposing import Exposing
from cli.daemon.forwarding import Forwarding, open_listeners
from cli.daemon.service import Exposed, Forwarded
from cli.output import Fault
from p2pnoise import Node
from p2pnoise.node.driver.real_world import reason_of

__all__ = ["Services"]


class Services:
    """What one node exposes and forwards at present. For the tasks of its trio run; it ends with the node's block."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._exposed: dict[str, Exposing] = {}
        self._forwarded: list[Forwarding] = []
        self._changing = trio.Lock()

    async def set(self, exposed: Iterable[Exposed], forwarded: Iterable[Forwarded]) -> None:
        """Have these, in place of those of the last call; what stands in both goes on, its connections too.

        Connections end of what is exposed at another address or forwarded to another peer, and of peers that are of
        none of the new groups, within a second. Raises Fault where it cannot be done, and then nothing is changed.
        """
        await self._change(CONFIGURED, list(exposed), list(forwarded))

    @asynccontextmanager
    async def adding(
        self, *, exposed: Iterable[Exposed] = (), forwarded: Iterable[Forwarded] = ()
    ) -> AsyncIterator[tuple[Address, ...]]:
        """Have these too, as long as the block lasts; where it listens for each of `forwarded`. Raises Fault."""
        owner = object()
        try:
            yield await self._change(owner, list(exposed), list(forwarded))
        finally:
            with trio.CancelScope(shield=True):
                await self._change(owner, [], [])

    def status(self) -> dict[str, Any]:
        """For JSON: of each service what it is, how many connections it has, and the bytes that all have carried."""
        return {
            "exposed": [one.status() for one in self._exposed.values()],
            "forwarded": [one.status() for one in self._forwarded],
        }

    async def _change(self, owner: object, exposed: list[Exposed], forwarded: list[Forwarded]) -> tuple[Address, ...]:
        async with self._changing:
            self._check(owner, exposed, forwarded)
            old = {one.what.place: one for one in self._forwarded if one.connections.owner is owner}
            new = {one.place: one for one in forwarded}
            ending = [one for place, one in old.items() if place not in new]
            opened = await self._listen_for(owner, [one for place, one in new.items() if place not in old], ending)
            # From here on nothing fails.
            for place, one in old.items():
                if place in new:
                    self._forward_to(one, new[place])
                else:
                    one.close()
                    self._forwarded.remove(one)
            for one in opened:
                self._forwarded.append(one)
                self._node.start_soon(one.run)
            self._expose(owner, {one.service: one for one in exposed})
            return tuple(one.address for one in self._forwarded if one.connections.owner is owner)

    def _check(self, owner: object, exposed: list[Exposed], forwarded: list[Forwarded]) -> None:
        names = [one.service for one in exposed]
        places = [one.place for one in forwarded]
        for name in names:
            if names.count(name) > 1:
                raise Fault(f"{name} is exposed twice", "give each service a name of its own")
            if name in self._exposed and self._exposed[name].connections.owner is not owner:
                text = f"{name} is exposed already, at {self._exposed[name].what.to}"
                raise Fault(text, "choose another name, or end the other: p2pnoise status shows it")
        for one in forwarded:
            if places.count(one.place) > 1:
                raise Fault(f"two forwards listen at {one.listen}", "give each a place of its own")

    async def _listen_for(
        self, owner: object, forwarded: list[Forwarded], ending: list[Forwarding]
    ) -> list[Forwarding]:
        """Listen for these; one that ends makes way for another at its port, which its address may include."""
        ports = {one.listen.port for one in forwarded}
        in_the_way = [one for one in ending if one.address.port in ports]
        held = {one.address.port for one in in_the_way}
        opened = await self._listen(owner, [one for one in forwarded if one.listen.port not in held])
        for each in in_the_way:
            each.release()
        try:
            return opened + await self._listen(owner, [one for one in forwarded if one.listen.port in held])
        except BaseException:
            for each in opened:
                each.close()
            with trio.CancelScope(shield=True):
                for each in in_the_way:
                    await self._listen_again(each)
            raise

    async def _listen_again(self, one: Forwarding) -> None:
        try:
            one.listen_on(await open_listeners(Address(one.what.listen.host, one.address.port)))
        except OSError:  # somebody was faster
            one.close()
            self._forwarded.remove(one)

    async def _listen(self, owner: object, forwarded: list[Forwarded]) -> list[Forwarding]:
        opened: list[Forwarding] = []
        try:
            for one in forwarded:
                opened.append(Forwarding(self._node, owner, one, await open_listeners(one.listen)))
        except BaseException as error:
            for each in opened:
                each.close()
            if not isinstance(error, OSError):
                raise
            text = f"cannot listen on {one.listen} for {one.target}: {reason_of(error)}"
            raise Fault(text, "choose another port, or end what listens there") from None
        return opened

    def _forward_to(self, one: Forwarding, what: Forwarded) -> None:
        if one.what != what:
            one.what = what
            one.connections.end_all()
            one.connections.worked()

    def _expose(self, owner: object, wanted: dict[str, Exposed]) -> None:
        for name, one in list(self._exposed.items()):
            if one.connections.owner is not owner:
                continue
            what = wanted.pop(name, None)
            if what is None:
                self._node.unhandle(one.what.protocol)
                del self._exposed[name]
            if what is None or what.to != one.what.to:
                one.connections.end_all()
                one.connections.worked()
            if what is not None:
                one.what = what
        for name, what in wanted.items():
            self._exposed[name] = Exposing(self._node, owner, what)
            self._node.handle(what.protocol, self._exposed[name].serve)
