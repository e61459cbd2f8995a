"""Simulations: the same NodeCore as the daemon's, in a world of virtual time, seeded and repeatable bit for bit."""

from .checks import Expectation, Watch
from .checks_amounts import EventsAtMost, FirstNodeCarries, Frugal, Quiet, Told
from .checks_hostile import Ignored, Included, OneLink, SlotsFreed
from .checks_lies import Agreed, LiesCost, LiesEndLinks, ToldOnce
from .checks_links import Connected, DeadFound, NobodyFalselyDead, OldKeysGone, RefusesInWords, SteadyViews
from .checks_news import Converged, Cut, Excluded
from .checks_scale import Current, DeadInViews, DialledAtMost, Recall, Survives
from .checks_views import HonestCompany, RowsShared
from .clocks import ClockLaw
from .comparing import Comparison, NoWorse
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
from .neighbourhoods import Networks
from .network import NetworkLaw
from .outcome import Check, Outcome
from .running import begin, run
from .scenario import Scenario, ScenarioError, ScenarioFile, Setting, all_scenarios, find
from .world import World

__all__ = [
    "Agreed",
    "Check",
    "ClockLaw",
    "ClockStep",
    "Clog",
    "Comparison",
    "Connected",
    "Converged",
    "Crash",
    "Current",
    "Cut",
    "DeadFound",
    "DeadInViews",
    "DialledAtMost",
    "DiskFault",
    "EventsAtMost",
    "Excluded",
    "Expectation",
    "Fault",
    "FirstNodeCarries",
    "Frugal",
    "HonestCompany",
    "Ignored",
    "Included",
    "Lag",
    "Leave",
    "LiesCost",
    "LiesEndLinks",
    "Loss",
    "NetworkLaw",
    "Networks",
    "NoWorse",
    "NobodyFalselyDead",
    "OldKeysGone",
    "OneLink",
    "Outcome",
    "Partition",
    "Quiet",
    "Recall",
    "RefusesInWords",
    "Renew",
    "Reset",
    "Revoke",
    "Rotate",
    "RowsShared",
    "Scenario",
    "ScenarioError",
    "ScenarioFile",
    "Schedule",
    "ScheduleError",
    "Setting",
    "SlotsFreed",
    "Slow",
    "SteadyViews",
    "Survives",
    "Told",
    "ToldOnce",
    "Watch",
    "World",
    "all_scenarios",
    "begin",
    "find",
    "run",
]
