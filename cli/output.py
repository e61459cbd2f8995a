"""What people and programs read: answers on stdout, narration on stderr, faults with the next step, JSON views.

Everything is escaped on its way out: a file's bytes never steer a terminal.
"""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import click

from cards import Card, Finding, Policy, RevocationList, Verdict
from cards.findings import UNEXPECTED, USAGE
from cards.verdict import Weighed
from p2pnoise.folder.fault import Fault, naming, os_fault

__all__ = [
    "UNEXPECTED",
    "USAGE",
    "Fault",
    "answer",
    "answer_json",
    "answer_text",
    "card_lines",
    "columns",
    "fail",
    "fault_json",
    "finding_lines",
    "list_line",
    "naming",
    "os_fault",
    "plain",
    "rows",
    "say",
    "span",
    "until",
    "verdict_lines",
]


def plain(text: str) -> str:
    """`text` on one line, with everything that is not a printable character escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def answer(*lines: str) -> None:
    """What was asked for, on stdout."""
    for line in lines:
        click.echo(plain(line))


def answer_json(value: object) -> None:
    """One JSON object on one line of stdout."""
    click.echo(json.dumps(value))


def answer_text(text: str, *, as_json: bool) -> None:
    """A text that is to be written to a file, as it is or, for a program, in an object."""
    if as_json:
        answer_json({"ok": True, "text": text})
    else:
        answer(*text.splitlines())


def say(*lines: str) -> None:
    """Narration, on stderr."""
    for line in lines:
        click.echo(plain(line), err=True)


def fault_json(fault: Fault) -> dict[str, Any]:
    """What a program reads of a fault."""
    return {
        "ok": False,
        "exit": fault.code,
        "error": plain(str(fault)),
        "fix": plain(fault.hint) or None,
        "findings": [finding.to_json() for finding in fault.findings],
    }


def fail(fault: Fault, *, as_json: bool) -> None:
    """One error: what is wrong, then the next step. JSON goes to stdout, where a program reads."""
    if as_json:
        answer_json(fault_json(fault))
        return
    say(str(fault))
    if fault.hint:
        say(f"fix: {fault.hint}")
    else:
        say(*finding_lines(fault.findings))


def first_of(error: BaseException) -> BaseException:
    """What to tell of errors that trio has grouped."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def rows(*pairs: tuple[str, str], indent: str = "") -> list[str]:
    """Labels and values in two columns; a pair without a value is left out."""
    shown = [(label, value) for label, value in pairs if value]
    width = max((len(label) for label, _ in shown), default=0)
    return [f"{indent}{label:<{width}}  {value}" for label, value in shown]


def columns(*lines: tuple[str, ...]) -> list[str]:
    """Lines of cells, the first their titles, in columns as wide as they need."""
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]


def until(seconds: int, now: int) -> str:
    """A day and how far it is from `now`, both in seconds since 1970."""
    try:
        day = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")
    except (ValueError, OverflowError, OSError):  # claimed times may lie beyond the year 9999
        return f"second {seconds}"
    days = (abs(seconds - now) + 43200) // 86400  # the nearest: a year from a second ago is 365 days away
    distance = "today" if not days else f"in {days} days" if seconds > now else f"{days} days ago"
    return f"{day} ({distance})"


def span(seconds: float) -> str:
    """How long something takes or has taken, in its largest unit of which there are two."""
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(0, seconds):.0f} s"


def verdict_lines(verdict: Verdict, policy: Policy, now: int, *, refused: str = "NOT TRUSTED") -> list[str]:
    """A verdict for people: the proof where it is good, every finding with its next step where it is not."""
    card = verdict.claim
    label = card.label if card else "not a card"
    if not verdict.ok or card is None:
        return [f"{refused}  {label}", *finding_lines(verdict.findings)]
    needed = f"{len(verdict.issuers)} of {max(rule.threshold for rule in policy.app)} needed"
    signatures = [
        f"{_signer(one, policy)}  {_grant_text(one.grant, now)}" for one in verdict.weighed if one.problem is None
    ] or ["the identity is pinned" if verdict.level == "pinned" else "trusted on first use"]
    return [
        f"OK  {label}  {verdict.level}",
        *rows(
            ("identity", f"ed25519  {card.identity}"),
            ("node", f"x25519   {card.node_id}"),
            ("key signature", "valid"),
            ("node signature", "valid"),
            ("app signatures", f"{needed}  {signatures[0]}"),
            *(("", " " * len(f"{needed}  ") + more) for more in signatures[1:]),
            ("card", f"{card.card_id.hex()}  sequence {card.sequence}  {len(card.raw)} bytes"),
            indent="    ",
        ),
        *finding_lines(verdict.findings),
    ]


def card_lines(card: Card, now: int) -> list[str]:
    """What a card says, unjudged."""
    return [
        card.label,
        *rows(
            ("network", card.network),
            ("identity", f"ed25519  {card.identity}"),
            ("node", f"x25519   {card.node_id}"),
            ("sequence", str(card.sequence)),
            ("previous card", card.previous.hex() if card.previous else ""),
            ("valid", f"from {until(card.not_before, now)} until {until(card.not_after, now)}"),
            *(
                ("app signature", f"issuer key id {grant.kid.hex()}  {_grant_text(grant, now)}")
                for grant in card.grants
            ),
            ("app signatures", "" if card.grants else "none: this is a request"),
            ("card", card.card_id.hex()),
            ("size", f"{len(card.raw)} bytes"),
            indent="    ",
        ),
    ]


def list_line(one: RevocationList, now: int) -> str:
    """What a revocation list says of itself, on one line, unjudged."""
    count = f"{len(one.entries)} {'entry' if len(one.entries) == 1 else 'entries'}"
    return f"revocation list {one.sequence}  {one.issuer.short}  {count}  next due {until(one.next_due, now)}"


def _signer(one: Weighed, policy: Policy) -> str:
    root = policy.issuer_name(one.authority.root)
    return root if one.authority.key == one.authority.root else f"{one.authority.key.short} for {root}"


def _grant_text(grant: Any, now: int) -> str:
    groups = f"groups {' '.join(grant.groups)}  " if grant.groups else ""
    return f"serial {grant.serial}  {groups}until {until(grant.not_after, now)}"


def finding_lines(findings: Iterable[Finding]) -> list[str]:
    """Each finding with its next step, in columns."""
    found = list(findings)
    width = max((len(finding.code) for finding in found), default=0)
    lines = []
    for finding in found:
        mark = "" if finding.severity == "error" else "warning: "
        lines.append(f"  {finding.code:<{width}}  {mark}{finding.message}")
        lines.append(f"  {'':<{width}}  fix: {finding.hint}")
    return lines
