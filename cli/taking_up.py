"""Taking up: what a command has written into a node's folder put in force on the node that runs there, at once."""

from typing import Any

from . import control, trust_state
from .folders import NodeFolder
from .output import say

__all__ = ["take_up", "tell"]


def take_up(home: NodeFolder) -> dict[str, Any] | None:
    """What came of it, as `p2pnoise reload` says; None where no node runs, which then reads it when it starts."""
    try:
        return control.ask(home, "reload")
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
