"""CipherState: one key and its nonce counter (spec, section 5.1), and the direction in which none may send.

It knows neither handshakes nor frames.
"""

from cryptography.exceptions import InvalidTag

from p2pnoise.errors import LocalProtocolError
from p2pnoise.noise.errors import DecryptError, NonceExhausted
from p2pnoise.noise.functions import MAX_NONCE, Aead, CipherFunction

__all__ = ["CipherCheckpoint", "CipherState", "SilentDirection"]

CipherCheckpoint = tuple[bytes | None, Aead | None, int]

_KEYLEN = 32
_ZEROS = bytes(_KEYLEN)


class CipherState:
    """Encrypts or decrypts messages in order under one key; without a key it passes them through.

    `n` is the nonce of the next message. Any error leaves the object as it was.
    """

    __slots__ = ("_aead", "_cipher", "_k", "n")

    def __init__(self, cipher: CipherFunction) -> None:
        self._cipher = cipher
        self._k: bytes | None = None
        self._aead: Aead | None = None
        self.n = 0

    def __repr__(self) -> str:
        return f"<CipherState {self._cipher.name} n={self.n} key={'hidden' if self.has_key else 'none'}>"

    def initialize_key(self, key: bytes) -> None:
        """InitializeKey(key): 32 bytes. Sets k = key. Sets n = 0."""
        self._k = key
        # Made when first used: keys of a handshake are often replaced before they encrypt anything.
        self._aead = None
        self.n = 0

    @property
    def has_key(self) -> bool:
        """HasKey(): returns True if k is non-empty, False otherwise."""
        return self._k is not None

    def encrypt_with_ad(self, ad: bytes, plaintext: bytes) -> bytes:
        """EncryptWithAd(ad, plaintext): the ciphertext, 16 bytes longer; the plaintext itself without a key.

        Raises NonceExhausted once n is 2**64 - 1.
        """
        if self._k is None:
            return plaintext
        # If k is non-empty returns ENCRYPT(k, n++, ad, plaintext).
        aead, nonce = self._ready(self._k)
        ciphertext = aead.encrypt(nonce, plaintext, ad)
        self.n += 1
        return ciphertext

    def decrypt_with_ad(self, ad: bytes, ciphertext: bytes) -> bytes:
        """DecryptWithAd(ad, ciphertext): the plaintext; the ciphertext itself without a key.

        Raises DecryptError if it does not authenticate, NonceExhausted once n is 2**64 - 1.
        """
        if self._k is None:
            return ciphertext
        aead, nonce = self._ready(self._k)
        try:
            plaintext = aead.decrypt(nonce, ciphertext, ad)
        # If an authentication failure occurs in DECRYPT() then n is not incremented and an error is signaled.
        except InvalidTag as error:
            raise DecryptError(f"message {self.n} of {len(ciphertext)} bytes does not authenticate") from error
        self.n += 1
        return plaintext

    def encrypt_into(self, plaintext: memoryview, ciphertext: memoryview) -> None:
        """EncryptWithAd(empty, plaintext) into `ciphertext`, 16 bytes longer, at whose front `plaintext` may lie.

        Raises NonceExhausted once n is 2**64 - 1, LocalProtocolError without a key.
        """
        aead, nonce = self._ready(self._needed_key())
        aead.encrypt_into(nonce, plaintext, b"", ciphertext)
        self.n += 1

    def decrypt_into(self, ciphertext: memoryview, plaintext: memoryview) -> None:
        """DecryptWithAd(empty, ciphertext) into `plaintext`, 16 bytes shorter, whose contents are lost in any case.

        Raises DecryptError if it does not authenticate, NonceExhausted once n is 2**64 - 1, LocalProtocolError without
        a key.
        """
        aead, nonce = self._ready(self._needed_key())
        try:
            aead.decrypt_into(nonce, ciphertext, b"", plaintext)
        except InvalidTag as error:
            raise DecryptError(f"message {self.n} of {len(ciphertext)} bytes does not authenticate") from error
        self.n += 1

    def rekey(self) -> None:
        """Rekey(): sets k = REKEY(k) and leaves n alone. Raises LocalProtocolError without a key."""
        if self._k is None:
            raise LocalProtocolError("rekey of a CipherState that has no key")
        # 4.2: the first 32 bytes from ENCRYPT(k, maxnonce, zerolen, zeros), where zeros is a sequence of 32
        # zeros.
        zeros = self._cipher.aead(self._k).encrypt(self._cipher.nonce(MAX_NONCE), _ZEROS, b"")
        self._k = zeros[:_KEYLEN]
        self._aead = None

    def _needed_key(self) -> bytes:
        if self._k is None:
            raise LocalProtocolError("this CipherState has no key")
        return self._k

    def rest(self) -> None:
        """Hold only the key until the next message: the AEAD made of it takes 2.3 KB, and a microsecond to make."""
        self._aead = None

    def checkpoint(self) -> CipherCheckpoint:
        """All that a message may change, to hand to `rollback`."""
        return self._k, self._aead, self.n

    def rollback(self, checkpoint: CipherCheckpoint) -> None:
        """Be again as when `checkpoint` was taken."""
        self._k, self._aead, self.n = checkpoint

    def _ready(self, key: bytes) -> tuple[Aead, bytes]:
        """What the next message is encrypted or decrypted with: the AEAD under our key, the nonce."""
        # If incrementing n results in 2^64-1, then any further EncryptWithAd() or DecryptWithAd() calls will
        # signal an error to the caller.
        if self.n >= MAX_NONCE:
            raise NonceExhausted(f"{self.n} messages under one key, at most {MAX_NONCE}")
        if self._aead is None:
            self._aead = self._cipher.aead(key)
        return self._aead, self._cipher.nonce(self.n)


class SilentDirection(CipherState):
    """The direction in which nothing may be sent after a one-way handshake: every call is a LocalProtocolError.

    7.4: "Following a one-way handshake the sender can send a stream of transport messages, encrypting them using
    the first CipherState returned by Split(). The second CipherState from Split() is discarded - the recipient must
    not send any messages using it".
    """

    __slots__ = ("_pattern_name",)

    def __init__(self, cipher: CipherFunction, pattern_name: str) -> None:
        super().__init__(cipher)
        self._pattern_name = pattern_name

    def initialize_key(self, key: bytes) -> None:
        """No key: raises LocalProtocolError."""
        del key
        raise self._error()

    def encrypt_with_ad(self, ad: bytes, plaintext: bytes) -> bytes:
        """No ciphertext: raises LocalProtocolError."""
        del ad, plaintext
        raise self._error()

    def decrypt_with_ad(self, ad: bytes, ciphertext: bytes) -> bytes:
        """No plaintext: raises LocalProtocolError."""
        del ad, ciphertext
        raise self._error()

    def encrypt_into(self, plaintext: memoryview, ciphertext: memoryview) -> None:
        """No ciphertext: raises LocalProtocolError."""
        del plaintext, ciphertext
        raise self._error()

    def decrypt_into(self, ciphertext: memoryview, plaintext: memoryview) -> None:
        """No plaintext: raises LocalProtocolError."""
        del ciphertext, plaintext
        raise self._error()

    def rekey(self) -> None:
        """No new key: raises LocalProtocolError."""
        raise self._error()

    def _error(self) -> LocalProtocolError:
        return LocalProtocolError(f"{self._pattern_name} is one-way: its responder sends nothing")
