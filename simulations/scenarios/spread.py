"""How long does one piece of news take to every node of a network at rest?"""

from collections.abc import Callable, Mapping

from p2pnoise.instant import SECOND
from simulations import Check, Outcome, Scenario, ScenarioError, guard
from simulations.experiment import versions
from simulations.messages.world import MessageWorld
from simulations.outcome import Value

RECORDED = """
2026-11-21, 60 nodes, 10 seeds, messages: all checks hold in all of them.
everywhere after: 0.175 (0.15 to 0.1855)
"""

_SETTLED = 5 * SECOND  # all links are there, and nothing is told any more
_PAUSE = 2 * SECOND  # from when a list is looked for no more until the next one is given
_LOOK = SECOND // 100
_LOOKS = 150


def scenario(*, things: int = 6, begin: int = 20) -> Scenario:
    """The news is a revocation list, given to some nodes at one moment; several, one after another.

    So many have it at first that chance, which is great while few have it, is not what is measured: `p2pnoise simulate
    model --fit` compares the curves of networks of several sizes.
    """
    if things < 1 or begin < 1:
        raise ScenarioError(f"things {things}, begin {begin}", "both are at least 1")
    return Scenario(nodes=1000, smoke=60, seconds=5 + 3.5 * things, publishers=0, fidelities=("messages",))


def run(
    *,
    nodes: int,
    seed: int,
    fidelity: str,
    parameters: Mapping[str, Value],
    progress: Callable[[float, float], None],
) -> Outcome:
    """`informed` is the mean over the lists, from the moment on at which each was given."""
    told = {"things": 6, "begin": 20, **parameters}
    things, begin = int(told["things"] or 0), min(nodes, int(told["begin"] or 0))
    made = scenario(things=things, begin=begin)
    world = MessageWorld(seed, law=made.law)
    for _ in range(nodes):
        world.add(silent=True)
    world.join()
    _run(world, _SETTLED)
    known, slowest = [0] * (_LOOKS + 1), 0
    for thing in range(things):
        given = world.now + _PAUSE
        _run(world, given)
        progress(world.now / SECOND, made.seconds)
        new = world.oracle.revoke((), world.now)
        for number in world.chance("given", thing).sample(range(nodes), begin):
            world.offer_fact(world.nodes[number], new)
        for look in range(_LOOKS + 1):
            _run(world, given + look * _LOOK)
            having = sum(
                any(head.sequence >= new.sequence for head in node.table.revocations.heads) for node in world.nodes
            )
            known[look] += having
            if having < nodes:
                slowest = max(slowest, look + 1)
    reached = slowest <= _LOOKS
    return Outcome(
        scenario="spread",
        question=(__doc__ or "").partition("\n")[0],
        fidelity=fidelity,
        nodes=nodes,
        seed=seed,
        virtual_seconds=world.now / SECOND,
        parameters={**parameters, "begin": begin},
        checks=(
            Check(
                name=f"every list is everywhere within {_LOOKS * _LOOK / SECOND:g} s",
                holds=reached,
                detail="" if reached else f"{things * nodes - known[-1]} times a node lacks one",
                at=None if reached else _LOOKS * _LOOK / SECOND,
            ),
        ),
        metrics={"everywhere_after": slowest * _LOOK / SECOND if reached else None},
        curves={
            "informed": tuple(
                (look * _LOOK / SECOND, round(count / things / nodes, 6)) for look, count in enumerate(known)
            )
        },
        versions=versions(("cryptography", "msgpack")),
        trace_hash=world.trace_hash,
    )


def _run(world: MessageWorld, until: int) -> None:
    with guard.simulated():
        world.run(until)
