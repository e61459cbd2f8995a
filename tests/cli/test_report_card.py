"""The report card of a fleet, in memory: agents stream to servers while others come, are revoked, stolen or cloned."""

import os
from collections import defaultdict
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from itertools import count

import pytest
import trio

from cards import Delegation, IssuerKey, grant, make_card
from p2pnoise import P2PNoiseError, PeerNotTrusted, receiving
from p2pnoise.node.effects import FactOffered
from p2pnoise.node.frames import Hello
from p2pnoise.node.link import CardPresented, Greeted, Link
from p2pnoise.noise import KeyPair
from p2pnoise.testing import Network, network

DAY = 86_400  # seconds
PACE = 0.05  # seconds between two events of an agent
EVENTS = "events/1"


class Fleet:
    """Servers that note down what they are sent, and agents that number what they send; by name in `net`."""

    def __init__(self, net: Network, stack: AsyncExitStack, nursery: trio.Nursery):
        self.net, self._stack, self._nursery = net, stack, nursery
        self.heard = defaultdict(lambda: defaultdict(list))  # numbers by server and agent

    async def server(self, name, **options):
        async def note(message):
            self.heard[name][message.peer.name].append(int(message.data))

        return await self.run(name, handlers={EVENTS: receiving(note)}, **options)

    async def run(self, name, **options):
        return await self._stack.enter_async_context(self.net.run(name, **options))

    async def agent(self, name, *servers, **options):
        """One more that streams to these servers, until it is revoked or told to stop."""
        node = await self.run(name, **{"bootstrap": servers} | options)
        for server in servers:
            self._nursery.start_soon(self._send, name, node, server)

    async def _send(self, name, node, server):
        await self.net.wait_until(lambda: self.net.linked(name, server))
        with suppress(P2PNoiseError):
            for number in count():
                await node.send(server, EVENTS, b"%d" % number)
                await trio.sleep(PACE)

    def told(self, name, kind, **fields):
        return [
            event
            for event in self.net.events[name]
            if event.kind == kind and all(getattr(event, field) == value for field, value in fields.items())
        ]

    def id(self, name):
        return self.net.keys(name)[0].public

    def knows(self, name, other):
        """Whether the one could dial the other."""
        return any(peer.name == other and peer.addresses for peer in self.net.nodes[name].peers)

    def linked(self, *pairs):
        return self.net.wait_until(lambda: all(self.net.linked(*pair) for pair in pairs))

    def unbroken(self, server, *agents):
        """Every one of these has sent a while, and nothing is missing, out of order, or there twice."""
        for agent in agents:
            heard = self.heard[server][agent]
            assert len(heard) > 10, (server, agent)
            assert heard == list(range(len(heard))), (server, agent)


@asynccontextmanager
async def fleet_of(agents, *servers):
    """Servers that know each other, and so many agents that stream to all of them."""
    async with network(0) as net, trio.open_nursery() as nursery, AsyncExitStack() as stack:
        fleet = Fleet(net, stack, nursery)
        for server in servers:
            await fleet.server(server)
        for number in range(agents):
            await fleet.agent(f"agent-{number}", *servers)
        await fleet.linked(*((f"agent-{number}", server) for number in range(agents) for server in servers))
        yield fleet


def names(agents):
    return [f"agent-{number}" for number in range(agents)]


# O1, O2: agents come and go while all others stream


@pytest.mark.parametrize("agents", [8, pytest.param(50, marks=pytest.mark.long)])
async def test_an_agent_that_is_added_is_heard_at_once_and_disturbs_nobody(autojump_clock, agents):
    async with fleet_of(agents, "server") as fleet:
        await trio.sleep(2)
        begun = trio.current_time()
        await fleet.agent("newcomer", "server")
        while not fleet.heard["server"]["newcomer"]:  # noqa: ASYNC110 - what a handler notes wakes nobody
            await trio.sleep(PACE)
        assert trio.current_time() - begun < 2
        await trio.sleep(2)
        fleet.unbroken("server", *names(agents), "newcomer")
        assert not fleet.told("server", "peer-lost")


async def test_an_agent_that_is_revoked_is_cut_off_by_all_servers_and_disturbs_nobody(autojump_clock):
    async with fleet_of(8, "one", "two") as fleet:
        await trio.sleep(2)
        begun, lost = trio.current_time(), fleet.id("agent-7")
        await fleet.net.revoke("agent-7", at="one")
        await fleet.net.wait_until(lambda: fleet.told("one", "peer-lost", node_id=lost))
        assert trio.current_time() - begun < 1
        await fleet.net.wait_until(lambda: fleet.told("two", "peer-lost", node_id=lost))
        until_all, heard = trio.current_time() - begun, len(fleet.heard["one"]["agent-7"])
        assert until_all < 2
        for server in ("one", "two"):
            where = f"{fleet.id(server)}@{fleet.net.nodes[server].addresses[0]}"
            with pytest.raises(PeerNotTrusted):
                await fleet.net.nodes["agent-7"].connect(where)
            (cut,) = fleet.told(server, "peer-lost")
            assert (cut.node_id, {finding.code for finding in cut.findings} >= {"revoked"}) == (lost, True)
        await trio.sleep(2)
        for server in ("one", "two"):
            fleet.unbroken(server, *names(7))
        assert len(fleet.heard["one"]["agent-7"]) == heard


@contextmanager
def parted(net, monkeypatch, *away):
    """No connection between these nodes and the others, for as long as the block lasts."""
    hosts = {net.nodes[name].addresses[0].host for name in away}
    connect = net._memory.connect

    def within(host, address):
        if (host in hosts) != (address.host in hosts):
            raise OSError("no route to host")
        return connect(host, address)

    with monkeypatch.context() as patch:
        patch.setattr(net._memory, "connect", within)
        for here in away:
            for there in net.nodes.keys() - set(away):
                net.cut(here, there)
        yield


async def test_a_server_that_was_cut_off_meanwhile_ends_a_revoked_agent_once_it_is_back(autojump_clock, monkeypatch):
    async with fleet_of(3, "one", "two") as fleet:
        lost = fleet.id("agent-2")
        with parted(fleet.net, monkeypatch, "two", "agent-1", "agent-2"):
            await fleet.net.revoke("agent-2", at="one")
            await trio.sleep(60)
            assert fleet.net.linked("two", "agent-2")
            assert (
                fleet.net.nodes["two"].core.table.revocations.heads
                != fleet.net.nodes["one"].core.table.revocations.heads
            )
        await fleet.net.wait_until(lambda: fleet.told("two", "list-applied", revoked=(lost,)))
        assert not fleet.net.linked("two", "agent-2")
        fleet.unbroken("two", "agent-1")


# O3: what a server has makes nobody an agent


async def gets_in(net, victim, static, card, *, ik=True):
    """Whether this static key with this card comes as far as anything counts."""
    victim = net.nodes[victim]
    carrier = net._memory.connect("10.9.9.9", victim.addresses[0])
    link = Link(
        initiator=True,
        address=victim.addresses[0],
        static=static,
        own_card=card.raw,
        entropy=os.urandom,
        now=0,
        rs=victim.node_id if ik else None,
    )
    link.start()
    while not link.closed:
        await carrier.send_all(link.take_output()[0])
        for event in link.receive(await carrier.receive(), 0):
            match event:
                case CardPresented():
                    link.accept(Hello(os.urandom(16), b""), 0)
                case Greeted():
                    return True
    return False


def forged(server, agent):
    """The key pair of an agent, of which only the DH with the server is known: that one the server's key gives."""
    own, theirs = KeyPair.from_private(server.static), agent.public

    class HalfKnown:
        def exchange(self, public):
            if public.public_bytes_raw() == own.public:
                return own.parsed.exchange(own.dh.public_key(bytes(theirs)))
            return os.urandom(32)

    pair = KeyPair.from_private(os.urandom(32))
    object.__setattr__(pair, "public", bytes(theirs))
    object.__setattr__(pair, "parsed", HalfKnown())
    return pair


@pytest.mark.parametrize("ik", [True, False], ids=["IK", "XX"])
async def test_with_all_that_a_server_has_nobody_passes_for_an_agent(autojump_clock, ik):
    async with network(0) as net, net.run("server") as server, net.run("other"):
        async with net.run("agent"):
            await net.wait_until(lambda: net.linked("server", "agent") and net.linked("other", "agent"))
        key, identity = net.keys("server")
        stolen = server.core.table.by_node(net.keys("agent")[0].public).card
        statics = [
            KeyPair.from_private(key.static),
            KeyPair.from_private(identity._seed),
            KeyPair.from_private(os.urandom(32)),
            forged(key, net.keys("agent")[0]),
        ]
        for victim in ("server", "other"):
            before = len(net.events[victim])
            for static in statics:
                assert not await gets_in(net, victim, static, stolen, ik=ik)
            told = [event.kind for event in net.events[victim][before:]]
            assert told.count("peer-refused") == 3  # the forged one fails by what it cannot make, or read
            assert "peer-verified" not in told
            assert await gets_in(net, victim, KeyPair.from_private(net.keys("agent")[0].static), stolen, ik=ik)


# O7: nothing is brought to the agents


async def test_a_server_that_never_saw_an_agent_takes_it_by_its_card_alone(autojump_clock):
    async with fleet_of(2, "server") as fleet:
        second = await fleet.server("second", bootstrap=[])
        assert len(second.core.table) == 1
        await fleet.net.nodes["agent-0"].connect(f"{second.node_id}@{second.addresses[0]}")
        first, *_ = fleet.told("second", "peer-verified")
        assert first.node_id == fleet.id("agent-0")
        assert not fleet.told("second", "card-learned", node_id=fleet.id("agent-0"))


TOUCHED = {"own-card-learned", "own-card-rejected", "peer-lost", "file-rejected"}


async def test_a_second_server_is_used_by_agents_that_nobody_touched(autojump_clock):
    async with fleet_of(4, "server") as fleet:
        cards = {name: fleet.net.nodes[name].core.card.raw for name in names(4)}
        await fleet.server("second", bootstrap=["server"])
        for name in names(4):
            await fleet.net.wait_until(lambda: fleet.knows(name, "second"))  # noqa: B023
            await fleet.net.nodes[name].send("second", EVENTS, b"0")
        await trio.sleep(1)
        assert fleet.heard["second"] == {name: [0] for name in names(4)}
        for name in names(4):
            assert fleet.net.nodes[name].core.card.raw == cards[name]
            assert not TOUCHED & {event.kind for event in fleet.net.events[name]}
        fleet.unbroken("server", *names(4))


async def test_a_new_issuer_that_the_old_one_signed_takes_over_and_no_agent_is_touched(autojump_clock):
    async with fleet_of(4, "server") as fleet:
        net, new = fleet.net, IssuerKey(b"\x44" * 32)
        cards = {name: net.nodes[name].core.card.raw for name in names(4)}
        values = {"net": "test", "iat": net.now, "nbf": net.now - 1, "exp": net.now + 300 * DAY, "path": 0}
        handover = Delegation.make(values | {"iss": net.issuer.public, "key": new.public}, net.issuer)
        await net.nodes["server"].offer(FactOffered(handover, "statements.pem"))
        key, identity = net.keys("newcomer")
        card = make_card(identity, key, network="test", now=net.now, name="newcomer")
        await fleet.agent(
            "newcomer", "server", card=grant(new, card, serial=1, now=net.now, lifetime=30 * DAY, entropy=os.urandom)
        )
        await net.nodes["newcomer"].offer(
            FactOffered(handover, "statements.pem")
        )  # beside its card, as issuers hand it
        for name in names(4):
            await net.wait_until(lambda: fleet.knows(name, "newcomer"))  # noqa: B023
            assert net.nodes[name].core.card.raw == cards[name]
            assert not TOUCHED & {event.kind for event in net.events[name]}
        await trio.sleep(2)
        fleet.unbroken("server", *names(4), "newcomer")


# O8: devices that are not as they should be


async def test_a_device_whose_clock_says_1970_is_linked_and_can_be_dialled(autojump_clock, monkeypatch):
    async with network(0) as net, net.run("server") as server:
        await trio.sleep(DAY)  # so that its card is younger than any list
        world = net._memory.world

        def stopped_clock(host, chance):
            made = world(host, chance)
            made.unix = lambda: 1_000
            return made

        monkeypatch.setattr(net._memory, "world", stopped_clock)
        async with net.run("device") as device:
            await net.wait_until(lambda: net.linked("server", "device") and net.linked("device", "server"))
            await trio.sleep(1)
            (seen,) = server.peers
            assert seen.addresses == device.addresses
            (seen,) = device.peers
            assert seen.addresses == server.addresses
            assert not [event for event in net.events["device"] if event.kind == "own-card-rejected"]


async def test_of_two_devices_from_one_image_the_second_is_refused_and_reported_and_the_first_goes_on(autojump_clock):
    async with fleet_of(2, "server") as fleet:
        net, clone = fleet.net, "agent-0"
        net.keys, keys = lambda name: keys("agent-0" if name == "clone" else name), net.keys
        await fleet.run("clone", card=net._cards["agent-0"], bootstrap=["server"])
        await net.wait_until(lambda: fleet.told("server", "duplicate-node"))
        await net.wait_until(lambda: fleet.told(clone, "own-key-elsewhere"))
        await trio.sleep(60)
        assert {event.reason for event in fleet.told("clone", "refused-by-peer")} == {"duplicate-node"}
        assert not fleet.told("server", "peer-lost")
        fleet.unbroken("server", *names(2))
