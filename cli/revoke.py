"""`p2pnoise revoke`: take back what an issuer granted, and publish the list that tells every node."""

import difflib
import re
from contextlib import nullcontext
from pathlib import Path

import click

from cards import Entry, IdentityId, IssuerId, NodeId, RevocationList, make_list
from cards.fields import TEN_YEARS
from cards.findings import MALFORMED, USAGE
from cards.keys import PublicId
from cards.pages import MAX_ENTRIES, MAX_PAGES
from cards.revocation import LIST_LIFETIME, MAX_NEXT, REASONS

from . import documents, files, options, revoke_list, revoke_self, taking_up
from .folders import Issuer, IssuerFolder, NodeFolder
from .options import DAY
from .output import Fault, answer, answer_json, rows, say, until
from .powers import Powers

_CARD_ID = re.compile(r"[0-9a-f]{64}")


@click.group()
def command() -> None:
    """Take cards back and publish the list that says so.

    \b
    Example:
      p2pnoise revoke add db-03 --reason lost
      p2pnoise revoke publish --output /srv/node/revocations.pem
    """


command.add_command(revoke_list.list_)
command.add_command(revoke_self.self_)


_nodes = click.option(
    "--node",
    "nodes",
    multiple=True,
    type=options.PATH,
    callback=lambda _ctx, _parameter, values: [NodeFolder(value) for value in values],
    help="folder of a node that gets the list at once, whether it runs or not; may be repeated",
)


@command.command()
@click.argument("subject")
@click.option(
    "--reason", type=click.Choice(REASONS), default=REASONS[0], show_default=True, help="what nodes will show"
)
@_nodes
@options.issuer_home
@options.as_json
def add(*, subject: str, reason: str, nodes: list[NodeFolder], folder: IssuerFolder, as_json: bool) -> None:
    """Revoke a node, an identity, one card or a delegate.

    SUBJECT is a granted name, an id1..., node1... or issuer1... key, a card file, or a card id of 64 hex digits. A
    card id takes back that one card, the key of an issuer that may sign for this one all that it granted in its name,
    everything else the identity with all its cards, for good. Nodes learn of it with the next list; with --node that
    is published at once, and a node that runs there cuts off whom it takes out, and spreads it.

    \b
    Examples:
      p2pnoise revoke add db-03 --reason key-compromise
      p2pnoise revoke add db-03 --node /srv/node
      p2pnoise revoke add node1...
      p2pnoise revoke add issuer1... --reason key-compromise
      p2pnoise revoke add old.card --reason superseded
    """
    now = options.now()
    for home in nodes:
        home.check_present(home.node_key)
    with folder.open() as issuer, files.lock(folder.path) if nodes else nullcontext():
        powers = Powers.read(folder, issuer)
        raw, label = _resolve(subject, issuer)
        card_id = None if isinstance(raw, IdentityId) else raw
        identity = raw if isinstance(raw, IdentityId) else None
        end = issuer.registry.granted_until(identity=identity, card_id=card_id)
        # A day more than the last grant, for clocks that are behind; what was never granted here, as long as can be.
        wanted = Entry(bytes(raw), now, reason, now + TEN_YEARS if end is None else max(end, now) + DAY)
        before = issuer.registry.revocation(bytes(raw))
        entry = issuer.registry.revoke(wanted)
        if nodes:
            _publish(folder, issuer, [home.revocations for home in nodes], now, LIST_LIFETIME)
    taken = [taking_up.take_up(home, home.revocations) for home in nodes]
    if as_json:
        answer_json(
            {
                "ok": True,
                "subject": entry.subject.hex(),
                "label": label,
                "at": entry.at,
                "reason": entry.reason,
                "until": entry.until,
                "new": before is None,
                "taken_up": taken,
            }
        )
    else:
        what = "revoked" if before is None else "already revoked"
        answer(*rows((what, label), ("reason", entry.reason), ("until", until(entry.until, now))))
    if end is None and not any(raw in (one.key, one.issuer) for one in powers.delegations):
        say("this issuer never granted that; it is on the list all the same")
    if powers.ways:
        root = powers.ways[0].root.short
        say(
            f"warning: what this issuer grants for {root} is taken back by the list of {root} alone",
            f"fix: at that issuer: p2pnoise revoke add {_pasted(raw)}",
        )
    for home, said in zip(nodes, taken, strict=True):
        taking_up.tell(home, said)
    if not nodes:
        say("next: p2pnoise revoke publish, then hand the list to a node")


def _pasted(subject: bytes) -> str:
    """A subject as every issuer understands it."""
    return str(subject) if isinstance(subject, PublicId) else subject.hex()


def _resolve(subject: str, issuer: Issuer) -> tuple[IdentityId | IssuerId | bytes, str]:
    """The key or card id that is meant, and words for it. Raises `Fault` or `CardError`."""
    registry = issuer.registry
    if subject.startswith("issuer1"):
        key = IssuerId.parse(subject)
        if key == issuer.key.public:
            raise Fault("that is this issuer itself", "to end it for good: p2pnoise issuer retire", code=USAGE)
        return key, f"issuer {key}"
    if subject.startswith("id1"):
        identity = IdentityId.parse(subject)
        return identity, f"identity {identity}"
    if subject.startswith("node1"):
        node = NodeId.parse(subject)
        granted = registry.by_node(str(node))
        if granted is None:
            fix = "give its identity instead: p2pnoise revoke add id1..."
            raise Fault(f"this issuer never granted a card to node {node.short}", fix, code=USAGE)
        return granted.owner, f"identity {granted.identity}, node {node.short}"
    if _CARD_ID.fullmatch(subject):
        return bytes.fromhex(subject), f"card {subject}"
    granted = registry.holder(subject)
    if granted is not None:
        return granted.owner, f"{subject}, identity {granted.identity}"
    if subject == files.STREAM or (subject and Path(subject).exists()):
        card = documents.read(subject).card
        return card.identity, f"{card.label}, identity {card.identity}"
    near = difflib.get_close_matches(subject, registry.names(), 3)
    fix = (
        f"did you mean {' or '.join(near)}?"
        if near
        else "give a granted name, id1..., node1..., issuer1..., a card file or its id"
    )
    raise Fault(f"nothing known as {subject}: no granted name, no key, no file", fix, code=USAGE)


@command.command()
@click.option("-o", "--output", "outputs", multiple=True, type=options.FILE, help="write it here too; may be repeated")
@click.option(
    "--days",
    type=click.IntRange(1, MAX_NEXT // DAY),
    default=LIST_LIFETIME // DAY,
    show_default=True,
    help="until the next list is due",
)
@_nodes
@options.issuer_home
@options.as_json
def publish(
    *, outputs: tuple[str, ...], days: int, nodes: list[NodeFolder], folder: IssuerFolder, as_json: bool
) -> None:
    """Sign and write the next revocation list.

    One node that gets it is enough: it spreads. A running node watches the revocations.pem in its folder. Lists of
    other issuers in an output file stay there. Publish before the list is due even if nothing changed: nodes that
    hold an overdue list let no new peer in. More than 30 days is for an issuer that stays offline: nodes take such a
    list only where their policy says so.

    \b
    Examples:
      p2pnoise revoke publish
      p2pnoise revoke publish --node /srv/node
      p2pnoise revoke publish --output /mnt/usb/revocations.pem
      p2pnoise revoke publish --output - | ssh node 'cat > list.pem'
    """
    now = options.now()
    for home in nodes:
        home.check_present(home.node_key)
    targets = [*(Path(name) for name in outputs if name != files.STREAM), *(home.revocations for home in nodes)]
    with folder.open() as issuer, files.lock(folder.path):
        new = _publish(folder, issuer, targets, now, days * DAY)
    taken = [taking_up.take_up(home, home.revocations) for home in nodes]
    text = documents.list_blocks([new])
    if files.STREAM in outputs and not as_json:
        files.write_output(files.STREAM, text)
    if as_json:
        answer_json(
            {
                "ok": True,
                "sequence": new.sequence,
                "entries": len(new.entries),
                "next_due": new.next_due,
                "text": text,
                "files": [str(folder.revocations), *map(str, targets)],
                "taken_up": taken,
            }
        )
    elif files.STREAM not in outputs:
        answer(
            *rows(
                ("list", str(new.sequence)),
                ("entries", str(len(new.entries))),
                ("next due", until(new.next_due, now)),
                *(("file", str(path)) for path in (folder.revocations, *targets)),
            )
        )
    if days * DAY > LIST_LIFETIME:
        say(f'a node takes this list only where its policy has: list_lifetime = "{days}d"')
    for home, said in zip(nodes, taken, strict=True):
        taking_up.tell(home, said)
    if not targets:
        say(f"next: hand {folder.revocations} to a node: p2pnoise trust apply FILE")


def _publish(folder: IssuerFolder, issuer: Issuer, paths: list[Path], now: int, lifetime: int) -> RevocationList:
    """The next list, written into the issuer's folder and into `paths`, beside the lists of others there."""
    targets = {path: _held(path) for path in paths}
    held = [one for lists in targets.values() for one in lists if one.issuer == issuer.key.public]
    held += _own(folder, issuer)
    files.check_target(folder.revocations, force=True)
    new = _next_list(issuer, held, now, lifetime)
    files.write(folder.revocations, documents.list_blocks([new]).encode(), force=True)
    for path, lists in targets.items():
        files.write(path, documents.list_blocks(documents.newest(lists, [new])).encode(), force=True)
    return new


def _next_list(issuer: Issuer, held: list[RevocationList], now: int, lifetime: int) -> RevocationList:
    """The next list, numbered above all that are `held` and healing those of them that share a number."""
    registry = issuer.registry
    ours = [one for one in held if not one.check(network=issuer.network, now=one.issued_at, leeway=0)]
    # We signed these: what the registry does not know of them, an older backup of it has forgotten.
    lost = [
        entry for one in ours for entry in one.entries if entry.until > now and not registry.revocation(entry.subject)
    ]
    for entry in lost:
        registry.revoke(entry)
    if lost:
        say(f"{len(lost)} revocations were in a list and not in the registry, which was restored: they stand")
    standing = registry.standing(now)
    if len(standing) > (most := MAX_PAGES * MAX_ENTRIES):
        fix = "end old grants sooner with card issue --days, or make a second issuer"
        raise Fault(f"{len(standing)} revocations stand, a list holds {most}", fix)
    highest = max((one.sequence for one in ours), default=0)
    twins = {one.digest for one in ours if one.sequence == highest}
    return make_list(
        issuer.key,
        network=issuer.network,
        sequence=registry.reserve_list(highest),
        now=now,
        entries=standing,
        lifetime=lifetime,
        heals=sorted(twins) if len(twins) > 1 else (),
    )


def _own(folder: IssuerFolder, issuer: Issuer) -> list[RevocationList]:
    try:
        return [folder.read_revocations(issuer)]
    except Fault as fault:  # writing it anew is what mends it
        say(f"{fault}: written anew")
        return []


def _held(path: Path) -> tuple[RevocationList, ...]:
    """The lists in a file that is about to be replaced, which must hold nothing else. Raises `Fault`."""
    files.check_target(path, force=True)
    if not path.exists():
        return ()
    document = documents.read(path, fix=(fix := "name another file, or remove this one"))
    if document.cards or document.statements:
        held = "a card" if document.cards else f"a {document.statements[0].what}"
        raise Fault(f"{path} holds {held}, so no list is written over it", fix, code=MALFORMED)
    return document.lists
