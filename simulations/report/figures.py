"""Figures: what one looks like that is drawn, and whose runs it shows."""

from dataclasses import dataclass

from .groups import Group

__all__ = ["Drawn", "Side"]


@dataclass(frozen=True, slots=True)
class Drawn:
    """A figure with its heading and what it says in numbers."""

    heading: str
    finding: str
    svg: str


@dataclass(frozen=True, slots=True)
class Side:
    """One of the groups in a figure; `letter` in text and `label` at its line are empty where it is the only one."""

    group: Group
    letter: str = ""
    label: str = ""
    colour: str = "main"

    @property
    def dashes(self) -> str:
        return "--" if self.colour == "other" else "-"
