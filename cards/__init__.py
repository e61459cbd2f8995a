"""Identity cards and distributed trust: keys, cards, policy and revocation as values and verdicts.

Knows no network, no clock and no disk: bytes, times and randomness are arguments. FORMAT.md has the bytes.
"""

from .address import Address, AddressRecord
from .card import Card, Grant, Mark
from .conflicts import Conflict
from .delegation import Delegation
from .draft import Draft
from .endings import Retirement, SelfRevocation, Succession
from .facts import Fact, Facts, parse_fact
from .findings import CardError, Finding
from .issuing import grant, make_card, make_list, make_record
from .keys import IdentityId, IdentityKey, IssuerId, IssuerKey, NodeId, NodeKey
from .limits import Limits, Rule
from .manifest import Manifest
from .memo import Judge, Memo
from .pages import Entry
from .policy import Policy
from .revocation import Head, RevocationList, Revocations, SignedHead, Terms
from .signed import Signer
from .statements import SignatureCache
from .trust import Change, Pin, Plan, TrustStore, VerdictCache
from .verdict import Verdict, VerifiedCard
from .verification import verify_card

__all__ = [
    "Address",
    "AddressRecord",
    "Card",
    "CardError",
    "Change",
    "Conflict",
    "Delegation",
    "Draft",
    "Entry",
    "Fact",
    "Facts",
    "Finding",
    "Grant",
    "Head",
    "IdentityId",
    "IdentityKey",
    "IssuerId",
    "IssuerKey",
    "Judge",
    "Limits",
    "Manifest",
    "Mark",
    "Memo",
    "NodeId",
    "NodeKey",
    "Pin",
    "Plan",
    "Policy",
    "Retirement",
    "RevocationList",
    "Revocations",
    "Rule",
    "SelfRevocation",
    "SignatureCache",
    "SignedHead",
    "Signer",
    "Succession",
    "Terms",
    "TrustStore",
    "Verdict",
    "VerdictCache",
    "VerifiedCard",
    "grant",
    "make_card",
    "make_list",
    "make_record",
    "parse_fact",
    "verify_card",
]
