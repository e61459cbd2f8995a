"""Leaving the block: within its time, whatever the peers do, and nothing outlives it.

Where nobody is waited for, a node has far more time to leave than it takes: a busy machine adds to what is measured.
"""

import gc
import warnings

import pytest
import trio

from p2pnoise.node.driver.driver import Driver
from tests.patience import PATIENCE

LONG = 60.0  # seconds that a node may be given to leave
AT_ONCE = LONG / 2  # seconds, far from what waiting for anybody would take


def tasks():
    """Every trio task of this run."""
    todo, found = [trio.lowlevel.current_root_task()], []
    while todo:
        task = todo.pop()
        found.append(task)
        todo.extend(child for nursery in task.child_nurseries for child in nursery.child_tasks)
    return len(found)


class Nothing:
    """Checks that a block leaves no task, socket or busy thread behind, and how long leaving took."""

    def __init__(self, sockets):
        gc.collect()  # what other tests left to be collected is none of ours
        self.sockets = sockets
        self.before = (tasks(), sockets())
        self.leaving = None

    def leave(self):
        self.leaving = trio.current_time()

    def check(self, seconds=AT_ONCE):
        took = trio.current_time() - self.leaving
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            gc.collect()
        assert [str(one.message) for one in caught] == []
        assert (tasks(), self.sockets()) == self.before
        assert trio.to_thread.current_default_thread_limiter().borrowed_tokens == 0
        assert took < seconds


@pytest.fixture
async def nothing(sockets):
    return Nothing(sockets)


async def test_leaving_at_once_leaves_nothing(net, nothing):
    async with net.node("ada", close_timeout=LONG):
        nothing.leave()
    nothing.check()


async def test_leaving_with_links_leaves_nothing(net, nothing):
    async with (
        net.node("ada", close_timeout=LONG) as ada,
        net.node("bob", bootstrap=[ada.bootstrap], close_timeout=LONG) as bob,
    ):
        await bob.tells("peer-verified", node_id=ada.node_id)
        nothing.leave()
    nothing.check()


async def test_leaving_while_a_peer_never_answers_ends_in_time(net, nothing):
    puppet = None
    async with net.node("ada", close_timeout=1.0) as ada:
        puppet = await net.puppet(ada, "mallory")
        nothing.leave()
    took = trio.current_time() - nothing.leaving
    await trio.aclose_forcefully(puppet.stream)
    nothing.check(PATIENCE)
    assert took > 0.9  # the time that it was given


async def test_leaving_while_strangers_say_nothing_ends_in_time(net, nothing):
    async with net.node("ada", close_timeout=1.0) as ada:
        streams = [await net.connect(ada) for _ in range(20)]
        await net.until(lambda: len(ada.node.core.links.all) == 20)
        nothing.leave()
    for stream in streams:
        await trio.aclose_forcefully(stream)
    nothing.check(PATIENCE)


async def test_leaving_while_a_dial_hangs_ends_in_time(net, nothing, monkeypatch):
    async def hang(*_given):
        await trio.sleep_forever()

    monkeypatch.setattr(trio, "open_tcp_stream", hang)
    async with net.node("ada", close_timeout=LONG) as ada:
        ada.node._driver._nursery.start_soon(ada.carriers.dial, 99, ada.address)
        nothing.leave()
    nothing.check()


async def test_leaving_by_cancellation_still_says_goodbye(net, nothing):
    async with net.node("ada", close_timeout=LONG) as ada:
        with trio.CancelScope() as scope:
            async with net.node("bob", bootstrap=[ada.bootstrap], close_timeout=LONG) as bob:
                await ada.tells("peer-verified", node_id=bob.node_id)
                began = trio.current_time()
                scope.cancel()
                await trio.sleep_forever()
        assert trio.current_time() - began < AT_ONCE
        lost = await ada.tells("peer-lost", node_id=bob.node_id)
        assert lost.reason == "closed by the peer"
        assert bob.told("stopped")
        nothing.leave()
    nothing.check()


async def test_a_node_that_is_cancelled_while_it_starts_ends(net, nothing, monkeypatch):
    stuck = []
    run = Driver.run

    async def cancelling(self, *given, task_status):
        scope.cancel()
        await run(self, *given, task_status=task_status)

    async def rescue():
        """Or a test that fails would never end."""
        await trio.sleep(AT_ONCE)
        for one in gc.get_objects():
            if isinstance(one, Driver):
                stuck.append(one)
                one._nursery.cancel_scope.cancel()

    monkeypatch.setattr(Driver, "run", cancelling)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(rescue)
        with trio.CancelScope() as scope:
            async with net.node("ada", close_timeout=LONG):
                await trio.sleep_forever()
        nothing.leave()
        nursery.cancel_scope.cancel()
    assert stuck == []
    nothing.check()


class OwnError(Exception):
    pass


async def test_an_error_in_the_block_comes_out_of_it_as_it_is(net, nothing):
    error = OwnError()

    async def run():
        async with net.node("ada", close_timeout=LONG):
            nothing.leave()
            raise error

    with pytest.raises(OwnError) as raised:
        await run()
    assert raised.value is error
    assert error.__context__ is None
    nothing.check()


async def test_a_subscriber_that_fails_ends_the_node(net, nothing):
    def fail(event):
        if event.kind == "peer-verified":
            nothing.leave()
            raise OwnError

    async with net.node("bob", close_timeout=LONG) as bob:
        with pytest.raises(OwnError):
            async with net.node("ada", bootstrap=[bob.bootstrap], on_event=fail, close_timeout=LONG):
                await trio.sleep_forever()
    nothing.check()
