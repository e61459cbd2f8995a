"""Taking up: what a command has written into a node's folder put in force on the node that runs there, at once."""

from pathlib import Path
from typing import Any

from . import control, trust_state
from .folders import NodeFolder
from .output import say

__all__ = ["take_up", "tell"]

TICK = 0.02  # seconds that the time of a file may be behind the clock


def take_up(home: NodeFolder, *written: Path) -> dict[str, Any] | None:
    """What came of these files, as `p2pnoise reload` says; None where no node runs, which reads them when it starts."""
    since = min(path.stat().st_mtime for path in written) - TICK
    try:
        return control.ask(home, "reload", since=since)
    except control.NotRunning:
        return None


def tell(home: NodeFolder, said: dict[str, Any] | None) -> None:
    """Say what came of it."""
    if said is None:
        # One that an application runs has no control socket, and watches the folder as well.
        running = trust_state.is_running(home)
        say(
            "the node that runs here takes it up by itself"
            if running
            else "no node runs here; it counts from the next start"
        )
        return
    for name in said["taken"]:
        say(f"{name} is in force on the running node")
    for one in said["rejected"]:
        say(f"the running node does not use {one['file']}: {one['reason']}")
    for one in said["cut"]:
        say(f"cut {one['name'] or '-'} {one['node_id']}: {one['reason']}")
