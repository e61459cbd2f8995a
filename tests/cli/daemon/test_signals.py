"""Signals: one word to stop, a second one to stop at once, and a reload for each SIGHUP that came after the last."""

import os
import signal

import pytest
import trio
import trio.testing

from cli.daemon.signals import StopWord, heed
from tests.patience import PATIENCE


@pytest.fixture
async def heeding(nursery):
    """The word to stop, and the reloads that were asked for; each waits for `go`."""
    word, reloads, go = StopWord(), [], trio.Event()
    before = signal.getsignal(signal.SIGHUP)

    async def reload():
        reloads.append("begun")
        await go.wait()
        reloads.append("done")

    await nursery.start(heed, word, reload)
    word.reloads, word.go = reloads, go
    yield word
    nursery.cancel_scope.cancel()
    signal.signal(signal.SIGHUP, before)


async def send(number):
    os.kill(os.getpid(), number)
    await trio.sleep(0.01)  # the signal takes its way through the interpreter
    await trio.testing.wait_all_tasks_blocked(0.01)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_the_first_signal_is_the_word_to_stop_and_the_second_to_stop_at_once(heeding, number):
    await send(number)
    with trio.fail_after(PATIENCE):
        await heeding.wait()
    with trio.move_on_after(0) as waited:
        await heeding.wait_again()
    assert waited.cancelled_caught
    await send(number)
    with trio.fail_after(PATIENCE):
        await heeding.wait_again()


async def test_a_hangup_reloads_and_stops_nothing(heeding):
    heeding.go.set()
    await send(signal.SIGHUP)
    await send(signal.SIGHUP)
    assert heeding.reloads == ["begun", "done"] * 2
    assert not heeding.said


async def test_a_hangup_after_the_end_is_ignored(nursery):
    before = signal.getsignal(signal.SIGHUP)
    try:
        async with trio.open_nursery() as heeding:
            await heeding.start(heed, StopWord(), trio.lowlevel.checkpoint)
            heeding.cancel_scope.cancel()
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


async def test_hangups_while_it_reloads_are_one_more_reload(heeding):
    for _ in range(4):
        await send(signal.SIGHUP)
    assert heeding.reloads == ["begun"]
    heeding.go.set()
    await trio.testing.wait_all_tasks_blocked(0.01)
    assert heeding.reloads == ["begun", "done"] * 2


async def test_a_word_to_stop_is_heeded_while_it_reloads(heeding):
    await send(signal.SIGHUP)
    await send(signal.SIGTERM)
    assert heeding.reloads == ["begun"]
    assert heeding.said
