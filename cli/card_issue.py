"""`p2pnoise card issue`: an issuer checks the proofs of a request and grants it; `card renew --grant` does it again."""

from pathlib import Path
from shlex import quote

import click

from cards import Fact, RevocationList
from cards.fields import name as name_field
from cards.findings import USAGE

from . import documents, files, options
from .batch import issue_batch
from .folders import IssuerFolder
from .granting import Issued, handed_over, issue_card
from .options import DAY, MAX_DAYS
from .output import Fault, answer, answer_json, rows, say, until
from .powers import Powers

_MAX_GROUPS = 16


@click.command()
@click.argument("request", type=options.FILE, required=False)
@click.option("-o", "--output", type=options.FILE, default=files.STREAM, help="write here; stdout if not given")
@click.option("--group", "groups", multiple=True, metavar="G", help="put the node in a group; may be repeated")
@click.option("--days", type=click.IntRange(1, MAX_DAYS), default=365, show_default=True, help="lifetime of the grant")
@click.option("--batch", type=options.FILE, metavar="DIR|FILE|-", help="many requests: a folder, or JSON lines")
@click.option("--expect", type=options.PATH, metavar="CSV", help="whose requests, for --batch")
@click.option("--dry-run", is_flag=True, help="with --batch: look at all of it and sign nothing")
@options.force
@options.issuer_home
@options.as_json
def issue(
    *,
    request: str | None,
    output: str,
    groups: tuple[str, ...],
    days: int,
    batch: str | None,
    expect: Path | None,
    dry_run: bool,
    force: bool,
    folder: IssuerFolder,
    as_json: bool,
) -> None:
    """Check the proofs of a request and grant it.

    The card comes with the current revocation list: all that a node needs to start. Issuing again for a card that
    was granted before renews it. Groups are those named here, no others. An issuer to which another delegated hands
    on that one's list and the delegation, and is told first which limit forbids what it was asked for.

    With --batch, requests are the files of a folder or lines as card request --json prints them, and --expect is a CSV
    file with the columns identity (id1... or a fingerprint), name and groups (apart by blanks), of which only the
    first must be there. Cards go to the folder -o, to a file -o that ends in .jsonl, or into the lines that say what
    became of each. The revocation list is not in each card then, but once beside them: revocations.pem in the folder,
    or a line of its own. Hand it out with them: card install takes it from beside the card. Run it again after a
    crash, or for what was refused: what is granted is left as it is.

    \b
    Examples:
      p2pnoise card issue db-03.request -o db-03.card
      p2pnoise card issue db-03.request --group db --group prod --days 90 > db-03.card
      p2pnoise card issue --batch requests/ --expect fleet.csv -o cards/
    """
    if batch is not None and expect is not None and request is None and not groups:
        issue_batch(
            batch,
            expect=expect,
            output=output,
            days=days,
            dry_run=dry_run,
            force=force,
            as_json=as_json,
            folder=folder,
        )
        return
    if request is None and batch is None:
        raise click.UsageError("Missing argument 'REQUEST'.", click.get_current_context())
    if request is None or batch is not None or expect is not None or dry_run:
        fix = "p2pnoise card issue REQUEST, or p2pnoise card issue --batch DIR --expect CSV; groups are in the CSV"
        raise Fault("these do not go together: one REQUEST, or --batch and --expect without --group", fix, code=USAGE)
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
        identity = document.card.identity
        handed = handed_over(identity, (*document.statements, *powers.document.statements), issuer, now)
        before = issuer.registry.before(identity, handed)
        if before is None:
            fix = "grant it for the first time: p2pnoise card issue"
            raise Fault(f"this issuer never granted anything to {document.card.label}", fix, code=USAGE)
        lifetime = before.not_after - before.issued_at if days is None else days * DAY
        groups = before.group_names.split()
        issued = issue_card(document, issuer, powers, now=now, lifetime=lifetime, groups=groups)
        _hand_out(issued, powers, own, now, output=output, force=force, as_json=as_json)


def _hand_out(
    issued: Issued, powers: Powers, own: RevocationList, now: int, *, output: str, force: bool, as_json: bool
) -> None:
    """Write the card with what goes with it, and say what was done and what comes next."""
    card, record, before, issuer = issued.card, issued.record, issued.before, powers.issuer
    old = issued.taken_over
    facts: tuple[Fact, ...] = (*powers.handed_on(own), *issued.handed)
    text = documents.card_block(card) + documents.fact_blocks(facts)
    where = files.hand_out(output, text, force=force, as_json=as_json)
    if as_json:
        taken = {"identity": old.identity, "serial": old.serial, "name": old.name} if old is not None else None
        view = {"card": card.to_json(), "serial": record.serial, "takes_over": taken}
        answer_json({"ok": True, **view, "text": text, "file": where})
    elif where is not None:
        answer(*rows(("card", card.label), ("serial", str(record.serial)), ("file", where)))
    say(f"granted {card.label} until {until(record.not_after, now)}, serial {record.serial}")
    if old is not None:
        say(f"it takes the place of {old.name or old.owner.short}, {old.owner}, serial {old.serial}")
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
