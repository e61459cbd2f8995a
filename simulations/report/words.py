"""Words: what figures are called, in which unit, and how a number and a stranger's text are shown."""

import shlex
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

from simulations.outcome import Outcome
from simulations.results import Failure

from .bands import Band

__all__ = [
    "LONGEST",
    "SHARE",
    "UNITS",
    "Unit",
    "ascii_text",
    "headed",
    "named",
    "plain",
    "plural",
    "ranges",
    "repeat",
    "unit_of",
]

LONGEST = 600
"""So many characters of one text are shown: a detail may hold all of a message."""


def plain(text: str) -> str:
    """`text` on one line and cut, with everything that is not a printable character escaped: no text can reorder the
    words around it or hide among them."""
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text[: LONGEST + 1])
    return shown if len(text) <= LONGEST else f"{shown[:LONGEST]}... ({len(text):,} characters)"


def ascii_text(text: str, limit: int = 28) -> str:
    """`text` for a figure, whose letters are measured with a font that does not hold every one."""
    shown = plain(text).encode("ascii", "backslashreplace").decode()
    return shown if len(shown) <= limit else f"{shown[: limit - 3]}..."


def plural(count: int, one: str, many: str = "") -> str:
    return f"{count:,} {one if count == 1 else many or one + 's'}"


@dataclass(frozen=True, slots=True)
class Unit:
    """How the numbers of one kind are shown, and what an axis calls them."""

    axis: str
    show: Callable[[float], str]
    tick: Callable[[float], str]
    whole: bool = False
    """Whether there are whole numbers of it alone."""

    def band(self, band: Band) -> str:
        """A median and what lies around it."""
        if band.low == band.high:
            return self.show(band.median)
        return f"{self.show(band.median)} ({self.show(band.low)} to {self.show(band.high)})"


def _three(value: float) -> str:
    """Three figures, or all that stand before the point."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) >= 0.001 else f"{value:.1e}"


def _scaled(value: float) -> str:
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g} {letter}"
    return _three(value)


def _bytes(value: float) -> str:
    shown = _scaled(value)
    return f"{shown}B" if shown[-1] in "GMk" else f"{shown} B"


def _share(value: float) -> str:
    if 0.9995 <= value < 1 - 1e-9:
        return "> 99.9 %"  # nearly all is not all
    return f"{100 * value:.3g} %"


UNITS: Mapping[str, Unit] = {
    "s": Unit("seconds of virtual time", lambda value: f"{_three(value)} s", _three),
    "bytes": Unit("bytes", _bytes, _bytes),
    "bytes/s": Unit("bytes per second", lambda value: f"{_bytes(value)}/s", _bytes),
    "share": Unit("share", _share, lambda value: f"{100 * value:.3g} %"),
    "count": Unit("number", _three, _scaled),
    "runs": Unit("runs", _three, _scaled, whole=True),
}
SHARE = UNITS["share"]

_REPEATABLE = ("bytes", "messages", "virtual")

# What the simulator itself measures: what it is called, the heading of its figure, its unit. A scenario's own figures
# are called by their names.
_CALLED: Mapping[str, tuple[str, str, str]] = {
    "informed": ("share known of all there is to know", "How knowledge spreads", "share"),
    "linked": ("share of nodes that are linked", "How nodes get linked", "share"),
    "online": ("share of honest nodes that are up", "Who is up", "share"),
    "attacker_share": ("share of honest nodes' links that lead to attackers", "How far attackers get", "share"),
    "views": ("links per node", "How many links a node keeps", "count"),
    "links": ("links per node", "How the links are spread over nodes", "count"),
    "redundancy": ("copies received for each that was needed", "How much comes twice", "count"),
    "known_all_after": ("until a node knows all", "How long a node waits for the last card", "s"),
    "converged_after": ("until all know all", "How long until all know all", "s"),
    "connected_after": ("until the network is in one piece", "How long until the network is in one piece", "s"),
    "cut_after": ("until nobody is linked to the revoked", "How long a revoked card is still of use", "s"),
    "bytes_sent": ("bytes sent by a node", "What a node has to send", "bytes"),
    "messages": ("messages sent", "How many messages are sent", "count"),
    "messages_sent": ("messages sent by a node", "How many messages a node sends", "count"),
    "bytes_per_node_median": ("bytes sent by the median node", "What a node has to send", "bytes"),
    "bytes_per_node_most": ("bytes sent by the busiest node", "What the busiest node has to send", "bytes"),
    "links_per_node_median": ("links of the median node", "How many links a node has", "count"),
    "links_per_node_most": ("links of the node with the most", "How many links a node has at most", "count"),
    "components": ("pieces that the network is in", "In how many pieces the network is", "count"),
    "deliveries": ("deliveries, all nodes together", "How much is delivered", "count"),
    "handshakes": ("handshakes, all nodes together", "How many handshakes there are", "count"),
}
_ENDINGS = {"median": ", the median", "most": ", the largest", "max": ", the largest", "min": ", the least"}


def named(name: str) -> str:
    """What a figure of this name is called."""
    if name in _CALLED:
        return _CALLED[name][0]
    words = [word for word in name.split("_") if word]
    if len(words) > 1 and words[-1] in _ENDINGS:
        return " ".join(words[:-1]) + _ENDINGS[words[-1]]
    return " ".join(words) or "(no name)"


def headed(name: str) -> str:
    """The heading of its figure."""
    called = _CALLED[name][1] if name in _CALLED else named(name)
    return called[:1].upper() + called[1:]


def unit_of(name: str) -> Unit:
    """The unit of a figure, by its name."""
    if name in _CALLED:
        return UNITS[_CALLED[name][2]]
    words = name.lower().replace("-", "_").split("_")
    if "bytes" in words:
        return UNITS["bytes/s" if words[-2:] == ["per", "second"] else "bytes"]
    if words[-1] in {"share", "fraction", "recall", "coverage"}:
        return SHARE
    if words[-1] in {"after", "seconds", "within", "latency", "age"}:
        return UNITS["s"]
    return UNITS["count"]


def ranges(numbers: Iterable[int]) -> str:
    """1, 2, 3, 7 as `1-3, 7`; of many ranges the first and how many more."""
    ordered = sorted(set(numbers))
    if not ordered:
        return "none"
    starts = [ordered[0], *(after for before, after in pairwise(ordered) if after != before + 1)]
    ends = [*(before for before, after in pairwise(ordered) if after != before + 1), ordered[-1]]
    parts = [str(a) if a == b else f"{a}-{b}" for a, b in zip(starts, ends, strict=True)]
    return ", ".join(parts[:12]) + (f" and {len(parts) - 12:,} more" if len(parts) > 12 else "")


def repeat(outcome: Outcome | Failure) -> str:
    """The command that repeats one run; empty where none does."""
    if outcome.fidelity not in _REPEATABLE:
        return ""
    words: list[object] = ["p2pnoise", "simulate", "run", outcome.scenario]
    words += ["--nodes", outcome.nodes, "--seed", outcome.seed, "--fidelity", outcome.fidelity]
    for name, value in sorted(outcome.parameters.items()):
        words += ["--set", f"{name}={str(value).lower() if isinstance(value, bool) else value}"]
    return " ".join(shlex.quote(plain(str(word))) for word in words)
