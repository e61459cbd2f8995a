"""Identity cards and distributed trust: keys, cards, policy and revocation as values and verdicts.

Knows no network, no clock and no disk: bytes, times and randomness are arguments. FORMAT.md has the bytes.
"""

from .address import Address, AddressRecord
from .card import Card, Grant
from .findings import CardError, Finding
from .issuing import grant, make_card, make_list, make_record
from .keys import IdentityId, IdentityKey, IssuerId, IssuerKey, NodeId, NodeKey
from .policy import Policy
from .revocation import Entry, Head, RevocationList, Revocations
from .statements import SignatureCache
from .verification import Mark, Verdict, VerifiedCard, verify_card

__all__ = [
    "Address",
    "AddressRecord",
    "Card",
    "CardError",
    "Entry",
    "Finding",
    "Grant",
    "Head",
    "IdentityId",
    "IdentityKey",
    "IssuerId",
    "IssuerKey",
    "Mark",
    "NodeId",
    "NodeKey",
    "Policy",
    "RevocationList",
    "Revocations",
    "SignatureCache",
    "Verdict",
    "VerifiedCard",
    "grant",
    "make_card",
    "make_list",
    "make_record",
    "verify_card",
]
