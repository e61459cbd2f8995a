"""Sweeps: many runs at a time, on the processors of one machine or of several, that can be stopped and gone on with."""

from .engine import Engine, Serial
from .processes import Processes
from .sweeping import Swept, perform, sweep, tasks_of
from .task import Answer, Task, Work

__all__ = ["Answer", "Engine", "Processes", "Serial", "Swept", "Task", "Work", "perform", "sweep", "tasks_of"]
