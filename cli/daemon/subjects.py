"""Subjects: who a person means by a name, a key or an address, and all that a running node knows of them."""

from collections.abc import Iterable
from difflib import get_close_matches

from cards import Address, Card, Finding, IdentityId, NodeId, Verdict
from p2pnoise import events
from p2pnoise.config import Bootstrap
from p2pnoise.instant import SECOND
from p2pnoise.node.core import NodeCore
from p2pnoise.node.link import Link, Stage

from .diary import Diary, Entry
from .explanation import Known, Subject

__all__ = ["find", "known_of"]


def find(text: str, core: NodeCore, diary: Diary, stored: Iterable[Card] = ()) -> Subject:
    """Whom `text` means: `node1…`, `id1…`, `[node1…@]host:port`, or a name. Raises `CardError` for a mistyped key.

    `stored` are cards that the table does not hold any more.
    """
    node_id, addresses, name = _parse(text)
    identity = None
    by_name = name is not None
    if node_id is None and addresses:
        node_id = _at(addresses[0], core, diary)
    if name is not None and name.startswith("id1"):
        identity = IdentityId.parse(name)
        row = core.table.by_identity(identity)
        cards = [row.card] if row is not None else [card for card in stored if card.identity == identity]
        node_id, by_name = (cards[0].node_id if cards else None), False
    if by_name and name is not None:
        # Ourselves last: who asks for a name that two have means the other one.
        named = sorted((row.node_id for row in core.table if row.card.name == name), key=core.node_id.__eq__)
        named += [card.node_id for card in stored if card.name == name]
        named += diary.named(name)
        node_id = named[0] if named else None
    places = dict.fromkeys(addresses, "what was asked")
    if node_id is not None:
        row = core.table.by_node(node_id)
        name = row.card.name if row is not None else next(
            (card.name for card in stored if card.node_id == node_id), name if by_name else _called(node_id, diary)
        )  # fmt: skip
        for start in core.config.bootstrap:
            if start.node_id == node_id:
                places.setdefault(start.address, "the configuration")
        if row is not None and row.record is not None:
            for address in row.record.addresses:
                places.setdefault(address, "its address record")
    return Subject(text=text, node_id=node_id, identity=identity, name=name, addresses=tuple(places.items()))


def _parse(text: str) -> tuple[NodeId | None, list[Address], str | None]:
    if "@" in text or ":" in text:
        start = Bootstrap.parse(text)
        return start.node_id, [start.address], None
    if text.startswith("node1"):
        return NodeId.parse(text), [], None
    return None, [], text


def _at(address: Address, core: NodeCore, diary: Diary) -> NodeId | None:
    """Which node is said to be there: by its own word, by the configuration, or since it answered."""
    rows = (row.node_id for row in core.table if row.record is not None and address in row.record.addresses)
    starts = (start.node_id for start in core.config.bootstrap if start.address == address)
    met = (_node_of(entry) for entry in diary.about([address]))
    return next((node_id for node_id in (*rows, *starts, *met) if node_id is not None), None)


def _node_of(entry: Entry) -> NodeId | None:
    return getattr(entry.event, "node_id", None)


def _called(node_id: NodeId, diary: Diary) -> str | None:
    names = (getattr(entry.event, "name", None) for entry in diary.about([node_id]))
    return next((name for name in names if name), None)


def known_of(
    subject: Subject, core: NodeCore, diary: Diary, *, now: int, monotonic: int, stored: Iterable[Card] = ()
) -> Known:
    """All that the node knows of this subject. `now` is in seconds since 1970, `monotonic` in nanoseconds."""
    subjects = [subject.node_id, subject.name, *(address for address, _ in subject.addresses)]
    entries = [
        entry
        for entry in diary.about(one for one in subjects if one is not None)
        if subject.node_id is None or _concerns(entry, subject)
    ]
    verdict, source = _verdict(subject, core, entries, stored, now)
    link = _link(subject, core)
    up_at = link.up_at if link is not None else None
    return Known(
        subject=subject,
        now=now,
        running=True,
        own=core.table.judge(core.card, now, own=True),
        card=verdict,
        card_from=source,
        ban=_ban(subject, core),
        linked_for=(monotonic - up_at) / SECOND if up_at is not None else None,
        link_text=_link_text(link, monotonic) if link is not None else "",
        entries=entries,
        dialling=any(target.node_id == subject.node_id for target in core.dialling),
        own_copies=_own_copies(diary) if subject.node_id == core.node_id else None,
        held_for=max(0, core.held_until(subject.node_id) - monotonic) / SECOND if subject.node_id is not None else 0,
        near=tuple(_near(subject, core, diary)),
    )


def _ban(subject: Subject, core: NodeCore) -> Finding | None:
    """What bans the key that was asked for, whose card need not be known."""
    bans = (core.bans.of_key(key) for key in (subject.identity, subject.node_id) if key is not None)
    return next((ban.finding for ban in bans if ban is not None), None)


def _own_copies(diary: Diary) -> list[Entry]:
    return [entry for kind, entry in diary.own.items() if kind == events.OwnKeyElsewhere.kind]


def _concerns(entry: Entry, subject: Subject) -> bool:
    """Whether an event is about this node: others may have its name, or answer at its address."""
    node_id = _node_of(entry)
    return node_id in (None, subject.node_id) or any(
        one.code == "node-mismatch" for one in getattr(entry.event, "findings", ())
    )


def _verdict(
    subject: Subject, core: NodeCore, entries: list[Entry], stored: Iterable[Card], now: int
) -> tuple[Verdict | None, str]:
    """What its newest card is worth by now, and where that card comes from."""
    row = core.table.by_node(subject.node_id) if subject.node_id is not None else None
    found = [(row.card, "from the table")] if row is not None else []
    for entry in entries:
        shown = entry.event.card if isinstance(entry.event, events.PeerRefused) else None
        if shown is not None and subject.node_id in (None, shown.node_id):
            found.append((shown, "as it showed it"))
    found += [(card, "as stored") for card in stored if card.node_id == subject.node_id]
    if not found:
        return None, ""
    card, source = max(found, key=lambda one: (one[0].sequence, max((g.issued_at for g in one[0].grants), default=0)))
    return core.bans.weigh(core.table.judge(card, now, established=row is not None)), source


def _link(subject: Subject, core: NodeCore) -> Link | None:
    places = {address for address, _ in subject.addresses} if subject.node_id is None else set()
    for link in core.links.all.values():
        meant = subject.node_id is not None and subject.node_id in (link.node_id, link.expected)
        if link.stage is Stage.UP and (meant or (link.initiator and link.address in places)):
            return link
    return None


def _link_text(link: Link, monotonic: int) -> str:
    minutes = (monotonic - (link.up_at or monotonic)) // (60 * SECOND)
    way = "dialled by us" if link.initiator else "dialled by it"
    return f"for {minutes} min, {way}, at {link.address}, by {link.pattern}"


def _near(subject: Subject, core: NodeCore, diary: Diary) -> list[str]:
    names = {row.card.name for row in core.table if row.card.name} | set(diary.names)
    return get_close_matches(subject.text, names, n=3)
