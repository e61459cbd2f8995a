"""Mutants: our own code broken on purpose, one rule at a time, to see that the invariants notice.

A check that nothing can break proves nothing. Each mutant names the scenario that ought to catch it; `hunt` tries seeds
until a check is broken, and makes sure that without the mutation the same seed breaks none.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from . import mutations
from .experiment import LOOK
from .mutations import Patch, applied
from .outcome import Check, Value
from .running import begin


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One rule that is broken, and the scenario that is to notice."""

    mutation: Callable[[Patch], None]
    scenario: str
    nodes: int = 12
    parameters: Mapping[str, Value] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.mutation.__name__.replace("_", "-")


@dataclass(frozen=True, slots=True, kw_only=True)
class Caught:
    """The first seed that caught a mutant, and what it broke. `healthy`: without it that seed does not break that."""

    mutant: Mutant
    seed: int
    check: Check
    healthy: bool


def hunt(mutant: Mutant, *, seeds: int = 200) -> Caught | None:
    """Try seeds from 1 on; None where none of them caught it."""

    for seed in range(1, seeds + 1):
        with applied(mutant.mutation):
            found = _broken(mutant, seed)
        if found:
            healthy = all(check.name != found[0].name for check in _broken(mutant, seed))
            return Caught(mutant=mutant, seed=seed, check=found[0], healthy=healthy)
    return None


def _broken(mutant: Mutant, seed: int) -> tuple[Check, ...]:
    """What this seed breaks, as soon as it breaks anything: without one of its rules a network may storm for hours."""
    with begin(mutant.scenario, nodes=mutant.nodes, seed=seed, parameters=mutant.parameters) as running:
        while not running.over:
            running.advance(running.now + LOOK)
            found = tuple(check for check in running.watching.checks if not check.holds)
            if found:
                return found
        return running.outcome().broken


MUTANTS: tuple[Mutant, ...] = (
    Mutant(mutation=mutations.never_dial_again, scenario="partition"),
    Mutant(mutation=mutations.be_impatient, scenario="latency"),
    Mutant(mutation=mutations.never_give_up, scenario="slow-or-dead"),
    Mutant(mutation=mutations.chatter, scenario="steady-state"),
    Mutant(mutation=mutations.allow_no_leeway, scenario="clocks"),
    Mutant(mutation=mutations.count_addresses_from_one, scenario="disks"),
    Mutant(mutation=mutations.go_on_when_told_to_stop, scenario="graceful-leave"),
    Mutant(mutation=mutations.skip_signatures, scenario="forged-cards"),
    Mutant(mutation=mutations.skip_the_signatures_of_addresses, scenario="forged-cards"),
    Mutant(mutation=mutations.keep_links_to_liars, scenario="forged-cards"),
    Mutant(mutation=mutations.refuse_what_came_garbled_from_everybody, scenario="forged-cards", nodes=40),
    Mutant(mutation=mutations.take_a_card_under_any_noise_key, scenario="stolen-card"),
    Mutant(mutation=mutations.forget_numbers, scenario="replay"),
    Mutant(mutation=mutations.forget_numbers, scenario="equivocation"),
    Mutant(mutation=mutations.take_older_addresses, scenario="replay"),
    Mutant(mutation=mutations.forget_refusals, scenario="replay"),
    Mutant(mutation=mutations.count_before_the_first_frame, scenario="replay"),
    Mutant(mutation=mutations.prove_no_conflict, scenario="equivocation"),
    Mutant(mutation=mutations.never_tell_of_twins, scenario="cloned-key"),
    Mutant(mutation=mutations.wait_for_strangers, scenario="slowloris"),
    Mutant(mutation=mutations.take_any_number_of_strangers, scenario="slowloris", parameters={"hosts": 2.0}),
    Mutant(mutation=mutations.keep_both_links, scenario="duplicate-connections"),
    Mutant(mutation=mutations.end_links_for_unknown_messages, scenario="mixed-versions"),
    Mutant(mutation=mutations.end_links_for_unknown_frames, scenario="mixed-versions"),
    Mutant(mutation=mutations.count_any_issuer, scenario="rogue-issuer"),
    Mutant(mutation=mutations.take_nonsense_for_later_versions, scenario="flooder"),
    Mutant(mutation=mutations.remember_signatures_by_their_first_half, scenario="verification-cache"),
    Mutant(mutation=mutations.keep_lists_to_oneself, scenario="revocation"),
    Mutant(mutation=mutations.keep_sessions, scenario="revocation"),
    Mutant(mutation=mutations.ask_for_less, scenario="cold-start", nodes=30),
    Mutant(mutation=mutations.fingerprints_of_nothing, scenario="flash-crowd", nodes=40),
    Mutant(mutation=mutations.never_expire, scenario="expiry"),
    Mutant(mutation=mutations.dial_again_at_once, scenario="crash-restart"),
    Mutant(mutation=mutations.never_prune, scenario="news", nodes=20),
    Mutant(mutation=mutations.never_graft, scenario="news", nodes=40),
    Mutant(mutation=mutations.forget_teardown, scenario="cold-start"),
    Mutant(mutation=mutations.turn_newcomers_away, scenario="cold-start", nodes=150),
)
