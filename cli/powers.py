"""Powers: by whose leave an issuer signs, what that allows, and what it hands on so that nodes can see it."""

from collections.abc import Sequence
from dataclasses import dataclass

from cards import Card, Delegation, Entry, Fact, Grant, IssuerId, Limits, Policy, Retirement, RevocationList
from cards.delegation import Authority, authorities
from cards.findings import REVOKED, UNTRUSTED, Finding

from . import documents, options
from .folders import Issuer, IssuerFolder
from .output import Fault, until


@dataclass(frozen=True, slots=True)
class Powers:
    """What lies in an issuer's statements.pem. `ways` are empty where nobody delegated to it: it signs for itself."""

    issuer: Issuer
    document: documents.Document
    ways: tuple[Authority, ...]

    @classmethod
    def read(cls, folder: IssuerFolder, issuer: Issuer) -> "Powers":
        """Raises `Fault` where the file is not what it was."""
        path = folder.statements
        fix = "restore it from your backup of this folder"
        document = documents.read(path, fix=fix) if path.exists() else documents.Document(str(path))
        for fact in document.facts:
            finding = fact.check(
                network=issuer.network, now=options.now(), leeway=Policy(network=issuer.network).leeway
            )
            if finding is not None:
                raise Fault(f"{path}: {finding.message}", fix, code=finding.exit, findings=(finding,))
        return cls(issuer, document, ways(issuer.key.public, document.facts))

    @property
    def delegations(self) -> tuple[Delegation, ...]:
        return tuple(one for one in self.document.statements if isinstance(one, Delegation))

    def check_alive(self) -> None:
        """Raises `Fault` where this issuer has retired, or was revoked by every issuer that it signs for."""
        for one in self.document.statements:
            if isinstance(one, Retirement) and one.issuer == self.issuer.key.public:
                day = until(one.issued_at, options.now())
                raise Fault(
                    f"this issuer retired {day}, reason {one.reason}",
                    "nothing that it signs counts any more: make another, p2pnoise issuer new",
                    code=REVOKED,
                )

        ended = [entry for way in self.ways if (entry := self._ended(way)) is not None]
        if ended and len(ended) == len(self.ways):
            raise Fault(
                f"{self.ways[0].root.short} revoked this issuer's key, reason {ended[0].reason}",
                "nothing that it signs counts any more: ask that issuer",
                code=REVOKED,
            )

    def _ended(self, way: Authority) -> Entry | None:
        """The entry of the root's list for a key of the way to here."""
        steps, now = {bytes(key) for key, _ in way.steps}, options.now()
        entries = (entry for one in self.document.lists if one.issuer == way.root for entry in one.entries)
        return next((entry for entry in entries if entry.subject in steps and entry.until > now), None)

    def check_grant(self, card: Card, *, groups: Sequence[str], now: int, lifetime: int) -> None:
        """Raises `Fault` that names the limit which forbids to grant this."""
        wanted = Grant(
            kid=self.issuer.key.public.hint,
            attrs=b"",
            signature=b"",
            serial=1,
            issued_at=now,
            not_before=now,
            not_after=min(now + lifetime, card.not_after),
            position=b"",
            groups=tuple(groups),
        )
        problems = [way.problem(card, wanted, self._name) for way in self.ways]
        if problems and None not in problems:
            fix = "ask for what it may (--group, --days), or have its issuer delegate more: p2pnoise issuer delegate"
            finding = Finding("issuer-constraint", str(problems[0]))
            raise Fault(f"NOT GRANTED  {card.label}: {problems[0]}", fix, code=UNTRUSTED, findings=(finding,))

    def check_delegation(self, delegation: Delegation) -> None:
        """Raises `Fault` where whoever delegated to this issuer lets it delegate no further."""
        if self.ways and not any(way.delegate(delegation) for way in self.ways):
            deepest = max(limits.depth for way in self.ways for _, limits in way.steps[-1:])
            raise Fault(
                f"{self.issuer.name} may delegate {deepest} steps further, which this is beyond, or in a circle",
                "have its issuer delegate with a greater --depth, or delegate from there",
                code=UNTRUSTED,
            )

    def handed_on(self, own: RevocationList) -> tuple[Fact, ...]:
        """What nodes need beside a card: our list, or those of the roots for which we sign and the steps from there."""
        if not self.ways:
            return (own,)
        steps = {key for way in self.ways for key, _ in way.steps}
        roots = {way.root for way in self.ways}
        return (
            *(one for one in self.document.lists if one.issuer in roots),
            *(one for one in self.delegations if one.issuer in steps and one.key in steps),
        )

    def _name(self, key: IssuerId) -> str:
        return self.issuer.name if key == self.issuer.key.public else key.short


def ways(issuer: IssuerId, facts: Sequence[Fact]) -> tuple[Authority, ...]:
    """Every chain of delegations that ends at `issuer`. The first of a chain is a root of somebody's policy."""
    given = [one for one in facts if isinstance(one, Delegation) and one.issuer != issuer]
    roots = {one.issuer for one in given} - {one.key for one in given}
    return tuple(one for one in authorities(dict.fromkeys(sorted(roots), Limits()), given) if one.key == issuer)
