"""Measures: how many bytes a message would be if it were written, and a number that stands for what it says."""

import hashlib

from p2pnoise.gossip.encoding import encode, ranges_size
from p2pnoise.gossip.messages import (
    ID_SIZE,
    NONCE_SIZE,
    Announce,
    Items,
    Message,
    Probe,
    ProbeAnswer,
    Push,
    Range,
    Ranges,
    Want,
)

from .items import Parcel, Stretch
from .registry import ItemBits

_HEAD = 3  # the array, the version and the type of a message
FRAME = 3  # the header of the frame around it
TRANSPORT = 20  # two lengths and a tag around all frames of one write: NoiseSocket
_REMEMBERED = 10_000  # messages that are no sets of items


def message_size(message: Message) -> int:
    """`len(encode(message))`."""
    size = size_of_sets(message)
    return size if size is not None else len(encode(message))


def size_of_sets(message: Message) -> int | None:
    """The size of a message of sets of items, by their number, or of liveness; None of another."""
    if isinstance(message, Items) and isinstance(message.items, Parcel):  # the most frequent: patterns are slower
        return _HEAD + _array(len(message.items)) + message.items.size + 1
    if isinstance(message, Announce):
        return _HEAD + _binary(len(message.ids) * ID_SIZE)
    if isinstance(message, Want):
        return _HEAD + _binary(len(message.ids) * ID_SIZE) + 1
    match message:
        case Push(Parcel() as parcel):
            return _HEAD + _array(len(parcel)) + parcel.size
        case Ranges():
            return ranges_size(message)
        case Probe(_, about):
            return _HEAD + _binary(NONCE_SIZE) + (_binary(len(about)) if about else 0)
        case ProbeAnswer():
            return _HEAD + _binary(NONCE_SIZE) + 1
    return None


def _array(count: int) -> int:
    return 1 if count < 16 else 3


def _binary(size: int) -> int:
    return size + (2 if size < 256 else 3 if size < 65_536 else 5)


class Measures:
    """Sizes and digests of messages; those that are no sets of items are written once, and remembered."""

    def __init__(self) -> None:
        self._written: dict[Message, tuple[int, int]] = {}

    def size(self, message: Message) -> int:
        """`message_size`."""
        size = size_of_sets(message)
        return size if size is not None else self._remember(message)[0]

    def digest(self, message: Message) -> int:
        """A number that stands for it in the trace."""
        if isinstance(message, Items) and isinstance(message.items, Parcel):  # the most frequent, as above
            return hash(message.items.bits) ^ 2 + message.last
        if isinstance(message, Announce) and isinstance(message.ids, ItemBits):
            return hash(message.ids.bits)
        if isinstance(message, Want) and isinstance(message.ids, ItemBits):
            return hash(message.ids.bits) ^ (6 + message.graft)
        match message:
            case Push(Parcel(bits=bits)):
                return hash(bits) ^ 1
            case Ranges(groups, ItemBits(bits=bits)):
                return hash((4, bits, tuple(map(_in_numbers, groups))))
            case Probe(nonce, about):
                return int.from_bytes(nonce + about[:3], "big")
            case ProbeAnswer(nonce, found):
                return ~int.from_bytes(nonce, "big") ^ found
            case _:
                return self._remember(message)[1]

    def _remember(self, message: Message) -> tuple[int, int]:
        said = self._written.get(message)
        if said is None:
            if len(self._written) >= _REMEMBERED:
                self._written.clear()
            written = encode(message)
            digest = hashlib.blake2b(written, digest_size=8).digest()
            said = self._written[message] = len(written), int.from_bytes(digest, "little", signed=True)
        return said


def _in_numbers(group: tuple[bytes, tuple[Range, ...]]) -> tuple[int, ...]:
    """What a group of ranges says, in numbers: hashes of bytes are not the same in every process."""
    name, ranges = group
    said = [int.from_bytes(name, "big")]
    for one in ranges:
        said.append(int.from_bytes(one.upper, "big"))
        match one.holds:
            case None:
                said.append(0)
            case ItemBits(bits=bits):
                said += 1, bits
            case Stretch(bits=bits):
                said += 2, bits
    return tuple(said)
