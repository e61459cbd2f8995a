"""Signers: an issuer key that lives in another process, behind a Unix socket, and the words that are spoken there.

    on connecting   the issuer's public key, 32 bytes
    request         length, 4 bytes big-endian; the message to sign, at most 8,192
    answer          length, 4 bytes big-endian; 0x00 and the signature, or 0x01 and why not

Whoever asks need not trust the answer: every signature is verified under the issuer's key before it is used.
"""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from cards import IssuerId
from cards.findings import BINDING, UNTRUSTED
from cards.statements import verify

from . import unix_socket
from .output import Fault, os_fault

MAX_REQUEST = 8_192  # bytes; the longest statement, a manifest, makes about 4,200
MAX_ANSWER = 1_024
SIGNED, REFUSED = b"\x00", b"\x01"

_PATIENCE = 30.0  # seconds for one answer, which takes a millisecond; a guess
_START = "start it where the key is: p2pnoise signer serve --socket PATH"


class NoSigner:
    """The public half of an issuer's key, for what looks and does not sign."""

    def __init__(self, public: IssuerId) -> None:
        self.public = public

    def sign(self, message: bytes) -> bytes:
        """Raises `Fault`."""
        raise Fault(f"no key is at hand to sign {len(message)} bytes with", _START)


class RemoteSigner:
    """Signs by asking. Raises `Fault` where the signer refuses, or is none."""

    def __init__(self, connection: socket.socket, path: Path, public: IssuerId) -> None:
        self.public = public
        self._connection = connection
        self._path = path

    @classmethod
    @contextmanager
    def connect(cls, path: Path, public: IssuerId) -> Iterator[Self]:
        """The signer of `public` that listens on `path`."""
        with unix_socket.reachable(path) as name, socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(_PATIENCE)
            try:
                connection.connect(name)
            except ConnectionRefusedError:
                raise Fault(f"no signer listens on {path}", _START) from None
            except OSError as error:
                fault = os_fault(error, path)
                raise Fault(f"signer {fault}", _START) from None
            signer = cls(connection, path, public)
            if signer._read(len(public)) != public:
                fix = f"use the socket of the signer of {public}"
                raise Fault(f"{path} is the signer of another issuer", fix, code=BINDING)
            yield signer

    def sign(self, message: bytes) -> bytes:
        """The Ed25519 signature over `message`, 64 bytes."""
        try:
            self._connection.sendall(len(message).to_bytes(4, "big") + message)
        except OSError as error:
            raise os_fault(error, self._path) from None
        size = int.from_bytes(self._read(4), "big")
        if not 1 <= size <= MAX_ANSWER:
            raise Fault(f"{self._path}: an answer of {size} bytes, at most {MAX_ANSWER}", _START)
        answer = self._read(size)
        if answer[:1] == REFUSED:
            text = answer[1:].decode("utf-8", "replace")
            fix = "see what it prints, and what it may sign: p2pnoise signer serve --help"
            raise Fault(f"the signer refused: {text}", fix, code=UNTRUSTED)
        if not verify(self.public, answer[1:], message):
            raise Fault(f"{self._path}: the signature is not that of the issuer", _START, code=BINDING)
        return answer[1:]

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            try:
                more = self._connection.recv(size - len(data))
            except OSError as error:
                raise os_fault(error, self._path) from None
            if not more:
                raise Fault(f"{self._path}: the signer hung up", "see what it prints, and run this again")
            data += more
        return data
