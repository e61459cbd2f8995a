"""`p2pnoise revoke self`: an identity ends itself, now or by a statement that is kept for the day."""

from pathlib import Path

import click

from cards import SelfRevocation
from cards.findings import USAGE
from cards.revocation import REASONS

from . import documents, files, options, passphrase
from .folders import NodeFolder
from .output import Fault, answer, answer_json, rows, say
from .statement_view import statement_json


@click.command("self")
@click.option("--reason", type=click.Choice(REASONS), required=True, help="what nodes will show")
@click.option("--network", callback=options.checked_name(32), metavar="NET", help="that of the card if not given")
@click.option("-o", "--output", type=options.FILE, help="for later: sign it into this file alone; - for stdout")
@click.option("--yes", is_flag=True, help="it is meant: this cannot be taken back")
@options.force
@options.home
@passphrase.option
@options.as_json
def self_(
    *,
    reason: str,
    network: str | None,
    output: str | None,
    yes: bool,
    force: bool,
    home: NodeFolder,
    as_json: bool,
) -> None:
    """End the identity of this folder for good, without its issuer.

    Every node that hears of it drops this one. With --output nothing ends yet: keep the file away from here, for the
    day on which the key is lost or stolen. Any one node can be handed it then.

    \b
    Examples:
      p2pnoise revoke self --reason key-compromise --yes
      p2pnoise revoke self --reason lost -o /media/safe/db-03-end.pem
    """
    if output is None and not yes:
        fix = "add --yes if that is meant, or sign it for later: --output FILE"
        raise Fault("this ends the identity for good, with every card of it", fix, code=USAGE)
    if output not in (None, files.STREAM):
        files.check_target(Path(str(output)), force=force)
    with files.lock(home.path):
        key, card = home.read_identity(), home.read_card() or home.read_request()
        named = network or (card.network if card is not None else None)
        if named is None:
            raise click.UsageError("--network is needed where no card names it")
        values = {"net": named, "iat": options.now(), "key": bytes(key.public), "reason": reason}
        end = SelfRevocation.make(values, key)
        if output is None:
            held = documents.fact_blocks((*home.read_statements(), end))
            files.write(home.statements, held.encode(), force=True)
    text = documents.fact_blocks([end])
    where: str | None = str(home.statements)
    if output is not None:
        # Whoever reads it can end the identity, today.
        where = files.hand_out(output, text, secret=True, force=force, as_json=as_json)
    if as_json:
        view = {"self_revocation": statement_json(end), "text": text, "file": where, "revoked": output is None}
        answer_json({"ok": True, **view})
    elif where is not None:
        what = "revoked" if output is None else "signed for later"
        answer(*rows((what, str(key.public)), ("reason", reason), ("file", where)))
    if output is None:
        say(
            f"a node that runs here tells all others; without one, on any other: p2pnoise trust apply {home.statements}"
        )
    else:
        say("keep it where the key is not; on the day, on any one node: p2pnoise trust apply FILE")
