"""Ordering: what trio leaves to chance and to addresses in memory, a seed decides; and nothing is left of it after."""

import gc
import random
import subprocess
import sys
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from simulations.virtual import stepping
from simulations.virtual.ordering import Ordering
from simulations.virtual.stepping import Stepper
from tests.patience import PATIENCE

ROOT = Path(__file__).parents[3]


async def _probe():
    """The order in which equal things happen: who is woken by an event, by a deadline, by the end of a nursery."""
    heard = []
    # So that objects lie elsewhere each time, in no order: in the holes that these leave.
    litter = [random.choice((trio.CancelScope, lambda: bytearray(random.randrange(500))))() for _ in range(3_000)]
    random.shuffle(litter)
    del litter[random.randrange(1_000) :]
    news = trio.Event()

    async def wait(number):
        def abort(_raise):
            heard.append(("aborted", number))  # at once, in the order in which trio goes through who waits
            return trio.lowlevel.Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(abort)

    async def task(number):
        await news.wait()
        heard.append(("told", number))
        with trio.move_on_after(1):
            await wait(number)
        heard.append(("woken", number))
        with trio.CancelScope():
            await wait(number)

    async def with_tasks(first, *, task_status):
        async with trio.open_nursery() as inner:
            for number in range(first, first + 5):
                inner.start_soon(task, number)
            with trio.CancelScope():
                task_status.started()
                await wait(-first)

    async with trio.open_nursery() as nursery:
        for first in range(0, 20, 5):
            await nursery.start(with_tasks, first)
        await trio.sleep(1)
        news.set()
        await trio.sleep(2)
        nursery.cancel_scope.cancel()
    del litter
    return heard


def _order(seed):
    with Ordering(seed).in_force():
        return trio.run(_probe, clock=MockClock(autojump_threshold=0))


def test_the_seed_decides_the_order_and_nothing_else_does():
    random.seed()
    orders = []
    for _ in range(5):
        gc.collect()
        orders.append(_order(7))
    assert all(order == orders[0] for order in orders)
    assert _order(8) != orders[0]
    assert sorted(_order(8)) == sorted(orders[0])


def test_the_order_is_the_same_in_another_process():
    program = f"""
import sys
sys.path[:0] = [{str(ROOT)!r}, {str(Path(__file__).parent)!r}]
from test_ordering import _order
print(_order(7))
"""
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=PATIENCE)
    assert said.stdout.strip() == repr(_order(7))


def test_left_to_itself_trio_orders_otherwise_each_time():
    assert len({repr(trio.run(_probe, clock=MockClock(autojump_threshold=0))) for _ in range(12)}) > 1


def test_a_stepper_raises_what_its_tasks_raise():
    async def fail():
        raise KeyError("found")

    stepper = Stepper(Ordering(1))
    with stepper.in_force():
        stepper.nursery.start_soon(fail)
    with pytest.raises(BaseExceptionGroup) as caught, stepper.in_force():  # noqa: PT012 - one of these turns
        for _ in range(100):
            stepper.turn()
    assert caught.group_contains(KeyError, match="found")


def test_a_stepper_is_closed_with_whatever_sleeps_in_it():
    ended = []

    async def sleeper():
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(3)
            ended.append(trio.current_time())

    stepper = Stepper(Ordering(1))
    with stepper.in_force():
        stepper.nursery.start_soon(sleeper)
        stepper.turn()
        assert stepper.idle
    stepper.close()
    assert ended == [3.0]


def test_a_task_that_does_not_end_does_not_hang_who_closes(monkeypatch):
    stepper = Stepper(Ordering(1))
    with stepper.in_force():
        released = trio.Event()

    async def stubborn():
        with trio.CancelScope(shield=True):
            await released.wait()

    with stepper.in_force():
        stepper.nursery.start_soon(stubborn)
        stepper.turn()
    with monkeypatch.context() as patched:
        patched.setattr(stepping, "_PATIENCE", 50)
        with pytest.raises(RuntimeError, match="has not ended after 50 turns"):
            stepper.close()
    with stepper.in_force():
        released.set()
    stepper.close()
