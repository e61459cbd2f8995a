"""`p2pnoise status`: how a node is, from the running one, or from the files of one that does not run."""

from typing import Any

import click

from cards.findings import UNEXPECTED

from . import control, options, trust_state
from .folders import NodeFolder
from .output import answer, answer_json, rows, say, span, until


@click.command()
@options.home
@options.as_json
def command(*, home: NodeFolder, as_json: bool) -> None:
    """Show how this node is: what it runs as, its card, its peers, the lists that it holds, what needs a hand.

    The exit code is 1 where it does not run, or something needs a hand.

    \b
    Examples:
      p2pnoise status
      p2pnoise status --home /srv/node --json
    """
    try:
        said = control.ask(home, "status")
    except control.NotRunning:
        said = _from_files(home)
    good = bool(said["running"] and said["card"] and said["card"]["ok"] and not said["warnings"])
    if as_json:
        answer_json({"ok": good, **said})
    else:
        answer(*rows(*_pairs(said, options.now())))
        for one in said["warnings"]:
            answer(f"warning  {one}")
        if not said["running"]:
            say("this node does not run, so this is what its files say; start it: p2pnoise run")
    raise click.exceptions.Exit(0 if good else UNEXPECTED)


def _pairs(said: dict[str, Any], now: int) -> list[tuple[str, str]]:
    card = said["card"]
    counts = "" if card is None or card["ok"] else "does not count: " + "; ".join(f["code"] for f in card["findings"])
    ends = f"until {until(card['valid_until'], now)}" if card and card["valid_until"] else ""
    running = said["running"]
    return [
        ("node", f"{said['name'] or '-'}  {said['node_id']}"),
        ("network", said["network"]),
        ("running", f"process {said['pid']}, for {span(now - said['since'])}" if running else "no"),
        ("listening", " ".join(said["listening"])),
        ("card", f"sequence {card['sequence']}  {counts or ends}" if card else "none installed"),
        (
            "peers",
            f"{said['known']} known" + (f", {said['linked']} linked, {said['dialling']} dialled" if running else ""),
        ),
        *(
            ("list", f"{one['sequence']} of {one['issuer']}, {one['entries']} entries, due {until(one['due'], now)}")
            for one in said["lists"]
        ),
        *(("service", one) for one in _services(said["services"])),
    ]


def _services(said: dict[str, Any]) -> list[str]:
    exposed = (f"{one['service']} exposed at {one['to']} for {' '.join(one['groups'])}" for one in said["exposed"])
    forwarded = (f"{one['service']} of {one['peer']} forwarded from {one['listen']}" for one in said["forwarded"])
    lines = zip((*exposed, *forwarded), (*said["exposed"], *said["forwarded"]), strict=True)
    return [f"{text}, {one['connections']} connections" for text, one in lines]


def _known(trust: trust_state.Trust) -> int:
    """How many cards the node knows, its own once, of which it may have stored none or one."""
    if trust.table is None:
        return len(trust.known)
    return trust.table.total + len(trust.known) - len(trust.table.rows)


def _from_files(home: NodeFolder) -> dict[str, Any]:
    now = options.now()
    trust = trust_state.read(home, now, most=1)  # ourselves, and how many there are
    own = next((one.card for one in trust.known if one.own), None)
    verdict = trust.store.verify(own, now, established=True, signatures=trust.signatures) if own is not None else None
    policy = trust.store.policy
    return {
        "running": False,
        "node_id": str(own.node_id) if own is not None else str(home.read_node().public),
        "name": own.name if own is not None else None,
        "network": policy.network,
        "folder": str(home.path),
        "listening": [],
        "card": None
        if own is None or verdict is None
        else {
            "ok": verdict.ok,
            "sequence": own.sequence,
            "valid_until": verdict.valid_until or None,
            "findings": [finding.to_json() for finding in verdict.errors],
        },
        "known": _known(trust),
        "lists": [
            {
                "issuer": policy.issuer_name(key),
                "sequence": one.sequence,
                "entries": len(one.entries),
                "due": one.next_due,
            }
            for key, one in trust.store.facts.revocations.by_issuer.items()
        ],
        "services": {"exposed": [], "forwarded": []},
        "warnings": [],
    }
