"""Outcomes as a simulator might have found them: made up, seeded, honest-looking, and hostile ones beside them."""

import math
import random

from simulations.outcome import Check, Outcome

QUESTION = (
    "Half of the network is cut off for eight seconds. How soon after the cut has healed do all nodes know all cards?"
)
VERSIONS = {"p2pnoise": "0.7.0", "python": "3.11.7", "cryptography": "50.0.2"}
PARTITION = {"kind": "partition", "at": 5.0, "nodes": list(range(12)), "until": 13.0, "one_way": False}
RESET = {"kind": "reset", "at": 16.0, "nodes": [3, 4]}


def rising(chance, half, width, points, end):
    """A share that rises to the whole around `half`, as an epidemic does."""
    times = [end * step / (points - 1) for step in range(points)]
    curve = [(t, 1 / (1 + math.exp(-(t - half) / width)) if t < half + 6 * width else 1.0) for t in times]
    return tuple((round(t, 3), round(min(1.0, value + chance.uniform(0, 0.004)), 5)) for t, value in curve)


def linked(chance, nodes, hostile):
    """A ring with chords; attackers have more of them."""
    pairs = {tuple(sorted((node, (node + 1) % nodes))) for node in range(nodes)} if nodes > 1 else set()
    for _ in range(nodes * 2 if nodes > 3 else 0):
        a = chance.choice(hostile) if hostile and chance.random() < 0.1 else chance.randrange(nodes)
        b = chance.randrange(nodes)
        if a != b:
            pairs.add((min(a, b), max(a, b)))
    return tuple(sorted(pair for pair in pairs if pair[0] != pair[1]))


def outcome(seed=1, *, nodes=24, breaks=False, hostile=(), points=120, slow=1.0, **changed):
    """One run of a partition that heals."""
    chance = random.Random(f"{seed}/{nodes}/{slow}")
    healed = 13.0 + abs(chance.gauss(1.6, 0.5)) * slow
    end = healed + 4.0
    known = tuple(round(healed - abs(chance.gauss(0, 0.7)), 3) for _ in range(nodes))
    sent = tuple(round(chance.lognormvariate(math.log(9_000 * slow), 0.3)) for _ in range(nodes))
    views = tuple(
        (round(end * step / 40, 3), 4.2 - 1.6 * math.exp(-step / 6) + chance.uniform(-0.2, 0.2)) for step in range(41)
    )
    attack = tuple((t, round(0.18 * (1 - math.exp(-t / 6)) + chance.uniform(0, 0.01), 4)) for t, _ in views)
    edges = linked(chance, nodes, list(hostile))
    given = {
        "scenario": "half-partition",
        "question": QUESTION,
        "fidelity": "bytes",
        "nodes": nodes,
        "seed": seed,
        "virtual_seconds": round(end, 3),
        "checks": (
            Check(name="no card is taken without a good signature", holds=True),
            Check(name="a sequence number never goes back", holds=True),
            Check(
                name="all know all after the cut has healed",
                holds=not breaks,
                detail="node 7 lacks the cards of 3 and 11" if breaks else "",
                at=round(healed + 1, 3) if breaks else None,
            ),
            Check(name="no node is told of an end twice", holds=True),
        ),
        "parameters": {"degree": 6, "latency": "10-60 ms"},
        "metrics": {
            "converged_after": None if breaks else round(healed, 3),
            "bytes_per_node_median": sorted(sent)[nodes // 2],
            "bytes_per_node_max": max(sent),
            "messages": round(sum(sent) / 310),
            "redundancy": round(1.2 + chance.random() * 0.5, 3),
            "links_per_node_median": 4.0,
        },
        "curves": {
            "informed": rising(chance, 13.0 if not breaks else 15.5, 0.8 * slow, points, end),
            "linked": rising(chance, 1.5, 0.4, points, end),
            "views": views,
            **({"attacker_share": attack} if hostile else {}),
        },
        "samples": {
            "known_all_after": known,
            "bytes_sent": sent,
            "links": tuple(sum(node in edge for edge in edges) for node in range(min(nodes, 60))),
        },
        "edges": edges,
        "kinds": {str(node): "liar" for node in hostile},
        "events": {"peer-verified": len(edges) * 2, "peer-lost": chance.randrange(9), "announced": nodes * 40},
        "schedule": (PARTITION, RESET),
        "versions": VERSIONS,
        "trace_hash": random.Random(seed).randbytes(16).hex(),
    }
    return Outcome(**given | changed)


def sweep(seeds=40, *, broken=(17, 31), **given):
    return [outcome(seed, breaks=seed in broken, **given) for seed in range(1, seeds + 1)]


HOSTILE = (
    "</script><script>alert(1)</script><img src=x onerror=alert(1)> $\\frac{1$ {{ 7*7 }} "
    "\u202egnp.exe \x1b[31m \ud800 & \"'`"
)


def hostile_outcome(seed=1):
    """An outcome whose every text was chosen by somebody who means harm."""
    return outcome(
        seed,
        hostile=(2, 5),
        scenario=f"{HOSTILE}; rm -rf ~",
        question=HOSTILE,
        fidelity=HOSTILE,
        checks=(Check(name=HOSTILE, holds=False, detail=HOSTILE * 40, at=3.0),),
        parameters={HOSTILE: HOSTILE},
        metrics={HOSTILE: 3.0, "_x": 1, "converged_after": 4.0},
        curves={HOSTILE: ((0.0, 0.0), (1.0, 2.0)), "_hidden": ((0.0, 1.0), (2.0, 5.0))},
        samples={HOSTILE: (1.0, 2.0)},
        kinds={"2": HOSTILE, HOSTILE: "liar", "999999999999": "liar"},
        events={HOSTILE: 3},
        schedule=({"kind": HOSTILE, "at": 0.5, "until": None, HOSTILE: [HOSTILE] * 30},),
        versions={HOSTILE: HOSTILE},
        trace_hash=HOSTILE,
    )
