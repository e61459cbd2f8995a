"""Comparing: what a run must not lose by its adversaries: it is laid beside the same run to which they never come."""

from dataclasses import dataclass, replace
from typing import Protocol

from .checks_news import Converged
from .outcome import Check, Outcome
from .scenario import Scenario


class Comparison(Protocol):
    """What is compared; data, as expectations are."""

    @property
    def name(self) -> str: ...

    def check(self, outcome: Outcome, calm: Outcome) -> Check:
        """Whether `outcome` is good enough beside `calm`, the same run without adversaries."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class NoWorse:
    """A figure of the outcome is at most `factor` times what it is without adversaries, and `slack` more."""

    metric: str
    factor: float = 2.0
    slack: float = 0.0

    @property
    def name(self) -> str:
        return f"{self.metric} at most {self.factor:g} times that without adversaries"

    def check(self, outcome: Outcome, calm: Outcome) -> Check:
        ours, theirs = outcome.metrics.get(self.metric), calm.metrics.get(self.metric)
        if ours is None or theirs is None:  # it never came to it before it was over, and nobody knows when it would
            where = "with adversaries" if ours is None else "without them"
            return Check(name=self.name, holds=False, detail=f"there is no such figure {where}", decided=False)
        holds = ours <= self.factor * theirs + self.slack
        return Check(name=self.name, holds=holds, detail="" if holds else f"{ours:g} beside {theirs:g}")


def without_adversaries(scenario: Scenario) -> Scenario:
    """The same, with their places empty; it waits for nothing that they do."""
    expects = [one for one in scenario.expects if isinstance(one, Converged)]
    return replace(scenario, absent=True, expects=expects, compares=())
