"""Bits: sets of numbers, each in the bits of one integer."""

import re

_INSIDE = tuple(tuple(bit for bit in range(8) if byte >> bit & 1) for byte in range(256))  # the bits of each byte
_SOME = re.compile(rb"[^\0]+")


def without(bits: int, others: int) -> int:
    """Those of the first that are none of the others.

    `bits & ~others` goes through a negative number: with 40,000 bits 3.1 microseconds where this takes 0.3.
    """
    return bits ^ (bits & others)


def numbers_of(bits: int) -> list[int]:
    """The numbers in a set, ascending. Where they are few, most of the time goes by to leave out the zeros."""
    found = []
    for some in _SOME.finditer(bits.to_bytes((bits.bit_length() + 7) // 8, "little")):
        for at, byte in enumerate(some[0], some.start()):
            found += [8 * at + bit for bit in _INSIDE[byte]]
    return found


def lowest(bits: int, most: int) -> int:
    """The `most` lowest of more than so many bits."""
    taken, shift, width = 0, 0, bits.bit_length()
    while width > 64:
        half = width // 2
        low = bits & (1 << half) - 1
        count = low.bit_count()
        if count > most:
            bits, width = low, half
        else:
            taken |= low << shift
            most -= count
            bits >>= half
            shift += half
            width -= half
    for bit in range(width):
        if most and bits >> bit & 1:
            taken |= 1 << shift + bit
            most -= 1
    return taken
