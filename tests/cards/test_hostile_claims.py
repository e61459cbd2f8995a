"""What hostile bytes claim of their own length makes nobody set memory aside for it."""

import tracemalloc

import pytest

from cards import CardError
from cards.codec import decode

LIMIT = 64_000  # bytes, as of a gossip message: the largest of all
MOST = (
    1_000_000  # bytes of memory: the buffers of both passes, and the frames of the pure msgpack; four claims are 2 MB
)
CLAIMS = {
    "arrays in arrays": b"\xdc\xfa\x00",
    "wide arrays in arrays": b"\xdd\x00\x00\xfa\x00",
    "maps in maps": b"\xde\xfa\x00\xa1a",
    "arrays in maps": b"\x81\xa1a\xdc\xfa\x00",
}


@pytest.mark.parametrize("claim", CLAIMS)
@pytest.mark.parametrize("levels", [1, 4, 300, 1_000, 2_000])
def test_nested_claims_allocate_nothing(claim, levels):
    data = CLAIMS[claim] * levels
    tracemalloc.start()
    try:
        with pytest.raises(CardError) as caught:
            decode(data, limit=LIMIT)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert caught.value.code in ("truncated", "too-deep")
    assert peak < MOST
