"""Simulations: the same NodeCore as the daemon's, in a world of virtual time, seeded and repeatable bit for bit."""

from .checks import Connected, Converged, Cut, EventsAtMost, Excluded, Expectation, Quiet, Watch
from .checks_hostile import LiesCost, LiesEndLinks, Told
from .checks_links import FirstNodeCarries, NobodyFalselyDead, OldKeysGone, RefusesInWords, SteadyViews
from .clocks import ClockLaw
from .faults import (
    ClockStep,
    Clog,
    Crash,
    DiskFault,
    Fault,
    Lag,
    Leave,
    Loss,
    Partition,
    Renew,
    Reset,
    Revoke,
    Rotate,
    Schedule,
    ScheduleError,
    Slow,
)
from .network import NetworkLaw
from .outcome import Check, Outcome
from .running import begin, run
from .scenario import Scenario, ScenarioError, ScenarioFile, Setting, all_scenarios, find
from .world import World

__all__ = [
    "Check",
    "ClockLaw",
    "ClockStep",
    "Clog",
    "Connected",
    "Converged",
    "Crash",
    "Cut",
    "DiskFault",
    "EventsAtMost",
    "Excluded",
    "Expectation",
    "Fault",
    "FirstNodeCarries",
    "Lag",
    "Leave",
    "LiesCost",
    "LiesEndLinks",
    "Loss",
    "NetworkLaw",
    "NobodyFalselyDead",
    "OldKeysGone",
    "Outcome",
    "Partition",
    "Quiet",
    "RefusesInWords",
    "Renew",
    "Reset",
    "Revoke",
    "Rotate",
    "Scenario",
    "ScenarioError",
    "ScenarioFile",
    "Schedule",
    "ScheduleError",
    "Setting",
    "Slow",
    "SteadyViews",
    "Told",
    "Watch",
    "World",
    "all_scenarios",
    "begin",
    "find",
    "run",
]
