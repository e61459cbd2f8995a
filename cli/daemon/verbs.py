"""Verbs: what a running node answers on its control socket."""

import os
import time
from collections.abc import Mapping
from typing import Any

import trio

from cards import Card, Verdict
from cards.findings import UNEXPECTED, UNTRUSTED, USAGE
from cli.event_text import sentence as sentence_of
from cli.output import Fault
from p2pnoise import __version__
from p2pnoise.events import Event, EventsMissed, OwnKeyElsewhere
from p2pnoise.instant import SECOND
from p2pnoise.node.driver.errors import PeerNotTrusted, PeerTimeout, PeerUnreachable
from p2pnoise.node.driver.naming import Meant, find
from p2pnoise.node.driver.peers import known_peers
from p2pnoise.node.link import Stage
from p2pnoise.store.reading import find_cards

from . import subjects
from .chain import explain
from .control import Call, Verb
from .daemon import Daemon
from .explanation import Known
from .importing import take_peers
from .service_verbs import service_verbs

MAX_WAIT = 600.0  # seconds that anybody may ask us to wait
MAX_HOLD = 365 * 86400.0  # seconds
MAX_SHOWN = 1_000  # peers that are watched, the linked ones first; a guess: nobody reads more
PAUSE = 0.2  # seconds between two pings
MAX_TIME = 1e11  # seconds since 1970, beyond what any file was written at
RECENT = 3600.0  # seconds for which status tells of a copy; while both run, each of their peers tells of it again
MAX_DIAL = 8.0  # seconds that `explain` waits for what comes of a dial; three round trips of a slow line


def verbs_of(daemon: Daemon) -> Mapping[str, Verb]:
    """By name, as the command line asks for them."""
    return {
        "status": lambda call: _status(daemon, call),
        "links": lambda call: _links(daemon, call),
        "watch": lambda call: _watch(daemon, call),
        "explain": lambda call: _explain(daemon, call),
        "events": lambda call: _events(daemon, call),
        "reload": lambda call: _reload(daemon, call),
        "import": lambda call: take_peers(daemon.node, call),
        **service_verbs(daemon.node, daemon.services),
        "connect": lambda call: _connect(daemon, call),
        "disconnect": lambda call: _disconnect(daemon, call),
        "ping": lambda call: _ping(daemon, call),
    }


async def _status(daemon: Daemon, _call: Call) -> dict[str, Any]:
    node, now = daemon.node, int(time.time())
    core = node.core
    own = core.table.judge(core.card, now, own=True)
    links = [link for link in core.links.all.values() if link.stage is Stage.UP]
    return {
        "running": True,
        "node_id": str(node.node_id),
        "name": core.card.name,
        "network": core.table.policy.network,
        "version": __version__,
        "pid": os.getpid(),
        "since": round(daemon.started),
        "folder": str(daemon.home.path),
        "listening": [str(address) for address in node.addresses],
        "card": {
            "ok": own.ok,
            "sequence": core.card.sequence,
            "valid_until": own.valid_until or None,
            "findings": [finding.to_json() for finding in own.errors],
        },
        "known": len(core.table),
        "linked": len({link.node_id for link in links}),
        "dialling": len(core.dialling),
        "streams": sum(len(link.streams) for link in links),
        "lists": [
            {
                "issuer": core.table.policy.issuer_name(issuer),
                "sequence": state.sequence,
                "entries": len(state.entries),
                "due": state.next_due,
            }
            for issuer, state in core.table.revocations.by_issuer.items()
        ],
        "services": daemon.services.status(),
        "warnings": _warnings(daemon, own, now),
    }


def _warnings(daemon: Daemon, own: Verdict, now: int) -> list[str]:
    """What needs somebody's hand, as of now."""
    core = daemon.node.core
    told = [f"own card does not count here, and others refuse it: {one.code}, {one.message}" for one in own.errors]
    told += [f"{name} is not in force: {reason}" for name, reason in daemon.watcher.rejected.items()]
    copy = daemon.diary.own.get(OwnKeyElsewhere.kind)
    if copy is not None and now - copy.last < RECENT:
        told.append(sentence_of(copy.event))
    if daemon.reloading.waiting:
        told.append(f"{' '.join(daemon.reloading.waiting)} of node.toml is not in force before a restart")
    held = core.table.revocations.by_issuer  # those of an issuer that has left the policy, too
    for name, issuer in core.table.policy.issuers.items():
        state = held.get(issuer)
        if state is not None and state.next_due - now < core.config.list_warning:
            told.append(f"list {state.sequence} of {name} is due, or will be soon: have it published again")
    return told


def _link_table(daemon: Daemon) -> dict[str, dict[str, Any]]:
    core, now = daemon.node.core, trio.current_time()
    return {
        str(link.node_id): {
            "since": round(now - link.up_at / SECOND, 3) if link.up_at is not None else None,
            "address": str(link.address),
            "dialled": link.initiator,
            "pattern": link.pattern,
            "streams": len(link.streams),
        }
        for link in core.links.all.values()
        if link.stage is Stage.UP
    }


async def _links(daemon: Daemon, _call: Call) -> dict[str, Any]:
    return {"links": _link_table(daemon)}


async def _watch(daemon: Daemon, call: Call) -> dict[str, Any]:
    """Peers with their links, again whenever something has changed, until the asker hangs up."""
    with daemon.node.events() as events:
        while True:
            links = _link_table(daemon)
            peers = sorted(known_peers(daemon.node.core), key=lambda peer: (not peer.linked, peer.name or ""))
            rows = [
                {
                    "name": peer.name,
                    "node_id": str(peer.node_id),
                    "groups": list(peer.groups),
                    "addresses": [str(address) for address in peer.addresses],
                    "link": links.get(str(peer.node_id)),
                }
                for peer in peers[:MAX_SHOWN]
            ]
            await call.send({"peers": rows, "known": len(peers)})
            try:
                await events.__anext__()
            except StopAsyncIteration:
                return {}
            with trio.move_on_after(0.2):  # what comes together is shown together
                async for _ in events:
                    pass


async def _explain(daemon: Daemon, call: Call) -> dict[str, Any]:
    text = call.text("peer")
    stored = await trio.to_thread.run_sync(lambda: tuple(_stored(daemon, text)))
    known = _known(daemon, text, stored)
    if call.arguments.get("dial") and known.linked_for is None and known.subject.addresses:
        await daemon.try_dial(known.subject, MAX_DIAL)
        known = _known(daemon, text, stored)
    return explain(known).to_json()


def _known(daemon: Daemon, text: str, stored: tuple[Card, ...]) -> Known:
    core = daemon.node.core
    subject = subjects.find(text, core, daemon.diary, stored)
    monotonic = int(trio.current_time() * SECOND)
    return subjects.known_of(subject, core, daemon.diary, now=int(time.time()), monotonic=monotonic, stored=stored)


def _stored(daemon: Daemon, text: str) -> list[Card]:
    """Cards that the table may not hold any more, since they do not count."""
    return find_cards(daemon.home.database, text.partition("@")[0])


async def _events(daemon: Daemon, call: Call) -> dict[str, Any]:
    kinds = frozenset(call.texts("kinds"))

    async def tell(at: float, event: Event | EventsMissed) -> None:
        if not kinds or event.kind in kinds:
            said = {"at": round(at, 3), **event.to_json()}
            sentence = f"{event.count} events were missed" if isinstance(event, EventsMissed) else sentence_of(event)
            await call.send({"event": said, "sentence": sentence})

    with daemon.node.events() as events:
        for entry in daemon.diary.last():
            await tell(entry.last, entry.event)
        if call.arguments.get("follow", True):
            async for event in events:
                await tell(time.time(), event)
    return {}


async def _reload(daemon: Daemon, call: Call) -> dict[str, Any]:
    return dict(await daemon.reload(call.number("since", most=MAX_TIME)))


def _peer_of(daemon: Daemon, call: Call) -> Meant:
    """Whom a call is about. Raises `Fault` where it is this node itself, and what `find` raises."""
    meant = find(daemon.node.core, call.text("peer"))
    if meant.node_id == daemon.node.node_id:
        raise Fault(f"{call.text('peer')} is this node itself", "name a peer: p2pnoise peers", code=USAGE)
    return meant


async def _connect(daemon: Daemon, call: Call) -> dict[str, Any]:
    text = call.text("peer")
    if ":" not in text or "@" in text:
        _peer_of(daemon, call)
    try:
        peer = await daemon.node.connect(text, timeout=call.number("timeout", most=MAX_WAIT))
    except (PeerUnreachable, PeerNotTrusted, PeerTimeout) as error:
        code = UNTRUSTED if isinstance(error, PeerNotTrusted) else UNEXPECTED
        raise Fault(str(error), f"p2pnoise explain {text}", code=code) from None
    return {"name": peer.name, "node_id": str(peer.node_id), "groups": list(peer.groups)}


async def _disconnect(daemon: Daemon, call: Call) -> dict[str, Any]:
    meant = _peer_of(daemon, call)
    peer = next((peer for peer in daemon.node.peers if peer.node_id == meant.node_id), None)
    daemon.node.disconnect(meant.node_id, hold=call.number("hold", most=MAX_HOLD))
    await daemon.node.settle()
    linked = peer is not None and peer.linked
    return {"name": peer.name if peer is not None else None, "node_id": str(meant.node_id), "linked": linked}


async def _ping(daemon: Daemon, call: Call) -> dict[str, Any]:
    meant = _peer_of(daemon, call)
    timeout, count = call.number("timeout", most=MAX_WAIT), int(call.number("count", most=1000))
    for number in range(count):
        seconds = await daemon.node.ping(call.text("peer"), timeout=timeout)
        await call.send({"node_id": str(meant.node_id), "seconds": seconds})
        await trio.sleep(PAUSE if number + 1 < count else 0)
    return {"node_id": str(meant.node_id)}
