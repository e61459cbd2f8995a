"""Files: disks that are SQLite databases, the daemon's own store, and what can go wrong with such a file.

For scenarios that ask about disks: they are a hundred times slower than memory.
"""

import random
from collections.abc import Callable, Sequence
from pathlib import Path

from p2pnoise.gossip.effects import Store
from p2pnoise.node import effects as io
from p2pnoise.node.keeping import change_of, read_back
from p2pnoise.store import PeerStore, StoreError

from . import guard
from .disks import DiskError


class FileDisk:
    """One node's database in a folder of the run's own. `chance` says where a fault strikes."""

    def __init__(
        self,
        path: Path,
        chance: random.Random,
        *,
        network: str,
        node_id: Callable[[], bytes],
        now: Callable[[], int],
    ) -> None:
        self.path = path
        self.full = False
        self._chance = chance
        self._network = network
        self._node_id = node_id
        self._now = now
        self._store: PeerStore | None = None
        self._faults: list[str] = []  # that strike when the node is down

    def load(self) -> tuple[io.TrustRestored, Sequence[io.StoredPeer]]:
        self._close()
        for how in self._faults:
            self._damage(how)
        self._faults.clear()
        try:
            with guard.lifted():  # sqlite-utils draws names for its savepoints
                store = self._store = PeerStore(self.path, network=self._network, node_id=self._node_id())
                return read_back(store)
        except StoreError as error:
            self._close()
            raise DiskError(str(error)) from None

    def keep(self, changes: Sequence[Store]) -> None:
        if self.full or self._store is None:
            raise DiskError(f"{self.path.name}: database or disk is full")
        try:
            with guard.lifted():
                self._store.commit(change_of(change, self._now()) for change in changes)
        except StoreError as error:
            raise DiskError(str(error)) from None

    def strike(self, how: str) -> None:
        """`full`, until `mend`; `torn` or `corrupt`, before the next start."""
        if how == "full":
            self.full = True
        else:
            self._faults.append(how)

    def mend(self) -> None:
        """There is room again; and what a refused start told its operator to do, they have done."""
        self.full = False
        if self._store is None and self.path.exists():
            try:
                with guard.lifted():
                    PeerStore(self.path, network=self._network, node_id=self._node_id()).close()
            except StoreError:
                self._move_aside()

    def _damage(self, how: str) -> None:
        if not self.path.exists():
            return
        raw = bytearray(self.path.read_bytes())
        if how == "torn":
            raw = raw[: self._chance.randrange(len(raw))]
        else:
            for _ in range(8):
                raw[self._chance.randrange(len(raw))] ^= 1 << self._chance.randrange(8)
        self.path.write_bytes(raw)

    def _move_aside(self) -> None:
        for one in sorted(self.path.parent.glob(f"{self.path.name}*")):
            one.unlink()

    def _close(self) -> None:
        if self._store is not None:
            self._store.close()
            self._store = None
