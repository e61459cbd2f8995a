"""`p2pnoise trust plan` and `trust apply`: what a change would do to the peers that a node knows, and the change.

A change is files: a policy, revocation lists, statements; for a plan cards and pins too. It is checked whole before
anything is written.
"""

import sys
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import click

from cards import Card, CardError, Fact, Finding, IdentityId, Policy, RevocationList, TrustStore
from cards.fields import name as name_field
from cards.findings import MALFORMED, UNTRUSTED, USAGE, exit_code
from cards.policy import MAX_POLICY
from cards.text import MAX_ARMOR
from cards.trust import Effect, Pin

from . import documents, files, options, taking_up, trust_state
from .bench.rounds import progress_bar
from .folders import NodeFolder
from .output import Fault, answer, answer_json, finding_lines, naming, rows, say
from .trust_arrival import Arrival, arrivals, verdict_json, verdict_text
from .trust_state import Known, Trust


@dataclass(slots=True)
class Proposal:
    """What files and options ask for; nothing of it is believed yet."""

    policy: Policy | None = None
    policy_bytes: bytes = b""
    facts: list[Fact] = field(default_factory=list)
    cards: list[Card] = field(default_factory=list)
    pins: dict[str, IdentityId | None] = field(default_factory=dict)  # None takes a pin out

    def read(self, path: str | Path, *, policy_only: bool = False) -> None:
        """Add what a file, or stdin for `-`, asks for. Raises `Fault`."""
        data = files.read(path, limit=MAX_ARMOR, what="policy, list or statement")
        name = "standard input" if str(path) == files.STREAM else str(path)
        if documents.looks_like_one(data) and not policy_only:
            document = documents.parse(name, data)
            self.facts += document.facts
            self.cards += document.cards
            return
        with naming(name):
            if self.policy is not None:
                raise Fault(f"{name} is a second policy", "give one; it replaces the policy that is there", code=USAGE)
            try:
                text = data.decode()
            except UnicodeDecodeError as error:
                raise CardError("policy-invalid", "not UTF-8", offset=error.start) from None
            self.policy, self.policy_bytes = Policy.from_toml(text), data


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a proposal comes to: the store before and after, whose verdict it changes, and warnings."""

    before: Trust
    after: TrustStore
    effects: tuple[tuple[Known, Effect], ...]
    arrivals: tuple[Arrival, ...]
    notes: tuple[Finding, ...]

    @property
    def drops(self) -> tuple[tuple[Known, Effect], ...]:
        return tuple(one for one in self.effects if one[1].before.ok and not one[1].after.ok)

    def to_json(self) -> dict[str, Any]:
        return {
            "running": self.before.running,
            "known": len(self.before.known),
            "drops": len(self.drops),
            "notes": [finding.to_json() for finding in self.notes],
            "effects": [
                {
                    "name": known.card.name,
                    "node_id": str(known.card.node_id),
                    "identity": str(known.card.identity),
                    "own": known.own,
                    "live": known.live,
                    "before": verdict_json(effect.before),
                    "after": verdict_json(effect.after),
                }
                for known, effect in self.effects
            ],
            "arrivals": [arrival.to_json() for arrival in self.arrivals],
        }

    def lines(self) -> list[str]:
        """For people: who is dropped, who comes in, whose groups or capabilities change."""
        lines = [line for arrival in self.arrivals for line in arrival.lines()]
        for known, effect in self.effects:
            if effect.before.ok and not effect.after.ok:
                word = "drops"
            elif effect.after.ok and not effect.before.ok:
                word = "admits"
            else:
                word = "changes"
            old, new = verdict_text(effect.before), verdict_text(effect.after)
            lines.append(f"{word:<7}  {known.card.label}  {known.card.node_id.short}  {known.origin}  {old} -> {new}")
            if word == "drops":
                lines += finding_lines(effect.after.errors)
        replaced = sum(arrival.replaces is not None for arrival in self.arrivals)
        unchanged = len(self.before.known) - len(self.effects) - replaced
        others = f", {replaced} of them are replaced" if replaced else ""
        counted = f"{len(self.effects) + replaced} of {len(self.before.known)} known cards change{others}"
        return [*lines, f"{counted}, {unchanged} stay as they are"]


def weigh(home: NodeFolder, proposal: Proposal, *, as_json: bool) -> Outcome:
    """Judge every known card before and after. Raises `Fault` with all findings where a part of it is refused."""
    now = options.now()
    try:
        policy = home.read_policy()
    except Fault as fault:  # which a good one mends
        if proposal.policy is None:
            raise
        trust_state.warn(fault)
        policy = None
    first = proposal.policy if policy is None else policy
    if first is None:
        fix = "give a policy too: p2pnoise trust example, or p2pnoise card install FILE --issuer NAME=issuer1..."
        raise Fault(f"no policy in {home.path}", fix, code=UNTRUSTED)
    before = trust_state.under(first, home, now, unreadable=trust_state.refuse)
    after, refused = before.store, []
    if proposal.policy is not None:
        after, finding = after.changed(proposal.policy, now)
        refused += [finding] if finding else []
    for name, identity in proposal.pins.items():
        after, finding = after.changed(Pin(name, identity), now)
        refused += [finding] if finding else []
    # All of it anew: what the old policy left aside may count under the new one.
    all_facts, marks = (*before.facts, *proposal.facts), before.store.marks
    facts, unused = trust_state.believe(after.policy, all_facts, now, before.signatures, marks)
    offered = {id(fact) for fact in proposal.facts}
    findings = [finding for fact, finding in unused if id(fact) in offered]
    # What lies beside a card, for whoever believes its issuers, need not be for us.
    harmless = ("issuer-equivocation", *(documents.STRANGE if proposal.cards else ()))
    notes = tuple(replace(one, severity="warning") for one in findings if one.code in harmless)
    refused += [one for one in findings if one.code not in harmless]
    if refused:
        raise Fault("REFUSED  nothing was changed", code=exit_code(refused), findings=refused)
    after = replace(after, facts=facts)
    came = arrivals(proposal.cards, before, after, now)
    replaced = [one.replaces for one in came]
    effects = tuple(one for one in _effects(before, after, now, as_json=as_json) if one[0] not in replaced)
    return Outcome(before=before, after=after, effects=effects, arrivals=came, notes=notes)


def _effects(before: Trust, after: TrustStore, now: int, *, as_json: bool) -> tuple[tuple[Known, Effect], ...]:
    effects = []
    with progress_bar("judging the known cards", as_json=as_json) as progress:
        for count, known in enumerate(before.known, 1):
            # As a node judges again what it has accepted: an overdue list refuses new peers alone.
            old, new = (
                store.verify(known.card, now, established=True, signatures=before.signatures)
                for store in (before.store, after)
            )
            if (old.level, old.groups, old.capabilities) != (new.level, new.groups, new.capabilities):
                effects.append((known, Effect(known.card, old, new, known.live)))
            progress(count / len(before.known))
    return tuple(effects)


def _pins(_ctx: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, IdentityId | None]:
    found: dict[str, IdentityId | None] = {}
    for value in values:
        name, separator, text = value.partition("=")
        if not separator:
            raise click.BadParameter(f"{value!r} is not NAME=ID", param=parameter)
        found[str(name_field(64)(name, "name"))] = IdentityId.parse(text)
    return found


@click.command()
@click.argument("changes", metavar="[FILE]...", type=options.FILE, nargs=-1)
@click.option("--policy", "policy_file", type=options.FILE, help="a policy that would replace the one here")
@click.option("--pin", "pinned", multiple=True, metavar="NAME=id1...", callback=_pins, help="a pin; may be repeated")
@options.home
@options.as_json
def plan(
    *,
    changes: tuple[str, ...],
    policy_file: str | None,
    pinned: dict[str, IdentityId | None],
    home: NodeFolder,
    as_json: bool,
) -> None:
    """Show what a change would do to the peers that this node knows. Nothing is changed.

    A FILE is a policy, or revocation lists, statements and cards; all of them count together. The peers are those of
    the node's table, whether it runs or not; those with a link count as "linked". For a card it is told which known
    one it would replace, and what the node makes of either.

    \b
    Examples:
      p2pnoise trust plan policy.toml
      p2pnoise trust plan new.list retirement.pem
      p2pnoise trust plan renewed.card
      p2pnoise trust plan --pin db-03=id1...
    """
    proposal = Proposal(pins=pinned)
    if policy_file is not None:
        proposal.read(policy_file, policy_only=True)
    for path in changes:
        proposal.read(path)
    if proposal == Proposal():
        raise click.UsageError("nothing to plan: give a FILE, --policy or --pin")
    outcome = weigh(home, proposal, as_json=as_json)
    if as_json:
        answer_json({"ok": True, **outcome.to_json()})
        return
    say(*finding_lines(outcome.notes))
    answer(*outcome.lines())


@click.command()
@click.argument("changes", metavar="FILE...", type=options.FILE, nargs=-1, required=True)
@click.option("--yes", is_flag=True, help="even if peers are dropped")
@options.home
@options.as_json
def apply(*, changes: tuple[str, ...], yes: bool, home: NodeFolder, as_json: bool) -> None:
    """Put a policy, revocation lists and statements in force.

    Everything is checked and planned first, and refused whole if a part of it is broken. A policy replaces the one
    here; lists and statements join those here. A node that runs in this folder takes all of it up by itself. Lists,
    statements and policy are put in place in this order, each whole: run it again after a crash. On a terminal a
    change that drops peers needs --yes.

    \b
    Examples:
      p2pnoise trust apply policy.toml
      ssh issuer cat revocations.pem | p2pnoise trust apply -
    """
    proposal = Proposal()
    for path in changes:
        proposal.read(path)
    if proposal.cards:
        fix = "a card of this node: p2pnoise card install; others come by themselves, and trust plan says what they do"
        raise Fault(f"a card of {proposal.cards[0].label} is no change of whom this node believes", fix, code=MALFORMED)
    with files.lock(home.path):
        outcome = weigh(home, proposal, as_json=as_json)
        if outcome.drops and not yes and sys.stdout.isatty():
            say(*outcome.lines())
            raise Fault(f"this drops {len(outcome.drops)} known peers, so nothing was changed", "if you mean it: --yes")
        written = _write(home, proposal, outcome.after)
    taken = taking_up.take_up(home, *written) if written else None
    if as_json:
        answer_json({"ok": True, "files": [str(path) for path in written], "taken_up": taken, **outcome.to_json()})
        return
    say(*finding_lines(outcome.notes))
    answer(*rows(*(("written", str(path)) for path in written)))
    say(*outcome.lines())
    if written:
        taking_up.tell(home, taken)
    else:
        say("all of it was here already")


def _write(home: NodeFolder, proposal: Proposal, after: TrustStore) -> list[Path]:
    """Write what differs, in the order that `apply` promises; the files."""
    texts = {}
    if any(isinstance(fact, RevocationList) for fact in proposal.facts):
        texts[home.revocations] = documents.fact_blocks(_lists(home, proposal, after))
    statements = [fact for fact in proposal.facts if not isinstance(fact, RevocationList)]
    if statements:
        found = {fact.digest: fact for fact in (*statements, *trust_state.file_facts(home.statements))}
        # In the order in which they were believed: a node reads them once, and each may need those before it.
        ordered = [one.digest for one in after.facts if one.digest in found]
        texts[home.statements] = documents.fact_blocks(found[digest] for digest in dict.fromkeys((*ordered, *found)))
    contents = {path: text.encode() for path, text in texts.items()}
    if proposal.policy is not None:
        contents[home.policy] = proposal.policy_bytes
    for path, content in contents.items():
        files.check_target(path, force=True)
        limit = MAX_POLICY if path == home.policy else MAX_ARMOR
        if len(content) > limit:
            raise Fault(f"{path} would have {len(content)} bytes, at most {limit} are read", "leave some out")
    changed = [path for path, content in contents.items() if not path.exists() or path.read_bytes() != content]
    for path in changed:
        files.write(path, contents[path], force=True)
    return changed


def _lists(home: NodeFolder, proposal: Proposal, after: TrustStore) -> Iterable[RevocationList]:
    """Those here and the new ones, without what later lists make superfluous; a stranger's stay as they are."""
    lists = [
        fact
        for fact in (*trust_state.file_facts(home.revocations), *proposal.facts)
        if isinstance(fact, RevocationList)
    ]
    held = after.facts.revocations.by_issuer
    for issuer in dict.fromkeys(one.issuer for one in lists):
        yield from held[issuer].lists if issuer in held else [one for one in lists if one.issuer == issuer]
