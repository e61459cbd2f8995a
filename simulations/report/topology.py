"""Topology: who was linked to whom at the end of one run, of those that ran, as a picture that igraph lays out."""

import random
from collections import deque
from collections.abc import Sequence
from itertools import islice

import igraph

from simulations.outcome import Outcome

from .drawing import COLOURS, SMALL, Canvas, draw
from .figures import Drawn
from .groups import Group
from .words import ascii_text, plural

__all__ = ["MAX_EDGES", "MAX_NODES", "topology"]

MAX_NODES = 250
"""More than these are no picture but a stain; of a larger network the neighbourhoods of a few nodes are drawn."""
MAX_EDGES = 1500
_WHOLE = 3_000  # up to so many nodes the mean way is measured; it costs the square


def topology(group: Group, key: str) -> Drawn | None:
    """The picture of the first run that broke something, or of the first."""
    outcome = next((one for one in group.outcomes if not one.ok and one.edges), None)
    outcome = outcome or next((one for one in group.outcomes if one.edges), None)
    if outcome is None:
        return None
    down = set(outcome.down)
    up = [node for node in range(outcome.nodes) if node not in down]
    running = set(up)
    edges = [(a, b) for a, b in outcome.edges if a != b and a in running and b in running]
    if not edges:
        return None
    shown = _sample(outcome, up, edges)
    places = {node: place for place, node in enumerate(shown)}
    inside = [(places[a], places[b]) for a, b in edges if a in places and b in places]
    drawn = inside if len(inside) <= MAX_EDGES else inside[:: -(-len(inside) // MAX_EDGES)]
    kinds = [outcome.kinds.get(str(node), "") for node in shown]
    points = _layout(len(shown), inside)

    def paint(canvas: Canvas) -> None:
        axes = canvas.axes
        axes.set_aspect("equal", adjustable="datalim")
        xs, ys = [x for x, _ in points], [y for _, y in points]
        path: list[tuple[float, float]] = []
        for a, b in drawn:
            path += [points[a], points[b], (float("nan"), float("nan"))]
        crowd = max(0.2, min(0.55, 90 / max(len(drawn), 1)))
        axes.plot([x for x, _ in path], [y for _, y in path], color=COLOURS["soft"], linewidth=0.7, alpha=crowd)
        size = max(16.0, min(60.0, 2600 / max(len(shown), 1)))
        for hostile, colour, marker in ((False, "main", "o"), (True, "hostile", "D")):
            chosen = [place for place, kind in enumerate(kinds) if bool(kind) is hostile]
            if chosen:
                axes.scatter(
                    [xs[place] for place in chosen],
                    [ys[place] for place in chosen],
                    s=size * (1.3 if hostile else 1),
                    color=COLOURS[colour],
                    edgecolors=COLOURS["paper"],
                    linewidths=0.6,
                    marker=marker,
                    zorder=3,
                )
        named = [place for place, kind in enumerate(kinds) if kind]
        if len(named) <= 6:
            for place in named:
                axes.annotate(
                    ascii_text(kinds[place], 16),
                    points[place],
                    xytext=(0, 6),
                    textcoords="offset points",
                    color=COLOURS["hostile"],
                    fontsize=SMALL,
                    ha="center",
                )
        axes.margins(0.08)

    svg = draw(paint, title="Who was linked to whom at the end", key=f"{key}/topology", height=330)
    finding = _finding(outcome, up, edges)
    if len(shown) < len(up):
        finding += f" Drawn is a sample: {len(shown):,} nodes, the neighbourhoods of a few, with the links among them."
    if len(drawn) < len(inside):
        finding += f" Of these {len(inside):,} links {len(drawn):,} are drawn."
    return Drawn("Who was linked to whom at the end", finding, svg)


def _finding(outcome: Outcome, up: Sequence[int], edges: Sequence[tuple[int, int]]) -> str:
    places = {node: place for place, node in enumerate(up)}
    graph = igraph.Graph(n=len(up), edges=[(places[a], places[b]) for a, b in edges])
    pieces = len(graph.connected_components())
    whole = "in one piece" if pieces == 1 else f"in {pieces:,} pieces"
    text = f"Seed {outcome.seed}: {plural(outcome.nodes, 'node')}, "
    if len(up) < outcome.nodes:
        text += f"{outcome.nodes - len(up):,} of them down and not drawn; the others have "
    text += f"{plural(len(edges), 'link')}, {whole}"
    if len(up) <= _WHOLE:
        text += f"; two nodes of one piece are {graph.average_path_length(directed=False):.2g} links apart on average"
    text += "."
    hostile = sum(str(node) in outcome.kinds for node in up)
    if hostile:
        text += f" Diamonds are the {plural(hostile, 'node')} that are not honest."
    return text


def _sample(outcome: Outcome, up: Sequence[int], edges: Sequence[tuple[int, int]]) -> list[int]:
    """All that run, or of a large network those around a few that lie far from each other, attackers among them."""
    if len(up) <= MAX_NODES:
        return list(up)
    near: dict[int, list[int]] = {}
    for a, b in edges:
        near.setdefault(a, []).append(b)
        near.setdefault(b, []).append(a)
    hostile = [node for node in up if str(node) in outcome.kinds]
    starts = [*hostile[:: max(1, len(hostile) // 10)], *up[:: max(1, len(up) // 5)]]
    found = dict.fromkeys(starts[: MAX_NODES // 4])
    waiting = deque(found)
    while waiting and len(found) < MAX_NODES:
        # A few of each node's neighbours: the hub that knows all others would fill the picture alone.
        for neighbour in islice((node for node in near.get(waiting.popleft(), ()) if node not in found), 6):
            found[neighbour] = None
            waiting.append(neighbour)
    return sorted(islice(found, MAX_NODES))


def _layout(nodes: int, edges: Sequence[tuple[int, int]]) -> list[tuple[float, float]]:
    """Places for the nodes, the same each time: igraph draws its chance from what it is given."""
    igraph.set_random_number_generator(random.Random(1))  # noqa: S311 - repeatable is what is wanted
    try:
        graph = igraph.Graph(n=nodes, edges=edges)
        layout = graph.layout_fruchterman_reingold(niter=400) if nodes > 1 else [(0.0, 0.0)]
    finally:
        igraph.set_random_number_generator(random)
    return [(float(x), float(y)) for x, y in layout]
