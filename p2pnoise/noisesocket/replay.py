"""ReplayCache: early data at most once; RFC 8446, sections 8.2 and 8.3, with what our handshakes have.

A recorded first message is authentic for ever, so whoever acts on what it carries remembers that it has been there.
The sender's time bounds how long. It reads no clock: `now` is an argument, on the same scale as the sender's.
"""

import heapq

__all__ = ["ReplayCache"]


class ReplayCache:
    """Remembers the first messages of one window, at most `capacity` of them, and fails closed.

    One cache serves all listeners that share a static key pair: what one of them took, another must not take again.
    """

    __slots__ = ("_capacity", "_expiries", "_keys", "_latest", "_start", "_window")

    def __init__(self, *, window: int, capacity: int, start: int) -> None:
        """`window` and `start` in milliseconds; `start` is when the memory of this cache begins."""
        self._window = window
        self._capacity = capacity
        self._start = start
        self._latest = start
        self._keys: set[bytes] = set()
        self._expiries: list[tuple[int, bytes]] = []  # a heap

    def __len__(self) -> int:
        return len(self._keys)

    def fresh(self, key: bytes, sent_at: int, now: int) -> bool:
        """Whether this is the first time that `key` comes, and in time; from now on it is not.

        False as well for what was sent more than `window` before or after now, for what a cache before this one may
        have seen, and where the cache is full: an entry never leaves while its message would still be in time.
        """
        # A clock that is set back must not bring back what has left.
        now = self._latest = max(now, self._latest)
        while self._expiries and self._expiries[0][0] < now:
            self._keys.remove(heapq.heappop(self._expiries)[1])
        if abs(now - sent_at) > self._window:
            return False
        # Before `start` another cache took what was sent up to a window later: a sender's clock may be fast.
        if sent_at <= self._start + self._window:
            return False
        if key in self._keys or len(self._keys) >= self._capacity:
            return False
        self._keys.add(key)
        heapq.heappush(self._expiries, (sent_at + self._window, key))
        return True
