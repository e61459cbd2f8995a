"""`p2pnoise card`: a card's way from request over grant to the node it is for, and all that can be read of it."""

import click

from . import card_install, card_issue, card_request, card_text, card_view


@click.group()
def command() -> None:
    """Request, issue, install, show and verify cards.

    \b
    Example, on the node, at the issuer, on the node again:
      p2pnoise card request --name db-03 --network example-net -o db-03.request
      p2pnoise card issue db-03.request -o db-03.card
      p2pnoise card install db-03.card --issuer ops=issuer1...
    """


for _verb in (
    card_request.request,
    card_request.new,
    card_request.renew,
    card_issue.issue,
    card_install.install,
    card_view.show,
    card_view.verify,
    card_text.diff,
    card_text.export,
    card_text.import_,
):
    command.add_command(_verb)
