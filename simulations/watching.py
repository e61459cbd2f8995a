"""Watching: all checks of one run together, the curves that its report shows, and the outcome that they make."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import median

from p2pnoise.instant import SECOND

from .checks import Expectation, NodeView, View, Watch, seconds
from .faults import Schedule
from .outcome import Check, Curve

POINTS = 400  # of a curve at most; from there on every second one is left out
CURVE_PAUSE = SECOND // 10


class Curves:
    """Figures over time, thinned out as they grow. `measures` give them; each costs a look at every node."""

    def __init__(self, measures: Mapping[str, Callable[[], float]]) -> None:
        self._measures = measures
        self._points: dict[str, list[tuple[float, float]]] = {name: [] for name in measures}
        self._pause = CURVE_PAUSE
        self._next = 0

    def look(self, now: int, *, last: bool = False) -> None:
        if now < self._next and not last:
            return
        self._next = now + self._pause
        for name, measure in self._measures.items():
            self._points[name].append((seconds(now), round(measure(), 4)))
        if len(next(iter(self._points.values()), ())) > POINTS:
            self._pause *= 2
            self._points = {name: points[::2] for name, points in self._points.items()}

    @property
    def curves(self) -> dict[str, Curve]:
        return {name: tuple(points) for name, points in self._points.items()}


class Watching:
    """The checks of one run: those of every run, those of this world, and those of the scenario."""

    def __init__(
        self,
        view: View,
        schedule: Schedule,
        expects: Sequence[Expectation],
        always: Iterable[type[Watch]],
        *,
        started: int,
    ) -> None:
        """`started` is the nanosecond by which all have come who are to come at all."""
        self.watches = [*(one(view, schedule) for one in always), *(one.watch(view, schedule) for one in expects)]
        self._view = view
        self._waits = any(not watch.settled for watch in self.watches)
        # Before all have come even an empty network holds whatever is forbidden in it.
        self._calm = max([started, *(watch.calm for watch in self.watches)])
        measures = {"informed": self._informed, "views": self._views, "online": self._online}
        if any(not node.honest for node in view.nodes):
            measures["attacker_share"] = self._attacker_share
        self.curves = Curves(measures)

    @property
    def settled(self) -> bool:
        """Whether nothing more goes wrong and nobody needs to see more; never where nothing is waited for."""
        return self._waits and self._view.now >= self._calm and all(watch.settled for watch in self.watches)

    def look(self) -> None:
        for watch in self.watches:
            watch.look()
        self.curves.look(self._view.now)

    def finish(self) -> None:
        self.curves.look(self._view.now, last=True)
        for watch in self.watches:
            watch.finish()

    @property
    def checks(self) -> tuple[Check, ...]:
        return tuple(watch.check for watch in self.watches)

    def figures(self) -> tuple[dict[str, float | int | None], dict[str, tuple[float, ...]]]:
        """What the checks measured, and what is measured of every run: single figures, and one for each honest node."""
        honest = [node for node in self._view.nodes if node.honest]
        sent = [node.bytes_sent for node in honest]
        links = [len(node.linked()) if node.online else 0 for node in honest]
        metrics: dict[str, float | int | None] = {
            "bytes_per_node_median": int(median(sent)),
            "bytes_per_node_most": max(sent),
            "links_per_node_median": median(links),
            "links_per_node_most": max(links),
        }
        samples: dict[str, tuple[float, ...]] = {"bytes_sent": tuple(sent), "links": tuple(links)}
        for watch in self.watches:
            metrics |= watch.metrics
            samples |= watch.samples
        return metrics, samples

    def edges(self) -> tuple[tuple[int, int], ...]:
        """Which nodes that run are linked, by the word of either; of a crashed one the others may not know yet."""
        first_the_others = sorted(self._view.nodes, key=lambda node: node.honest)  # who may use an honest one's key
        numbers = {bytes(node.citizen.key.public): node.number for node in first_the_others if node.online}
        pairs = {
            (min(node.number, numbers[other]), max(node.number, numbers[other]))
            for node in self._view.nodes
            if node.online
            for other in node.linked()
            if other in numbers
        }
        return tuple(sorted(pairs))

    def down(self) -> tuple[int, ...]:
        """The nodes that do not run."""
        return tuple(node.number for node in self._view.nodes if not node.online)

    def kinds(self) -> dict[str, str]:
        return {str(node.number): node.kind for node in self._view.nodes if not node.honest}

    def _honest(self) -> list[NodeView]:
        return [node for node in self._view.nodes if node.honest and node.online]

    def _informed(self) -> float:
        honest = self._honest()
        return sum(node.known for node in honest) / len(honest) / len(self._view.nodes) if honest else 0.0

    def _views(self) -> float:
        honest = self._honest()
        return sum(len(node.linked()) for node in honest) / len(honest) if honest else 0.0

    def _attacker_share(self) -> float:
        ends = [self._view.nodes[there].honest for node in self._honest() for there in node.leads_to()]
        return ends.count(False) / len(ends) if ends else 0.0

    def _online(self) -> float:
        return len(self._honest()) / max(1, sum(node.honest for node in self._view.nodes))


def redundancy(came: Iterable[tuple[int, int]]) -> float | None:
    """How many copies of an item came beside each that was needed (SRDS 2007, 4.1), of all items that came to nodes and
    those of them that need not have come; None where nothing was needed."""
    counts = list(came)
    spare = sum(spare for _, spare in counts)
    needed = sum(came for came, _ in counts) - spare
    return round(spare / needed, 3) if needed else None


def census_of(nodes: Iterable[Counter[str]]) -> dict[str, int]:
    """How many events of each kind all nodes told."""
    total: Counter[str] = Counter()
    for one in nodes:
        total.update(one)
    return dict(sorted(total.items()))
