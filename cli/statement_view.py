"""What a statement about keys says, on one line for people and as JSON, unjudged."""

from typing import Any

from cards import Conflict, Delegation, IdentityId, IssuerId, Manifest, Retirement, SelfRevocation, Succession
from cards.codec import MAX_INT
from cards.facts import Statement

from .output import until


def statement_line(one: Statement, now: int) -> str:
    """What it says of itself."""
    match one:
        case Delegation():
            return f"delegation  {one.issuer.short} lets {one.key.short} sign  {limits_text(one, now)}"
        case Succession():
            return f"succession  {one.old.short} handed over to {one.new.short}"
        case SelfRevocation():
            return f"self-revocation  {one.identity.short}  reason {one.reason}"
        case Retirement():
            return f"retirement  {one.issuer.short}  reason {one.reason}"
        case Manifest():
            return f"manifest {one.version}  {one.threshold} of {len(one.issuers)} issuers"
        case Conflict():
            return f"{one.kind} conflict  {bytes(one.subject[:8]).hex()}…  number {one.sequence}"


def limits_text(one: Delegation, now: int) -> str:
    """What a delegate may sign, and until when."""
    limits = one.limits
    words = [f"names {' '.join(limits.names) or 'any'}", f"groups {' '.join(limits.groups) or 'any'}"]
    words += [f"at most {limits.max_lifetime} s" if limits.max_lifetime < MAX_INT else "any lifetime"]
    words += [f"depth {limits.depth}", f"until {until(limits.not_after, now)}"]
    return "  ".join(words)


def statement_json(one: Statement) -> dict[str, Any]:
    """A view for programs; never signed and never read back."""
    if isinstance(one, Conflict):
        return {
            "kind": one.what,
            "network": one.network,
            "digest": one.digest.hex(),
            "between": one.kind,
            "subject": one.subject.hex(),
            "sequence": one.sequence,
        }
    view = {name: _plain(value) for name, value in one.values.items() if name not in ("v", "net", "iat")}
    return {"kind": one.what, "network": one.network, "digest": one.digest.hex(), "issued_at": one.issued_at, **view}


def _plain(value: Any) -> Any:
    """Keys as their text forms where their kind is known, other bytes in hex."""
    if isinstance(value, IdentityId | IssuerId):
        return str(value)
    if isinstance(value, bytes):
        return value.hex()
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
