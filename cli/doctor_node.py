"""What can be wrong with a node's folder: its keys, card, trust, clock and database, or that it is a copy."""

from pathlib import Path

from cards import Card, Delegation, IdentityKey, NodeKey, RevocationList
from cards.codec import MAX_INT
from cards.findings import BINDING, CONFLICT, TIME, UNTRUSTED
from cards.keyfile import is_locked

from . import files, trust_state
from .doctor import Report
from .folders import NodeFolder
from .output import naming, until
from .trust_show import clock_text
from .trust_state import Trust

_RENEW = "p2pnoise card request, have it issued, then p2pnoise card install FILE"
_PUBLISH = "at the issuer: p2pnoise revoke publish; here: p2pnoise trust apply FILE"
_COPIED = "the first suspicion is a restored backup or a cloned image"
_MAX_KEY = 4096  # bytes, as where keys are read


def check_node(home: NodeFolder, report: Report) -> Report:
    """Every check, each by itself: one that fails does not hide the next."""
    if not home.path.is_dir():
        report.wrong("missing", f"there is no folder {home.path}", "p2pnoise id new, or name the folder with --home")
        return report
    report.private(*home.path.glob("*.key*"), home.path / "node.db")
    report.guarded(home.path, home.policy, home.card, home.revocations, home.statements, home.pins, home.bans)
    report.guarded(home.config)  # it may open services of this machine to peers
    card = report.reading(home.read_card)
    _check_keys(home, report, card)
    policy = report.reading(home.read_policy)
    if policy is None and not home.policy.exists():
        fix = "p2pnoise card install FILE --issuer NAME=issuer1..."
        report.wrong("missing", "there is no policy.toml: this node believes nobody", fix, UNTRUSTED)
    _check_database(home, report, card)
    if home.config.exists():
        from .daemon.config import DaemonConfig  # noqa: PLC0415 - for few folders

        report.reading(lambda: DaemonConfig.read(home.config))
    if policy is not None:
        trust = report.reading(lambda: trust_state.under(policy, home, report.now, unreadable=report.fault, most=0))
        if trust is not None:
            _check_trust(trust, report, card)
    report.checked += [
        "permissions",
        "keys",
        "card",
        "policy",
        "lists",
        "statements",
        "pins",
        "bans",
        "configuration",
        "clock",
        "database",
    ]
    return report


def _check_keys(home: NodeFolder, report: Report, card: Card | None) -> None:
    node = report.reading(lambda: _node_key(home.node_key)) if home.node_key.exists() else None
    if not home.node_key.exists():
        report.wrong("missing", f"there is no node.key in {home.path}", "restore it, or p2pnoise id new")
    identity = report.reading(lambda: _identity_key(home.identity_key)) if home.identity_key.exists() else None
    if identity is not None:
        report.advise(
            "unlocked",
            f"{home.identity_key} lies here unlocked: whoever takes this machine can sign new cards for its owner",
            "keep it elsewhere: only p2pnoise card request needs it here; or lock the next one: p2pnoise id new --lock",
        )
    if card is None:
        if not home.card.exists():
            report.wrong("missing", "no card is installed", _RENEW, UNTRUSTED)
        return
    for path, key, named in ((home.identity_key, identity, card.identity), (home.node_key, node, card.node_id)):
        if key is not None and key.public != named:
            text = f"{path} is {key.public.short}, the installed card names {named.short}"
            report.wrong("key-mismatch", text, f"restore the key of the card, or {_RENEW}", BINDING)


def _node_key(path: Path) -> NodeKey:
    with naming(path, "restore it from your backup of this folder"):
        return NodeKey.from_pem(files.read(path, limit=_MAX_KEY, what="key file"))


def _identity_key(path: Path) -> IdentityKey | None:
    """The key; None where it is locked, as it should be."""
    pem = files.read(path, limit=_MAX_KEY, what="key file")
    if is_locked(pem):
        return None
    with naming(path, "restore it from your backup of this folder"):
        return IdentityKey.from_pem(pem)


def _check_database(home: NodeFolder, report: Report, card: Card | None) -> None:
    about = str(card.identity) if card is not None else None
    table = report.reading(lambda: trust_state.read_table(home, 0 if about is None else None, about=about))
    if table is None or card is None:
        return
    if table.node_id != card.node_id:
        fix = "use the folder that it came from, or move node.db aside: the node learns the network again"
        report.wrong("node-mismatch", "node.db belongs to another node than the installed card", fix, BINDING)
    request = report.reading(home.read_request)
    spent = max(one.sequence for one in (card, request) if one is not None)
    for row in table.rows:
        if row.card.identity != card.identity:
            continue
        if row.card.sequence > spent:
            text = (
                f"this node went by its card {row.card.sequence} before, and the folder knows {spent} alone: {_COPIED}"
            )
            fix = "stop this copy if another runs; else install that card again, or sign a newer one: " + _RENEW
            report.wrong("rollback", text, fix, CONFLICT)
        elif row.card.sequence == card.sequence and row.card.card_id != card.card_id:
            text = f"two different cards of this node have sequence {card.sequence}: {_COPIED}"
            report.wrong("equivocation", text, f"on the right machine alone: {_RENEW}", CONFLICT)


def _check_trust(trust: Trust, report: Report, card: Card | None) -> None:
    store, now = trust.store, report.now
    clock = store.facts.clock(store.policy, now)
    if clock > now + store.policy.leeway:
        text = f"this clock says {clock_text(now)}, and it is {clock_text(clock)} at least: so issuers have signed"
        report.wrong("clock", text, "set the clock, for example with chrony or systemd-timesyncd", TIME)
        report.now = now = clock  # as every check of a card does
    _check_issuers(trust, report)
    for fact in store.facts.statements.values():
        if isinstance(fact, Delegation):
            what = f"the delegation of {store.policy.issuer_name(fact.issuer)} to {fact.key.short}"
            fix = "at the issuer: p2pnoise issuer delegate; here: p2pnoise trust apply FILE"
            report.ending(what, fact.limits.not_before, fact.limits.not_after, "issuer-constraint", fix)
    for unused, finding in trust.unused:
        kind = "revocation list" if isinstance(unused, RevocationList) else unused.what
        report.warn(finding.code, f"a {kind} in the folder is not used: {finding.message}", finding.hint)
    if card is None:
        return
    verdict = store.verify(card, now)
    lists = ("revocation-missing", "revocation-stale")  # told for each issuer already
    report.findings(finding for finding in verdict.findings if finding.code not in lists)
    if "expired" not in {finding.code for finding in verdict.findings}:
        report.ending("the installed card", card.not_before, card.not_after, "expired", _RENEW)
    for one in verdict.weighed:
        if one.problem is None or one.problem[0] in lists:
            what = f"the grant of {store.policy.issuer_name(one.authority.key)}, serial {one.grant.serial},"
            fix = "p2pnoise card renew, or at the issuer: p2pnoise card issue; here: p2pnoise card install FILE"
            report.ending(what, one.grant.not_before, one.grant.not_after, "expired-app", fix)


def _check_issuers(trust: Trust, report: Report) -> None:
    policy, held, now = trust.store.policy, trust.store.facts.revocations.by_issuer, report.now
    if not policy.issuers:
        fix = "p2pnoise card install FILE --issuer NAME=issuer1..."
        report.wrong("unknown-issuer", "the policy names no issuer", fix, UNTRUSTED)
    for name, key in policy.issuers.items():
        limits = policy.limits_of(name)
        if limits.not_after != MAX_INT:
            fix = "raise its not_after in policy.toml and p2pnoise trust apply it, or take the issuer out"
            report.ending(f"issuer {name}", limits.not_before, limits.not_after, "issuer-constraint", fix)
        if key in trust.store.facts.retired(policy):
            text = f"{name} has retired: nothing that it granted counts"
            report.warn("unknown-issuer", text, "take it out of policy.toml, then: p2pnoise trust apply policy.toml")
            continue
        state = held.get(key)
        if state is None:
            text = f"no revocation list of {name} is held, so nothing that it granted counts"
            report.wrong("revocation-missing", text, _PUBLISH, UNTRUSTED)
            continue
        if state.disputed:
            text = f"{name} signed different lists with one number; their union holds"
            report.warn("issuer-equivocation", text, _PUBLISH)
        due, text = state.next_due, f"list {state.sequence} of {name} was due"
        if now >= due + policy.revocation_grace and policy.stale == "refuse":
            report.wrong(
                "revocation-stale", f"{text} {until(due, now)}: no new peer of it is let in", _PUBLISH, UNTRUSTED
            )
        elif now >= due:
            report.warn("revocation-stale", f"{text} {until(due, now)}", _PUBLISH)
        elif report.is_soon(state.current[0].issued_at, due):
            report.warn("revocation-stale", f"list {state.sequence} of {name} is due {until(due, now)}", _PUBLISH)
