"""Policy: which network, which issuers, how many of them must agree, and whom to deny. A value, read from TOML text."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Literal, Self

from .keys import IssuerId
from .limits import Limits, Rule
from .policy_file import MAX_ISSUERS, MAX_POLICY, read_policy, write_policy
from .revocation import LIST_LIFETIME

__all__ = ["MAX_ISSUERS", "MAX_POLICY", "Policy", "Rule"]

_DAY = 86400


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Whom a node believes: a card counts when the issuers that granted it meet every rule of `app`. Times in seconds.

    What stands higher decides first: `deny`, revocation, `allow` and pins, `app`, trust on first use.
    """

    network: str
    issuers: Mapping[str, IssuerId] = field(default_factory=dict)  # our own names for their keys
    limits: Mapping[str, Limits] = field(default_factory=dict)  # of issuers by name; the others may grant anything
    app: tuple[Rule, ...] = (Rule(),)
    groups: Mapping[str, Rule] = field(default_factory=dict)  # a group without a rule needs one issuer
    capabilities: Mapping[str, Rule] = field(default_factory=dict)  # as groups
    revokers: tuple[str, ...] = ()  # issuers whose revocations end an identity, not their own grants alone
    deny: tuple[bytes, ...] = ()  # identity keys and Node IDs
    allow: tuple[bytes, ...] = ()  # identity keys that need no issuer
    tofu: Literal["off", "ask", "first-use"] = "off"
    stale: Literal["warn", "refuse"] = "refuse"  # what an overdue list means for new peers
    list_lifetime: int = LIST_LIFETIME  # how long after a list the next one may be due, or the list is refused
    leeway: int = 300  # how far another's clock may be ahead of ours; Kerberos' customary five minutes
    revocation_grace: int = _DAY  # how long past `next` a list still admits new peers; a guess: one working day
    expired_grace: int = 0  # how long peers that we had accepted stay after their end

    @classmethod
    def from_toml(cls, text: str) -> Self:
        """From the text of a policy file. Raises `CardError` policy-invalid, naming line, column and key."""
        return cls(**read_policy(text))

    def to_toml(self) -> str:
        """The text of a policy file that says the same."""
        return write_policy(_values(self), _values(Policy(network=self.network)))

    @property
    def quorum(self) -> int:
        """How many issuers speak for all: as many as the strictest rule of `app` asks for, two where there are two."""
        return max([min(2, len(self.issuers)), *(rule.threshold for rule in self.app)])

    def issuer_name(self, key: bytes) -> str:
        """Our name for an issuer key, or the beginning of the key."""
        for name, known in self.issuers.items():
            if known == key:
                return name
        return IssuerId(key).short

    def limits_of(self, name: str) -> Limits:
        """What the issuer that we call so may grant; no limits where none are set."""
        return self.limits.get(name, Limits())


def _values(policy: Policy) -> dict[str, object]:
    return {one.name: getattr(policy, one.name) for one in fields(policy)}
