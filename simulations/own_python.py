"""Own Python: the scenario files of users: loaded where the guard sees them, and named where they go wrong."""

import ast
import hashlib
import importlib.util
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from . import guard

_OF_TIME = {"now", "utcnow", "today"}  # methods of classes that no attribute of a module leads to
_CLOCKS = {"datetime", "date"}
_DEVICES = {"/dev/urandom", "/dev/random"}


def load(path: Path) -> ModuleType:
    """Run a file, as a module that dataclasses and the guard find. Raises what it raises."""
    own = hashlib.sha256(str(path.absolute()).encode()).hexdigest()[:16]
    spec = importlib.util.spec_from_file_location(f"simulations.of_ones_own.{own}", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    guard.look_again()
    spec.loader.exec_module(module)
    return module


def place_of(error: BaseException, path: str) -> int | None:
    """The line of the last frame of an error that is of the file at `path`, as Python names it; None where none is."""
    frames = reversed(traceback.extract_tb(error.__traceback__))
    return next((one.lineno for one in frames if one.filename == path), None)


def unseen(path: Path) -> Iterator[tuple[int, str]]:
    """What a file asks of the real world that the guard cannot replace: line and name; nothing of one that is none."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):  # loading it says so
        return
    clocks = set(_CLOCKS)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "datetime":
            clocks |= {one.asname or one.name for one in node.names if one.name in _CLOCKS}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in _OF_TIME:
            of = node.value.attr if isinstance(node.value, ast.Attribute) else getattr(node.value, "id", "")
            if of in clocks:
                yield node.lineno, f"{of}.{node.attr}"
        elif isinstance(node, ast.Constant) and node.value in _DEVICES:
            yield node.lineno, str(node.value)
