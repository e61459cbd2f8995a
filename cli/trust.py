"""`p2pnoise trust`: whom a node believes: the policy, the pins, and what they come to."""

import click

from cards import Finding, IdentityId
from cards.findings import CONFLICT

from . import files, options, pins, trust_change, trust_state
from .folders import NodeFolder
from .output import Fault, answer, answer_json, rows, say
from .trust_example import example
from .trust_explain import explain
from .trust_show import show


@click.group()
def command() -> None:
    """See, plan and change whom a node believes.

    \b
    Example:
      p2pnoise trust show
      p2pnoise trust plan policy.toml
      p2pnoise trust apply policy.toml
      p2pnoise trust explain db-03
    """


for _verb in (show, trust_change.plan, trust_change.apply, explain, example):
    command.add_command(_verb)


@command.command()
@click.argument("name", callback=options.checked_name(64))
@click.argument("identity", metavar="ID")
@click.option("--force", is_flag=True, help="even if the name is pinned to another identity")
@options.home
@options.as_json
def pin(*, name: str, identity: str, force: bool, home: NodeFolder, as_json: bool) -> None:
    """Tie a name to an identity.

    From then on a card of this NAME counts with this identity alone, or one that it has handed over to, and needs no
    issuer. A pin revives nobody who is denied or revoked. ID is the whole id1..., which its owner reads from
    p2pnoise id show.

    \b
    Examples:
      p2pnoise trust pin db-03 id1...
      p2pnoise trust pin db-03 id1... --force
    """
    wanted = IdentityId.parse(identity)
    with files.lock(home.path):
        held = pins.read(home.pins)
        before = held.held.get(name)
        if before not in (None, wanted) and not force:
            finding = Finding("pin-changed", f"{name} is pinned to {before}, you say {wanted}")
            raise Fault(f"NOT PINNED  {name}", code=CONFLICT, findings=[finding])
        outcome = trust_change.weigh(home, trust_change.Proposal(pins={name: wanted}), as_json=as_json)
        pins.write(home.pins, held.tied(name, wanted))
    if as_json:
        answer_json({"ok": True, "name": name, "identity": str(wanted), "before": before and str(before)})
        return
    answer(
        *rows(
            ("pinned", name), ("identity", str(wanted)), ("before", str(before) if before not in (None, wanted) else "")
        )
    )
    say(*outcome.lines())


@command.command()
@click.argument("name", callback=options.checked_name(64))
@options.home
@options.as_json
def unpin(*, name: str, home: NodeFolder, as_json: bool) -> None:
    """Untie a name.

    It is free for another identity from then on, whether it was pinned by hand or by the node on first use. Of the
    latter pins.toml keeps a line, so that the same identity is not pinned again by coming first again.

    \b
    Example:
      p2pnoise trust unpin db-03
    """
    with files.lock(home.path):
        held, table = pins.read(home.pins), trust_state.read_table(home, most=0)
        first_uses = table.pins if table is not None else {}
        before = held.over(first_uses).get(name)
        if before is None:
            raise Fault(f"{name} is not pinned in {home.path}", "see who is: p2pnoise trust show")
        outcome = trust_change.weigh(home, trust_change.Proposal(pins={name: None}), as_json=as_json)
        pins.write(home.pins, held.freed(name, first_uses.get(name)))
    by = "by hand" if name in held.held else "on first use"
    if as_json:
        answer_json({"ok": True, "name": name, "before": str(before), "pinned": by})
        return
    answer(*rows(("unpinned", name), ("before", f"{before}, {by}")))
    say(*outcome.lines())
