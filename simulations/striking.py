"""Striking: what each fault does to the bytes world when it begins, and when it ends.

Faults may meet at one node: it is up again when the last one that keeps it down is over. What a fault asks of a node
that is down is done where that makes sense (a card is issued, a key is made) and else left.
"""

from functools import partial

from cards import RevocationList
from p2pnoise.instant import SECOND, ns
from p2pnoise.node import effects as io

from .faults import (
    ClockStep,
    Crash,
    DiskFault,
    Fault,
    Leave,
    Renew,
    Reset,
    Revoke,
    Rotate,
    Schedule,
)
from .files import FileDisk
from .nodes import SimulatedNode
from .world import World


def plan(world: World, schedule: Schedule) -> None:
    """Have every fault of a schedule happen in its time."""
    for fault in schedule:
        until = getattr(fault, "until", None)
        world.alarm(ns(fault.at), partial(_begin, world, fault))
        if until is not None:
            world.alarm(ns(fault.over), partial(_end, world, fault))


def _hit(world: World, fault: Fault) -> list[SimulatedNode]:
    return [world.nodes[number] for number in fault.nodes_hit]


def _begin(world: World, fault: Fault) -> None:
    world.note(f"begins: {fault}")
    match fault:
        case Revoke():
            _revoke(world, fault)
        case Reset():
            _reset(world, fault)
        case Crash() | Leave() | ClockStep() | DiskFault() | Renew() | Rotate():
            for node in _hit(world, fault):
                _strike(world, node, fault)
        case _:
            world.lines.begin(fault)


def _strike(world: World, node: SimulatedNode, fault: Crash | Leave | ClockStep | DiskFault | Renew | Rotate) -> None:
    match fault:
        case Crash(silent=silent):
            node.held_down += 1
            world.kill(node, silent=silent)
        case Leave():
            node.held_down += 1
            if node.online:
                world.leave(node)
        case ClockStep(seconds=seconds):
            node.clock.skew += seconds
        case DiskFault(how=how):
            if isinstance(node.disk, FileDisk):
                node.disk.strike(how)
        case Renew():
            world.schedule(node.number, io.OwnCardChanged(world.oracle.issue(node.citizen)))
        case Rotate():
            was_online = node.online
            world.kill(node)
            world.oracle.rotate(node.citizen)
            if was_online:
                world.start(node)


def _reset(world: World, fault: Reset) -> None:
    chance = world.chance("reset", fault.at)
    for node in _hit(world, fault):
        for connection, carrier in list(node.carriers.items()):
            met_twice = carrier.peer in fault.nodes and carrier.peer < node.number
            if connection in node.carriers and not met_twice and chance.random() < fault.chance:
                world.reset(node, connection)


def _revoke(world: World, fault: Revoke) -> None:
    _hand_over(world, fault.by, world.oracle.revoke(tuple(node.number for node in _hit(world, fault)), world.now))


def _hand_over(world: World, by: int, new: RevocationList) -> None:
    """An operator gives the list to this node or another, or waits until there is one."""
    node = world.oracle.at_hand(world.nodes, by)
    if node is not None:
        world.schedule(node.number, io.FactOffered(new, "operator"))
    else:
        world.alarm(world.now + SECOND, partial(_hand_over, world, by, new))


def _end(world: World, fault: Fault) -> None:
    world.note(f"ends: {fault}")
    match fault:
        case Crash() | Leave():
            for node in _hit(world, fault):
                node.held_down -= 1
                _start_again(world, node)
        case DiskFault():
            for node in _hit(world, fault):
                if isinstance(node.disk, FileDisk):
                    node.disk.mend()
                if node.failure:
                    _start_again(world, node)
        case _:
            world.lines.end(fault)
            world.release()


def _start_again(world: World, node: SimulatedNode) -> None:
    if node.held_down:
        return
    if node.leaving == node.boot:  # it is still saying goodbye: whoever starts it again waits no longer
        world.kill(node)
    world.start(node)
