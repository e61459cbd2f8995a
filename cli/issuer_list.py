"""`p2pnoise issuer list`: what an issuer granted, to whom, and what became of it."""

from fnmatch import fnmatchcase

import click

from . import options
from .folders import IssuerFolder
from .output import answer, answer_json, columns, say, until
from .registry import Granted, Registry

_STANDINGS = ("valid", "expired", "revoked", "replaced")


@click.command("list")
@click.option("--name", "pattern", metavar="PATTERN", help="of these names alone: db-03, or db-*")
@click.option("--group", metavar="G", help="of this group alone")
@click.option("--standing", type=click.Choice(_STANDINGS), help="of this standing alone")
@click.option("--ending", callback=options.duration, metavar="30d", help="valid ones that end within this time alone")
@click.option("--all", "everything", is_flag=True, help="replaced grants too")
@options.issuer_home
@options.as_json
def list_(
    *,
    pattern: str | None,
    group: str | None,
    standing: str | None,
    ending: int | None,
    everything: bool,
    folder: IssuerFolder,
    as_json: bool,
) -> None:
    """Show what this issuer granted.

    One line for each identity, its last grant; all of them with --all. No key is needed.

    \b
    Examples:
      p2pnoise issuer list
      p2pnoise issuer list --ending 30d --json
      p2pnoise issuer list --name 'db-*' --standing revoked
    """
    now = options.now()
    with folder.open_registry() as registry:
        grants = registry.grants()
        last = {one.identity: one.serial for one in grants}
        judged = [(one, _standing(one, last, registry, now)) for one in grants]
    shown = [
        (one, found)
        for one, found in judged
        if (everything or standing == "replaced" or found != "replaced")
        and (standing is None or found == standing)
        and (pattern is None or fnmatchcase(one.name or "", pattern))
        and (group is None or group in one.group_names.split())
        and (ending is None or (found == "valid" and one.not_after <= now + ending))
    ]
    if as_json:
        answer_json({"ok": True, "grants": [{**_json(one), "standing": found} for one, found in shown]})
        return
    answer(
        *columns(
            ("SERIAL", "NAME", "NODE", "GROUPS", "STANDING", "UNTIL"),
            *(
                (str(one.serial), one.name or "-", _node(one), one.group_names or "-", found, until(one.not_after, now))
                for one, found in shown
            ),
        )
    )
    say(f"{len(shown)} of {len(grants)} grants shown")


def _standing(one: Granted, last: dict[str, int], registry: Registry, now: int) -> str:
    if registry.revocation(one.owner) or registry.revocation(bytes.fromhex(one.card_id)):
        return "revoked"
    if one.serial < last[one.identity]:
        return "replaced"
    return "valid" if now < one.not_after else "expired"


def _node(one: Granted) -> str:
    return f"{one.node_id[:13]}…{one.node_id[-4:]}"


def _json(one: Granted) -> dict[str, object]:
    view = {**one._asdict(), "groups": one.group_names.split()}
    del view["group_names"]
    return view
