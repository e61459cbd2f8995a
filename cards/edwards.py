"""Curve arithmetic on public bytes: which keys and points are refused, and the Edwards image of a Node ID.

`cryptography` accepts low-order and non-canonical Ed25519 public keys: with the identity point as key one constant
signature verifies for every message. Screening A and R first makes it agree with libsodium on all 926 published edge
vectors. Everything here is public data, so nothing needs constant time.
"""

from functools import lru_cache

P = 2**255 - 19

# RFC 7748, section 6.1: peers whose shared secret is zero whatever our key. u = 0, 1, -1 and the two of order 8.
_LOW_ORDER_U = frozenset(
    {
        0,
        1,
        P - 1,
        325606250916557431795983626356110631294008115727848805560023387167927233504,
        39382357235489614581723060781553021112529911719440698176882885853963445705823,
    }
)

# The y of the eight torsion points: (u - 1) / (u + 1), with u = -1 standing for the point at infinity's partner y = 0.
_LOW_ORDER_Y = frozenset({(u - 1) * pow(u + 1, -1, P) % P for u in _LOW_ORDER_U if u != P - 1} | {0, 1})


def is_sound_point(encoded: bytes) -> bool:
    """Whether 32 bytes are a canonical Ed25519 point encoding of more than low order (as libsodium demands)."""
    y = int.from_bytes(encoded, "little") & (2**255 - 1)
    return len(encoded) == 32 and y < P and y not in _LOW_ORDER_Y


def is_sound_u(encoded: bytes) -> bool:
    """Whether 32 bytes are a canonical X25519 public key that is not of low order."""
    u = int.from_bytes(encoded, "little")
    return len(encoded) == 32 and u < P and u not in _LOW_ORDER_U


def is_edwards_image(point: bytes, u_bytes: bytes) -> bool:
    """Whether `point`, whatever its sign bit, is the `edwards_image` of `u_bytes`; without the inversion."""
    u = int.from_bytes(u_bytes, "little")
    y = int.from_bytes(point, "little") & (2**255 - 1)
    return (u - 1 - y * (u + 1)) % P == 0


@lru_cache(maxsize=4096)  # 1 MB; an inversion costs a fifth of a verification, and a node signs records, too
def edwards_image(u_bytes: bytes) -> bytes:
    """The Ed25519 public key, with sign bit 0, of the X25519 public key `u_bytes` (sound, 32 bytes). RFC 7748, 4.1."""
    u = int.from_bytes(u_bytes, "little")
    return ((u - 1) * pow(u + 1, -1, P) % P).to_bytes(32, "little")
