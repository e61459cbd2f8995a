"""`p2pnoise explain`: why a peer is linked or is not, by a running node or from the files of one that does not run."""

from typing import Any

import click

from cards import Card, IdentityId, NodeId, Verdict
from p2pnoise.config import Bootstrap
from p2pnoise.node.bans import weigh

from . import control, options, trust_state
from .daemon.chain import explain as explain_known
from .daemon.explanation import Known, Subject
from .folders import NodeFolder
from .output import answer, answer_json, rows, say

_WORDS = {"ok": "ok", "fails": "FAILS", "unknown": "-"}


@click.command()
@click.argument("peer")
@options.home
@click.option("--dial/--no-dial", default=True, show_default=True, help="try it now, so that the answer is of now")
@options.as_json
def command(*, peer: str, home: NodeFolder, dial: bool, as_json: bool) -> None:
    """Say why PEER is linked with this node, or why it is not, and what would mend it.

    PEER is a name, a node1... or id1..., or an address HOST:PORT or node1...@HOST:PORT. The steps come in the order of
    a connection: who is meant, our own card, bans, the address, the dial, the handshake, the card, what the peer says
    of us. The first that fails is the cause. A node that does not run is explained from its files.

    The exit code is 0 where the peer is linked, else that of the cause; 1 where nobody answers.

    \b
    Examples:
      p2pnoise explain db-03
      p2pnoise explain 192.0.2.7:7060
      p2pnoise explain node1... --no-dial --json
    """
    if dial and trust_state.is_running(home):
        say(f"asking the node of {home.path}; a dial may take some seconds")
    try:
        said = control.ask(home, "explain", peer=peer, dial=dial)
        how = "the running node said so"
    except control.NotRunning:
        said = explain_known(_from_files(peer, home)).to_json()
        how = "read from the files of this node, which does not run"
    if as_json:
        answer_json({"ok": not said["exit"], **said})
    else:
        named = peer if said["name"] in (None, peer) else f"{said['name']}, asked for as {peer}"
        answer(f"{said['cause'].upper()}  {named}")
        answer(
            *rows(*((one["step"], f"{_WORDS[one['state']]:<5}  {one['text']}") for one in said["steps"]), indent="  ")
        )
        if said["fix"]:
            answer(f"fix: {said['fix']}")
        say(how)
    raise click.exceptions.Exit(said["exit"])


def _from_files(text: str, home: NodeFolder) -> Known:
    """What the folder of a node that does not run says of a peer. Raises `Fault` and `CardError`."""
    now = options.now()
    address = Bootstrap.parse(text) if "@" in text or ":" in text else None
    wanted = str(address.node_id) if address is not None and address.node_id is not None else text
    trust = trust_state.read(home, now, about=wanted)
    for kind in (NodeId, IdentityId):
        if wanted.startswith(f"{kind.prefix}1"):
            kind.parse(wanted)  # a mistyped key is named as such
    others = [one for one in trust.known if not one.own]
    found = next((one for one in others if wanted in _names(one.card)), None)
    own = next((one.card for one in trust.known if one.own), None)
    places: dict[Any, str] = {address.address: "what was asked"} if address is not None else {}
    if found is not None and found.row is not None and found.row.record is not None:
        places.update(dict.fromkeys(found.row.record.addresses, "its address record"))
    return Known(
        subject=Subject(
            text=text,
            node_id=found.card.node_id if found is not None else None,
            name=found.card.name if found is not None else None,
            addresses=tuple(places.items()),
        ),
        now=now,
        running=False,
        own=_judged(own, trust, now) if own is not None else None,
        card=weigh(_judged(found.card, trust, now), trust.bans, trust.store.facts) if found is not None else None,
        card_from="as stored",
    )


def _judged(card: Card, trust: trust_state.Trust, now: int) -> Verdict:
    return trust.store.verify(card, now, established=True, signatures=trust.signatures)


def _names(card: Card) -> tuple[str | None, ...]:
    return card.name, str(card.node_id), str(card.identity)
