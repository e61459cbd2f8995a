"""Striking: what each fault does to the bytes world when it begins, and when it ends."""

from functools import partial

from p2pnoise.instant import ns
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
from .world import SimulatedNode, World


def plan(world: World, schedule: Schedule) -> None:
    """Have every fault of a schedule happen in its time."""
    for fault in schedule:
        world.alarm(ns(fault.at), partial(_begin, world, fault))
        if fault.over > fault.at:
            world.alarm(ns(fault.over), partial(_end, world, fault))


def _hit(world: World, fault: Fault) -> list[SimulatedNode]:
    # A schedule that was shrunk may name nodes that there are no more.
    return [world.nodes[number] for number in fault.nodes_hit if number < len(world.nodes)]


def _begin(world: World, fault: Fault) -> None:
    world.note(f"begins: {fault}")
    if isinstance(fault, Revoke):
        _revoke(world, fault)
    elif isinstance(fault, Reset | Crash | Leave | ClockStep | DiskFault | Renew | Rotate):
        for node in _hit(world, fault):
            _strike(world, node, fault)
    else:
        world.lines.faults.append(fault)


def _strike(
    world: World, node: SimulatedNode, fault: Reset | Crash | Leave | ClockStep | DiskFault | Renew | Rotate
) -> None:
    match fault:
        case Reset():
            for connection in list(node.carriers):
                world.reset(node, connection)
        case Crash(silent=silent):
            world.kill(node, silent=silent)
        case Leave():
            world.leave(node)
        case ClockStep(seconds=seconds):
            node.clock.skew += seconds
        case DiskFault(how=how):
            if isinstance(node.disk, FileDisk):
                node.disk.strike(how)
        case Renew():
            world.schedule(node.number, io.OwnCardChanged(world.oracle.issue(node.citizen)))
        case Rotate():
            world.kill(node)
            world.oracle.rotate(node.citizen)
            world.start(node)


def _revoke(world: World, fault: Revoke) -> None:
    new = world.oracle.revoke(tuple(node.number for node in _hit(world, fault)), world.now)
    world.schedule(fault.by, io.FactOffered(new, "operator"))


def _end(world: World, fault: Fault) -> None:
    world.note(f"ends: {fault}")
    match fault:
        case Crash() | Leave():
            for node in _hit(world, fault):
                world.start(node)
        case DiskFault():
            for node in _hit(world, fault):
                if isinstance(node.disk, FileDisk):
                    node.disk.mend()
                world.start(node)
        case _:
            world.lines.faults.remove(fault)
            world.release()
