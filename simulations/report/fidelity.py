"""Fidelity: what ran, said so that nobody takes a model for a measurement."""

from collections.abc import Mapping
from dataclasses import dataclass

from simulations.outcome import Value

__all__ = ["Fidelity", "by_reference", "of"]


@dataclass(frozen=True, slots=True)
class Fidelity:
    """One kind of run. `caution` stands above all figures, where there is something not to be missed."""

    name: str
    what: str
    exercised: tuple[str, ...] = ()
    not_exercised: tuple[str, ...] = ()
    caution: str = ""


_KINDS = {
    kind.name: kind
    for kind in (
        Fidelity(
            "bytes",
            "The daemon's own node core by the hundred, in virtual time, with every byte that would cross the wire.",
            (
                "Noise handshakes, encryption, framing and negotiation",
                "cards, signatures, policy and revocation, each judged by each node",
                "gossip, the peer table, dialling, admission, bans and timers",
                "links that are ordered as TCP is, with delay, loss as delay, resets and ends",
            ),
            (
                "the driver that moves bytes between core and sockets",
                "the kernel's TCP, real disks and SQLite",
                "how fast a processor is: virtual time costs nothing",
            ),
        ),
        Fidelity(
            "messages",
            "The daemon's own gossip in virtual time; what travels are messages, not bytes.",
            (
                "gossip: announcements, reconciliation, revocation lists, statements",
                "cards and verdicts, each distinct one judged once for all nodes",
                "link ups and downs, delay and faults",
            ),
            (
                "Noise handshakes, encryption and framing",
                "the daemon's own peer table: a dense one that passes the same tests stands in for it",
                "the driver, sockets, disks",
            ),
        ),
        Fidelity(
            "virtual",
            "The daemon's own driver, tasks and all, under a clock that jumps; links are memory.",
            (
                "all that the bytes fidelity exercises",
                "the driver: its tasks, queues, cancellation and teardown",
            ),
            ("sockets, the kernel's TCP, real disks", "how fast a processor is"),
        ),
        Fidelity(
            "real",
            "Real processes of this machine over TCP, in real time.",
            ("everything that runs in a real network, the kernel's TCP included",),
            (
                "many machines, long distances, slow disks, unless the parameters say so",
                "repeatability: a seed gives the same keys and first links, not the same times",
            ),
        ),
        Fidelity(
            "model",
            "No node ran. This is arithmetic about nodes, for sizes that no simulation of real code reaches.",
            ("the shape of spreading: rounds, losses, the graph",),
            (
                "any code of a node: no card, no message, no byte, no verdict",
                "time, other than by a fit to simulations of real code",
            ),
            "MODEL: no node ran. Read these figures as a forecast, not as a measurement.",
        ),
    )
}


def by_reference(notes: Mapping[str, Value]) -> bool:
    """Whether a run's notes say that bodies were handed on and not encoded."""
    return any(
        ("reference" in name and bool(value)) or (isinstance(value, str) and "reference" in value)
        for name, value in notes.items()
    )


def of(name: str, notes: Mapping[str, Value]) -> Fidelity:
    """What to say of a run."""
    kind = _KINDS.get(name)
    if kind is None:
        return Fidelity(
            name, "", caution="UNKNOWN FIDELITY: this version does not know what a run of this kind exercises."
        )
    if not by_reference(notes):
        return kind
    return Fidelity(
        kind.name,
        kind.what,
        kind.exercised,
        ("encoding and decoding of each message and card on its way", *kind.not_exercised),
        " ".join(
            filter(
                None,
                (
                    kind.caution,
                    "BY REFERENCE: bodies were handed on, not encoded; bytes are what their encoding would measure.",
                ),
            )
        ),
    )
