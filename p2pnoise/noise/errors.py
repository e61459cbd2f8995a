"""What can go wrong between two speakers of Noise.

All of these are the peer's doing, or look like it. A CipherState and a HandshakeState are as they were before
the call that raised. Asking for a message out of turn, or for more than a message holds, is a
`LocalProtocolError` instead.
"""

from p2pnoise.errors import RemoteProtocolError

__all__ = ["DecryptError", "InvalidPublicKey", "MessageSizeError", "NoiseError", "NonceExhausted"]


class NoiseError(RemoteProtocolError):
    """The root of the errors of `p2pnoise.noise`."""


class DecryptError(NoiseError):
    """A ciphertext does not authenticate: tampered with, out of order, under another key or prologue."""


class InvalidPublicKey(NoiseError):  # noqa: N818 - says what is invalid
    """A Diffie-Hellman with the peer's public key gives all zeros: the point is of low order."""


class MessageSizeError(NoiseError):
    """A message ends inside a public key, or is longer than a Noise message may be."""


class NonceExhausted(NoiseError):  # noqa: N818 - says what is exhausted
    """A key has encrypted or decrypted all 2**64 - 1 messages it may; only a new key helps."""
