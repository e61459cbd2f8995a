"""Metrics: a running node in numbers, as Prometheus reads them. Needs prometheus-client, the extra `metrics`.

Everything is read or counted in the task of trio: nothing here waits, and nothing is shared with a thread.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from p2pnoise import __version__, events
from p2pnoise.events import Event
from p2pnoise.node.driver.node import Node
from p2pnoise.node.frames import Code
from p2pnoise.node.link import Stage

__all__ = ["TABLE", "Counts", "NodeMetrics"]

KEEP = 1.0  # seconds that an answer is used again: many who ask cost no more than one

_Values = Mapping[tuple[str, ...], float]


@dataclass(frozen=True, slots=True)
class About:
    """One metric: what it says, and by which labels."""

    help: str
    labels: tuple[str, ...] = ()
    counts: bool = False
    """Whether it only grows; such a one has `_total` behind its name."""


TABLE: Mapping[str, About] = {
    "p2pnoise_info": About("Always 1; who this node is.", ("version", "network", "name", "node_id")),
    "p2pnoise_start_time_seconds": About("When the node started, in seconds since 1970."),
    "p2pnoise_links": About("Connections by the stage they are in.", ("stage",)),
    "p2pnoise_verified_peers": About("Peers to which a link is up."),
    "p2pnoise_known_peers": About("Nodes in the table whose cards count, this one with them."),
    "p2pnoise_streams": About("Streams that are open."),
    "p2pnoise_dials": About("Dials by where their address came from.", ("source",), counts=True),
    "p2pnoise_dial_failures": About("Dials that came to nothing, by why.", ("reason",), counts=True),
    "p2pnoise_refusals": About("Peers that this node sent away, by why.", ("reason",), counts=True),
    "p2pnoise_refusals_by_peers": About("Peers that sent this node away, by why.", ("reason",), counts=True),
    "p2pnoise_events": About("What happened, by kind of event.", ("kind",), counts=True),
    "p2pnoise_received_bytes": About("Bytes from peers and strangers.", counts=True),
    "p2pnoise_sent_bytes": About("Bytes to peers and strangers.", counts=True),
    "p2pnoise_list_due_seconds": About(
        "Seconds until an issuer's revocation list is due; below 0 it is overdue.", ("issuer",)
    ),
    "p2pnoise_own_card_seconds": About(
        "Seconds until this node's card counts no longer, by its end, a grant's or a list's; 0 where it does not now."
    ),
}
"""Every metric of a node. Beside them are those of the process, process_*, as prometheus-client has them."""

_REASONS = {
    "connection refused": "refused",
    "network is unreachable": "unreachable",
    "no route to host": "unreachable",
    "host is unreachable": "unreachable",
    "connection timed out": "timeout",
    "connection reset": "reset",
    "connection reset by peer": "reset",
    "the connection was cut": "reset",
    "name or service not known": "no-such-host",
    "temporary failure in name resolution": "no-such-host",
    "no address associated with hostname": "no-such-host",
}
"""What the system says of a dial that failed, in one word."""


class Counts:
    """Counts what happened, from the first event on."""

    def __init__(self) -> None:
        self.by_name: dict[str, Counter[tuple[str, ...]]] = {
            name: Counter() for name, about in TABLE.items() if about.counts and about.labels
        }

    def take(self, event: Event) -> None:
        """Something happened."""
        self._add("p2pnoise_events", event.kind)
        match event:
            case events.Dialling(source=source):
                self._add("p2pnoise_dials", source)
            case events.DialFailed(reason=reason):
                self._add("p2pnoise_dial_failures", _word(reason))
            case events.PeerRefused(reason=reason):
                self._add("p2pnoise_refusals", _word(reason))
            case events.RefusedByPeer(reason=reason):
                self._add("p2pnoise_refusals_by_peers", _word(reason))
            case _:
                pass

    def _add(self, name: str, label: str) -> None:
        self.by_name[name][(label,)] += 1


class NodeMetrics(Collector):
    """The metrics of one node. `now` is in seconds since 1970."""

    def __init__(self, node: Node, counts: Counts, *, started: float, now: Callable[[], float] = time.time) -> None:
        self._node = node
        self._counts = counts
        self._started = started
        self._now = now
        self._text = b""
        self._text_at = float("-inf")
        self._registry = CollectorRegistry()
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def text(self) -> bytes:
        """What Prometheus reads; at most a second old."""
        now = self._now()
        if not 0 <= now - self._text_at < KEEP:
            self._text, self._text_at = generate_latest(self._registry), now
        return self._text

    def collect(self) -> Iterator[Metric]:
        """For the registry."""
        values = {**self._counts.by_name, **self._read()}
        for name, about in TABLE.items():
            make = CounterMetricFamily if about.counts else GaugeMetricFamily
            family = make(name, about.help, labels=about.labels)
            for labels, value in values[name].items():
                family.add_metric(labels, value)
            yield family

    def describe(self) -> list[Metric]:
        """Nothing: or the registry would collect at once, to see what there is."""
        return []

    def _read(self) -> dict[str, _Values]:
        node, core, now = self._node, self._node.core, int(self._now())
        links, stages = list(core.links.all.values()), dict.fromkeys((stage.name.lower() for stage in Stage), 0)
        for link in links:
            stages[link.stage.name.lower()] += 1
        verdict = core.table.judge(core.card, now, own=True)
        received, sent = node.traffic
        info = (__version__, core.table.policy.network, core.card.name or "", str(node.node_id))
        return {
            "p2pnoise_info": {info: 1},
            "p2pnoise_start_time_seconds": {(): self._started},
            "p2pnoise_links": {(stage,): count for stage, count in stages.items()},
            "p2pnoise_verified_peers": {(): len({link.node_id for link in links if link.stage is Stage.UP})},
            "p2pnoise_known_peers": {(): len(core.table)},
            "p2pnoise_streams": {(): sum(len(link.streams) for link in links)},
            "p2pnoise_received_bytes": {(): received},
            "p2pnoise_sent_bytes": {(): sent},
            "p2pnoise_list_due_seconds": {
                (name,): core.table.revocations.by_issuer[issuer].next_due - now
                for name, issuer in core.table.policy.issuers.items()
                if issuer in core.table.revocations.by_issuer
            },
            "p2pnoise_own_card_seconds": {(): max(0, verdict.valid_until - now) if verdict.ok else 0},
        }


_CODES = frozenset(code.label for code in Code)


def _word(reason: str) -> str:
    """A reason as one of few words, whatever a peer or the system says: each makes a time series for ever."""
    if reason in _CODES:
        return reason
    if reason.startswith(("no answer within", "no handshake within")):
        return "timeout"
    if reason.startswith("closed without a reason"):
        return "no-reason"
    return _REASONS.get(reason, "other")
