"""Files: disks that are SQLite databases, the daemon's own store, and what can go wrong with such a file.

For scenarios that ask about disks: they are a hundred times slower than memory.
"""

import random
from collections.abc import Callable, Sequence
from pathlib import Path

from p2pnoise.gossip.effects import Store
from p2pnoise.node import effects as io
from p2pnoise.node.keeping import change_of, read_back
from p2pnoise.store import PeerStore, StoreError, hand_over

from . import guard
from .disks import DiskError

CORRUPT_BITS = 8  # that one fault turns over
FULL = "{}: database or disk is full"
TAKEN_FOR_ANOTHERS = ("check the path", "upgrade p2pnoise")  # advice after which an operator who knows better does so


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
        self._owner = b""  # the Node ID that it was opened with
        self._advice = ""  # what a start that was refused told its operator to do
        self._faults: list[str] = []  # that strike when the node is down

    def load(self) -> tuple[io.TrustRestored, io.PeersRestored]:
        self._abandon()
        self._advice = ""
        for how in self._faults:
            self._damage(how)
        self._faults.clear()
        if self.full:
            raise DiskError(FULL.format(self.path.name))
        before, self._owner = self._owner, self._node_id()
        try:
            with guard.lifted():  # sqlite-utils draws names for its savepoints
                if before not in (b"", self._owner) and self.path.exists():
                    hand_over(self.path, old=before, new=self._owner)
                self._store = PeerStore(self.path, network=self._network, node_id=self._owner)
                return read_back(self._store)
        except StoreError as error:
            self._close()
            self._advice = error.hint
            raise DiskError(str(error)) from None

    def keep(self, changes: Sequence[Store]) -> None:
        if self.full or self._store is None:
            raise DiskError(FULL.format(self.path.name))
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
        """There is room again; and where the last start was told to move the file aside, its operator has done so."""
        self.full = False
        if "aside" in self._advice or any(hint in self._advice for hint in TAKEN_FOR_ANOTHERS):
            self._move_aside()

    def _damage(self, how: str) -> None:
        files = [one for one in self._files() if one.stat().st_size]
        if not files:
            return
        path = self._chance.choice(files)
        raw = bytearray(path.read_bytes())
        if how == "torn":
            raw = raw[: self._chance.randrange(len(raw))]
        else:
            for _ in range(CORRUPT_BITS):
                raw[self._chance.randrange(len(raw))] ^= 1 << self._chance.randrange(8)
        path.write_bytes(raw)

    def _files(self) -> list[Path]:
        """The database and its log, where there are any."""
        return [one for one in (self.path, self.path.with_name(f"{self.path.name}-wal")) if one.exists()]

    def _move_aside(self) -> None:
        for one in sorted(self.path.parent.glob(f"{self.path.name}*")):
            one.unlink()

    def _abandon(self) -> None:
        """Leave the files as they lie when a process is killed: the log is not written back into the database."""
        if self._store is not None:
            as_they_lie = [(one, one.read_bytes()) for one in self._files()]
            self._close()
            for one, raw in as_they_lie:
                one.write_bytes(raw)

    def _close(self) -> None:
        if self._store is not None:
            self._store.close()
            self._store = None
