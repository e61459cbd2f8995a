"""Reloading: a changed node.toml is put in force while the node runs: all of it that can be, or nothing."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from cards import Address
from cli.output import Fault
from p2pnoise.events import ConfigApplied
from p2pnoise.node.driver.node import Node
from p2pnoise.node.driver.opening import dialable
from p2pnoise.node.effects import ConfigChanged, Input

from .config import RESTART, DaemonConfig, diff
from .printing import Printer
from .services import Services

__all__ = ["Reloading"]


class Reloading:
    """What is in force of a configuration, and what waits for a restart."""

    def __init__(
        self,
        node: Node,
        services: Services,
        printer: Printer,
        *,
        file: Path,
        read: Callable[[], DaemonConfig],
        started: DaemonConfig,
    ) -> None:
        """`read` gives what `file` says now; `started` is what it said when the node started."""
        self.config = started
        """What was read last; of what waits for a restart, `started` is in force."""
        self.waiting: tuple[str, ...] = ()
        """What is not in force before a restart."""
        self._node = node
        self._services = services
        self._printer = printer
        self.file = file
        self._read = read
        self._started = started

    @property
    def in_force(self) -> DaemonConfig:
        """All that is in force now."""
        return replace(self.config, **{key: getattr(self._started, key) for key in RESTART})

    async def take(self) -> list[Input]:
        """Put in force what the file says now. Raises `Fault`, and then nothing is changed."""
        if not self.file.exists():
            raise Fault("it is gone", "put it back, or an empty one; what it said stays in force")
        new = self._read()
        await self._services.set(new.expose, new.forward)
        # From here on nothing fails.
        changed, _ = diff(self.config, new)
        _, waiting = diff(self._started, new)
        self._printer.configure(new.log)
        if changed or waiting != self.waiting:
            self._node.tell(ConfigApplied(file=self.file.name, changed=changed, restart=waiting))
        self.config, self.waiting = new, waiting
        return [ConfigChanged(new.node, self._advertised(new))] if changed else []

    def _advertised(self, config: DaemonConfig) -> tuple[Address, ...]:
        return config.advertise or dialable(self._node.addresses)
