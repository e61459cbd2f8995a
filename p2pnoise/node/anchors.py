"""Anchors: the neighbours to whom a node turns first after a restart, whoever has filled its table meanwhile."""

from collections.abc import Collection

from cards import NodeId

MOST = 3  # of the four that a node dials at once; so that one is of another kind, should they all be of one mind


class Anchors:
    """Those of our choice before others, then those who have been neighbours longest; who left while nobody came."""

    def __init__(self) -> None:
        self.node_ids: tuple[NodeId, ...] = ()
        self._last: Collection[tuple[NodeId, bool]] = ()

    def restored(self, node_ids: tuple[NodeId, ...]) -> None:
        """These were, when the node ran last."""
        self.node_ids = (node_ids or self.node_ids)[:MOST]

    def look(self, neighbours: Collection[tuple[NodeId, bool]]) -> bool:
        """Whether they are others now. Of each neighbour, oldest first, whether we chose it."""
        if neighbours == self._last:
            return False
        self._last = neighbours
        chosen = sorted(neighbours, key=lambda one: not one[1])
        # A node that loses its links one by one, as at its end, keeps those that it had.
        found = tuple(dict.fromkeys((*(node_id for node_id, _ in chosen), *self.node_ids)))[:MOST]
        changed = {*found} != {*self.node_ids}
        self.node_ids = found
        return changed
