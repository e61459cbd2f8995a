"""Drain and hurry: a node finishes what it serves before it leaves, or waits for nobody."""

import pytest
import trio
import trio.testing

from p2pnoise import StreamReset, testing


async def test_what_is_being_served_is_finished_and_nothing_new_is_begun(autojump_clock):
    async with testing.connected_nodes(2) as (ada, bob):
        go, drained = trio.Event(), []

        async def slow(stream):
            await go.wait()
            await stream.send_all(b"done")

        async def drain():
            await bob.drain()
            drained.append(True)

        bob.handle("slow", slow)
        served = await ada.open_stream(bob.node_id, "slow")
        await trio.testing.wait_all_tasks_blocked()
        bob.start_soon(drain)
        await trio.testing.wait_all_tasks_blocked()
        late = await ada.open_stream(bob.node_id, "slow")
        with pytest.raises(StreamReset):
            await late.receive_some()
        assert not drained
        go.set()
        assert await served.receive_some() == b"done"
        await trio.testing.wait_all_tasks_blocked()
        assert drained


async def test_a_node_that_serves_nothing_is_drained_at_once(autojump_clock):
    async with testing.connected_nodes(2) as (ada, _):
        began = trio.current_time()
        await ada.drain()
        assert trio.current_time() == began


async def test_who_hurries_waits_for_no_handler(autojump_clock):
    async with testing.connected_nodes(2) as (ada, bob):
        bob.handle("for-ever", _never_done)
        await ada.open_stream(bob.node_id, "for-ever")
        await trio.testing.wait_all_tasks_blocked()
        ada.start_soon(_later, bob.hurry)
        await bob.drain()
        assert trio.current_time() >= 1


async def _later(function):
    await trio.sleep(1)
    function()


async def _never_done(_stream):
    await trio.sleep_forever()
