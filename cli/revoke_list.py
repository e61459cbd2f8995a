"""`p2pnoise revoke list`: what an issuer has taken back, and what of that is published."""

import click

from cards import Entry

from . import documents, options
from .folders import IssuerFolder
from .output import Fault, answer, answer_json, columns, say, until
from .registry import Registry


@click.command("list")
@click.option("--all", "everything", is_flag=True, help="those too that nodes need not remember any more")
@options.issuer_home
@options.as_json
def list_(*, everything: bool, folder: IssuerFolder, as_json: bool) -> None:
    """Show what this issuer has revoked.

    No key is needed.

    \b
    Examples:
      p2pnoise revoke list
      p2pnoise revoke list --all --json
    """
    now = options.now()
    with folder.open_registry() as registry:
        entries = registry.standing(-1 if everything else now)
        labels = [_label(entry, registry) for entry in entries]
    published = _published(folder)
    if as_json:
        answer_json(
            {
                "ok": True,
                "revocations": [
                    {
                        "subject": entry.subject.hex(),
                        "label": label,
                        "at": entry.at,
                        "reason": entry.reason,
                        "until": entry.until,
                        "published": entry.subject in published,
                    }
                    for entry, label in zip(entries, labels, strict=True)
                ],
            }
        )
        return
    answer(
        *columns(
            ("SUBJECT", "REASON", "SINCE", "UNTIL", "PUBLISHED"),
            *(
                (
                    label,
                    entry.reason,
                    until(entry.at, now),
                    until(entry.until, now),
                    "yes" if entry.subject in published else "no",
                )
                for entry, label in zip(entries, labels, strict=True)
            ),
        )
    )
    if any(entry.subject not in published and entry.until > now for entry in entries):
        say("next: p2pnoise revoke publish, then hand the list to a node")


def _published(folder: IssuerFolder) -> set[bytes]:
    """The subjects in the list as last published."""
    try:
        lists = documents.read(folder.revocations).lists
    except Fault as fault:
        say(f"warning: not used: {fault}", "fix: p2pnoise revoke publish")
        return set()
    return {entry.subject for one in lists for entry in one.entries}


def _label(entry: Entry, registry: Registry) -> str:
    """What people know the subject by: the name of the grant, else the key or the card id."""
    granted = registry.by_subject(entry.subject)
    if granted is None:
        return entry.subject.hex()
    card = f", card {granted.sequence}" if granted.card_id == entry.subject.hex() else ""
    return (granted.name or granted.owner.short) + card
