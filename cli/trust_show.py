"""`p2pnoise trust show`: whom a node believes, and all that this stands on."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

import click

from cards import (
    Conflict,
    Delegation,
    Fact,
    Limits,
    Manifest,
    Policy,
    Retirement,
    RevocationList,
    Rule,
    SelfRevocation,
    Succession,
)
from cards.codec import MAX_INT
from cards.keys import IdentityId, IssuerId, NodeId, PublicId

from . import options, trust_state
from .folders import NodeFolder
from .output import answer, answer_json, finding_lines, rows, say, until
from .trust_state import Trust


@click.command()
@options.home
@options.as_json
def show(*, home: NodeFolder, as_json: bool) -> None:
    """Show whom this node believes.

    That is its policy, the issuers with their limits, the rules, pins, revocation lists with their due dates,
    statements, and the earliest time that it can be.

    \b
    Examples:
      p2pnoise trust show
      p2pnoise trust show --home /srv/node --json
    """
    now = options.now()
    trust = trust_state.read(home, now, most=0)
    if as_json:
        answer_json(_json(trust, now))
        return
    for title, lines in _sections(trust, now):
        answer(title, *(f"    {line}" for line in lines))
    unused = [finding for _, finding in trust.unused]
    if unused:
        say("in the files, and not used:", *finding_lines(unused))


def rule_text(rule: Rule, policy: Policy) -> str:
    """How many of whom."""
    of = rule.of or tuple(policy.issuers)
    return f"{rule.threshold} of {' '.join(of) or 'no issuer'}"


def limits_text(limits: Limits, now: int) -> str:
    """What somebody may sign, on one line."""
    begin = f"from {until(limits.not_before, now)}" if limits.not_before > now else ""
    parts = (
        f"names {' '.join(limits.names)}" if limits.names else "",
        f"groups {' '.join(limits.groups)}" if limits.groups else "",
        f"for at most {_span(limits.max_lifetime)}" if limits.max_lifetime != MAX_INT else "",
        begin,
        f"until {until(limits.not_after, now)}" if limits.not_after != MAX_INT else "",
        {0: "no delegates"}.get(limits.depth, ""),
    )
    return ", ".join(filter(None, parts)) or "may sign anything"


def statement_text(fact: Fact, name_of: Callable[[bytes], str], now: int) -> str:
    """What a statement says, on one line."""
    match fact:
        case RevocationList():
            return f"revocation list {fact.sequence} of {name_of(fact.issuer)}"
        case Delegation():
            return f"{name_of(fact.issuer)} delegates to {fact.key}: {limits_text(fact.limits, now)}"
        case Succession():
            return f"{fact.old} hands over to {fact.new}"
        case SelfRevocation():
            return f"{fact.identity} ends itself, reason {fact.reason}"
        case Retirement():
            by = [name_of(key) for key in fact.signers if key != fact.issuer]
            how = f"is retired by {' '.join(by)}" if by else "retires"
            return f"{name_of(fact.issuer)} {how}, reason {fact.reason}"
        case Manifest():
            return f"version {fact.version}: {fact.threshold} of {' '.join(map(name_of, sorted(fact.issuers)))}"
        case Conflict():
            return f"{_subject(fact)} signed two things that cannot both be"


def _subject(conflict: Conflict) -> str:
    kinds: dict[str, type[PublicId]] = {"identity": IdentityId, "node": NodeId, "issuer": IssuerId}
    return str(kinds[conflict.kind](conflict.subject))


def clock_text(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _sections(trust: Trust, now: int) -> Iterable[tuple[str, list[str]]]:
    store, policy, facts = trust.store, trust.store.policy, trust.store.facts
    yield f"network {policy.network}", []
    yield (
        "rules, all of which must be met",
        [
            *(rule_text(rule, policy) for rule in policy.app),
            *(f"group {group}: {rule_text(rule, policy)}" for group, rule in policy.groups.items()),
            *(f"capability {name}: {rule_text(rule, policy)}" for name, rule in policy.capabilities.items()),
        ],
    )
    yield (
        "settings",
        rows(
            ("trust on first use", policy.tofu),
            ("overdue lists", f"{policy.stale} new peers, {_span(policy.revocation_grace)} after they were due"),
            ("clocks of others", f"at most {_span(policy.leeway)} ahead"),
            ("after its end", f"a known peer stays {_span(policy.expired_grace)}" if policy.expired_grace else ""),
            ("may end identities", " ".join(policy.revokers)),
        ),
    )
    listed = [*(("denied", str(key)) for key in policy.deny), *(("allowed", str(key)) for key in policy.allow)]
    if listed:
        yield "listed", [f"{word:<7}  {key}" for word, key in listed]
    yield "issuers", [line for name in policy.issuers for line in _issuer_lines(trust, name, now)] or ["none"]
    yield "pins", [f"{name}  {identity}" for name, identity in sorted(store.pins.items())] or ["none"]
    manifest = facts.manifest(policy)
    yield "manifest", [statement_text(manifest, policy_name(policy), now) if manifest else "none"]
    texts = [
        f"{fact.what}: {statement_text(fact, policy_name(policy), now)}"
        for fact in facts.statements.values()
        if not isinstance(fact, Manifest)
    ]
    yield "statements", texts or ["none"]
    floor = facts.clock(policy, 0)
    behind = "" if floor <= now else ": this clock is wrong, the floor counts"
    yield "time", rows(("this clock", clock_text(now)), ("floor", f"{clock_text(floor)}{behind}"))


def policy_name(policy: Policy) -> Callable[[bytes], str]:
    return lambda key: policy.issuer_name(bytes(key))


def _issuer_lines(trust: Trust, name: str, now: int) -> list[str]:
    policy, facts = trust.store.policy, trust.store.facts
    key = policy.issuers[name]
    ended = (
        ""
        if any(one.key == key for one in facts.authorities(policy))
        else ", counts for nothing: " + ("retired" if key in facts.retired(policy) else "not in the manifest")
    )
    lines = [f"{name}  {key}  {limits_text(policy.limits_of(name), now)}{ended}"]
    state = facts.revocations.by_issuer.get(key)
    if state is None:
        return [*lines, "    no revocation list is held, so nothing of it counts: p2pnoise trust apply FILE"]
    overdue = "" if now < state.next_due else "  OVERDUE"
    lines.append(f"    list {state.sequence}  {len(state.entries)} entries  due {until(state.next_due, now)}{overdue}")
    if state.disputed:
        lines.append("    it signed different lists with one number; their union holds until it publishes the next")
    return lines


def _span(seconds: int) -> str:
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds and seconds % length == 0:
            return f"{seconds // length} {unit}{'s' if seconds != length else ''}"
    return f"{seconds} s"


def _json(trust: Trust, now: int) -> dict[str, Any]:
    store, policy, facts = trust.store, trust.store.policy, trust.store.facts
    held = facts.revocations.by_issuer
    counting = {one.key for one in facts.authorities(policy)}
    manifest = facts.manifest(policy)
    return {
        "ok": True,
        "network": policy.network,
        "running": trust.running,
        "app": [{"threshold": rule.threshold, "of": list(rule.of or policy.issuers)} for rule in policy.app],
        **{
            table: {
                name: {"threshold": rule.threshold, "of": list(rule.of or policy.issuers)}
                for name, rule in rules.items()
            }
            for table, rules in (("groups", policy.groups), ("capabilities", policy.capabilities))
        },
        "tofu": policy.tofu,
        "stale": policy.stale,
        "leeway": policy.leeway,
        "revocation_grace": policy.revocation_grace,
        "expired_grace": policy.expired_grace,
        "revokers": list(policy.revokers),
        "deny": [str(key) for key in policy.deny],
        "allow": [str(key) for key in policy.allow],
        "issuers": [
            {
                "name": name,
                "key": str(key),
                "counts": key in counting,
                "limits": limits_json(policy.limits_of(name)),
                "list": held[key].sequence if key in held else None,
                "entries": len(held[key].entries) if key in held else None,
                "next_due": held[key].next_due if key in held else None,
                "disputed": bool(held[key].disputed) if key in held else False,
            }
            for name, key in policy.issuers.items()
        ],
        "pins": {name: str(identity) for name, identity in sorted(store.pins.items())},
        "manifest": manifest.version if manifest else None,
        "statements": [
            {"kind": fact.what, "digest": fact.digest.hex(), "text": statement_text(fact, policy_name(policy), now)}
            for fact in facts.statements.values()
        ],
        "now": now,
        "time_floor": facts.clock(policy, 0),
        "unused": [finding.to_json() for _, finding in trust.unused],
    }


def limits_json(limits: Limits) -> dict[str, Any]:
    return {
        "names": list(limits.names),
        "groups": list(limits.groups),
        "max_lifetime": limits.max_lifetime if limits.max_lifetime != MAX_INT else None,
        "not_before": limits.not_before or None,
        "not_after": limits.not_after if limits.not_after != MAX_INT else None,
        "depth": limits.depth,
    }
