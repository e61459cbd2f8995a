"""`p2pnoise card`: a card's way from request over grant to the node it is for; the owner's verbs are here."""

from pathlib import Path
from shlex import quote

import click

from cards import make_card
from cards.findings import BINDING

from . import card_install, card_issue, card_text, card_view, documents, files, options, passphrase
from .folders import NodeFolder
from .options import DAY, MAX_DAYS
from .output import Fault, answer, answer_json, rows, say


@click.group()
def command() -> None:
    """Request, issue, install, show and verify cards.

    \b
    Example, on the node, at the issuer, on the node again:
      p2pnoise card request --name db-03 --network example-net -o db-03.request
      p2pnoise card issue db-03.request -o db-03.card
      p2pnoise card install db-03.card --issuer ops=issuer1...
    """


command.add_command(card_issue.issue)
command.add_command(card_install.install)
command.add_command(card_view.show)
command.add_command(card_view.verify)
command.add_command(card_text.diff)
command.add_command(card_text.export)
command.add_command(card_text.import_)


@command.command()
@click.option("--name", callback=options.checked_name(64), help="what people call the node: a-z 0-9 . _ -")
@options.network
@click.option("--days", type=click.IntRange(1, MAX_DAYS), default=5 * 365, show_default=True, help="lifetime")
@click.option("-o", "--output", type=options.FILE, help="write the request here too; - for stdout")
@options.force
@options.home
@passphrase.option
@options.as_json
def request(
    *,
    name: str | None,
    network: str,
    days: int,
    output: str | None,
    force: bool,
    home: NodeFolder,
    as_json: bool,
) -> None:
    """Sign a card for this node, for an issuer to grant.

    The request is public and stays in the folder as request.pem; the keys never leave it.

    \b
    Examples:
      p2pnoise card request --name db-03 --network example-net -o db-03.request
      p2pnoise card request --network example-net -o - | ssh issuer p2pnoise card issue - > node.card
    """
    identity, node = home.read_identity(), home.read_node()
    if output not in (None, files.STREAM):
        files.check_target(Path(str(output)), force=force)
    with files.lock(home.path):
        installed = home.read_card()
        ours = [card for card in (home.read_request(), installed) if card]
        if any(card.identity != identity.public for card in ours):
            # Writing over them would forget which numbers the other identity has spent.
            raise Fault(
                f"{home.identity_key} is not the key of the cards in {home.path}",
                "restore the key that they belong to, or begin anew: p2pnoise id new --force",
                code=BINDING,
            )
        card = make_card(
            identity,
            node,
            network=network,
            now=options.now(),
            name=name,
            sequence=1 + max((card.sequence for card in ours), default=0),
            lifetime=days * DAY,
            previous=installed.card_id if installed else None,
        )
        # Kept before anybody sees it: one number never names two cards.
        block = documents.card_block(card)
        files.write(home.request, block.encode(), force=True)
    if output is not None and not (as_json and output == files.STREAM):
        files.write_output(output, block, force=force)
    where = str(home.request) if output in (None, files.STREAM) else str(output)
    if as_json:
        answer_json({"ok": True, "card": card.to_json(), "request": block, "file": where})
    elif output != files.STREAM:
        answer(*rows(("request", card.label), ("sequence", str(card.sequence)), ("file", where)))
    say(f"next, at the issuer: p2pnoise card issue {quote(where)} -o {card.name or 'node'}.card")
