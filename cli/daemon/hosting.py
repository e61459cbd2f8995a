"""Hosting: enrolment and renewal beside a running node, as its configuration says."""

from functools import partial

import trio

from cli.folders import IssuerFolder, NodeFolder
from p2pnoise.config import Bootstrap
from p2pnoise.enrolment.messages import MAX_PEERS
from p2pnoise.node.driver.node import Node

from .config import Enrol
from .enroller import Enroller
from .enrolment import renewing, serve_enrolment
from .renewal import answer_renewals, keep_renewed

__all__ = ["host", "peers_of"]


async def host(
    node: Node,
    home: NodeFolder,
    enrol: Enrol | None,
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Keep our grants renewed and answer peers about theirs; with `enrol`, by its issuer, and let joiners in.

    Runs until cancelled. Raises `Fault` where the issuer's folder or the port cannot be used, before it has started.
    """
    if enrol is None:
        answer_renewals(node)
        task_status.started()
        await keep_renewed(node, home)
        return
    key, folder = home.read_node(), IssuerFolder(enrol.issuer_home, enrol.signer)
    # It asks in a thread; the table is for this one.
    peers = partial(trio.from_thread.run_sync, peers_of, node)
    with Enroller.open(folder, peers, lifetime=enrol.lifetime) as enroller:
        renew = renewing(enroller) if enrol.renew else None
        answer_renewals(node, renew)
        async with trio.open_nursery() as nursery:
            await nursery.start(
                partial(
                    serve_enrolment,
                    enroller,
                    key=key,
                    listen=[enrol.listen],
                    advertise=enrol.advertise,
                    on_event=node.tell,
                )
            )
            nursery.start_soon(keep_renewed, node, home, renew)
            task_status.started()


def peers_of(node: Node) -> tuple[Bootstrap, ...]:
    """Where a new node may begin: at us, then at those that we are linked to, then at others that we know."""
    own = node.core.table.by_node(node.node_id)
    ours = own.record.addresses if own is not None and own.record is not None else ()
    others = sorted((peer for peer in node.peers if peer.addresses), key=lambda peer: not peer.linked)
    found = [Bootstrap(address, node.node_id) for address in ours[:1]]
    return (*found, *(Bootstrap(peer.addresses[0], peer.node_id) for peer in others))[:MAX_PEERS]
