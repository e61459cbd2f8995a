"""Mutants: our own code broken on purpose, one rule at a time, to see that the invariants notice.

A check that nothing can break proves nothing. Each mutant names the scenario that ought to catch it; `hunt` tries seeds
until a check is broken, and makes sure that without the mutation the same seed breaks none.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import cards.statements
import cards.verification
from p2pnoise.gossip.lists import ListExchange
from p2pnoise.gossip.table import PeerTable
from p2pnoise.gossip.wants import Wants
from p2pnoise.node.admission import Admission
from p2pnoise.node.dials import Dialler
from p2pnoise.node.links import Links

from .outcome import Check, Value
from .running import run


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One rule that is broken: `owner.attribute` becomes `by`, which is handed what it replaces."""

    name: str
    breaks: str
    """What is done wrong, in words."""
    owner: Any
    attribute: str
    by: Callable[[Any], Any]
    scenario: str
    nodes: int = 12
    parameters: Mapping[str, Value] = field(default_factory=dict)

    @contextmanager
    def loose(self) -> Iterator[None]:
        """The rule is broken inside the block, in this process."""
        before = (
            self.owner.__dict__[self.attribute] if isinstance(self.owner, type) else getattr(self.owner, self.attribute)
        )
        setattr(self.owner, self.attribute, self.by(before))
        try:
            yield
        finally:
            setattr(self.owner, self.attribute, before)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caught:
    """The first seed that caught a mutant, and what it broke. `healthy`: without it that seed breaks nothing."""

    mutant: Mutant
    seed: int
    check: Check
    healthy: bool


def hunt(mutant: Mutant, *, seeds: int = 200, tell: Callable[[int], None] = lambda _seed: None) -> Caught | None:
    """Try seeds from 1 on; None where none of them caught it."""

    def broken(seed: int) -> tuple[Check, ...]:
        return run(mutant.scenario, nodes=mutant.nodes, seed=seed, parameters=mutant.parameters).broken

    for seed in range(1, seeds + 1):
        tell(seed)
        with mutant.loose():
            found = broken(seed)
        if found:
            return Caught(mutant=mutant, seed=seed, check=found[0], healthy=not broken(seed))
    return None


def _nothing(_before: Any) -> Callable[..., None]:
    return lambda *_args, **_named: None


def _no_one(_before: Any) -> Callable[..., list[Any]]:
    return lambda *_args, **_named: []


MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        name="drop-revocations",
        breaks="a revocation list that came is kept, and not named to the others",
        owner=ListExchange,
        attribute="accepted",
        by=_nothing,
        scenario="revocation",
    ),
    Mutant(
        name="keep-sessions",
        breaks="whoever is revoked leaves the table, and links to it stay",
        owner=Admission,
        attribute="recheck",
        by=_nothing,
        scenario="revocation",
    ),
    Mutant(
        name="ask-for-less",
        breaks="of every question the last item is left out, and taken for asked",
        owner=Wants,
        attribute="next_batch",
        by=lambda before: lambda self, link, now: before(self, link, now)[:-1],
        scenario="cold-start",
    ),
    Mutant(
        name="never-expire",
        breaks="cards stay in the table after their end",
        owner=PeerTable,
        attribute="expire",
        by=_no_one,
        scenario="expiry",
    ),
    Mutant(
        name="no-backoff",
        breaks="whoever does not answer is dialled again at once",
        owner=Dialler,
        attribute="failed",
        by=lambda _before: lambda *_args: 0.01,
        scenario="flapping-partition",
    ),
    Mutant(
        name="accept-lower-sequence",
        breaks="a card with a lower number replaces a newer one",
        owner=cards.verification._Check,  # noqa: SLF001 - broken on purpose
        attribute="history",
        by=_nothing,
        scenario="replay",
    ),
    Mutant(
        name="skip-verification",
        breaks="every signature is taken for good",
        owner=cards.statements,
        attribute="verify",
        by=lambda _before: lambda *_args, **_named: True,
        scenario="forged-cards",
    ),
    Mutant(
        name="forget-teardown",
        breaks="a connection that the peer's system ended is kept",
        owner=Links,
        attribute="received",
        by=lambda before: lambda self, connection, data, now: bool(data) and before(self, connection, data, now),
        scenario="crash-restart",
    ),
)
