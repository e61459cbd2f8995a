"""Findings: what a check has to say, each with a stable code, the exit code it leads to, and what to do next."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple

Severity = Literal["error", "warning"]

OK, UNEXPECTED, USAGE, MALFORMED, BAD_SIGNATURE, UNTRUSTED, TIME, REVOKED, CONFLICT, BINDING = range(10)

# With several findings the exit code of a command is the first of these that occurs.
EXIT_ORDER = (MALFORMED, BINDING, BAD_SIGNATURE, REVOKED, CONFLICT, TIME, UNTRUSTED)


class _Code(NamedTuple):
    exit: int
    hint: str


_REISSUE = "make it again with this software; statements are never re-encoded or edited"

CODES: dict[str, _Code] = {
    # What the bytes say, before anything is believed.
    "truncated": _Code(MALFORMED, "copy the whole of it again; the end is missing"),
    "trailing-data": _Code(MALFORMED, "copy exactly one object; something follows it"),
    "too-large": _Code(MALFORMED, "ask whoever made it for a smaller one"),
    "too-deep": _Code(MALFORMED, _REISSUE),
    "malformed": _Code(MALFORMED, _REISSUE),
    "not-deterministic": _Code(MALFORMED, _REISSUE),
    "missing-field": _Code(MALFORMED, _REISSUE),
    "unknown-field": _Code(MALFORMED, "it may come from a newer version: upgrade, or ask for one of this version"),
    "unsupported-version": _Code(MALFORMED, "upgrade this software, or ask for one of a version it speaks"),
    "unknown-critical": _Code(MALFORMED, "upgrade this software: the sender demands that this extension is understood"),
    "out-of-range": _Code(MALFORMED, _REISSUE),
    "bad-validity": _Code(MALFORMED, "give an end after the beginning, at most ten years later"),
    "bad-name": _Code(MALFORMED, "use a-z 0-9 . _ - alone, as many as it says"),
    "bad-address": _Code(MALFORMED, "write host:port, an IPv6 address in brackets, for example [::1]:7060"),
    "weak-key": _Code(MALFORMED, "make a new key with: p2pnoise id new"),
    "bad-node-id": _Code(MALFORMED, "make a new node key with: p2pnoise id new"),
    "key-reuse": _Code(MALFORMED, "identity and node need keys of their own: p2pnoise id new"),
    "too-many-signatures": _Code(MALFORMED, "a card carries at most four app signatures: leave some out"),
    "armor-invalid": _Code(MALFORMED, "copy the block again from its BEGIN to its END line"),
    "text-invalid": _Code(MALFORMED, "copy it again, whole, from where it came"),
    "policy-invalid": _Code(
        MALFORMED,
        'mend the file; whole it is: network = "NET", and for each issuer [issuer.NAME] with key = "issuer1…"',
    ),
    # Signatures and what they bind.
    "key-signature-invalid": _Code(
        BAD_SIGNATURE, "the body was changed after signing: ask the owner for the card again"
    ),
    "app-signature-invalid": _Code(BAD_SIGNATURE, "ask the issuer to sign again: p2pnoise card issue"),
    "node-signature-invalid": _Code(BINDING, "the node key named did not sign: ask the owner for the card again"),
    "unproven": _Code(BINDING, "the node signature is missing: ask the owner for the whole card"),
    "node-mismatch": _Code(BINDING, "the card belongs to another node: check what is installed there"),
    "self-peer": _Code(BINDING, "this is our own card or key: check for a copied folder"),
    "record-invalid": _Code(BAD_SIGNATURE, "the node signs its addresses itself: wait for its next record"),
    "revocation-invalid": _Code(BAD_SIGNATURE, "take the list from its issuer: p2pnoise revoke publish"),
    "delegation-invalid": _Code(BAD_SIGNATURE, "take the delegation from its issuer: p2pnoise issuer delegate"),
    "retirement-invalid": _Code(BAD_SIGNATURE, "have the issuer sign it, or others together: p2pnoise issuer retire"),
    "manifest-invalid": _Code(
        BAD_SIGNATURE, "have as many issuers sign it as this version and the one before ask for: p2pnoise issuer sign"
    ),
    "succession-invalid": _Code(BAD_SIGNATURE, "both identity keys sign it, and the new one is the one committed to"),
    "proof-invalid": _Code(BAD_SIGNATURE, "nobody is in conflict here: a proof holds two signed things that differ"),
    "locked": _Code(BINDING, "type its passphrase, or give it with --passphrase-file or in P2PNOISE_PASSPHRASE"),
    # Trust, time and history.
    "revoked": _Code(
        REVOKED,
        "for its identity the owner needs new keys: p2pnoise id new --force, then p2pnoise card request; for one card "
        "that request alone, for a delegate a grant of another issuer",
    ),
    "superseded": _Code(REVOKED, "use the card of the identity that it names"),
    "rollback": _Code(CONFLICT, "use the newer one; it has been seen already"),
    "equivocation": _Code(
        CONFLICT, "usual cause: a restored backup or a cloned image; on the right machine sign a new card"
    ),
    "issuer-equivocation": _Code(
        CONFLICT, "usual cause: a restored issuer; both lists hold until the issuer publishes the next one"
    ),
    "node-conflict": _Code(
        CONFLICT, "a node key serves one identity: on the right machine make a new one: p2pnoise id new"
    ),
    "suspicious-jump": _Code(CONFLICT, "ask the owner in person before trusting it"),
    "expired": _Code(TIME, "on the node: p2pnoise card request, then have it issued and install it"),
    "expired-app": _Code(TIME, "have the issuer sign again: p2pnoise card issue; if the clock is wrong, mend it first"),
    "not-yet-valid": _Code(TIME, "wait, or mend the clock of this machine or of the signer"),
    "wrong-network": _Code(UNTRUSTED, "it is for another network: check --network and the policy"),
    "denied": _Code(UNTRUSTED, "the policy's deny names it: take it out there if that is wrong"),
    "over-quota": _Code(UNTRUSTED, "its issuer has more members than this node has room for"),
    "banned": _Code(UNTRUSTED, "this node's operator has banned it: p2pnoise bans; to lift that: p2pnoise unban"),
    "pin-changed": _Code(
        CONFLICT,
        "ask the owner in person: a key handed over (take the succession), a reinstalled machine (p2pnoise trust pin "
        "--force), or an attack",
    ),
    "first-use": _Code(UNTRUSTED, "compare the identity with its owner, then: p2pnoise trust pin"),
    "issuer-constraint": _Code(UNTRUSTED, "have an issuer sign that may: p2pnoise trust show"),
    "chain-too-long": _Code(UNTRUSTED, "a delegate's delegate's delegate is the last that may sign"),
    "group-not-granted": _Code(UNTRUSTED, "have another issuer grant the group too: p2pnoise card issue --group"),
    "capability-not-granted": _Code(
        UNTRUSTED, "have another issuer grant it too: the policy's [capabilities] say how many"
    ),
    "unknown-issuer": _Code(UNTRUSTED, "add the issuer to the policy if you trust it: card install --issuer"),
    "threshold": _Code(
        UNTRUSTED, "have more accepted issuers sign: a card, p2pnoise card issue; a draft, p2pnoise issuer sign"
    ),
    "revocation-missing": _Code(UNTRUSTED, "hand this node the issuer's list: p2pnoise revoke publish --output"),
    "revocation-stale": _Code(UNTRUSTED, "have the issuer publish its list again: p2pnoise revoke publish"),
    "list-lifetime": _Code(UNTRUSTED, "have it published with fewer --days, or raise list_lifetime in the policy"),
    "revocation-unchecked": _Code(UNTRUSTED, "give the issuer's list to check it too: --revocations FILE"),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found: a stable `code`, how grave it is, a sentence, and the next step."""

    code: str
    message: str
    severity: Severity = "error"

    @property
    def hint(self) -> str:
        """What to do next, for whoever can do something about it."""
        return CODES[self.code].hint

    @property
    def exit(self) -> int:
        """The exit code that this finding alone leads to."""
        return CODES[self.code].exit

    def to_json(self) -> dict[str, str]:
        """What a program reads of this finding."""
        return {"code": self.code, "severity": self.severity, "message": self.message, "hint": self.hint}


class CardError(ValueError):
    """Bytes or text are not what they were taken for; `finding` says why and `offset` where, when that is known.

    Raised by every parser of this package and by nothing else in it; no object is left half made.
    """

    def __init__(self, code: str, message: str, *, offset: int | None = None) -> None:
        super().__init__(message if offset is None else f"byte {offset}: {message}")
        self.offset = offset
        self.finding = Finding(code, str(self))

    @property
    def code(self) -> str:
        """The stable code of the first finding."""
        return self.finding.code


def exit_code(findings: Iterable[Finding]) -> int:
    """The exit code for several findings: the first in `EXIT_ORDER` that an error has, 0 without errors."""
    seen = {finding.exit for finding in findings if finding.severity == "error"}
    return next((code for code in EXIT_ORDER if code in seen), OK)
