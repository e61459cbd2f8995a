"""Simulations: the same NodeCore as the daemon's, in a world of virtual time, seeded and repeatable bit for bit."""

from .scenario import Report, Scenario, run
from .world import World

__all__ = ["Report", "Scenario", "World", "run"]
