"""Fidelity: what ran, said so that nobody takes a model for a measurement."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from simulations.outcome import Value

__all__ = ["Fidelity", "of"]


@dataclass(frozen=True, slots=True)
class Fidelity:
    """One kind of run. `cautions` stand above all figures, where there is something not to be missed."""

    name: str
    what: str
    exercised: tuple[str, ...] = ()
    not_exercised: tuple[str, ...] = ()
    cautions: tuple[str, ...] = ()


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
            ("MODEL: no node ran. Read these figures as a forecast, not as a measurement.",),
        ),
    )
}


_DRAWN = "drawn: "  # how the note of links begins that nobody had to find


def _by_reference(notes: Mapping[str, Value]) -> bool:
    """Whether a run's notes say that bodies were handed on and not encoded."""
    return any(
        ("reference" in name and bool(value)) or (isinstance(value, str) and "reference" in value)
        for name, value in notes.items()
    )


def of(name: str, notes: Mapping[str, Value]) -> Fidelity:
    """What to say of a run."""
    kind = _KINDS.get(name)
    if kind is None:
        unknown = "UNKNOWN FIDELITY: this version does not know what a run of this kind exercises."
        return Fidelity(name, "", cautions=(unknown,))
    cautions, missing = [*kind.cautions], [*kind.not_exercised]
    links = notes.get("links")
    if isinstance(links, str) and links.startswith(_DRAWN):
        cautions.append(f"LINKS DRAWN: whom each node knows when it begins is {links.removeprefix(_DRAWN)}.")
        missing.insert(0, "how a newcomer that knows one node or two finds others")
    if _by_reference(notes):
        cautions.append(
            "BY REFERENCE: bodies were handed on, not encoded; bytes are what their encoding would measure."
        )
        missing.insert(0, "encoding and decoding of each message and card on its way")
    return replace(kind, not_exercised=tuple(missing), cautions=tuple(cautions))
