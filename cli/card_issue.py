"""`p2pnoise card issue`: an issuer checks the proofs of a request and grants it."""

import os
from dataclasses import replace
from pathlib import Path
from shlex import quote

import click

from cards import Card, Policy, grant, verify_card
from cards.fields import name as name_field
from cards.verification import Mark

from . import documents, files, options
from .folders import Issuer, IssuerFolder
from .options import DAY, MAX_DAYS
from .output import Fault, answer, answer_json, rows, say, until
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
    was granted before renews it. Groups are those named here, no others.

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
    card, now = documents.read(request).card, options.now()
    with folder.open() as issuer:
        current = folder.read_revocations(issuer)
        _check_request(card, issuer, now)
        serial, before = issuer.registry.reserve_serial(card)
        granted = grant(
            issuer.key,
            card,
            serial=serial,
            now=now,
            entropy=os.urandom,
            lifetime=days * DAY,
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
        )
        # Kept before anybody sees it: what is out there can always be found and revoked.
        issuer.registry.record(record, card)
    text = documents.card_block(granted) + documents.list_blocks([current])
    if not (as_json and output == files.STREAM):
        files.write_output(output, text, force=force)
    if as_json:
        answer_json(
            {
                "ok": True,
                "card": granted.to_json(),
                "serial": serial,
                "text": text,
                "file": None if output == files.STREAM else output,
            }
        )
    elif output != files.STREAM:
        answer(*rows(("card", granted.label), ("serial", str(serial)), ("file", output)))
    say(f"granted {granted.label} until {until(new.not_after, now)}, serial {serial}")
    if before and before.group_names != record.group_names:
        say(f"groups are now: {record.group_names or 'none'}; before: {before.group_names or 'none'}")
    if now >= current.next_due:
        say(f"warning: list {current.sequence} was due {until(current.next_due, now)}", "fix: p2pnoise revoke publish")
    file = "FILE" if output == files.STREAM else quote(output)
    say(f"next, on the node: p2pnoise card install {file} --issuer {issuer.name}={issuer.key.public}")


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
