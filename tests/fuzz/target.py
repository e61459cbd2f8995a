"""Target: one decoder of hostile input, as a function of bytes that tells when a rule is broken."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"


@dataclass(frozen=True)
class Target:
    """Something that any bytes may be given to."""

    run: Callable[[bytes], bool]
    """Whether the input was accepted. Raises AssertionError, or what nobody documented, for a finding alone."""

    seeds: Callable[[], Iterable[bytes]]
    """Inputs that reach deep, made from valid objects."""

    longest: int
    """Bytes of an input, at most: somewhat more than the decoder's own limit, or what a story needs."""
