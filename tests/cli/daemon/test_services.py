"""Services: TCP over the overlay, as both applications see it, and what changes while connections stand."""

import socket
import struct
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass

import pytest
import trio

from cards import Address
from cli.daemon.service import ANYONE, Exposed, Forwarded
from cli.daemon.services import Services
from cli.output import Fault
from p2pnoise import Node, OwnCardChanged
from p2pnoise.events import ServiceFailed
from p2pnoise.testing import Network, network
from tests.patience import PATIENCE

LOCAL = "127.0.0.1"


@dataclass
class Pair:
    """Bob exposes and alice forwards, who is of the group `ops`; both are linked."""

    net: Network
    alice: Node
    bob: Node
    forwarding: Services
    exposing: Services

    async def join(self, port, *, groups=("ops",), service="web"):
        """Expose this port at bob's and forward it at alice's; where she listens."""
        await self.exposing.set([Exposed.parse(service, str(port), groups)], [])
        await self.forwarding.set([], [Forwarded.parse("0", f"bob:{service}")])
        return self.port

    @property
    def port(self):
        (one,) = self.forwarding.status()["forwarded"]
        return Address.parse(one["listen"]).port

    async def rest(self):
        """Wait until no connection is left."""
        while any(one["connections"] for side in (self.exposing, self.forwarding) for one in _all(side)):  # noqa: ASYNC110 - nobody tells
            await trio.sleep(0.01)

    def failures(self, name):
        return [event.reason for event in self.net.events[name] if isinstance(event, ServiceFailed)]


def _all(side):
    return [one for kind in side.status().values() for one in kind]


@asynccontextmanager
async def pair():
    with trio.fail_after(PATIENCE):
        async with (
            network(0) as net,
            net.run("bob") as bob,
            net.run("alice", card=net.issue("alice", groups=("ops",))) as alice,
        ):
            await net.wait_until(lambda: net.linked("alice", "bob") and net.linked("bob", "alice"))
            yield Pair(net, alice, bob, Services(alice), Services(bob))


@asynccontextmanager
async def serving(handler):
    """A server of this machine; its port."""
    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(trio.serve_tcp, handler, 0)
        for one in listeners:  # one port for both families, or `0` would name two
            if one.socket.family == socket.AF_INET:
                yield one.socket.getsockname()[1]
        nursery.cancel_scope.cancel()


def free_port():
    """A port at which nobody listens."""
    with socket.create_server((LOCAL, 0)) as closed:
        return closed.getsockname()[1]


async def connect(port):
    return await trio.open_tcp_stream(LOCAL, port)


async def read_all(stream):
    return b"".join([data async for data in stream])


async def shout(stream):
    with suppress(trio.BrokenResourceError):
        async for data in stream:
            await stream.send_all(data.upper())


async def is_reset(stream):
    """Whether the connection was reset, and not ended."""
    try:
        await read_all(stream)
    except trio.BrokenResourceError as error:
        return isinstance(error.__cause__, ConnectionResetError)
    return False


def break_off(stream):
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    stream.socket.close()


# What goes through


async def test_bytes_go_both_ways():
    async with pair() as two, serving(shout) as port, await connect(await two.join(port)) as client:
        for word in (b"one", b"two"):
            await client.send_all(word)
            assert await client.receive_some() == word.upper()


async def test_who_has_said_all_goes_on_reading():
    async def answer(stream):
        await stream.send_all(b"you said " + await read_all(stream))

    async with pair() as two, serving(answer) as port, await connect(await two.join(port)) as client:
        await client.send_all(b"all")
        await client.send_eof()
        assert await read_all(client) == b"you said all"


async def test_a_server_that_has_said_all_goes_on_reading():
    heard = trio.Event()

    async def greet(stream):
        await stream.send_all(b"hello")
        await stream.send_eof()
        assert await read_all(stream) == b"bye"
        heard.set()

    async with pair() as two, serving(greet) as port, await connect(await two.join(port)) as client:
        assert await read_all(client) == b"hello"
        await client.send_all(b"bye")
        await client.send_eof()
        await heard.wait()


async def test_much_goes_through_whole_and_in_order():
    blob = bytes(range(256)) * 40_000

    async def double(stream):
        await stream.send_all(2 * await read_all(stream))

    async with pair() as two, serving(double) as port, await connect(await two.join(port)) as client:
        await client.send_all(blob)
        await client.send_eof()
        assert await read_all(client) == 2 * blob
        (there,), (here,) = two.exposing.status()["exposed"], two.forwarding.status()["forwarded"]
        assert (there["bytes_received"], there["bytes_sent"]) == (len(blob), 2 * len(blob))
        assert (here["bytes_received"], here["bytes_sent"]) == (2 * len(blob), len(blob))


async def test_64_connections_at_once_have_each_their_own_bytes():
    async def talk(port, number):
        async with await connect(port) as client:
            await client.send_all(b"%d" % number * 10_000)
            await client.send_eof()
            assert await read_all(client) == b"%d" % number * 10_000

    async with pair() as two, serving(shout) as port:
        entry = await two.join(port)
        async with trio.open_nursery() as nursery:
            for number in range(64):
                nursery.start_soon(talk, entry, number)


async def test_a_server_that_answers_early_and_hangs_up_is_heard_whole():
    """As one that refuses an upload does: the rest of it is not read, and the answer still arrives."""
    answer = b"413 too large" * 1000

    async def refuse(stream):
        await stream.receive_some(10)
        await stream.send_all(answer)
        await stream.send_eof()
        with trio.move_on_after(0.2):
            await trio.sleep_forever()  # then closed, with much unread

    async def upload(client):
        with suppress(trio.BrokenResourceError):
            while True:
                await client.send_all(bytes(100_000))

    async with (
        pair() as two,
        serving(refuse) as port,
        await connect(await two.join(port)) as client,
        trio.open_nursery() as nursery,  # which ends with the upload
    ):
        nursery.start_soon(upload, client)
        assert await client.receive_some(1 << 20) + await read_all(client) == answer


# How it ends


async def test_a_server_that_breaks_off_is_seen_as_that():
    async def fail(stream):
        await stream.send_all(b"half of i")
        await stream.receive_some()
        break_off(stream)

    async with pair() as two, serving(fail) as port, await connect(await two.join(port)) as client:
        assert await client.receive_some() == b"half of i"
        await client.send_all(b"!")
        assert await is_reset(client)
        assert two.failures("alice") == []  # it was reached


async def test_a_client_that_breaks_off_is_seen_as_that():
    seen, outcome = trio.Event(), []

    async def serve(stream):
        outcome.append(await is_reset(stream))
        seen.set()

    async with pair() as two, serving(serve) as port:
        client = await connect(await two.join(port))
        await client.send_all(b"half of i")
        break_off(client)
        await seen.wait()
        assert outcome == [True]


async def test_nothing_is_left_when_both_have_ended():
    async with pair() as two, serving(shout) as port:
        async with await connect(await two.join(port)) as client:
            await client.send_eof()
            assert await read_all(client) == b""
        await two.rest()


async def test_a_link_that_breaks_resets_both_ends():
    seen, outcome = trio.Event(), []

    async def serve(stream):
        await stream.send_all(b"hello")
        outcome.append(await is_reset(stream))
        seen.set()

    async with pair() as two, serving(serve) as port, await connect(await two.join(port)) as client:
        assert await client.receive_some() == b"hello"
        assert two.net.cut("alice", "bob")
        assert await is_reset(client)
        await seen.wait()
        assert outcome == [True]


async def test_a_revoked_peer_is_cut_off():
    async with pair() as two, serving(shout) as port, await connect(await two.join(port)) as client:
        await client.send_all(b"hello")
        assert await client.receive_some() == b"HELLO"
        await two.net.revoke("alice", at="bob")
        assert await is_reset(client)


# Who may


async def test_a_peer_of_no_group_is_refused_and_told_once():
    served = []

    async def serve(stream):
        served.append(stream)

    async with pair() as two, serving(serve) as port:
        entry = await two.join(port, groups=("dev",))
        for _ in range(2):
            async with await connect(entry) as client:
                assert await is_reset(client)
        assert two.failures("alice") == ["we are of no group that may use it"]
        assert served == []


async def test_any_peer_may_where_that_was_asked_for():
    async with pair() as two, serving(shout) as port, await connect(await two.join(port, groups=(ANYONE,))) as client:
        await client.send_all(b"hello")
        assert await client.receive_some() == b"HELLO"


async def test_a_peer_that_leaves_the_group_loses_its_connections_and_gets_none():
    async with pair() as two, serving(shout) as port:
        entry = await two.join(port)
        async with await connect(entry) as client:
            await client.send_all(b"hello")
            assert await client.receive_some() == b"HELLO"
            card = two.net.issue("alice", groups=("dev",), sequence=2)
            await two.alice.offer(OwnCardChanged(card))
            assert await is_reset(client)
        async with await connect(entry) as client:
            assert await is_reset(client)


async def test_a_service_that_is_taken_from_a_group_is_taken_from_its_connections():
    async with pair() as two, serving(shout) as port, await connect(await two.join(port)) as client:
        await client.send_all(b"hello")
        assert await client.receive_some() == b"HELLO"
        await two.exposing.set([Exposed.parse("web", str(port), ["dev"])], [])
        assert await is_reset(client)


# What fails


async def test_a_service_that_nobody_exposes_is_named():
    async with pair() as two:
        await two.forwarding.set([], [Forwarded.parse("0", "bob:web")])
        async with await connect(two.port) as client:
            assert await is_reset(client)
        assert two.failures("alice") == ["it exposes no such service"]


async def test_a_server_that_does_not_run_is_named_at_both_nodes():
    async with pair() as two:
        async with await connect(await two.join(free_port())) as client:
            assert await is_reset(client)
        assert two.failures("bob") == ["connection refused"]
        assert two.failures("alice") == ["it does not answer there"]


async def test_a_peer_that_is_not_known_is_named():
    async with pair() as two:
        await two.forwarding.set([], [Forwarded.parse("0", "bobby:web")])
        async with await connect(two.port) as client:
            assert await is_reset(client)
        assert two.failures("alice") == ["no known peer is called 'bobby'"]


async def test_what_failed_is_told_again_after_it_has_worked():
    async with pair() as two, serving(shout) as port:
        entry = await two.join(port)
        for exposed in ([], [Exposed.parse("web", str(port), ["ops"])], []):
            await two.exposing.set(exposed, [])
            async with await connect(entry) as client:
                if exposed:
                    await client.send_eof()
                    assert await read_all(client) == b""
                else:
                    assert await is_reset(client)
            await two.rest()
        assert two.failures("alice") == ["it exposes no such service"] * 2


@pytest.mark.parametrize("at", ["alice", "bob"])
async def test_one_connection_too_many_is_refused_and_the_others_go_on(at):
    async with pair() as two, serving(shout) as port:
        entry = await two.join(port)
        async with await connect(entry) as first, await connect(entry) as second:
            for client in (first, second):
                await client.send_all(b"hello")
                assert await client.receive_some() == b"HELLO"
            (full,) = two.forwarding._forwarded if at == "alice" else two.exposing._exposed.values()
            full.connections.most = 2
            async with await connect(entry) as third:
                assert await is_reset(third)
            assert two.failures("alice") == [
                "2 connections to it are open here" if at == "alice" else "too many connections to it are open"
            ]
            for client in (first, second):
                await client.send_all(b"again")
                assert await client.receive_some() == b"AGAIN"


async def test_one_peer_leaves_places_for_the_others():
    async with pair() as two, serving(shout) as port, two.net.run("carol") as carol:
        entry = await two.join(port, groups=(ANYONE,))
        for service in two.exposing._exposed.values():
            service.connections.most_of_peer = 1
        theirs = Services(carol)
        await two.net.wait_until(lambda: two.net.linked("carol", "bob"))
        await theirs.set([], [Forwarded.parse("0", "bob:web")])
        (hers,) = theirs.status()["forwarded"]
        async with await connect(entry) as first, await trio.open_tcp_stream(*Address.parse(hers["listen"])) as other:
            for client in (first, other):
                await client.send_all(b"hello")
                assert await client.receive_some() == b"HELLO"
            async with await connect(entry) as second:
                assert await is_reset(second)
        assert two.failures("alice") == ["too many connections to it are open"]


# What changes


async def test_connections_of_what_stays_go_on_when_others_come_and_go():
    async with pair() as two, serving(shout) as port, await connect(await two.join(port)) as client:
        web = Exposed.parse("web", str(port), ["ops"])
        for exposed in ([web, Exposed.parse("db", str(port), ["ops"])], [web]):
            await two.exposing.set(exposed, [])
            await two.forwarding.set([], [Forwarded.parse("0", "bob:web")])
            await client.send_all(b"hello")
            assert await client.receive_some() == b"HELLO"


async def test_what_is_taken_away_ends_with_its_connections():
    async with pair() as two, serving(shout) as port:
        entry = await two.join(port)
        async with await connect(entry) as client:
            await client.send_all(b"hello")
            assert await client.receive_some() == b"HELLO"
            await two.exposing.set([], [])
            assert await is_reset(client)
        await two.forwarding.set([], [])
        with pytest.raises(OSError, match="all attempts to connect"):
            await connect(entry)


async def test_a_service_that_moves_serves_at_its_new_place_alone():
    async def other(stream):
        await stream.send_all(b"the other")

    async with pair() as two, serving(shout) as port, serving(other) as new:
        entry = await two.join(port)
        async with await connect(entry) as client:
            await client.send_all(b"hello")
            assert await client.receive_some() == b"HELLO"
            await two.exposing.set([Exposed.parse("web", str(new), ["ops"])], [])
            assert await is_reset(client)
        async with await connect(entry) as client:
            assert await read_all(client) == b"the other"


async def test_a_forward_that_leads_elsewhere_keeps_its_port():
    async def other(stream):
        await stream.send_all(b"the other")

    async with pair() as two, serving(shout) as port, serving(other) as new:
        entry = free_port()
        exposed = [Exposed.parse("web", str(port), ["ops"]), Exposed.parse("db", str(new), ["ops"])]
        await two.exposing.set(exposed, [])
        await two.forwarding.set([], [Forwarded.parse(str(entry), "bob:web")])
        async with await connect(entry) as client:
            await client.send_all(b"hello")
            assert await client.receive_some() == b"HELLO"
            await two.forwarding.set([], [Forwarded.parse(str(entry), "bob:db")])
            assert await is_reset(client)
        async with await connect(entry) as client:
            assert await read_all(client) == b"the other"


async def test_a_port_that_is_taken_changes_nothing():
    async with pair() as two, serving(shout) as port:
        entry = await two.join(port)
        forwards = [Forwarded.parse("0", "bob:db"), Forwarded.parse(str(port), "bob:web")]
        with pytest.raises(Fault, match=f"cannot listen on 127.0.0.1:{port} for bob:web: address already in use"):
            await two.forwarding.set([], forwards)
        async with await connect(entry) as client:
            await client.send_all(b"hello")
            assert await client.receive_some() == b"HELLO"


async def test_a_port_is_free_again_once_its_forward_was_taken_away():
    async with pair() as two:
        await two.forwarding.set([], [Forwarded.parse("0", "bob:web")])
        port = str(two.port)
        for _ in range(3):
            await two.forwarding.set([], [])
            await two.forwarding.set([], [Forwarded.parse(port, "bob:web")])


@pytest.mark.parametrize("hosts", [("0.0.0.0", LOCAL), (LOCAL, "0.0.0.0")])
async def test_a_forward_moves_to_another_address_of_its_port_in_one_change(hosts):
    async with pair() as two, serving(shout) as port:
        await two.join(port)
        entry = free_port()
        for host in hosts:
            await two.forwarding.set([], [Forwarded.parse(f"{host}:{entry}", "bob:web")])
            async with await connect(entry) as client:
                await client.send_all(b"hello")
                assert await client.receive_some() == b"HELLO"
        (one,) = two.forwarding.status()["forwarded"]
        assert one["listen"] == f"{hosts[-1]}:{entry}"


async def test_a_forward_that_cannot_move_stays_with_its_connections():
    async with pair() as two, serving(shout) as port:
        await two.join(port)
        entry = free_port()
        here = f"127.0.0.2:{entry}"
        await two.forwarding.set([], [Forwarded.parse(here, "bob:web")])
        old = await trio.open_tcp_stream("127.0.0.2", entry)
        with socket.create_server((LOCAL, entry)), pytest.raises(Fault, match="address already in use"):
            await two.forwarding.set([], [Forwarded.parse(f"0.0.0.0:{entry}", "bob:web")])
        for client in (old, await trio.open_tcp_stream("127.0.0.2", entry)):
            async with client:
                await client.send_all(b"hello")
                assert await client.receive_some() == b"HELLO"
        (one,) = two.forwarding.status()["forwarded"]
        assert one["listen"] == here


async def test_a_forward_has_one_port_for_all_addresses_of_its_host():
    class TwoAddresses(trio.abc.HostnameResolver):
        async def getaddrinfo(self, _host, port, *_rest):
            await trio.lowlevel.checkpoint()
            kind = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "")
            return [(*kind, (address, port)) for address in (LOCAL, "127.0.0.2")]

        async def getnameinfo(self, *_all):
            raise NotImplementedError

    async with pair() as two, serving(shout) as port:
        await two.join(port)
        trio.socket.set_custom_hostname_resolver(TwoAddresses())
        await two.forwarding.set([], [Forwarded.parse("everywhere:0", "bob:web")])
        for address in (LOCAL, "127.0.0.2"):
            async with await trio.open_tcp_stream(address, two.port) as client:
                await client.send_all(b"hello")
                assert await client.receive_some() == b"HELLO"


async def test_one_name_for_two_services_is_refused():
    async with pair() as two:
        web = Exposed.parse("web", "80", ["ops"])
        with pytest.raises(Fault, match="web is exposed twice"):
            await two.exposing.set([web, web], [])
        with pytest.raises(Fault, match=r"two forwards listen at 127.0.0.1:8000"):
            await two.exposing.set([], [Forwarded.parse("8000", f"bob:{name}") for name in ("web", "db")])


async def test_what_is_added_for_a_while_ends_with_its_block_and_leaves_the_rest():
    async with pair() as two, serving(shout) as port:
        db = Exposed.parse("db", str(port), ["ops"])
        await two.join(port)
        async with two.exposing.adding(exposed=[db]):
            await two.exposing.set([Exposed.parse("web", str(port), ["ops"])], [])
            assert [one["service"] for one in two.exposing.status()["exposed"]] == ["web", "db"]
            async with (
                two.forwarding.adding(forwarded=[Forwarded.parse("0", "bob:db")]) as (address,),
                await connect(address.port) as client,
            ):
                await client.send_all(b"hello")
                assert await client.receive_some() == b"HELLO"
        assert [one["service"] for one in two.exposing.status()["exposed"]] == ["web"]
        assert [one["service"] for one in two.forwarding.status()["forwarded"]] == ["web"]


async def test_what_is_exposed_already_cannot_be_added():
    async with pair() as two:
        web = Exposed.parse("web", "80", ["ops"])
        await two.exposing.set([web], [])
        with pytest.raises(Fault, match=r"web is exposed already, at 127.0.0.1:80"):
            async with two.exposing.adding(exposed=[Exposed.parse("web", "81", [ANYONE])]):
                pass
        assert [one["to"] for one in two.exposing.status()["exposed"]] == ["127.0.0.1:80"]


async def test_a_node_that_is_left_resets_what_it_forwards():
    async with network(0) as net, serving(shout) as port, AsyncExitStack() as stack:
        with trio.fail_after(PATIENCE):
            async with (
                net.run("bob") as bob,
                net.run("alice", card=net.issue("alice", groups=("ops",))) as alice,
            ):
                await net.wait_until(lambda: net.linked("alice", "bob"))
                two = Pair(net, alice, bob, Services(alice), Services(bob))
                client = await stack.enter_async_context(await connect(await two.join(port)))
                await client.send_all(b"hello")
                assert await client.receive_some() == b"HELLO"
            assert await is_reset(client)
