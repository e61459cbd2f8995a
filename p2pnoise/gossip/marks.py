"""Marks at rest: those of identities for whom nobody vouches any more, as many as an issuer may have rows.

Or whoever signs cards without end would have each leave a mark behind. A mark is forgotten when it rests for none of
all that have vouched: or a rogue issuer could grant a member of another, too, have its mark forgotten, and old cards of
it would count again.
"""


class RestingMarks:
    """The identities of these marks by root, the first that came to rest first. Bounded by what `add` is told."""

    def __init__(self) -> None:
        self._by_root: dict[bytes, dict[bytes, None]] = {}

    def __contains__(self, identity: bytes) -> bool:
        return any(identity in resting for resting in self._by_root.values())

    def add(self, identity: bytes, root: bytes, most: int) -> bytes | None:
        """One more rests for this root; the one that rests for none any more, if there were more than `most`."""
        resting = self._by_root.setdefault(root, {})
        resting.pop(identity, None)
        resting[identity] = None
        if len(resting) <= most:
            return None
        oldest = next(iter(resting))
        del resting[oldest]
        return oldest if oldest not in self else None
