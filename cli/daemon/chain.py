"""Chain: the steps of an explanation, from who is meant to what it says of us, each from what is known. No I/O.

They come in the order in which a connection takes them; the first that fails is the cause.
"""

from collections.abc import Sequence

from cards import Card, NodeId, Verdict
from cards.findings import BINDING, CONFLICT, EXIT_ORDER, REVOKED, TIME, UNEXPECTED, UNTRUSTED, Finding
from cli.output import span
from p2pnoise import events

from .diary import Entry
from .explanation import Explanation, Known, State, Step

__all__ = ["explain", "is_silence"]


def explain(known: Known) -> Explanation:
    """The whole chain, and its conclusion."""
    chain = _CHAIN if known.own_copies is None else (_ourselves, _own, _elsewhere)
    steps = tuple(step for make in chain if (step := make(known)) is not None)
    if steps[0].state == "fails":  # of nobody nothing more can be said
        steps = steps[:1]
    failed = next((step for step in steps if step.state == "fails"), None)
    who = known.subject.name or known.subject.text
    if failed is not None and not (known.linked_for is not None and failed.name != "copies"):
        exit_code = failed.exit
        return Explanation(
            known=known, steps=steps, cause=failed.code, text=failed.text, fix=failed.fix, exit=exit_code
        )
    if known.own_copies is not None:
        return Explanation(known=known, steps=steps, cause="this-node", text=f"{who} is this node", fix="")
    if known.linked_for is not None:
        return Explanation(known=known, steps=steps, cause="linked", text=f"{who} is linked", fix="")
    return Explanation(
        known=known,
        steps=steps,
        cause="not-tried",
        text=f"nothing keeps {who} from being linked, and nobody has tried",
        fix=f"p2pnoise connect {known.subject.text}",
        exit=UNEXPECTED,
    )


# The chain


def _peer(known: Known) -> Step:
    subject = known.subject
    if subject.node_id is None and not subject.addresses and not known.entries and known.ban is None:
        near = f"did you mean {' or '.join(known.near)}? or " if known.near else ""
        return Step(
            "peer", "fails", f"nobody called {subject.text!r} is known here", "unknown-peer",
            f"{near}give its address: p2pnoise connect node1...@HOST:PORT", UNTRUSTED,
        )  # fmt: skip
    parts = (subject.name, str(subject.node_id) if subject.node_id is not None else "Node ID not known")
    return Step("peer", "ok", "  ".join(part for part in parts if part))


def _ourselves(known: Known) -> Step:
    return Step("peer", "ok", f"{known.subject.name or known.subject.text} is this node itself")


def _elsewhere(known: Known) -> Step | None:
    for entry in known.own_copies or ():
        if isinstance(entry.event, events.OwnKeyElsewhere) and known.now - entry.last < RECENT:
            says = entry.event.name or _short(entry.event.node_id)
            text = f"{says} says that another node uses our key, from {entry.event.address}, {_ago(entry, known)}"
            return Step("copies", "fails", text, "duplicate-node", _ONE_OF_TWO, CONFLICT)
    return None


RECENT = 900.0  # seconds for which a copy is told of: while both run, each dial of either is told anew
_ONE_OF_TWO = (
    "stop the one of the two that is the copy; if both must run: there p2pnoise id new --force, and a new card"
)


def _node(known: Known) -> Step | None:
    if known.running:
        return None
    return Step("node", "fails", "this node does not run", "not-running", "start it: p2pnoise run")


def _own(known: Known) -> Step:
    """Our own card: what does not count here will not count there."""
    if known.own is None:
        fix = "p2pnoise card request, have it issued, then p2pnoise card install FILE --issuer issuer1..."
        return Step("own card", "fails", "no card is installed here", "no-card", fix, UNTRUSTED)
    if known.own.ok:
        return Step("own card", "ok", "counts under our own policy")
    finding = _gravest(known.own.findings)
    return _judged("own card", finding, known.own.claim, known.now, whose="our own card: ")


def _banned(known: Known) -> Step | None:
    finding = known.ban or _find(known.card, "banned")
    return _of(finding, "ban") if finding is not None else None


def _address(known: Known) -> Step:
    addresses = known.subject.addresses
    if not addresses:
        text = "no address of it is known: it has to dial us, or to tell one"
        fix = "there: p2pnoise run --advertise HOST:PORT; here: p2pnoise connect node1...@HOST:PORT"
        # Only where nothing else came of it: who dialled us and was refused needs none.
        met = any(isinstance(entry.event, _MET) for entry in known.entries)
        state: State = "unknown" if met or known.card is not None or known.linked_for is not None else "fails"
        return Step("address", state, text, "no-address", fix)
    return Step("address", "ok", ", ".join(f"{address} from {source}" for address, source in addresses))


_MET = events.PeerRefused | events.RefusedByPeer | events.PeerVerified | events.PeerLost | events.DuplicateNode


def is_silence(event: events.Event) -> bool:
    """Whether a dial ended by the peer's closing, without a word: by what it heard of us, it does not want us."""
    return (
        isinstance(event, events.DialFailed)
        and event.answered
        and (event.reason.startswith("closed without a reason") or event.reason == "the connection was cut")
    )


def _dial(known: Known) -> Step | None:
    """Whether anybody answers where it is said to be."""
    entry = _last_failure(known)
    if known.linked_for is not None:
        return None
    if entry is None:
        return Step("dial", "unknown", "under way" if known.dialling else "not dialled by us")
    event = entry.event
    assert isinstance(event, events.DialFailed)  # noqa: S101 - for the reader and mypy; _last_failure says so
    if event.answered:
        return Step("dial", "ok", f"{event.address} answers, {_ago(entry, known)}")
    text = f"{event.address}: {event.reason}, {_ago(entry, known)}{_times(entry)}"
    if event.reason == "connection refused":
        fix = "is it running, and listening on that port? start it there, or correct the address"
        return Step("dial", "fails", text, "refused-port", fix)
    fix = "check the address, and that routes and firewalls let it through"
    return Step("dial", "fails", text, "unreachable", fix)


def _handshake(known: Known) -> Step | None:
    """Whether it is the node that we want who answers."""
    mismatch = next((e for e in known.entries if _code(e.event) == "node-mismatch" and _is_current(e, known)), None)
    if mismatch is not None and isinstance(mismatch.event, events.PeerRefused):
        event = mismatch.event
        text = f"another node answers at {event.address}: {event.name or 'somebody'} {_short(event.node_id)}"
        fix = "correct the address, or the Node ID before it, in node.toml or on the command line"
        return Step("handshake", "fails", text, "wrong-address", fix, BINDING)
    entry = _last_failure(known)
    if entry is None or not isinstance(entry.event, events.DialFailed) or not entry.event.answered:
        return None
    said = any(
        isinstance(e.event, events.PeerRefused | events.RefusedByPeer) and _is_current(e, known) for e in known.entries
    )
    if said or is_silence(entry.event):
        return Step("handshake", "ok", "keys and cards were exchanged" if said else "it heard who we are")
    text = f"{entry.event.reason}, {_ago(entry, known)}{_times(entry)}"
    fix = "is it a p2pnoise node that listens there? a node that is overloaded may also answer late"
    return Step("handshake", "fails", text, "no-handshake", fix)


def _card(known: Known) -> Step | None:
    if known.card is None:
        return Step("card", "unknown", "we hold no card of it")
    where = f", {known.card_from}" if known.card_from else ""
    findings = [one for one in known.card.findings if one.code not in ("banned", "node-mismatch")]
    if not any(one.severity == "error" for one in findings):
        return Step("card", "ok", f"counts under our policy{where}")
    return _judged("card", _gravest(findings), known.card.claim, known.now, where=where)


_FIXES = {
    "revoked": ("our card was taken back", "new keys: p2pnoise id new --force, then p2pnoise card request", REVOKED),
    "expired": ("by its clock our card has ended", "p2pnoise card request, or check the clocks of both", TIME),
    "wrong-network": ("it is a node of another network", "check the address, and the policies of both", UNTRUSTED),
    "not-trusted": (
        "our card does not count under its policy",
        "there: p2pnoise explain with our name says why",
        UNTRUSTED,
    ),
    "duplicate-node": (
        "another node that lives uses our key: this folder is a copy, or was copied",
        _ONE_OF_TWO,
        CONFLICT,
    ),
    "busy": ("it has no room for more peers now", "wait: it is tried again", UNEXPECTED),
}  # fmt: skip


def _their_word(known: Known) -> Step | None:
    if known.linked_for is not None:
        return Step("peer's word", "ok", "it accepts us")
    refusal = next((e for e in known.entries if isinstance(e.event, events.RefusedByPeer)), None)
    if refusal is not None and isinstance(refusal.event, events.RefusedByPeer) and _is_current(refusal, known):
        reason = refusal.event.reason
        text, fix, code = _FIXES.get(reason, (f"it says {reason}", "ask its operator", UNTRUSTED))
        return Step("peer's word", "fails", f"{reason}: {text}, {_ago(refusal, known)}", reason, fix, code)
    entry = _last_failure(known)
    if entry is not None and is_silence(entry.event):
        text = f"it closed without a word, {_ago(entry, known)}: no issuer that it accepts has signed our card"
        fix = "there: p2pnoise explain with our name; it may be of another network, or lack our issuer in its policy"
        return Step("peer's word", "fails", text, "refused-silently", fix, UNTRUSTED)
    return None


def _copies(known: Known) -> Step | None:
    twin = next((e for e in known.entries if isinstance(e.event, events.DuplicateNode)), None)
    if twin is None or known.now - twin.last > RECENT:
        return None
    event = twin.event
    where = getattr(event, "address", "elsewhere")
    text = f"two nodes that live use its key; the other one came from {where}, {_ago(twin, known)}"
    return Step("copies", "fails", text, "duplicate-node", _ONE_OF_TWO, CONFLICT)


def _held(known: Known) -> Step | None:
    if known.linked_for is not None or known.held_for <= 0:
        return None
    text = f"we were told to disconnect, and do not dial it for another {span(known.held_for)}"
    return Step("hold", "fails", text, "disconnected", f"p2pnoise connect {known.subject.text}")


def _link(known: Known) -> Step:
    if known.linked_for is not None:
        return Step("link", "ok", known.link_text)
    lost = next((e for e in known.entries if isinstance(e.event, events.PeerLost)), None)
    if lost is not None and isinstance(lost.event, events.PeerLost):
        return Step("link", "unknown", f"lost {_ago(lost, known)}: {lost.event.reason}")
    return Step("link", "unknown", "there is none")


_CHAIN = (_peer, _own, _banned, _address, _dial, _handshake, _card, _their_word, _copies, _held, _node, _link)


# Reading what is known


def _last_failure(known: Known) -> Entry | None:
    """The last dial that failed, unless something better is known since: it was verified, or it dialled us.

    A peer that was refused when we dialled it is told of before its dial, which failed for that.
    """
    for entry in known.entries:
        if isinstance(entry.event, events.PeerVerified | events.PeerRefused | events.RefusedByPeer):
            return None
        if isinstance(entry.event, events.DialFailed):
            return entry
    return None


def _is_current(entry: Entry, known: Known) -> bool:
    """Whether it was not verified since."""
    verified = [one.last for one in known.entries if isinstance(one.event, events.PeerVerified)]
    return not verified or entry.last > max(verified)


def _code(event: events.Event) -> str:
    findings = getattr(event, "findings", ())
    return next((one.code for one in findings if one.code == "node-mismatch"), findings[0].code if findings else "")


def _gravest(findings: Sequence[Finding]) -> Finding:
    """The one to mend first: "threshold" says only that nothing makes up for what the others say."""
    errors = [one for one in findings if one.severity == "error" and one.code != "threshold"]
    others = errors or [one for one in findings if one.code in _WHY_TOO_FEW] or list(findings)
    return min(others, key=lambda one: EXIT_ORDER.index(one.exit))


_WHY_TOO_FEW = frozenset({"unknown-issuer", "expired-app"})  # warnings that say which grant is missing


def _judged(name: str, finding: Finding, card: Card | None, now: float, *, whose: str = "", where: str = "") -> Step:
    ahead = _signed_ahead(card, now)
    if finding.code == "not-yet-valid" and ahead > 0:
        text = f"{whose}signed {span(ahead)} from now: this machine's clock is behind, or its signer's ahead{where}"
        return Step(name, "fails", text, "clock", "check the clock of this machine first: date -u", TIME)
    return Step(
        name, "fails", f"{whose}{finding.code}, {finding.message}{where}", finding.code, finding.hint, finding.exit
    )


def _signed_ahead(card: Card | None, now: float) -> float:
    """How many seconds from now it was signed: nobody can sign in the future."""
    if card is None:
        return 0.0
    return max([card.issued_at, *(grant.issued_at for grant in card.grants)]) - now - 300


def _of(finding: Finding, name: str) -> Step:
    return Step(name, "fails", f"{finding.code}, {finding.message}", finding.code, finding.hint, finding.exit)


def _find(verdict: Verdict | None, code: str) -> Finding | None:
    return next((one for one in verdict.errors if one.code == code), None) if verdict is not None else None


def _short(node_id: NodeId | None) -> str:
    return node_id.short if node_id is not None else "of an unknown key"


def _ago(entry: Entry, known: Known) -> str:
    return f"{span(max(0.0, known.now - entry.last))} ago"


def _times(entry: Entry) -> str:
    return f", {entry.count} times" if entry.count > 1 else ""
