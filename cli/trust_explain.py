"""`p2pnoise trust explain`: the whole way from a card to its verdict, and what would change it.

What counts and why is said by `cards`; here it is only laid out.
"""

from pathlib import Path
from typing import Any, NamedTuple

import click

from cards import Card, IdentityId, NodeId, Verdict
from cards.findings import UNTRUSTED, Finding
from cards.keys import PublicId
from cards.verdict import Weighed

from . import documents, files, options, trust_state
from .folders import NodeFolder
from .output import Fault, answer, answer_json, finding_lines, rows, say, until
from .trust_show import limits_json, limits_text, rule_text
from .trust_state import Known, Trust


class _Step(NamedTuple):
    """A question of the verdict, in the order in which the answers outrank each other."""

    name: str
    passed: str  # what to say where none of the findings below is there
    codes: frozenset[str]


_STEPS = (
    _Step("deny", "not denied", frozenset({"denied"})),
    _Step("revocation", "nothing ended it", frozenset({"revoked", "superseded", "node-conflict"})),
    _Step(
        "binding",
        "identity and node signed for each other",
        frozenset(
            {"wrong-network", "unproven", "key-signature-invalid", "node-signature-invalid", "node-mismatch"}
        ),
    ),
    _Step("history", "nothing newer is known", frozenset({"rollback", "equivocation", "suspicious-jump"})),
    _Step("time", "within its time", frozenset({"expired", "not-yet-valid"})),
    _Step("pin", "not pinned to another", frozenset({"pin-changed"})),
    _Step(
        "issuers",
        "enough of them agree",
        frozenset(
            {
                "threshold", "unknown-issuer", "app-signature-invalid", "expired-app", "issuer-constraint",
                "revocation-missing", "revocation-stale", "issuer-equivocation",
            }
        ),
    ),
    _Step("first use", "not needed", frozenset({"first-use"})),
    _Step("groups", "all that were granted", frozenset({"group-not-granted", "capability-not-granted"})),
)  # fmt: skip
_TOO_FEW = "too few of them, but on first use none is needed"


@click.command()
@click.argument("subject", metavar="CARD|NAME|ID", type=options.FILE)
@options.home
@options.as_json
def explain(*, subject: str, home: NodeFolder, as_json: bool) -> None:
    """Lay out why a card counts here, or why not, and what would change that.

    The card is a FILE (- for stdin), a card1: line, or one that this node knows, by its name, its node1... or its
    id1.... The exit code is that of card verify.

    \b
    Examples:
      p2pnoise trust explain db-03
      p2pnoise trust explain node1...
      p2pnoise trust explain ./db-03.card
    """
    now = options.now()
    trust = trust_state.read(home, now, about=subject)
    card, known = _find(subject, trust)
    verdict = trust.store.verify(card, now, established=known is not None, signatures=trust.signatures)
    if as_json:
        answer_json(_json(card, known, verdict, trust))
    else:
        word = f"OK  {card.label}  {verdict.level}" if verdict.ok else f"NOT TRUSTED  {card.label}"
        answer(word, *_card_lines(card, known, now))
        answer(
            "checks, the strongest first; any that fails refuses the card",
            *(f"    {line}" for line in _step_lines(verdict)),
        )
        answer("app signatures", *(f"    {line}" for line in _grant_lines(card, verdict, trust, now)))
        answer("rules", *(f"    {line}" for line in _rule_lines(card, verdict, trust, now)))
        if verdict.findings:
            answer("what would change it", *finding_lines(verdict.findings))
        if verdict.ok:
            say(f"this holds until {until(verdict.valid_until, now)}, unless trust changes")
    raise click.exceptions.Exit(verdict.exit_code)


def _find(subject: str, trust: Trust) -> tuple[Card, Known | None]:
    """The card that is meant, and whether it is one that the node knows. Raises `Fault`."""
    if subject.startswith("card1:"):
        return Card.from_text(subject), None
    if subject == files.STREAM or "/" in subject or Path(subject).is_file():
        return documents.read(subject).card, None
    for kind, field in ((NodeId, "node_id"), (IdentityId, "identity")):
        if subject.startswith(f"{kind.prefix}1"):
            key: PublicId = kind.parse(subject)
            found = [one for one in trust.known if getattr(one.card, field) == key]
            break
    else:
        found = [one for one in trust.known if one.card.name == subject]
    if not found:
        fix = "p2pnoise peers lists those that it knows; or give the card in a file"
        raise Fault(f"this node knows no {subject}, and there is no such file", fix, code=UNTRUSTED)
    if len(found) > 1:
        text = " ".join(str(one.card.node_id) for one in found)
        raise Fault(f"{len(found)} nodes have the name {subject}", f"name one of them: {text}")
    return found[0].card, found[0]


def _card_lines(card: Card, known: Known | None, now: int) -> list[str]:
    return rows(
        ("identity", f"ed25519  {card.identity}"),
        ("node", f"x25519   {card.node_id}"),
        ("network", card.network),
        ("card", f"{card.card_id.hex()}  sequence {card.sequence}"),
        ("valid", f"until {until(card.not_after, now)}"),
        ("known", known.origin if known else "no: judged as a new peer"),
        ("proof", known.row.provenance if known and known.row else ""),
        indent="    ",
    )


def _step_lines(verdict: Verdict) -> list[str]:
    lines = []
    first_use = any(finding.code == "first-use" for finding in verdict.findings)
    for step in _STEPS:
        findings = [finding for finding in verdict.findings if finding.code in step.codes]
        errors = [finding for finding in findings if finding.severity == "error"]
        word = "FAILS" if errors else "ok"
        told = "; ".join(f"{finding.code}: {finding.message}" for finding in errors or findings)
        text = told or (_TOO_FEW if step.name == "issuers" and first_use else step.passed)
        lines.append((step.name, f"{word:<5}  {text}"))
    return rows(*lines)


def _grant_lines(card: Card, verdict: Verdict, trust: Trust, now: int) -> list[str]:
    lines = []
    for grant in card.grants:
        groups = f"  groups {' '.join(grant.groups)}" if grant.groups else ""
        end = until(grant.not_after, now)
        lines.append(f"issuer key id {grant.kid.hex()}  serial {grant.serial}{groups}  until {end}")
        weighed = [one for one in verdict.weighed if one.grant is grant]
        if not weighed:
            lines.append(f"    does not count: {_why_unsigned(grant.kid, trust)}")
        for one in weighed:
            state = "counts" if one.problem is None else f"does not count: {one.problem[0]}, {one.problem[1]}"
            lines.append(f"    {state}")
            lines += [f"    {'  ' * depth}{text}" for depth, text in enumerate(_chain(one, trust, now))]
            lines.append(f"    {_list_text(one, trust, now)}")
    return lines or ["none: nobody has granted it"]


def _why_unsigned(kid: bytes, trust: Trust) -> str:
    policy = trust.store.policy
    fitting = [one.key for one in trust.store.facts.authorities(policy) if one.key.hint == kid]
    if fitting:
        return f"the signature does not fit, by the key of {policy.issuer_name(fitting[0])}"
    here = [name for name, key in policy.issuers.items() if key.hint == kid]
    if here:
        return f"{here[0]} is in the policy, but retired or not in the manifest"
    return "signed by nobody who may sign under this policy"


def _chain(one: Weighed, trust: Trust, now: int) -> list[str]:
    """From the root in the policy down to whoever signed."""
    name_of = trust.store.policy.issuer_name
    words = ("in the policy", *("delegated" for _ in one.authority.steps[1:]))
    return [
        f"{name_of(key)}  {word}: {limits_text(limits, now)}"
        for word, (key, limits) in zip(words, one.authority.steps, strict=True)
    ]


def _list_text(one: Weighed, trust: Trust, now: int) -> str:
    root = one.authority.root
    name = trust.store.policy.issuer_name(root)
    state = trust.store.facts.revocations.by_issuer.get(root)
    if state is None:
        return f"no revocation list of {name} is held"
    return f"list {state.sequence} of {name}, {len(state.entries)} entries, due {until(state.next_due, now)}"


def _rule_lines(card: Card, verdict: Verdict, trust: Trust, now: int) -> list[str]:
    store = trust.store
    policy = store.policy
    counted = sorted({policy.issuer_name(one.authority.root) for one in verdict.weighed if one.problem is None})
    manifest = store.facts.manifest(policy)
    pinned = store.pins.get(card.name) if card.name else None
    return rows(
        ("counted", " ".join(counted) or "no issuer"),
        *(("needed", rule_text(rule, policy)) for rule in policy.app),
        ("manifest", f"version {manifest.version} asks for {manifest.threshold}" if manifest else ""),
        *(("group", f"{name}: {rule_text(rule, policy)}") for name, rule in policy.groups.items()),
        *(("capability", f"{name}: {rule_text(rule, policy)}") for name, rule in policy.capabilities.items()),
        ("granted", f"groups {' '.join(verdict.groups)}" if verdict.groups else ""),
        ("", f"capabilities {' '.join(verdict.capabilities)}" if verdict.capabilities else ""),
        ("allowed", "by the policy, without an issuer" if card.identity in policy.allow else ""),
        ("pin", f"{card.name} is pinned to {pinned}" if pinned else ""),
        ("first use", "" if policy.tofu == "off" else policy.tofu),
        ("clock", f"set forward to {until(clock, now)}" if (clock := store.facts.clock(policy, now)) > now else ""),
    )


def _json(card: Card, known: Known | None, verdict: Verdict, trust: Trust) -> dict[str, Any]:
    name_of = trust.store.policy.issuer_name
    return {
        "card_id": card.card_id.hex(),
        **verdict.to_json(),
        "known": known.origin if known else None,
        "steps": [
            {"step": step.name, "ok": not errors, "codes": [finding.code for finding in errors]}
            for step in _STEPS
            for errors in [_of(verdict.errors, step)]
        ],
        "weighed": [
            {
                "serial": one.grant.serial,
                "counts": one.problem is None,
                "code": one.problem[0] if one.problem else None,
                "message": one.problem[1] if one.problem else None,
                "chain": [
                    {"issuer": name_of(key), "key": str(key), "limits": limits_json(limits)}
                    for key, limits in one.authority.steps
                ],
            }
            for one in verdict.weighed
        ],
    }


def _of(findings: tuple[Finding, ...], step: _Step) -> list[Finding]:
    return [finding for finding in findings if finding.code in step.codes]
