"""`p2pnoise peers`: the table of a running or stopped node, its cards verified again before they are shown."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import click
from click.core import ParameterSource

from cards import Verdict
from p2pnoise.node.bans import weigh

from . import control, options, peers_watch, trust_state
from .bench.rounds import progress_bar
from .folders import NodeFolder
from .lazy import LazyGroup
from .output import USAGE, Fault, answer, answer_json, columns, say, until

SHOWN = 500  # peers of a table, unless asked for more: some 0.4 s to judge, and more than anybody reads


class _Peers(LazyGroup):
    """The table by itself, or what is done with it as a file."""

    verbs: ClassVar[Mapping[str, tuple[str, str]]] = {
        "export": ("cli.peers_export", "write the table to a file"),
        "import": ("cli.peers_import", "take over cards and addresses from a file"),
        "diff": ("cli.peers_diff", "compare the table with a file, or with another folder's"),
    }


@click.command(cls=_Peers, invoke_without_command=True)
@click.pass_context
@options.home
@click.option("--watch", is_flag=True, help="go on showing them as they change, until Ctrl-C; the node has to run")
@click.option("--limit", type=click.IntRange(1), help=f"how many to show; {SHOWN}, or all of them with --json")
@click.option("--all", "everybody", is_flag=True, help="show all, however many; some 0.7 s for 1,000")
@options.as_json
def command(
    ctx: click.Context, *, home: NodeFolder, watch: bool, limit: int | None, everybody: bool, as_json: bool
) -> None:
    """Show the peers that a node knows.

    Reads the node's database, whether the node runs or not, and judges every card again by all that the node goes by; a
    running one says besides who is linked. For the reasons: p2pnoise explain NAME. Of a large table it shows the
    beginning: this node, those that it was ever linked with, then the others by name.

    \b
    Examples:
      p2pnoise peers
      p2pnoise peers --watch
      p2pnoise peers --limit 20
      p2pnoise peers --home /srv/node --json
    """
    if ctx.invoked_subcommand is not None:
        given = [name for name in ctx.params if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE]
        if given:
            option = {"as_json": "json", "everybody": "all"}.get(given[0], given[0])
            where = f"p2pnoise peers {ctx.invoked_subcommand}"
            raise Fault(f"--{option} stands before {ctx.invoked_subcommand}", f"{where} --help", code=USAGE)
        return
    if watch:
        peers_watch.show(home, as_json=as_json)
        return
    if not home.policy.exists():
        raise Fault(f"no policy in {home.path}", "p2pnoise card install FILE, or name the folder with --home")
    now = options.now()
    links = _links(home)
    trust = trust_state.read(home, now, most=limit or (None if everybody or as_json else SHOWN))
    policy, table = trust.store.policy, trust.table
    if table is None:
        raise Fault(f"{home.path / 'node.db'}: there is no node database", "start the node once: p2pnoise run")
    # By their own marks: of ourselves a newer card may be installed than the node has taken up.
    marks = {bytes(row.card.identity): trust_state.mark(row.card) for row in table.rows}
    store = replace(trust.store, marks=marks)
    judged = []
    with progress_bar("judging the cards", as_json=as_json) as progress:
        for number, row in enumerate(table.rows):
            verdict = store.verify(row.card, now, established=True, signatures=trust.signatures)
            judged.append((row, weigh(verdict, trust.bans, store.facts)))
            if number % 100 == 0:
                progress(number / len(table.rows))
    if as_json:
        answer_json(
            {
                "ok": True,
                "network": policy.network,
                "running": links is not None,
                "total": table.total,
                "peers": [
                    {
                        "name": row.card.name,
                        "node_id": str(row.card.node_id),
                        "identity": str(row.card.identity),
                        "own": bytes(row.card.node_id) == table.node_id,
                        "standing": _standing(verdict),
                        "link": (links or {}).get(str(row.card.node_id)),
                        "provenance": row.provenance,
                        "sequence": row.card.sequence,
                        "groups": list(verdict.groups),
                        "addresses": [str(address) for address in row.record.addresses] if row.record else [],
                        "valid_until": verdict.valid_until or None,
                        "first_seen": row.first_seen,
                        "findings": [finding.to_json() for finding in verdict.errors],
                    }
                    for row, verdict in judged
                ],
            }
        )
        return
    lines = [("NAME", "NODE", "STANDING", "PROOF", "LINK", "ADDRESSES", "CARD UNTIL")]
    for row, verdict in judged:
        own = bytes(row.card.node_id) == table.node_id
        lines.append(
            (
                row.card.name or "-",
                row.card.node_id.short,
                _standing(verdict),
                "this node" if own else row.provenance,
                peers_watch.link_text((links or {}).get(str(row.card.node_id))),
                " ".join(map(str, row.record.addresses)) if row.record else "-",
                until(row.card.not_after, now),
            )
        )
    answer(*columns(*lines))
    good = sum(verdict.ok for _, verdict in judged)
    how = "the node runs" if links is not None else "the node does not run"
    say(f"{good} of {len(judged)} cards count today; the network is {policy.network}; {how}")
    if table.total > len(judged):
        say(f"{table.total} are stored; to see all: p2pnoise peers --all")


def _links(home: NodeFolder) -> dict[str, Any] | None:
    """The links of the running node by Node ID; None where none runs."""
    try:
        links: dict[str, Any] = control.ask(home, "links")["links"]
    except control.NotRunning:
        return None
    return links


def _standing(verdict: Verdict) -> str:
    errors = verdict.errors
    return errors[0].code if errors else verdict.level
