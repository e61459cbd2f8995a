"""Key files: an Ed25519 seed as PKCS#8 in PEM form, plain or locked by a passphrase. Read and written by openssl too.

A locked one is an EncryptedPrivateKeyInfo with PBES2 (RFC 8018): AES-256-CBC under a key that scrypt makes of the
passphrase. `cryptography` reads that and writes PBKDF2 with 2,048 rounds alone, a fifth of a millisecond for a guess,
so the few bytes around the ciphertext are written here.
"""

import base64
from collections.abc import Callable

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from cryptography.hazmat.primitives.padding import PKCS7

from .findings import CardError

# 16 MiB and about 0.13 s for a guess: OWASP's password storage cheat sheet, the row that fits into the 32 MiB which
# OpenSSL allows scrypt.
_COST, _BLOCK, _PARALLEL = 2**14, 8, 5

_LOCKED = b"-----BEGIN ENCRYPTED PRIVATE KEY-----"
_PBES2 = bytes.fromhex("06092a864886f70d01050d")
_SCRYPT = bytes.fromhex("06092b06010401da47040b")
_AES_256_CBC = bytes.fromhex("060960864801650304012a")
_INTEGER, _BINARY, _SEQUENCE = 0x02, 0x04, 0x30


def is_locked(pem: bytes) -> bool:
    """Whether it takes a passphrase to read the key."""
    return _LOCKED in pem


def read_seed(pem: bytes, passphrase: bytes | None = None) -> bytes:
    """The 32 bytes in a key file; a passphrase that is not needed is not looked at.

    Raises `CardError` locked or malformed; the message repeats nothing of the file.
    """
    if is_locked(pem) and not passphrase:
        raise CardError("locked", "the key is locked by a passphrase, and none was given")
    try:
        key = serialization.load_pem_private_key(pem, passphrase if is_locked(pem) else None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        if is_locked(pem):
            raise CardError("locked", "this passphrase does not open the key, or the file is damaged") from None
        raise CardError("malformed", "not a private key in PEM form") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise CardError("malformed", f"a key of kind {type(key).__name__.lstrip('_')}, Ed25519 expected")
    return key.private_bytes_raw()


def plain(seed: bytes) -> bytes:
    """Unencrypted PEM. A secret: the caller keeps it in a 0600 file."""
    return Ed25519PrivateKey.from_private_bytes(seed).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def locked(seed: bytes, passphrase: bytes, entropy: Callable[[int], bytes]) -> bytes:
    """PEM that only `passphrase` opens. Raises `CardError` locked for an empty one."""
    if not passphrase:
        raise CardError("locked", "an empty passphrase locks nothing")
    salt, iv = entropy(16), entropy(16)
    secret = Scrypt(salt=salt, length=32, n=_COST, r=_BLOCK, p=_PARALLEL).derive(passphrase)
    encryptor, padder = Cipher(algorithms.AES(secret), modes.CBC(iv)).encryptor(), PKCS7(128).padder()
    key = Ed25519PrivateKey.from_private_bytes(seed).private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    sealed = encryptor.update(padder.update(key) + padder.finalize()) + encryptor.finalize()
    numbers = (
        _der(_INTEGER, number.to_bytes(number.bit_length() // 8 + 1, "big")) for number in (_COST, _BLOCK, _PARALLEL)
    )
    derivation = _der(_SEQUENCE, _SCRYPT, _der(_SEQUENCE, _der(_BINARY, salt), *numbers))
    scheme = _der(_SEQUENCE, _AES_256_CBC, _der(_BINARY, iv))
    algorithm = _der(_SEQUENCE, _PBES2, _der(_SEQUENCE, derivation, scheme))
    text = base64.b64encode(_der(_SEQUENCE, algorithm, _der(_BINARY, sealed)))
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    return b"\n".join([_LOCKED, *lines, _LOCKED.replace(b"BEGIN", b"END"), b""])


def _der(tag: int, *parts: bytes) -> bytes:
    """A value of less than 256 bytes as DER writes it."""
    content = b"".join(parts)
    size = bytes([len(content)]) if len(content) < 128 else bytes([0x81, len(content)])
    return bytes([tag]) + size + content
