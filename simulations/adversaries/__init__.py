"""Adversaries: inhabitants of a world that mean no good, each with keys of its own. Kinds by name."""

from collections.abc import Mapping

from simulations.world import Make

KINDS: Mapping[str, Make] = {}
