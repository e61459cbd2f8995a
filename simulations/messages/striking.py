"""Striking: what each fault does to the message world when it begins, and when it ends."""

from functools import partial

from cards import RevocationList
from p2pnoise.instant import SECOND, ns
from simulations.faults import (
    ClockStep,
    Clog,
    Crash,
    Fault,
    Lag,
    Leave,
    Loss,
    Partition,
    Renew,
    Reset,
    Revoke,
    Schedule,
    ScheduleError,
    Slow,
)

from .nodes import MessageNode
from .world import SILENCE, MessageWorld

_POSSIBLE = (Clog, ClockStep, Crash, Lag, Leave, Loss, Partition, Renew, Reset, Revoke, Slow)


def plan(world: MessageWorld, schedule: Schedule) -> None:
    """Have every fault of a schedule happen in its time. Raises `ScheduleError` for what cannot happen here."""
    for fault in schedule:
        if not isinstance(fault, _POSSIBLE):
            raise ScheduleError(f"a fault of kind {fault.kind} cannot happen at fidelity messages; take bytes")
        world.alarm(ns(fault.at), partial(_begin, world, fault))
        if getattr(fault, "until", None) is not None:
            world.alarm(ns(fault.over), partial(_end, world, fault))


def _hit(world: MessageWorld, fault: Fault) -> list[MessageNode]:
    return [world.nodes[number] for number in fault.nodes_hit]


def _begin(world: MessageWorld, fault: Fault) -> None:
    world.note(f"begins: {fault}")
    match fault:
        case Revoke():
            _revoke(world, fault)
        case Reset():
            _reset(world, fault)
        case Crash() | Leave():
            for node in _hit(world, fault):
                node.held_down += 1
                world.kill(node, silent=isinstance(fault, Crash) and fault.silent)
        case ClockStep(seconds=seconds):
            for node in _hit(world, fault):
                node.clock.skew += seconds
        case Renew():
            for node in _hit(world, fault):
                world.oracle.issue(node.citizen)
                world.install(node)
        case _:
            world.impair(fault)
            if isinstance(fault, Partition | Clog) and fault.over - fault.at > SILENCE / 1e9:
                world.alarm(world.now + SILENCE, world.give_up)


def _reset(world: MessageWorld, fault: Reset) -> None:
    chance = world.chance("reset", fault.at)
    for node in _hit(world, fault):
        for link in list(node.links.values()):
            peer = link.peer_of(node.number)
            met_twice = peer in fault.nodes and peer < node.number
            if not met_twice and chance.random() < fault.chance:
                world.cut(link)


def _revoke(world: MessageWorld, fault: Revoke) -> None:
    _hand_over(world, fault.by, world.oracle.revoke(tuple(node.number for node in _hit(world, fault)), world.now))


def _hand_over(world: MessageWorld, by: int, new: RevocationList) -> None:
    """As in the bytes world."""
    node = world.oracle.at_hand(world.nodes, by)
    if node is not None:
        world.offer_fact(node, new)
    else:
        world.alarm(world.now + SECOND, partial(_hand_over, world, by, new))


def _end(world: MessageWorld, fault: Fault) -> None:
    world.note(f"ends: {fault}")
    match fault:
        case Crash() | Leave():
            for node in _hit(world, fault):
                node.held_down -= 1
                if not node.held_down:
                    world.start(node)
        case _:
            world.mend(fault)
