"""Guard: inside a simulated run, whatever asks the real world for time, chance, a thread or a socket fails loudly.

    with guard.simulated():
        world.run(...)

The functions are replaced where modules keep them, and in all modules of ours that imported one by name; methods
(`Thread.start`, `socket.socket`, `subprocess.Popen`, `X25519PrivateKey.generate`) in their classes, so that it does not
matter who imported them when. For the thread that runs the simulation alone: what others do in the same process, as
a progress bar or a worker's heartbeat, goes on.

Not covered is what no attribute leads to: `datetime.now` and `/dev/urandom` (`own_python.unseen` looks for them in
what users write, and tests do in our source), the `generate_key` of AEADs, what a library in C asks the system for by
itself, and modules of others that imported a function by name.
"""

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
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from types import ModuleType
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x448 import X448PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

__all__ = ["RealWorldError", "lifted", "look_again", "simulated"]

OURS = ("p2pnoise", "cards", "simulations", "cli", "__main__")  # packages in which names are looked for
BORROWERS = (random, secrets, uuid)  # modules that imported one by name, and hand out what it gives


class RealWorldError(RuntimeError):
    """Code inside a simulated run called what no seed decides. The run is worth nothing.

    Where the code that called swallows this, it is raised again at the end of the run.
    """


@dataclass(frozen=True, slots=True)
class _Forbidden:
    """A function at its place. With `pure_from` arguments it asks nothing of the real world: `time.gmtime(0)`."""

    owner: Any
    name: str
    what: str
    pure_from: int | None = None


def _module(module: ModuleType, *names: str) -> list[_Forbidden]:
    return [_Forbidden(module, name, f"{module.__name__}.{name}") for name in names if hasattr(module, name)]


_CLOCKS = ("time", "monotonic", "perf_counter", "process_time", "thread_time", "clock_gettime")
_CHANCE = (
    *("random", "uniform", "randint", "randrange", "choice", "choices", "sample", "shuffle", "randbytes"),
    *("getrandbits", "seed", "triangular", "betavariate", "binomialvariate", "expovariate", "gammavariate", "gauss"),
    *("lognormvariate", "normalvariate", "vonmisesvariate", "paretovariate", "weibullvariate"),
)
_SPAWN = ("fork", "forkpty", "system", "popen", "posix_spawn", "posix_spawnp", "spawnv", "spawnve", "execv", "execve")
_FORBIDDEN: list[_Forbidden] = [
    *_module(time, *_CLOCKS, *(f"{name}_ns" for name in _CLOCKS), "sleep"),
    *(_Forbidden(time, name, f"time.{name}", 1) for name in ("gmtime", "localtime", "ctime", "asctime")),
    _Forbidden(time, "strftime", "time.strftime", 2),
    *_module(os, "urandom", "getrandom", "times", *_SPAWN),
    *_module(_thread, "start_new_thread", "start_new", "start_joinable_thread"),
    *_module(random, *_CHANCE),
    *_module(secrets, "token_bytes", "token_hex", "token_urlsafe", "randbelow", "randbits", "choice"),
    *_module(uuid, "uuid1", "uuid4"),
    *_module(socket, "socketpair", "create_connection", "create_server", "getaddrinfo", "gethostbyname"),
    *(
        _Forbidden(owner, "generate", f"{owner.__name__}.generate")
        for owner in (Ed25519PrivateKey, X25519PrivateKey, Ed448PrivateKey, X448PrivateKey)
    ),
    _Forbidden(random.Random, "seed", "random.Random() without a seed", 2),  # of SystemRandom, os.urandom tells
    _Forbidden(threading.Thread, "start", "threading.Thread.start"),
    _Forbidden(ThreadPoolExecutor, "submit", "ThreadPoolExecutor.submit"),
    _Forbidden(socket.socket, "__init__", "socket.socket"),
    _Forbidden(subprocess.Popen, "__init__", "subprocess.Popen"),
]


@dataclass(slots=True)
class _Swap:
    """One attribute and both of its values."""

    owner: Any
    name: str
    real: Any
    loud: Any


_lock = threading.Lock()
_inside: dict[int, list[RealWorldError]] = {}  # thread -> what it was told, for each that is in a simulated run
_entered = 0  # how many blocks
_swaps: list[_Swap] = []
_known: tuple[int, list[_Swap]] = (0, [])  # how many modules there were when names were looked for, and what was found


@contextmanager
def simulated() -> Iterator[None]:
    """Let this thread reach nothing but what a seed decides. May be nested. Raises RealWorldError."""
    thread = threading.get_ident()
    if thread in _inside:
        yield
        return
    told = _inside[thread] = []
    _enter()
    try:
        yield
    finally:
        _leave()
        del _inside[thread]
    if told:
        raise told[0]


@contextmanager
def lifted() -> Iterator[None]:
    """Let this thread reach the real world again, for what belongs to no run: a progress bar, the loop of a driver."""
    thread = threading.get_ident()
    told = _inside.pop(thread, None)
    try:
        yield
    finally:
        if told is not None:
            _inside[thread] = told


def _enter() -> None:
    global _entered  # noqa: PLW0603 - what is replaced is of the process, too
    with _lock:
        _entered += 1
        if _entered == 1:
            _swaps[:] = _look_for_names()
            for swap in _swaps:
                swap.real = vars(swap.owner)[swap.name]  # which somebody may have replaced before us
                setattr(swap.owner, swap.name, swap.loud)


def _leave() -> None:
    global _entered  # noqa: PLW0603
    with _lock:
        _entered -= 1
        if _entered == 0:
            for swap in _swaps:
                setattr(swap.owner, swap.name, swap.real)
            _swaps.clear()


def look_again() -> None:
    """Look for names anew at the next run: a module has taken the place of another."""
    global _known  # noqa: PLW0603 - modules are of the process
    _known = (0, [])


def _look_for_names() -> list[_Swap]:
    """All that is to be replaced, in the modules that are loaded by now."""
    global _known  # noqa: PLW0603 - modules are of the process
    if _known[0] == len(sys.modules):
        return _known[1]
    forbidden = [*_FORBIDDEN, *_of_trio()]
    swaps = [_Swap(one.owner, one.name, vars(one.owner)[one.name], _loud(one)) for one in forbidden]
    loud_by_id = {id(swap.real): swap for swap in swaps}
    for name, module in list(sys.modules.items()):
        if module in BORROWERS or (name.partition(".")[0] in OURS and name != __name__):
            for attribute, value in list(vars(module).items()):
                swap = loud_by_id.get(id(value))
                if swap is not None and swap.owner is not module:
                    swaps.append(_Swap(module, attribute, value, swap.loud))
    _known = len(sys.modules), swaps
    return swaps


def _of_trio() -> list[_Forbidden]:
    """A thread of trio's cache starts nothing anew; whoever has not loaded trio calls nothing of it."""
    module = sys.modules.get("trio.to_thread")
    return _module(module, "run_sync") if module is not None else []


def _loud(one: _Forbidden) -> Any:
    """What stands in its place."""
    real = vars(one.owner)[one.name]
    function: Callable[..., Any] = real.__func__ if isinstance(real, classmethod) else real

    @wraps(function)
    def loud(*args: Any, **named: Any) -> Any:
        told = _inside.get(threading.get_ident())
        if told is not None and not _is_pure(one, args, named):
            error = RealWorldError(f"{one.what} was called inside a simulated run, from {_caller()}")
            told.append(error)
            raise error
        return function(*args, **named)

    return classmethod(loud) if isinstance(real, classmethod) else loud


def _is_pure(one: _Forbidden, args: tuple[Any, ...], named: dict[str, Any]) -> bool:
    given = [*args, *named.values()]
    return one.pure_from is not None and len(given) >= one.pure_from and given[-1] is not None


def _caller() -> str:
    """Who called what called this."""
    frame = sys._getframe(2)  # noqa: SLF001 - as logging does
    return f"{frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_name}"
