"""The guard: a simulated run cannot reach the real world unheard, and everything else can."""

import _thread
import os
import random
import secrets
import socket
import subprocess
import sys
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from os import urandom
from pathlib import Path

import pytest
import trio
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from p2pnoise.node.driver import real_world
from simulations import guard
from simulations.guard import RealWorldError
from simulations.own_python import unseen

ROOT = Path(__file__).parents[2]
POOL = ThreadPoolExecutor(1)
POOL.submit(int).result()  # its thread runs already, so that nothing would have to start

REAL = {  # looked up when called: what stands there is another one then
    "time.time": lambda: time.time(),  # noqa: PLW0108
    "time.time_ns": lambda: time.time_ns(),  # noqa: PLW0108
    "time.monotonic": lambda: time.monotonic(),  # noqa: PLW0108
    "time.perf_counter_ns": lambda: time.perf_counter_ns(),  # noqa: PLW0108
    "time.process_time": lambda: time.process_time(),  # noqa: PLW0108
    "time.sleep": lambda: time.sleep(0),
    "time.gmtime": lambda: time.gmtime(),  # noqa: PLW0108
    "time.strftime": lambda: time.strftime("%Y"),
    "os.urandom": lambda: os.urandom(1),
    "os.times": lambda: os.times(),  # noqa: PLW0108
    "_thread.start_new_thread": lambda: _thread.start_new_thread(int, ()),
    "os.fork": lambda: os.fork(),  # noqa: PLW0108
    "os.system": lambda: os.system("true"),
    "secrets.token_bytes": lambda: secrets.token_bytes(1),
    "secrets.choice": lambda: secrets.choice("ab"),
    "uuid.uuid4": lambda: uuid.uuid4(),  # noqa: PLW0108
    "random.random": lambda: random.random(),  # noqa: PLW0108
    "random.choice": lambda: random.choice("ab"),
    "random.shuffle": lambda: random.shuffle([]),
    "random.Random() without a seed": lambda: random.Random(),  # noqa: PLW0108
    "os.urandom ": lambda: random.SystemRandom().random(),
    "threading.Thread.start": lambda: threading.Thread(target=int).start(),
    "ThreadPoolExecutor.submit": lambda: POOL.submit(int),
    "socket.socket": lambda: socket.socket(),  # noqa: PLW0108
    "socket.socketpair": lambda: socket.socketpair(),  # noqa: PLW0108
    "socket.getaddrinfo": lambda: socket.getaddrinfo("localhost", 1),
    "subprocess.Popen": lambda: subprocess.run([sys.executable, "--version"], check=True),
    "Ed25519PrivateKey.generate": lambda: Ed25519PrivateKey.generate(),  # noqa: PLW0108
    "X25519PrivateKey.generate": lambda: X25519PrivateKey.generate(),  # noqa: PLW0108
}


@pytest.mark.parametrize("what", REAL)
def test_each_way_into_the_real_world_fails_and_says_what_was_called_and_where(what):
    with pytest.raises(RealWorldError) as caught, guard.simulated():
        REAL[what]()
    assert what.strip() in str(caught.value)
    if what not in ("uuid.uuid4", "os.urandom ", "subprocess.Popen", "random.Random() without a seed"):
        assert f"{Path(__file__).name}:" in str(caught.value)


async def test_a_thread_of_trio_fails_although_one_runs_already():
    await trio.to_thread.run_sync(int)
    with pytest.raises(RealWorldError, match=r"trio.to_thread.run_sync"), guard.simulated():
        await trio.to_thread.run_sync(int)


def test_what_a_module_of_ours_imported_by_name_fails_too(monkeypatch):
    monkeypatch.setattr(real_world, "drawn", urandom, raising=False)
    monkeypatch.setattr(guard, "_known", (0, []))
    with pytest.raises(RealWorldError, match=r"os\.urandom"), guard.simulated():
        real_world.drawn(1)
    assert real_world.drawn is urandom


def test_what_asks_nothing_of_the_real_world_goes_on():
    with guard.simulated():
        assert time.gmtime(0).tm_year == 1970
        assert time.strftime("%Y", time.gmtime(0)) == "1970"
        assert random.Random(7).random() == random.Random(7).random()
        assert Ed25519PrivateKey.from_private_bytes(bytes(32)).sign(b"x")


@pytest.mark.parametrize("nested", [False, True])
def test_everything_is_as_it_was_afterwards_whatever_happened(nested):
    places = [(swap.owner, swap.name) for swap in guard._look_for_names()]
    before = [vars(owner)[name] for owner, name in places]
    with pytest.raises(KeyError), guard.simulated():  # noqa: PT012 - it is the block that is looked at
        if nested:
            with pytest.raises(RealWorldError), guard.simulated():
                os.urandom(1)
            with pytest.raises(RealWorldError):
                os.urandom(1)  # the inner block has not lifted the outer one
        raise KeyError
    assert all(vars(owner)[name] is value for (owner, name), value in zip(places, before, strict=True))
    for real in ("time.time", "os.urandom", "random.random", "X25519PrivateKey.generate", "uuid.uuid4"):
        REAL[real]()


def test_a_call_that_was_swallowed_is_raised_at_the_end():
    def careless():
        try:
            os.urandom(1)
        except Exception:  # noqa: BLE001 - as a driver does
            return

    with pytest.raises(RealWorldError, match="in careless"), guard.simulated():
        careless()


def test_other_threads_go_on():
    seen = []
    begin, end = threading.Event(), threading.Event()

    def other():
        begin.wait()
        seen.append(time.time())
        end.set()

    thread = threading.Thread(target=other)
    thread.start()
    with guard.simulated():
        begin.set()
        end.wait()
    thread.join()
    assert seen


def test_what_belongs_to_no_run_may_be_let_through():
    with guard.simulated():
        with guard.lifted():
            time.time()
        with pytest.raises(RealWorldError):
            time.time()
        guard._inside[threading.get_ident()].clear()  # it was heard here


def test_what_the_guard_cannot_see_is_not_in_our_source():
    looks_for_it = ROOT / "simulations" / "own_python.py"
    for package in ("p2pnoise", "cards", "simulations"):
        for path in (ROOT / package).rglob("*.py"):
            assert path == looks_for_it or not list(unseen(path)), path


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ("import datetime\n\nx = datetime.datetime.now()", "datetime.now"),
        ("import datetime as dt\n\nx = dt.datetime.utcnow()", "datetime.utcnow"),
        ("from datetime import datetime as D\n\nx = D.now", "D.now"),
        ("from datetime import date\n\nx = date.today()", "date.today"),
        ("\n\nx = open('/dev/urandom', 'rb')", "/dev/urandom"),
    ],
)
def test_what_the_guard_cannot_see_is_found_where_it_is_written(tmp_path, source, what):
    file = tmp_path / "mine.py"
    file.write_text(source)
    assert list(unseen(file)) == [(3, what)]


def test_what_only_looks_like_it_is_left_alone(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text("def look(view):\n    return view.now, view.oracle.now(), {'/dev': 1}[()]\n")
    assert list(unseen(file)) == []
