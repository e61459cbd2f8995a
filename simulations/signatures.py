"""Signatures: a cache of signature facts that counts what is asked of it: what a world spends on verifying."""

from cards import SignatureCache


class CountingSignatures(SignatureCache):
    """`asked` how often somebody wanted a signature verified, `failed` how often it did not hold."""

    def __init__(self, limit: int = 1_000_000) -> None:
        super().__init__(limit)
        self.asked = 0
        self.failed = 0

    def verify(self, key: bytes, signature: bytes, message: bytes) -> bool:
        self.asked += 1
        holds = super().verify(key, signature, message)
        self.failed += not holds
        return holds
