"""What a statement about keys says, on one line for people and as JSON, unjudged."""

from typing import Any

from cards import Conflict, IdentityId, IssuerId
from cards.facts import Statement

from .trust_show import statement_text


def statement_line(one: Statement, now: int) -> str:
    """What it says of itself."""
    return f"{one.what}  {statement_text(one, lambda key: IssuerId(key).short, now)}"


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
