"""Nodes over real sockets: they verify each other, remember each other, and tell nothing that is not kept."""

import sqlite3

import pytest
import trio

from cards import Address
from p2pnoise.node.driver.surroundings import ListenError
from p2pnoise.node.effects import FactOffered
from p2pnoise.store import PeerStore, StoreError, read_table


@pytest.mark.parametrize("pattern", ["IK", "XX"])
async def test_two_nodes_verify_each_other(net, pattern):
    async with net.node("ada") as ada:
        start = ada.bootstrap if pattern == "IK" else type(ada.bootstrap)(ada.address)
        async with net.node("bob", bootstrap=[start]) as bob:
            there = await bob.tells("peer-verified", node_id=ada.node_id)
            here = await ada.tells("peer-verified", node_id=bob.node_id)
            assert (there.pattern, there.dialled) == (pattern, True)
            assert (here.pattern, here.dialled) == (pattern, False)


async def test_a_node_that_leaves_says_goodbye(net):
    async with net.node("ada") as ada:
        async with net.node("bob", bootstrap=[ada.bootstrap]) as bob:
            await ada.tells("peer-verified", node_id=bob.node_id)
        lost = await ada.tells("peer-lost", node_id=bob.node_id)
        assert lost.reason == "closed by the peer"


async def test_the_table_outlives_its_node_and_is_dialled_from(net):
    async with net.node("ada") as ada:
        async with net.node("bob", bootstrap=[ada.bootstrap]) as bob:
            await bob.tells("peer-verified", node_id=ada.node_id)
            await net.until(lambda: bob.table.by_node(ada.node_id).record is not None)
        async with net.node("bob") as bob:
            dialling = await bob.tells("dialling", node_id=ada.node_id)
            assert dialling.source == "table"
            await bob.tells("peer-verified", node_id=ada.node_id)
            assert bob.events[0].known_peers == 2


async def _acquainted(net, sequence=1):
    """`ada` has met `bob`; both are stopped."""
    async with (
        net.node("ada") as ada,
        net.node("bob", bootstrap=[ada.bootstrap], card=net.card("bob", sequence=sequence)) as bob,
    ):
        await ada.tells("peer-verified", node_id=bob.node_id)
        return ada.path


def _change(path, statement, *values):
    database = sqlite3.connect(path)
    assert database.execute(statement, values).rowcount > 0
    database.commit()
    database.close()


async def test_a_row_is_not_believed_for_what_the_database_says_of_it(net):
    """A card that no accepted issuer granted, put there as `verified` by whoever can write the file."""
    path = await _acquainted(net)
    forged = net.card("bob", sequence=9, issuer=type(net.issuer)(bytes(32)))
    _change(path, "UPDATE peers SET card = ?, sequence = 9, standing = 'verified' WHERE name = 'bob'", forged.raw)
    async with net.node("ada") as ada:
        assert ada.table.by_node(forged.node_id) is None
        assert ada.events[0].known_peers == 1
        assert ada.told("dialling") == []


async def test_a_row_is_not_doubted_for_what_the_database_says_of_it(net):
    path = await _acquainted(net)
    _change(path, "UPDATE peers SET standing = 'revoked' WHERE name = 'bob'")
    async with net.node("ada") as ada:
        assert ada.table.by_node(net.card("bob").node_id) is not None


@pytest.mark.parametrize("place", range(0, 400, 37))
async def test_a_row_with_a_changed_byte_is_not_believed(net, place):
    path = await _acquainted(net)
    good = net.card("bob").raw
    bad = bytearray(good)
    bad[place % len(good)] ^= 1
    _change(path, "UPDATE peers SET card = ? WHERE name = 'bob'", bytes(bad))
    async with net.node("ada") as ada:
        row = ada.table.by_node(net.card("bob").node_id)
        assert row is None


async def test_an_older_card_put_into_the_database_is_refused_by_its_mark(net):
    path = await _acquainted(net, sequence=5)
    older = net.card("bob", sequence=4)
    _change(path, "UPDATE peers SET card = ?, sequence = 4 WHERE name = 'bob'", older.raw)
    async with net.node("ada") as ada:
        assert ada.table.by_node(older.node_id) is None
        assert ada.table.mark(older.identity).sequence == 5


async def test_an_older_card_is_refused_after_a_restart(net):
    path = await _acquainted(net, sequence=5)
    _change(path, "DELETE FROM peers WHERE name = 'bob'")  # the mark alone remembers it
    path.with_name("bob.db").unlink()  # which would give bob its newer card back
    async with (
        net.node("ada") as ada,
        net.node("bob", bootstrap=[ada.bootstrap], card=net.card("bob", sequence=4)) as bob,
    ):
        refused = await ada.tells("peer-refused", node_id=bob.node_id)
        assert "rollback" in {finding.code for finding in refused.findings}
        assert ada.told("peer-verified") == []


def _kept(path, event):
    """Whether the database holds, for every other process, what this event says."""
    table = read_table(path)
    match event.kind:
        case "peer-verified":
            return any(row.card.node_id == event.node_id and row.provenance == "live" for row in table.rows)
        case "card-learned":
            return any(row.card.node_id == event.node_id for row in table.rows)
        case "address-learned":
            return any(row.card.node_id == event.node_id and row.record is not None for row in table.rows)
        case "list-applied":
            return any(one.sequence == event.sequence for one in table.lists)
        case _:
            return True


async def test_what_is_told_is_durable_and_what_is_passed_on_too(net):
    missing, told = [], []

    def check(name):
        def look(event):
            told.append(event.kind)
            # What `event` says of the node itself, and of the one that it was told by, which offered it.
            teller = getattr(event, "learned_from", None)
            others = [other for other in names if teller == net.card(other).node_id]
            missing.extend(
                (name, other, event) for other in [name, *others] if not _kept(net.path / f"{other}.db", event)
            )

        return look

    names = ["ada", "bob", "cleo"]
    async with (
        net.node("ada", on_event=check("ada")) as ada,
        net.node("bob", on_event=check("bob"), bootstrap=[ada.bootstrap]) as bob,
        net.node("cleo", on_event=check("cleo"), bootstrap=[bob.bootstrap]) as cleo,
    ):
        await net.until(lambda: all(len(one.table) == 3 for one in (ada, bob, cleo)))
        await ada.node.offer(FactOffered(net.list(2, "bob"), "a test"))
        await cleo.tells("list-applied", sequence=2)
    assert missing == []
    assert {"peer-verified", "card-learned", "list-applied"} <= set(told)


async def test_a_store_that_fails_ends_the_block_and_nothing_is_told_after_it(net):
    async with net.node("ada") as ada, net.node("bob", bootstrap=[ada.bootstrap]) as bob:
        await bob.tells("peer-verified", node_id=ada.node_id)
        told = []

        def fail(_changes):
            told.append("failed")
            raise StoreError("disk on fire", "put it out")

        async def burn():
            async with net.node(
                "cleo", bootstrap=[ada.bootstrap], on_event=lambda event: told.append(event.kind)
            ) as cleo:
                await cleo.tells("peer-verified", node_id=ada.node_id)
                await net.until(lambda: len(cleo.table) == 3)
                cleo.node._driver._keeper._store.commit = fail
                await cleo.node.offer(FactOffered(net.list(2), "a test"))
                await trio.sleep_forever()

        with pytest.raises(StoreError, match="disk on fire"):
            await burn()
        assert told[told.index("failed") :] == ["failed", "stopped"]
        await ada.tells("peer-lost", node_id=net.card("cleo").node_id)
        assert ada.table.revocations.by_issuer[net.issuer.public].sequence == 1  # what cleo could not keep


async def test_a_store_that_fails_at_the_start_is_a_plain_store_error(net, monkeypatch, sockets):
    def fail(_self, _changes):
        raise StoreError("disk on fire", "put it out")

    monkeypatch.setattr(PeerStore, "commit", fail)
    before = sockets()
    with pytest.raises(StoreError, match="disk on fire"):
        async with net.node("ada"):
            pytest.fail("it runs")
    assert sockets() == before


async def test_a_port_in_use_is_named_with_the_next_step(net):
    async with net.node("ada") as ada:
        with pytest.raises(ListenError, match="address already in use") as refused:
            async with net.node("bob", listen=[ada.address]):
                pytest.fail("it runs")
        assert "another port" in refused.value.hint


async def test_a_second_address_that_is_in_use_frees_the_first(net, sockets):
    async with net.node("ada") as ada:
        before = sockets()
        with pytest.raises(ListenError):
            async with net.node("bob", listen=[Address("127.0.0.1", 0), ada.address]):
                pytest.fail("it runs")
        assert sockets() == before


async def test_an_address_of_another_machine_is_named(net):
    with pytest.raises(ListenError, match=r"192\.0\.2\.1:7060") as refused:
        async with net.node("bob", listen=[Address("192.0.2.1", 7060)]):
            pytest.fail("it runs")
    assert refused.value.hint


async def test_twenty_nodes_in_one_process_know_all(net):
    names = [f"node-{number}" for number in range(20)]
    stop = trio.Event()
    running = []

    async def live(name, *, task_status=trio.TASK_STATUS_IGNORED):
        start = [running[-1].bootstrap] if running else []
        async with net.node(name, bootstrap=start) as node:
            running.append(node)
            task_status.started()
            await stop.wait()

    async with trio.open_nursery() as nursery:
        for name in names:
            await nursery.start(live, name)
        await net.until(lambda: all(len(node.table) == len(names) for node in running))
        stop.set()
    assert all(node.told("stopped") for node in running)
