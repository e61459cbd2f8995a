"""Sizes: how many bytes a message would be if it were written, without writing it."""

from p2pnoise.gossip.messages import (
    BUCKETS,
    FINGERPRINT_SIZE,
    ID_SIZE,
    NONCE_SIZE,
    Announce,
    Digest,
    Ids,
    Items,
    Message,
    Probe,
    ProbeAnswer,
    Want,
    encode,
)

from .table import Parcel

_HEAD = 3  # the array, the version and the type of a message
FRAME = 3  # the header of the frame around it
TRANSPORT = 20  # two lengths and a tag around all frames of one write: NoiseSocket


def message_size(message: Message) -> int:
    """`len(encode(message))`."""
    size = size_of_sets(message)
    return size if size is not None else len(encode(message))


def size_of_sets(message: Message) -> int | None:
    """The size of a message of sets of items, by their number, or of liveness; None of another."""
    match message:
        case Announce(ids) | Want(ids):
            return _HEAD + _binary(len(ids) * ID_SIZE)
        case Ids(buckets, ids):
            return _HEAD + _binary(len(buckets)) + _binary(len(ids) * ID_SIZE)
        case Digest():
            return _HEAD + _binary(BUCKETS * FINGERPRINT_SIZE)
        case Items(Parcel() as parcel, _):
            count = len(parcel)
            return _HEAD + (1 if count < 16 else 3) + parcel.size + 1
        case Probe(_, about):
            return _HEAD + _binary(NONCE_SIZE) + (_binary(len(about)) if about else 0)
        case ProbeAnswer():
            return _HEAD + _binary(NONCE_SIZE) + 1
    return None


def _binary(size: int) -> int:
    return size + (2 if size < 256 else 3 if size < 65_536 else 5)
