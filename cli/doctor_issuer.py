"""What can be wrong with an issuer's folder: its key, registry and list, what is not published, the clock."""

from cards import Delegation, IssuerKey, Retirement, RevocationList
from cards.facts import BUILD_TIME
from cards.findings import BINDING, CONFLICT, REVOKED, TIME
from cards.keyfile import is_locked

from . import documents, files
from .doctor import Report
from .folders import IssuerFolder
from .output import naming, until
from .registry import Registry
from .trust_show import clock_text
from .trust_state import file_facts

_RESTORE = "restore it from your backup of this folder"
_PUBLISH = "p2pnoise revoke publish, then hand the list to a node: p2pnoise trust apply FILE"
_MAX_KEY = 4096  # bytes, as where keys are read
_LEEWAY = 300  # seconds that clocks may differ, as in policies
_SHOWN = 5  # grants that end soon, named on one line


def check_issuer(folder: IssuerFolder, report: Report) -> Report:
    """Every check, each by itself. A locked key is not opened, so nobody is asked for its passphrase."""
    report.private(*folder.path.glob("*.key*"), folder.registry)
    report.guarded(folder.path, folder.about, folder.revocations, folder.statements)
    report.checked += ["permissions", "key", "registry", "list", "statements", "grants", "clock"]
    if report.reading(lambda: folder.network) is None:
        return report
    _check_key(folder, report)
    _check_statements(folder, report)
    lists = report.reading(lambda: documents.read(folder.revocations).lists if folder.revocations.exists() else ())
    if lists is None:
        return report
    _check_lists(folder, report, lists)
    report.reading(lambda: _check_registry(folder, report, lists))
    return report


def _check_key(folder: IssuerFolder, report: Report) -> None:
    if not folder.key.exists():
        text = f"there is no issuer.key in {folder.path}"
        report.advise("missing", text, f"if a signer has it: --signer SOCKET, see p2pnoise signer; else {_RESTORE}")
        return
    key = report.reading(lambda: _read_key(folder))
    if key is None:
        return
    if key.public != folder.public:
        text = f"{folder.key} is not the key that {folder.about} names"
        report.wrong("key-mismatch", text, _RESTORE, BINDING)
    fix = (
        "keep it where no network is, or in a process of its own: p2pnoise signer; new ones: p2pnoise issuer new --lock"
    )
    report.advise("unlocked", f"{folder.key} is not locked: whoever reads it can let anybody into the network", fix)


def _read_key(folder: IssuerFolder) -> IssuerKey | None:
    """The key; None where it is locked."""
    pem = files.read(folder.key, limit=_MAX_KEY, what="key file")
    if is_locked(pem):
        return None
    with naming(folder.key, _RESTORE):
        return IssuerKey.from_pem(pem)


def _check_statements(folder: IssuerFolder, report: Report) -> None:
    for fact in report.reading(lambda: file_facts(folder.statements)) or ():
        if isinstance(fact, Retirement) and fact.issuer == folder.public:
            fix = "make another issuer: p2pnoise issuer new NAME --network NET"
            report.wrong("retired", f"this issuer has ended itself, reason {fact.reason}", fix, REVOKED)
        if isinstance(fact, Delegation) and folder.public in (fact.issuer, fact.key):
            ours = fact.issuer == folder.public
            what = f"the delegation {'to' if ours else 'by'} {(fact.key if ours else fact.issuer).short}"
            fix = f"{'make' if ours else 'ask for'} the next one: p2pnoise issuer delegate"
            report.ending(what, fact.limits.not_before, fact.limits.not_after, "issuer-constraint", fix)


def _check_lists(folder: IssuerFolder, report: Report, lists: tuple[RevocationList, ...]) -> None:
    if len(lists) != 1:
        report.wrong("revocation-missing", f"{len(lists)} lists in {folder.revocations}, one expected", _PUBLISH)
    for one in lists:
        if one.issuer != folder.public:
            report.wrong("key-mismatch", f"{folder.revocations} holds a list of another issuer", _PUBLISH, BINDING)
        finding = one.check(network=folder.network, now=one.issued_at, leeway=0)
        report.findings([finding] if finding is not None else [])
        _check_clock(report, one.issued_at, f"list {one.sequence} was signed")
        if report.now >= one.next_due:
            text = f"list {one.sequence} was due {until(one.next_due, report.now)}: nodes let nobody new in"
            report.wrong("revocation-stale", text, _PUBLISH, TIME)
        elif report.is_soon(one.issued_at, one.next_due):
            text = f"list {one.sequence} is due {until(one.next_due, report.now)}"
            report.warn("revocation-stale", text, _PUBLISH)


def _check_clock(report: Report, signed: int, what: str) -> None:
    if report.now < max(BUILD_TIME, signed) - _LEEWAY:
        text = f"this clock says {clock_text(report.now)}, and {what} at {clock_text(signed)}"
        report.wrong("clock", text, "set the clock, for example with chrony or systemd-timesyncd", TIME)


def _check_registry(folder: IssuerFolder, report: Report, lists: tuple[RevocationList, ...]) -> None:
    with Registry.open(folder.registry, folder.public, folder.network) as registry:
        standing, grants = registry.standing(report.now), registry.grants()
    published = {entry.subject for one in lists for entry in one.entries if entry.until > report.now}
    revoked = {entry.subject for entry in standing}
    if revoked - published:
        text = f"revocations in no list yet, so that nodes know nothing of them: {len(revoked - published)}"
        report.wrong("unpublished", text, _PUBLISH, REVOKED)
    if published - revoked:
        text = (
            f"the registry is an older backup: revocations that the list has and it has not: {len(published - revoked)}"
        )
        report.wrong("rollback", text, "p2pnoise revoke publish, which takes them over from the list", CONFLICT)
    if grants:
        _check_clock(report, max(grant.issued_at for grant in grants), "the last grant was made")
    last = {grant.identity: grant for grant in grants}
    ending = [
        grant
        for grant in last.values()
        if report.now < grant.not_after and report.is_soon(grant.issued_at, grant.not_after)
        if bytes(grant.owner) not in revoked
    ]
    if ending:
        names = [grant.name or grant.identity for grant in ending]
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        text = f"grants that end soon: {' '.join(names[:_SHOWN])}{more}"
        report.warn("expired-app", text, "p2pnoise card issue REQUEST, or p2pnoise card renew, for each")
