"""The report card of a fleet, its stores: whatever becomes of node.db, agents are back, and nothing is heard twice."""

import os
import shutil
import sys
import time
from contextlib import AsyncExitStack, asynccontextmanager, closing, suppress
from functools import partial
from itertools import count

import pytest
import trio

from cards import Address, Facts, IdentityKey, NodeKey, make_card, make_list, verify_card
from p2pnoise import Bootstrap, NodeConfig, P2PNoiseError, open_folder, receiving
from p2pnoise.folder.node_folder import NodeFolder
from p2pnoise.node.effects import FactOffered
from p2pnoise.store import PeerStore, StoreError
from p2pnoise.store.peer_store import PeerChange
from tests.cli.daemons import Daemons
from tests.patience import PATIENCE

EVENTS = "events/1"


class Pair:
    """A server that notes down what it hears, and an agent that numbers what it sends, never twice the same."""

    def __init__(self, daemons):
        self.homes = {name: daemons.member(name) for name in ("server", "agent")}
        self.issuer = daemons.issuer
        self.heard, self.numbers = [], count()
        self.at = {"server": "127.0.0.1:0", "agent": "127.0.0.1:0"}
        self.peers = {"server": (), "agent": ()}

    @asynccontextmanager
    async def running(self, name):
        async def note(message):
            self.heard.append(int(message.data))

        async with open_folder(
            self.homes[name],
            listen=[self.at[name]],
            handlers={EVENTS: receiving(note)} if name == "server" else None,
            config=NodeConfig(bootstrap=self.peers[name], backoff_limit=0.5),
        ) as node:
            self.at[name] = str(node.addresses[0])
            if name == "server":
                self.peers["agent"] = (Bootstrap(node.addresses[0], node.node_id),)
            yield node

    async def send(self, agent, server, events):
        """Go on until so many more have been heard. What was lost on its way is not sent again."""
        wanted = len(self.heard) + events
        with trio.fail_after(PATIENCE):
            while len(self.heard) < wanted:
                with suppress(P2PNoiseError):  # the other may be starting
                    await agent.send(server, EVENTS, b"%d" % next(self.numbers), timeout=10)
                await trio.sleep(0.005)

    def list(self, sequence):
        return make_list(self.issuer.key, network=self.issuer.network, sequence=sequence, now=int(time.time()))

    async def hold(self, node, sequence):
        """Wait until this node has the list of this number."""
        with trio.fail_after(PATIENCE):
            while lists(node) != [sequence]:  # noqa: ASYNC110 - a table tells nobody
                await trio.sleep(0.01)

    def once_each(self):
        """Nothing was heard twice, nor after what was sent later: whatever was recorded before is worth nothing."""
        assert self.heard == sorted(set(self.heard))

    def store(self, name):
        return sorted(self.homes[name].glob("node.db*"))


def lists(node):
    return [one.sequence for state in node.core.table.revocations.by_issuer.values() for one in state.lists]


@pytest.fixture
def pair(tmp_path):
    with Daemons(tmp_path) as daemons:
        yield Pair(daemons)


def delete(_home, files):
    for path in files:
        path.unlink()


def empty(home, files):
    delete(home, files)
    (home / "node.db").touch()


def roll_back(home, files):
    delete(home, files)
    for path in (home / "yesterday").iterdir():
        shutil.copyfile(path, home / path.name)


def cut_in_half(home, files):
    os.truncate(home / "node.db", (home / "node.db").stat().st_size // 2)


def cut_within_a_page(home, files):
    """The last page is that of something empty, and no worse for lacking its end: it goes with the end of the other."""
    os.truncate(home / "node.db", (home / "node.db").stat().st_size - 4_196)


def fill_with_chance(home, files):
    (home / "node.db").write_bytes(os.urandom((home / "node.db").stat().st_size))


MENDED, REFUSED = [delete, empty, roll_back], [cut_within_a_page, cut_in_half, fill_with_chance]
BOTH = pytest.mark.parametrize("name", ["server", "agent"])


async def yesterday(pair):
    """Both have run, were copied, and have run on since."""
    for day in (1, 2):
        async with pair.running("server") as server, pair.running("agent") as agent:
            await pair.send(agent, server.node_id, 5)
        if day == 1:
            for name, home in pair.homes.items():
                (home / "yesterday").mkdir()
                for path in pair.store(name):
                    shutil.copyfile(path, home / "yesterday" / path.name)


async def harmed(pair, name, harm):
    """The store of one is harmed while it is down and the other runs; then they go on."""
    await yesterday(pair)
    async with AsyncExitStack() as stack:
        nodes = {one: await stack.enter_async_context(pair.running(one)) for one in ("server", "agent") if one != name}
        harm(pair.homes[name], pair.store(name))
        nodes[name] = await stack.enter_async_context(pair.running(name))
        await pair.send(nodes["agent"], nodes["server"].node_id, 10)
    pair.once_each()


@BOTH
@pytest.mark.parametrize("harm", MENDED)
async def test_a_store_that_is_gone_or_old_is_made_good_by_itself(pair, name, harm):
    await harmed(pair, name, harm)


@BOTH
@pytest.mark.parametrize("harm", REFUSED)
async def test_a_store_that_is_torn_is_refused_and_once_it_is_moved_aside_as_told_all_is_well(pair, name, harm):
    with pytest.raises(StoreError) as refused:
        await harmed(pair, name, harm)
    assert refused.value.hint.startswith("move it aside")
    for path in pair.store(name):
        path.rename(path.with_name(f"aside-{path.name}"))
    async with pair.running("server") as server, pair.running("agent") as agent:
        await pair.send(agent, server.node_id, 10)
    pair.once_each()


@BOTH
@pytest.mark.parametrize("harm", [delete, cut_in_half, fill_with_chance])
async def test_a_store_that_is_harmed_under_a_running_node_stops_no_stream_and_no_list(pair, name, harm):
    async with pair.running("server") as server, pair.running("agent") as agent:
        await pair.send(agent, server.node_id, 10)
        harm(pair.homes[name], pair.store(name))
        await (server if name == "server" else agent).offer(FactOffered(pair.list(2), "a test"))  # which is written
        await pair.hold(server, 2)
        await pair.hold(agent, 2)
        await pair.send(agent, server.node_id, 10)
    pair.once_each()
    assert pair.heard[-1] - pair.heard[0] == len(pair.heard) - 1  # none was lost either


async def test_a_server_whose_store_is_rolled_back_has_its_lists_again_from_who_was_there(pair):
    await yesterday(pair)
    async with pair.running("agent") as agent:
        async with pair.running("server") as server:
            await pair.send(agent, server.node_id, 1)
            await agent.offer(FactOffered(pair.list(2), "a test"))
            await pair.hold(server, 2)
        roll_back(pair.homes["server"], pair.store("server"))
        async with pair.running("server") as server:
            assert lists(server) == [1]
            await pair.hold(server, 2)


@asynccontextmanager
async def recording(address):
    """A port that passes all on to `address`; the port, and what went there by each connection."""
    said = []

    async def pump(source, sink, keep):
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            while data := await source.receive_some():
                keep += data
                await sink.send_all(data)
            await sink.send_eof()

    async def pass_on(near):
        said.append(bytearray())
        async with await trio.open_tcp_stream(address.host, address.port) as far, trio.open_nursery() as nursery:
            nursery.start_soon(pump, near, far, said[-1])
            nursery.start_soon(pump, far, near, bytearray())

    async with trio.open_nursery() as nursery:
        (listener,) = await nursery.start(partial(trio.serve_tcp, pass_on, 0, host="127.0.0.1"))
        yield Address(*listener.socket.getsockname()), said
        nursery.cancel_scope.cancel()


async def test_what_was_recorded_before_a_roll_back_is_not_taken_again(pair):
    await yesterday(pair)
    for name, home in pair.homes.items():
        delete(home, pair.store(name))  # so that neither knows another way than the one below
    async with pair.running("server") as server, recording(server.addresses[0]) as (through, said):
        at, pair.peers["agent"] = server.addresses[0], (Bootstrap(through, server.node_id),)
        async with pair.running("agent") as agent:
            await pair.send(agent, server.node_id, 50)
    heard = list(pair.heard)
    roll_back(pair.homes["server"], pair.store("server"))
    async with pair.running("server"):
        for bytes_of_one in said:
            async with await trio.open_tcp_stream(at.host, at.port) as again:
                await again.send_all(bytes_of_one)
                await again.send_eof()
                with suppress(trio.BrokenResourceError):
                    while await again.receive_some():
                        pass  # until the server ends it
    assert pair.heard == heard
    assert sum(map(len, said)) > 50 * 20  # they were among it


@pytest.mark.long
async def test_a_server_that_knows_ten_thousand_agents_listens_before_it_has_verified_them_all(pair, capsys):
    now, server = int(time.time()), NodeFolder(pair.homes["server"])
    policy, facts = server.read_policy(), Facts()
    for one in server.read_revocations():
        facts, _ = facts.add(one, policy=policy, now=now)

    def known(number):
        node, identity = NodeKey.generate(os.urandom), IdentityKey.generate(os.urandom)
        card = make_card(identity, node, network=policy.network, now=now, name=f"agent-{number}")
        verified = verify_card(pair.issuer.regrant(card), policy=policy, now=now, facts=facts).card
        row = {"record": None, "standing": "verified", "provenance": "live", "learned_from": bytes(32)}
        return PeerChange(verified=verified, first_seen=now, changed=now, **row)

    with closing(PeerStore(server.database, network=policy.network, node_id=server.read_node().public)) as store:
        store.commit([facts.revocations, *map(known, range(10_000))])
    begun = time.monotonic()
    async with pair.running("server") as node:
        listening = time.monotonic() - begun
        assert len(node.core.table) < 10_001
        with trio.fail_after(10 * PATIENCE):
            while len(node.core.table) < 10_001:  # noqa: ASYNC110 - a table tells nobody
                await trio.sleep(0.1)
        verified = time.monotonic() - begun
    with capsys.disabled():
        sys.stdout.write(f"\n10,000 cards: listening after {listening:.2f} s, all verified after {verified:.2f} s\n")
