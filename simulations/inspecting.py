"""Inspecting: what a simulated node holds at one moment, as JSON: peers, views, tables, queues, clock."""

from typing import Any

from p2pnoise.instant import SECOND, Instant
from p2pnoise.node.core import NodeCore

from .checks import seconds
from .disks import MemoryDisk
from .nodes import SimulatedNode
from .world import World


def overview(world: World) -> list[dict[str, Any]]:
    """One line for each node."""
    return [
        {
            "node": node.number,
            "kind": node.kind,
            "online": node.online,
            "known": node.known if node.online else 0,
            "linked": len(node.linked()) if node.online else 0,
            "bytes_sent": node.bytes_sent,
            "inputs": node.inputs,
            "failure": node.failure,
        }
        for node in world.nodes
    ]


def inside(world: World, node: SimulatedNode) -> dict[str, Any]:
    """Everything that a node holds, as far as somebody who looks for a fault asks."""
    instant = node.clock.instant(world.now)
    state: dict[str, Any] = {
        "node": node.number,
        "kind": node.kind,
        "node_id": str(node.citizen.key.public),
        "online": node.online,
        "boot": node.boot,
        "failure": node.failure,
        "clock": {"unix": instant.unix, "skew": node.clock.skew, "drift": node.clock.drift},
        "bytes_sent": node.bytes_sent,
        "events": dict(sorted(node.census.items())),
    }
    names = {bytes(other.citizen.key.public): other.number for other in world.nodes}
    if not node.online and isinstance(node.disk, MemoryDisk):  # to read a file of SQLite is to change it
        state |= _stored(node.disk, names)
    if node.online:
        state |= core_state(node.node, instant, names)
        state["connections"] = [
            {"connection": number, "to": carrier.peer, "held": world.carriers.held(node.number, carrier.peer)}
            for number, carrier in node.carriers.items()
        ]
    return state


def _stored(disk: MemoryDisk, names: dict[bytes, int]) -> dict[str, Any]:
    """What a node that is down left behind, and finds when it starts anew."""
    trust, peers = disk.load()
    return {
        "database": [
            {
                "peer": _name(row.card.node_id, names),
                "name": row.card.name,
                "sequence": row.card.sequence,
                "provenance": row.provenance,
                "counted": row.counted,
                "addresses": [str(one) for one in row.record.addresses] if row.record is not None else None,
                "told_by": _name(row.learned_from, names),
            }
            for row in peers.peers
        ],
        "lists_and_statements": len(trust.facts),
    }


def core_state(core: NodeCore, now: Instant, names: dict[bytes, int]) -> dict[str, Any]:
    """What a core holds; peers are called by their numbers where they have one."""
    due = core.deadline()
    return {
        "due_in": round((due - now.monotonic) / SECOND, 6) if due is not None else None,
        "links": [
            {
                "connection": number,
                "peer": _name(link.node_id, names),
                "address": str(link.address),
                "dialled": link.initiator,
                "stage": link.stage.name.lower(),
                "pattern": link.pattern,
                "draining": link.draining,
                "silent_for": seconds(now.monotonic - link.heard_at),
                "unsent": link.unsent,
                "asked": core.questions.get(number, (0, 0))[0],
                "to_ask": core.questions.get(number, (0, 0))[1],
            }
            for number, link in core.links.all.items()
        ],
        "dialling": [str(target.address) for target in core.dialling],
        "peers": [
            {
                "peer": _name(peer.node_id, names),
                "name": peer.card.name,
                "sequence": peer.card.sequence,
                "provenance": peer.provenance,
                "level": peer.verdict.level,
                "valid_for": peer.verdict.valid_until - now.unix,
                "addresses": [str(one) for one in peer.record.addresses] if peer.record is not None else None,
                "told_by": _name(peer.learned_from, names),
            }
            for peer in core.table
        ],
        "lists": {
            core.table.policy.issuer_name(issuer): state.sequence
            for issuer, state in core.table.revocations.by_issuer.items()
        },
        "statements": len(core.table.facts.statements),
        "bans": len(core.bans),
    }


def _name(node_id: bytes | None, names: dict[bytes, int]) -> int | str | None:
    return names.get(bytes(node_id), bytes(node_id).hex()[:12]) if node_id else None
