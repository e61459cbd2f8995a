"""`p2pnoise peers --watch`: the peers of a running node as they come and go."""

import sys
from typing import TYPE_CHECKING, Any

from . import control
from .folders import NodeFolder
from .output import answer, answer_json, columns, plain, say, span

if TYPE_CHECKING:
    from rich.table import Table

TITLES = ("NAME", "NODE", "LINK", "GROUPS", "ADDRESSES")


def link_text(link: dict[str, Any] | None) -> str:
    """How a peer is linked, in a word or two."""
    if link is None:
        return "-"
    return f"{'to' if link['dialled'] else 'from'} it, {span(link['since'] or 0)}"


def show(home: NodeFolder, *, as_json: bool) -> None:
    """Show the table again with every change: in place on a terminal, else the lines that changed. Raises `Fault`."""
    with control.call(home, "watch") as items:
        if as_json:
            for item in items:
                answer_json(item)
        elif sys.stdout.isatty():
            _live(items)
        else:
            _lines(items)
    say("the node has stopped")


def _live(items: control.Items) -> None:
    from rich.live import Live  # noqa: PLC0415 - on a terminal alone

    with Live(auto_refresh=False, screen=False) as live:
        for item in items:
            live.update(_table(item["peers"], item["known"]), refresh=True)


def _table(peers: list[dict[str, Any]], known: int) -> "Table":
    from rich import box  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    linked = sum(peer["link"] is not None for peer in peers)
    table = Table(*TITLES, box=box.SIMPLE, caption=f"{linked} of {known} linked; Ctrl-C ends this")
    for peer in peers:
        table.add_row(*map(Text, _cells(peer)), style="" if peer["link"] is not None else "dim")
    return table


def _lines(items: control.Items) -> None:
    before: set[tuple[str, ...]] = set()
    for item in items:
        # Without the time that a link has stood: that is no change.
        rows = {_cells({**peer, "link": peer["link"] and {**peer["link"], "since": 0}}) for peer in item["peers"]}
        gone = {row[1] for row in before} - {row[1] for row in rows}
        changed = sorted(rows - before)
        answer(*columns(*changed) if changed else [], *(f"gone  {node}" for node in sorted(gone)))
        sys.stdout.flush()
        before = rows


def _cells(peer: dict[str, Any]) -> tuple[str, ...]:
    short = f"{peer['node_id'][:13]}…{peer['node_id'][-4:]}"
    cells = (peer["name"] or "-", short, link_text(peer["link"]), " ".join(peer["groups"]), " ".join(peer["addresses"]))
    return tuple(plain(cell) or "-" for cell in cells)
