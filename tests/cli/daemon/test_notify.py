"""Notify: what the service manager hears, over a real datagram socket."""

import os
import socket

import pytest
import trio

from cli.daemon.notify import MAX_STATUS, Notifier


@pytest.fixture(params=["path", "abstract"])
def manager(request, tmp_path):
    """The socket of a service manager, and its name as NOTIFY_SOCKET has it."""
    name = str(tmp_path / "notify") if request.param == "path" else f"@p2pnoise-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(name.replace("@", "\0", 1) if request.param == "abstract" else name)
        heard.setblocking(False)
        heard.name = name
        yield heard


class Heard(socket.socket):
    """A socket that has a name for its tests."""


@pytest.fixture(autouse=True)
def _named(monkeypatch):
    monkeypatch.setattr(socket, "socket", Heard)


def lines(manager):
    return manager.recv(4096).decode().split("\n")


def test_it_hears_that_we_are_ready_reload_and_stop(manager):
    notifier = Notifier({"NOTIFY_SOCKET": manager.name})
    notifier.ready("listening on 127.0.0.1:7060")
    assert lines(manager) == ["READY=1", "STATUS=listening on 127.0.0.1:7060"]
    notifier.reloading()
    word, stamp = lines(manager)
    assert word == "RELOADING=1"
    assert stamp.startswith("MONOTONIC_USEC=")
    assert int(stamp.partition("=")[2]) > 0
    notifier.stopping("goodbye")
    assert lines(manager) == ["STOPPING=1", "STATUS=goodbye"]


def test_a_status_is_one_line_and_bounded(manager):
    Notifier({"NOTIFY_SOCKET": manager.name}).stopping("two\nREADY=1\n" + "x" * 10_000)
    _, line = lines(manager)
    assert line.startswith("STATUS=two READY=1 xxx")
    assert len(line) == len("STATUS=") + MAX_STATUS


@pytest.mark.parametrize("environment", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "/nowhere/at-all"}])
def test_where_nobody_listens_it_is_silent(environment):
    notifier = Notifier(environment)
    notifier.ready("fine")
    notifier.stopping("goodbye")


def test_a_manager_that_does_not_read_holds_nothing_up(manager):
    notifier = Notifier({"NOTIFY_SOCKET": manager.name})
    for _ in range(100_000 // MAX_STATUS):
        notifier.ready("x" * MAX_STATUS)
    assert lines(manager)


async def beats(manager, autojump_clock, seconds, **environment):
    del autojump_clock
    notifier = Notifier({"NOTIFY_SOCKET": manager.name, **environment})
    with trio.move_on_after(seconds):
        await notifier.keep_alive()
    count = 0
    while True:
        try:
            assert lines(manager) == ["WATCHDOG=1"]
        except BlockingIOError:
            return count
        count += 1


@pytest.mark.parametrize("own", [{}, {"WATCHDOG_PID": str(os.getpid())}])
async def test_the_watchdog_hears_twice_in_its_interval_that_we_live(manager, autojump_clock, own):
    assert await beats(manager, autojump_clock, 14, WATCHDOG_USEC="10000000", **own) == 3


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"WATCHDOG_USEC": "0"},
        {"WATCHDOG_USEC": "soon"},
        {"WATCHDOG_USEC": "-5"},
        {"WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "1"},
        {"WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "x"},
    ],
)
async def test_a_watchdog_that_is_none_or_waits_for_another_hears_nothing(manager, autojump_clock, environment):
    assert await beats(manager, autojump_clock, 100, **environment) == 0
