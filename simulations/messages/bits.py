"""Bits: sets of numbers, each in the bits of one integer."""

from collections.abc import Iterator


def numbers_of(bits: int) -> Iterator[int]:
    """The numbers in a set, ascending."""
    start = 0
    data = bits.to_bytes((bits.bit_length() + 7) // 8, "little")
    for byte in data:
        if byte:
            for bit in range(8):
                if byte >> bit & 1:
                    yield start + bit
        start += 8


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
