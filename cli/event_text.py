"""Events as sentences for people: the one place where they are written."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, assert_never

from p2pnoise import events

if TYPE_CHECKING:
    from cards import Finding, NodeId


_TWIN = "a copied folder, or a stolen key"


def sentence(event: events.Event) -> str:  # noqa: C901, PLR0911, PLR0912 - one line for each kind of event
    """What happened, in one line: lower case, no full stop."""
    match event:
        case events.Listening(name=name, node_id=node, addresses=addresses, known_peers=known):
            where = " and ".join(map(str, addresses)) or "nowhere"
            return f"listening    {who(name, node)} on {where}, {known} in the table"
        case events.Dialling(address=address, source=source, name=name, node_id=node):
            return f"dialling     {who(name, node)} at {address}, known from the {source}"
        case events.DialFailed(address=address, reason=reason, retry_in=pause):
            return f"dial failed  {address}: {reason}; again in {pause:.1f} s"
        case events.PeerVerified(name=name, node_id=node, address=address, pattern=pattern, dialled=dialled):
            return f"verified     {who(name, node)} {'at' if dialled else 'from'} {address}, by {pattern}"
        case events.PeerKeyChanged(name=name, node_id=node, previous=previous, address=address):
            return f"new key      {who(name, node)} at {address}, which was {previous.short}"
        case events.PeerRefused(name=name, node_id=node, address=address, told=told, findings=findings, reason=reason):
            heard = "told so" if told else "told nothing"
            return f"refused      {who(name, node)} from {address}: {_why(findings, reason)}; {heard}"
        case events.RefusedByPeer(name=name, node_id=node, address=address, reason="duplicate-node"):
            return f"refused by   {who(name, node)} at {address}: another live node uses this node's key: {_TWIN}"
        case events.RefusedByPeer(name=name, node_id=node, address=address, reason=reason):
            return f"refused by   {who(name, node)} at {address}: {reason}"
        case events.PeerLost(name=name, node_id=node, reason=reason, findings=findings):
            return f"lost         {who(name, node)}: {_why(findings, reason)}"
        case events.ConnectionFailed(address=address, reason=reason):
            return f"failed       connection from {address}: {reason}"
        case events.PeerBanned(name=name, node_id=node, reason=reason):
            return f"banned       {who(name, node)} for an hour: {reason}"
        case events.DuplicateNode(name=name, node_id=node, address=address):
            return f"duplicate    {who(name, node)} runs a second time, at {address}: {_TWIN}"
        case events.OwnKeyElsewhere(name=name, node_id=node, address=address):
            return (
                f"duplicate    this node's key is in use elsewhere, seen from {address} by {who(name, node)}: {_TWIN}"
            )
        case events.CardLearned(name=name, node_id=node, sequence=sequence, learned_from=source, known_peers=known):
            return f"learned      {who(name, node)}, card {sequence}, from {source.short}; {known} in the table"
        case events.AddressLearned(node_id=node, addresses=addresses):
            return f"address      {node.short} is at {' and '.join(map(str, addresses)) or 'no address'}"
        case events.ListApplied(issuer=issuer, sequence=sequence, source=source, revoked=revoked, findings=findings):
            names = ", ".join(node.short for node in revoked)
            takes = f", which takes out {names}" if names else ""
            doubts = f" ({_why(findings, '')})" if findings else ""
            return f"list         {sequence} of {issuer} applied, from {source}{takes}{doubts}"
        case events.StatementApplied(statement=statement, subject=subject, source=source, dropped=dropped):
            names = ", ".join(node.short for node in dropped)
            takes = f", which takes out {names}" if names else ""
            return f"statement    {statement} of {subject} applied, from {source}{takes}"
        case events.PeerPinned(name=name, node_id=node, identity=identity):
            return f"pinned       {who(name, node)} to {identity}, on first use"
        case events.CardRefused(name=name, node_id=node, findings=findings):
            return f"not taken    card of {who(name, node)}: {_why(findings, '')}"
        case events.OwnCardRejected(findings=findings):
            return f"own card     does not count here, and others will refuse it: {_why(findings, '')}"
        case events.OwnCardLearned(sequence=sequence, source=source):
            return f"own card     {sequence} came back from {source.short}: this folder was older, as after a restore"
        case events.ListDue(issuer=issuer, sequence=sequence, seconds_left=left):
            when = f"is due in {left // 3600} hours" if left > 0 else f"is overdue since {-left // 3600} hours"
            return f"list due     {sequence} of {issuer} {when}: have the issuer publish, p2pnoise revoke publish"
        case events.FileRejected(file=file, reason=reason):
            return f"not used     {file}: {reason}; what was in force stays in force"
        case events.Enrolled(name=name, node_id=node, source=source, request=request):
            return f"enrolled     {who(name, node)} from {source}, by token {request}"
        case events.EnrolmentWaiting(name=name, node_id=node, source=source, request=request, reason=reason):
            return f"waiting      {who(name, node)} from {source}, by token {request}: {reason}"
        case events.EnrolmentRefused(node_id=node, source=source, reason=reason, text=text):
            return f"not enrolled {who(None, node)} from {source}: {reason}{f', {text}' if text else ''}"
        case events.GrantRenewed(not_after=end):
            return f"renewed      our grant, until {datetime.fromtimestamp(end, UTC):%Y-%m-%d %H:%M} UTC"
        case events.RenewalFailed(issuer=issuer, reason=reason, seconds_left=left, retry_in=pause):
            when = f"ends in {left // 3600} hours" if left > 0 else f"ended {-left // 3600} hours ago"
            return f"not renewed  our grant of {issuer}, which {when}: {reason}; again in {pause / 60:.0f} min"
        case events.ServiceFailed(service=service, peer=peer, address=address, reason=reason):
            where = f"forwarded from {address} to {peer}" if peer is not None else f"exposed at {address}"
            return f"service      {service}, {where}: {reason}"
        case events.ConfigApplied(file=file, changed=changed, restart=restart):
            waits = f"; only a restart changes {' '.join(restart)}" if restart else ""
            return f"config       {file}: {' '.join(changed) or 'nothing'} changed{waits}"
        case events.Stopped(node_id=node):
            return f"stopped      {node.short}"
        case _:
            assert_never(event)


def who(name: str | None, node: "NodeId | None") -> str:
    """A name with the beginning of the Node ID, as far as they are known."""
    return " ".join(part for part in (name, node.short if node is not None else None) if part) or "somebody"


def _why(findings: "tuple[Finding, ...]", reason: str) -> str:
    return "; ".join(f"{finding.code}, {finding.message}" for finding in findings) or reason
