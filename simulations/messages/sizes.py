"""Sizes: how many bytes a message would be if it were written, without writing it."""

from p2pnoise.gossip.messages import (
    ID_SIZE,
    NONCE_SIZE,
    Announce,
    Items,
    Message,
    Probe,
    ProbeAnswer,
    Push,
    Ranges,
    Want,
    encode,
    ranges_size,
)

from .items import Parcel

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
        case Announce(ids):
            return _HEAD + _binary(len(ids) * ID_SIZE)
        case Want(ids):
            return _HEAD + _binary(len(ids) * ID_SIZE) + 1
        case Ranges():
            return ranges_size(message)
        case Items(Parcel() as parcel, _):
            return _HEAD + _array(len(parcel)) + parcel.size + 1
        case Push(Parcel() as parcel):
            return _HEAD + _array(len(parcel)) + parcel.size
        case Probe(_, about):
            return _HEAD + _binary(NONCE_SIZE) + (_binary(len(about)) if about else 0)
        case ProbeAnswer():
            return _HEAD + _binary(NONCE_SIZE) + 1
    return None


def _array(count: int) -> int:
    return 1 if count < 16 else 3


def _binary(size: int) -> int:
    return size + (2 if size < 256 else 3 if size < 65_536 else 5)
