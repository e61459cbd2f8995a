"""`p2pnoise card issue`: an issuer checks the proofs of a request and grants it; `card renew --grant` does it again."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from shlex import quote

import click

from cards import Card, Fact, IdentityId, Policy, RevocationList, Succession, grant, verify_card
from cards.fields import name as name_field
from cards.findings import BAD_SIGNATURE, USAGE
from cards.verification import Mark

from . import documents, files, options
from .folders import Issuer, IssuerFolder
from .options import DAY, MAX_DAYS
from .output import Fault, answer, answer_json, rows, say, until
from .powers import Powers
from .registry import Granted

_MAX_GROUPS = 16


@click.command()
@click.argument("request", type=options.FILE)
@click.option("-o", "--output", type=options.FILE, default=files.STREAM, help="write here; stdout if not given")
@click.option("--group", "groups", multiple=True, metavar="G", help="put the node in a group; may be repeated")
@click.option("--days", type=click.IntRange(1, MAX_DAYS), default=365, show_default=True, help="lifetime of the grant")
@options.force
@options.issuer_home
@options.as_json
def issue(
    *,
    request: str,
    output: str,
    groups: tuple[str, ...],
    days: int,
    force: bool,
    folder: IssuerFolder,
    as_json: bool,
) -> None:
    """Check the proofs of a request and grant it.

    The card comes with the current revocation list: all that a node needs to start. Issuing again for a card that
    was granted before renews it. Groups are those named here, no others. An issuer to which another delegated hands
    on that one's list and the delegation, and is told first which limit forbids what it was asked for.

    \b
    Examples:
      p2pnoise card issue db-03.request -o db-03.card
      p2pnoise card issue db-03.request --group db --group prod --days 90 > db-03.card
    """
    if len(groups) > _MAX_GROUPS:
        raise Fault(f"{len(groups)} groups, a grant holds {_MAX_GROUPS}", "leave some out")
    for group in groups:
        name_field(32)(group, "group")
    if output != files.STREAM:
        files.check_target(Path(output), force=force)
    document, now = documents.read(request), options.now()
    with folder.open() as issuer:
        own, powers = folder.read_revocations(issuer), Powers.read(folder, issuer)
        issued = issue_card(document, issuer, powers, now=now, lifetime=days * DAY, groups=groups)
        _hand_out(issued, powers, own, now, output=output, force=force, as_json=as_json)


def renew_grant(file: str, folder: IssuerFolder, *, days: int | None, output: str, force: bool, as_json: bool) -> None:
    """Grant a card again as it was granted before: the same groups and position, and as long if no `days` are given."""
    if output != files.STREAM:
        files.check_target(Path(output), force=force)
    document, now = documents.read(file), options.now()
    with folder.open() as issuer:
        own, powers = folder.read_revocations(issuer), Powers.read(folder, issuer)
        before = issuer.registry.latest(document.card.identity)
        if before is None:
            fix = "grant it for the first time: p2pnoise card issue"
            raise Fault(f"this issuer never granted anything to {document.card.label}", fix, code=USAGE)
        lifetime = before.not_after - before.issued_at if days is None else days * DAY
        groups = before.group_names.split()
        issued = issue_card(document, issuer, powers, now=now, lifetime=lifetime, groups=groups)
        _hand_out(issued, powers, own, now, output=output, force=force, as_json=as_json)


@dataclass(frozen=True, slots=True)
class Issued:
    """A card that was just granted, what is on record of that, and the grant before it; what was said beside it."""

    card: Card
    record: Granted
    before: Granted | None
    successions: tuple[Succession, ...]


def issue_card(
    document: documents.Document, issuer: Issuer, powers: Powers, *, now: int, lifetime: int, groups: Sequence[str]
) -> Issued:
    """Grant the one card of a document, which is on record when this returns. Raises `Fault` or `CardError`."""
    card = document.card
    powers.check_alive()
    _check_request(card, issuer, now)
    successions = tuple(one for one in document.statements if isinstance(one, Succession) and one.new == card.identity)
    old = _handed_over(successions, issuer, now)
    powers.check_grant(card, groups=groups, now=now, lifetime=lifetime)
    serial, before = issuer.registry.reserve_serial(card, old)
    granted = grant(
        issuer.key,
        card,
        serial=serial,
        now=now,
        entropy=os.urandom,
        lifetime=lifetime,
        groups=groups,
        position=bytes.fromhex(before.position) if before else None,
    )
    new = next(one for one in granted.grants if one.serial == serial and one.kid == issuer.key.public.hint)
    record = Granted(
        serial=serial,
        identity=str(card.identity),
        node_id=str(card.node_id),
        card_id=card.card_id.hex(),
        name=card.name,
        sequence=card.sequence,
        position=new.position.hex(),
        group_names=" ".join(new.groups),
        issued_at=now,
        not_after=new.not_after,
        next_key=card.next_key_digest.hex() if card.next_key_digest else None,
    )
    # Kept before anybody sees it: what is out there can always be found and revoked.
    issuer.registry.record(record, card, old)
    return Issued(granted, record, before, successions)


def _handed_over(successions: Sequence[Succession], issuer: Issuer, now: int) -> IdentityId | None:
    """The identity that was before this one and signed that it handed over to it. Raises `Fault`."""
    old = None
    for one in successions:
        finding = one.check(network=issuer.network, now=now, leeway=Policy(network=issuer.network).leeway)
        if finding is not None:
            raise Fault(f"NOT GRANTED  {one.new.short}", code=finding.exit, findings=(finding,))
        last = issuer.registry.newest_card(one.old)
        if not one.honours(bytes.fromhex(last.next_key) if last is not None and last.next_key else None):
            fix = "the old identity committed to another key: rotate to that one, or ask its owner in person"
            raise Fault(
                f"NOT GRANTED  {one.new.short} is not the successor of {one.old.short}", fix, code=BAD_SIGNATURE
            )
        old = one.old
    return old


def _hand_out(
    issued: Issued, powers: Powers, own: RevocationList, now: int, *, output: str, force: bool, as_json: bool
) -> None:
    """Write the card with what goes with it, and say what was done and what comes next."""
    card, record, before, issuer = issued.card, issued.record, issued.before, powers.issuer
    facts: tuple[Fact, ...] = (*powers.handed_on(own), *issued.successions)
    text = documents.card_block(card) + documents.fact_blocks(facts)
    if not (as_json and output == files.STREAM):
        files.write_output(output, text, force=force)
    where = None if output == files.STREAM else output
    if as_json:
        answer_json({"ok": True, "card": card.to_json(), "serial": record.serial, "text": text, "file": where})
    elif where is not None:
        answer(*rows(("card", card.label), ("serial", str(record.serial)), ("file", where)))
    say(f"granted {card.label} until {until(record.not_after, now)}, serial {record.serial}")
    if before and before.group_names != record.group_names:
        say(f"groups are now: {record.group_names or 'none'}; before: {before.group_names or 'none'}")
    lists = [fact for fact in facts if isinstance(fact, RevocationList)]
    if not lists:
        say(f"warning: no list of {powers.ways[0].root.short} goes with it", "fix: p2pnoise issuer import LIST")
    for one in lists:
        if now >= one.next_due:
            fix = "p2pnoise revoke publish" if one is own else "p2pnoise issuer import its newest list"
            say(f"warning: list {one.sequence} was due {until(one.next_due, now)}", f"fix: {fix}")
    root = f"{issuer.name}={issuer.key.public}" if not powers.ways else f"NAME={powers.ways[0].root}"
    say(f"next, on the node: p2pnoise card install {quote(where) if where else 'FILE'} --issuer {root}")


def _check_request(card: Card, issuer: Issuer, now: int) -> None:
    """Raises `Fault` unless both keys signed, for this network, and nothing newer was granted."""
    last = issuer.registry.newest_card(card.identity)
    mark = Mark(last.sequence, bytes.fromhex(last.card_id)) if last else None
    verdict = verify_card(card, policy=Policy(network=issuer.network), now=now, mark=mark)
    if verdict.level != "known":
        # That nobody granted it yet is why it is here.
        findings = tuple(one for one in verdict.findings if one.code not in ("threshold", "unknown-issuer"))
        code = replace(verdict, findings=findings).exit_code
        raise Fault(f"NOT GRANTED  {card.label}", code=code, findings=findings)
