"""SymmetricState: what both sides have said so far, and the key that follows from it (spec, section 5.2).

It mixes bytes; which bytes, and in which order, is the handshake's affair.
"""

from p2pnoise.noise.cipher_state import CipherCheckpoint, CipherState
from p2pnoise.noise.functions import CipherFunction, HashFunction

__all__ = ["SymmetricCheckpoint", "SymmetricState"]

SymmetricCheckpoint = tuple[bytes, bytes, CipherCheckpoint]


class SymmetricState:
    """The chaining key ck, the hash h and the handshake's CipherState.

    An error in the middle of a message leaves it half way; `checkpoint` and `rollback` bring it back.
    """

    __slots__ = ("_cipher", "_cipher_state", "_ck", "_hash", "h")

    def __init__(self, initial_h: bytes, cipher: CipherFunction, hash_function: HashFunction) -> None:
        """InitializeSymmetric(protocol_name), with the h that the name makes: it is the same in every handshake."""
        self._cipher = cipher
        self._hash = hash_function
        # Sets ck = h. Calls InitializeKey(empty).
        self._ck = self.h = initial_h
        self._cipher_state = CipherState(cipher)

    def __repr__(self) -> str:
        return f"<SymmetricState h={self.h.hex()} ck=hidden>"

    @property
    def has_key(self) -> bool:
        """Whether what is encrypted next really is."""
        return self._cipher_state.has_key

    def mix_key(self, input_key_material: bytes) -> None:
        """MixKey(input_key_material)."""
        # Sets ck, temp_k = HKDF(ck, input_key_material, 2).
        self._ck, temp_k = self._hash.hkdf(self._ck, input_key_material)
        # If HASHLEN is 64, then truncates temp_k to 32 bytes. Calls InitializeKey(temp_k).
        self._cipher_state.initialize_key(temp_k[:32])

    def mix_key_and_hash(self, input_key_material: bytes) -> None:
        """MixKeyAndHash(input_key_material)."""
        # Sets ck, temp_h, temp_k = HKDF(ck, input_key_material, 3). Calls MixHash(temp_h).
        self._ck, temp_h, temp_k = self._hash.hkdf3(self._ck, input_key_material)
        self.mix_hash(temp_h)
        # If HASHLEN is 64, then truncates temp_k to 32 bytes. Calls InitializeKey(temp_k).
        self._cipher_state.initialize_key(temp_k[:32])

    def mix_hash(self, data: bytes) -> None:
        """MixHash(data)."""
        # Sets h = HASH(h || data).
        self.h = self._hash.new(self.h + data).digest()

    def encrypt_and_hash(self, plaintext: bytes) -> bytes:
        """EncryptAndHash(plaintext): the ciphertext."""
        # Sets ciphertext = EncryptWithAd(h, plaintext), calls MixHash(ciphertext), and returns ciphertext.
        ciphertext = self._cipher_state.encrypt_with_ad(self.h, plaintext)
        self.mix_hash(ciphertext)
        return ciphertext

    def decrypt_and_hash(self, ciphertext: bytes) -> bytes:
        """DecryptAndHash(ciphertext): the plaintext. Raises DecryptError."""
        # Sets plaintext = DecryptWithAd(h, ciphertext), calls MixHash(ciphertext), and returns plaintext.
        plaintext = self._cipher_state.decrypt_with_ad(self.h, ciphertext)
        self.mix_hash(ciphertext)
        return plaintext

    def split(self) -> tuple[CipherState, CipherState]:
        """Split(): the CipherStates of the transport, initiator to responder first."""
        # Sets temp_k1, temp_k2 = HKDF(ck, zerolen, 2). If HASHLEN is 64, truncates both to 32 bytes. Creates
        # two new CipherState objects c1 and c2. Calls c1.InitializeKey(temp_k1) and
        # c2.InitializeKey(temp_k2).
        temp_k1, temp_k2 = self._hash.hkdf(self._ck, b"")
        c1, c2 = CipherState(self._cipher), CipherState(self._cipher)
        c1.initialize_key(temp_k1[:32])
        c2.initialize_key(temp_k2[:32])
        return c1, c2

    def checkpoint(self) -> SymmetricCheckpoint:
        """All that a message may change, to hand to `rollback`."""
        return self._ck, self.h, self._cipher_state.checkpoint()

    def rollback(self, checkpoint: SymmetricCheckpoint) -> None:
        """Be again as when `checkpoint` was taken."""
        self._ck, self.h, cipher_state = checkpoint
        self._cipher_state.rollback(cipher_state)
