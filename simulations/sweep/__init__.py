"""Sweeps: many runs at a time, on the processors of one machine or of several, that can be stopped and gone on with."""

from .engine import Engine, Serial
from .processes import Processes
from .sweeping import Swept, sweep
from .task import Answer, Task, Work

__all__ = ["Answer", "Engine", "Processes", "Serial", "Swept", "Task", "Work", "sweep"]
