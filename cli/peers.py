"""`p2pnoise peers`: the table of a running or stopped node, its cards verified again before they are shown."""

import click

from cards import Facts, Policy, RevocationList, Revocations, Verdict, verify_card

from . import documents, options
from .folders import NodeFolder
from .output import Fault, answer, answer_json, columns, say, until


@click.command()
@options.home
@options.as_json
def command(*, home: NodeFolder, as_json: bool) -> None:
    """Show the peers that a node knows.

    Reads the node's database, whether the node runs or not, and judges every card again by its policy and lists.

    \b
    Examples:
      p2pnoise peers
      p2pnoise peers --home /srv/node --json
    """
    from p2pnoise.store import StoreError, read_table  # noqa: PLC0415 - not for --help

    policy = home.read_policy()
    if policy is None:
        raise Fault(f"no policy in {home.path}", "p2pnoise card install FILE, or name the folder with --home")
    try:
        table = read_table(home.path / "node.db")
    except StoreError as error:
        raise Fault(str(error), error.hint) from None
    now = options.now()
    revocations, _ = documents.accept((*table.lists, *_handed(home)), policy, now)
    judged = [(row, _judge(row.card, policy, revocations, now)) for row in table.rows]
    if as_json:
        answer_json(
            {
                "ok": True,
                "network": policy.network,
                "peers": [
                    {
                        "name": row.card.name,
                        "node_id": str(row.card.node_id),
                        "identity": str(row.card.identity),
                        "own": bytes(row.card.node_id) == table.node_id,
                        "standing": _standing(verdict),
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
    lines = [("NAME", "NODE", "STANDING", "PROOF", "ADDRESSES", "CARD UNTIL")]
    for row, verdict in judged:
        own = bytes(row.card.node_id) == table.node_id
        lines.append(
            (
                row.card.name or "-",
                row.card.node_id.short,
                _standing(verdict),
                "this node" if own else row.provenance,
                " ".join(map(str, row.record.addresses)) if row.record else "-",
                until(row.card.not_after, now),
            )
        )
    answer(*columns(*lines))
    good = sum(verdict.ok for _, verdict in judged)
    say(f"{good} of {len(judged)} cards count today; the network is {policy.network}")


def _handed(home: NodeFolder) -> tuple[RevocationList, ...]:
    """The lists that lie in the folder: the node takes them in when it next looks, so they count here too."""
    try:
        return home.read_revocations()
    except Fault as fault:
        say(f"warning: not used: {fault}", f"fix: {fault.fix}")
        return ()


def _judge(card: object, policy: Policy, revocations: Revocations, now: int) -> Verdict:
    return verify_card(card, policy=policy, now=now, facts=Facts(revocations), established=True)  # type: ignore[arg-type]


def _standing(verdict: Verdict) -> str:
    errors = verdict.errors
    return errors[0].code if errors else verdict.level
