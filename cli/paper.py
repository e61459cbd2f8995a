"""Papers: a draft as it goes from issuer to issuer, with the manifest before it, so that each sees what changes."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from shlex import quote
from typing import Any

from cards import Draft, IssuerId, Manifest, Policy, Retirement
from cards.draft import DRAFTS
from cards.findings import MALFORMED, UNTRUSTED, USAGE
from cards.signed import Signer
from cards.text import MAX_ARMOR, from_armor, to_armor

from . import documents, files
from .output import Fault, answer, answer_json, naming, rows, say, until
from .statement_view import statement_json


@dataclass(frozen=True, slots=True)
class Paper:
    """A draft, and for a manifest the one before it, where there is one."""

    draft: Draft
    previous: Manifest | None = None

    @classmethod
    def read(cls, path: str) -> "Paper":
        """The paper in a file or, for `-`, on stdin; nothing is verified. Raises `Fault`."""
        name = "standard input" if path == files.STREAM else path
        text = files.read(path, limit=MAX_ARMOR, what="draft").decode("latin-1")
        with naming(name):
            blocks = from_armor(text)
            drafts = [Draft.parse(label, raw) for label, raw in blocks if label in DRAFTS]
            manifests = [Manifest.parse(raw) for label, raw in blocks if label == Manifest.label]
        if len(drafts) != 1 or len(manifests) > 1 or len(blocks) != 1 + len(manifests):
            fix = "give what p2pnoise issuer manifest, issuer retire --other or issuer sign wrote"
            raise Fault(f"{name} is not one draft, alone or with the manifest before it", fix, code=MALFORMED)
        return cls(drafts[0], next(iter(manifests), None))

    @property
    def text(self) -> str:
        """What is handed on: the draft with the manifest before it; once all have signed, the statement alone."""
        if self.draft.whole is not None:
            return documents.fact_blocks([self.draft.whole])
        before = [self.previous] if self.previous is not None else []
        return to_armor(self.draft.label, self.draft.raw) + documents.fact_blocks(before)

    def check(self, network: str, now: int) -> None:
        """Raises `Fault` where it is not for `network`, falsely signed, or cannot follow the manifest before."""
        leeway = Policy(network=network).leeway
        finding = self.draft.check(network=network, now=now, leeway=leeway)
        if finding is None and self.previous is not None:
            finding = self.previous.check(network=network, now=now, leeway=leeway)
        if finding is not None:
            raise Fault(f"not to be signed: {finding.message}", finding.hint, code=finding.exit, findings=(finding,))
        new, old = self.draft.statement, self.previous
        version = old.version if old is not None else 0
        # Without the one before, or with an older one, nobody could see what changes.
        follows = new.version == version + 1 if isinstance(new, Manifest) else old is None
        if not follows:
            fix = "draft it anew: p2pnoise issuer manifest --previous FILE"
            raise Fault(f"this draft does not come after version {version}", fix, code=UNTRUSTED)
        if isinstance(new, Manifest):
            _check_signers(new, old)

    def sign(self, key: Signer) -> "Paper":
        """Raises `CardError` where that is not for this one to do; `check_turn` says so before the key is there."""
        return replace(self, draft=self.draft.sign(key))

    def check_turn(self, key: IssuerId) -> None:
        """Raises `Fault` where this issuer has signed already, or is not to sign."""
        missing = self.draft.missing
        if key in missing:
            return
        left = " ".join(map(str, missing))
        if key in self.draft.statement.signers:
            fix = f"carry it to those who have not: {left}" if left else "put it in force: p2pnoise trust apply FILE"
            raise Fault("this issuer has signed it already", fix, code=USAGE)
        fix = f"have it drafted anew with --by {key}, or carry it to those who are to sign: {left}"
        raise Fault(f"this issuer, {key.short}, is none of those who are to sign it", fix, code=UNTRUSTED)

    def lines(self, now: int, names: Mapping[bytes, str]) -> list[str]:
        """What is to be signed, for people, with our names for keys where there are any."""
        new = self.draft.statement
        says = _manifest_rows(new, self.previous, names) if isinstance(new, Manifest) else _retirement_rows(new)
        return rows(*says, ("network", new.network), ("drafted", until(new.issued_at, now)), *self.signers(names))

    def signers(self, names: Mapping[bytes, str]) -> list[tuple[str, str]]:
        """Who has signed, and who is to."""
        missing = self.draft.missing
        return [("to sign" if key in missing else "signed", _named(key, names)) for key in self.draft.statement.signers]

    def hand_out(self, output: str, lines: list[str], *, force: bool, as_json: bool) -> None:
        """Write it, say what it is with these lines, and what comes next."""
        where = files.hand_out(output, self.text, force=force, as_json=as_json)
        if as_json:
            answer_json(self.to_json(where))
        elif where is not None:
            answer(*lines, *rows(("file", where)))
        file = quote(where) if where else "FILE"
        if self.draft.whole is not None:
            say(f"all have signed; next, on any one node: p2pnoise trust apply {file}")
        else:
            say(f"next, at {self.draft.missing[0]}: p2pnoise issuer sign {file} -o FILE")

    def to_json(self, where: str | None) -> dict[str, Any]:
        return {
            "ok": True,
            "whole": self.draft.whole is not None,
            "statement": statement_json(self.draft.statement),
            "previous": statement_json(self.previous) if self.previous is not None else None,
            "missing": [str(key) for key in self.draft.missing],
            "text": self.text,
            "file": where,
        }


def _check_signers(new: Manifest, old: Manifest | None) -> None:
    """Raises `Fault` where those who are to sign are too few for what stands before."""
    if old is not None and not new.signed_by(old.issuers, old.threshold):
        have, whom = len(old.issuers & set(new.signers)), " ".join(str(IssuerId(key)) for key in sorted(old.issuers))
        raise Fault(
            f"{have} of the issuers of version {old.version} are to sign it, which asks for {old.threshold}",
            f"draft it with --by for each who is to sign, enough of these among them: {whom}",
            code=UNTRUSTED,
        )
    if old is None and not new.signed_by(new.issuers, min(2, len(new.issuers))):
        fix = "name more of them with --by: as many as agree in the policies of the nodes"
        raise Fault("one issuer alone makes no first manifest where there are two", fix, code=UNTRUSTED)


def _manifest_rows(new: Manifest, old: Manifest | None, names: Mapping[bytes, str]) -> list[tuple[str, str]]:
    version, asked, before = f"version {new.version}", f"{new.threshold} of {len(new.issuers)}", set[bytes]()
    if old is not None:
        version, asked = f"{version}, after {old.version}", f"{asked}, before {old.threshold} of {len(old.issuers)}"
        before = set(old.issuers)
    said = [
        ("comes" if key not in before else "stays" if key in new.issuers else "goes", _named(key, names))
        for key in sorted(new.issuers | before)
    ]
    return [("manifest", version), ("threshold", asked), *said]


def _retirement_rows(new: Retirement) -> list[tuple[str, str]]:
    return [("retires", f"{new.issuer}, for good"), ("reason", new.reason)]


def _named(key: bytes, names: Mapping[bytes, str]) -> str:
    return f"{IssuerId(key)}  {names.get(bytes(key), '')}".rstrip()
