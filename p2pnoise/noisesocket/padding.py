"""Padding policies: how long body and padding of an encrypted payload are together, from the length of the body.

Padding hides lengths from whoever counts bytes on the wire; what it asks for beyond the longest message is left out.
"""

from p2pnoise.errors import LocalProtocolError
from p2pnoise.noisesocket.framing import Padding

__all__ = ["Padding", "buckets", "no_padding", "padded_len"]


def no_padding(body_len: int) -> int:
    """The policy that adds nothing."""
    return body_len


def padded_len(shortest: int) -> Padding:
    """The policy that fills up to `shortest` bytes: every body of at most that many looks alike.

    The spec's padded_len. Raises LocalProtocolError below 0.
    """
    if shortest < 0:
        raise LocalProtocolError(f"padded_len {shortest}, at least 0")
    return lambda body_len: max(body_len, shortest)


def buckets(*sizes: int) -> Padding:
    """The policy that fills up to the next of these sizes, and beyond the largest to a multiple of it.

    Raises LocalProtocolError unless there are some and they ascend from 1.
    """
    if not sizes or list(sizes) != sorted({size for size in sizes if size > 0}):
        raise LocalProtocolError(f"buckets of {sizes} bytes, ascending ones from 1 expected")
    largest = sizes[-1]

    def policy(body_len: int) -> int:
        return next((size for size in sizes if size >= body_len), -(-body_len // largest) * largest)

    return policy
