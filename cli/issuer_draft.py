"""`p2pnoise issuer manifest` and `issuer sign`: what several issuers sign, each on a machine of its own."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from shlex import quote
from typing import Any

import click

from cards import CardError, Draft, IssuerId, Manifest, Retirement
from cards.findings import MALFORMED, UNTRUSTED, USAGE

from . import documents, files, options
from .folders import IssuerFolder
from .output import Fault, answer, answer_json, rows, say
from .paper import Paper
from .powers import Powers


@click.command()
@click.option("--threshold", type=click.IntRange(1), required=True, help="how many of them must agree from then on")
@click.option(
    "--issuer",
    "issuers",
    multiple=True,
    required=True,
    metavar="[NAME=]issuer1...",
    callback=options.issuers,
    help="an issuer of the network; repeat it for each",
)
@click.option("--by", multiple=True, metavar="NAME|issuer1...", help="who is to sign; all of these if not given")
@click.option("--previous", type=options.FILE, help="the manifest before; without it this is the first")
@click.option("--network", callback=options.checked_name(32), metavar="NET", help="where no manifest before names it")
@click.option("-o", "--output", type=options.FILE, default=files.STREAM, help="write here; stdout if not given")
@options.force
@options.as_json
def manifest(
    *,
    threshold: int,
    issuers: Mapping[str, IssuerId],
    by: tuple[str, ...],
    previous: str | None,
    network: str | None,
    output: str,
    force: bool,
    as_json: bool,
) -> None:
    """Draft the manifest: which issuers the network has, and how many must agree.

    Nodes then ask for as many, and for no issuer that is not in it. No key is needed to draft. It is in force when
    all whom --by names have signed, one after the other, with p2pnoise issuer sign: as many of its issuers as it asks
    for, and as many of those in the manifest before as that asks for. The first takes two, where there are two.

    \b
    Examples:
      p2pnoise issuer manifest --threshold 2 --network example-net --issuer ops=issuer1... --issuer lab=issuer1... \\
        -o first.draft
      p2pnoise issuer manifest --threshold 1 --issuer ops=issuer1... --by ops --by issuer1... \\
        --previous first.manifest -o second.draft
    """
    if output != files.STREAM:
        files.check_target(Path(output), force=force)
    old, now = _read_previous(previous), options.now()
    if network is None and old is None:
        raise click.UsageError("--network is needed where no manifest before names it")
    if old is not None and network not in (None, old.network):
        raise Fault(f"the manifest before is for network {old.network}", "leave out --network", code=UNTRUSTED)
    network = old.network if old is not None else network
    signers = [issuers[name] if name in issuers else IssuerId.parse(name) for name in by] or issuers.values()
    values = {
        "net": network,
        "iat": now,
        "ver": old.version + 1 if old is not None else 1,
        "thr": threshold,
        "iss": _sorted(issuers.values()),
        "by": _sorted(signers),
    }
    paper = Paper(_draft(Manifest, values, "ask for fewer with --threshold, or have more of them sign with --by"), old)
    paper.check(str(network), now)
    names = {bytes(key): name for name, key in issuers.items()}
    paper.hand_out(output, paper.lines(now, names), force=force, as_json=as_json)


def retire_other(
    folder: IssuerFolder,
    other: IssuerId,
    by: Iterable[IssuerId],
    *,
    reason: str,
    output: str,
    force: bool,
    as_json: bool,
) -> None:
    """Draft the end of another issuer, for these to sign. Raises `Fault`."""
    now = options.now()
    values = {"net": folder.network, "iat": now, "iss": bytes(other), "reason": reason, "by": _sorted(by)}
    paper = Paper(_draft(Retirement, values, "an issuer ends itself with p2pnoise issuer retire, without --other"))
    paper.hand_out(output, paper.lines(now, {}), force=force, as_json=as_json)


@click.command()
@click.argument("file", type=options.FILE)
@click.option("-o", "--output", type=options.FILE, help="sign it, and write it here; - for stdout")
@options.force
@options.issuer_home
@options.as_json
def sign(*, file: str, output: str | None, force: bool, folder: IssuerFolder, as_json: bool) -> None:
    """Show what was drafted for this issuer to sign, and sign it.

    FILE is a draft of a manifest, or of the retirement of another issuer. Without --output it is shown, and nothing is
    signed. What comes, stays and goes is told by the manifest before it, which lies in FILE too: compare that with what
    p2pnoise trust show says on a node. Whoever signs last has the statement itself, for p2pnoise trust apply.

    \b
    Examples:
      p2pnoise issuer sign first.draft
      p2pnoise issuer sign first.draft -o first.manifest
    """
    paper, now = Paper.read(file), options.now()
    paper.check(folder.network, now)
    names = {bytes(folder.public): "this issuer"}
    if output is None:
        answer_json(paper.to_json(None)) if as_json else answer(*paper.lines(now, names))
        say(f"nothing is signed; if that is meant: p2pnoise issuer sign {quote(file)} -o FILE")
        return
    if output != files.STREAM:
        files.check_target(Path(output), force=force)
    paper.check_turn(folder.public)
    say(*paper.lines(now, names))  # before a passphrase is asked for
    with folder.open() as issuer:
        Powers.read(folder, issuer).check_alive()
        paper = paper.sign(issuer.key)
    paper.hand_out(output, rows(*paper.signers(names)), force=force, as_json=as_json)


def _draft(kind: type[Manifest] | type[Retirement], values: Mapping[str, Any], fix: str) -> Draft:
    try:
        return Draft.make(kind, values)
    except CardError as error:
        raise Fault(str(error), fix, code=USAGE) from None


def _read_previous(path: str | None) -> Manifest | None:
    """The newest manifest in a file, where one is named. Raises `Fault`."""
    if path is None:
        return None
    document = documents.read(path)
    found = [one for one in document.statements if isinstance(one, Manifest)]
    if not found:
        fix = "give what the last of its issuers wrote with p2pnoise issuer sign"
        raise Fault(f"{document.name} holds no manifest", fix, code=MALFORMED)
    return max(found, key=lambda one: one.version)


def _sorted(keys: Iterable[IssuerId]) -> list[bytes]:
    return sorted({bytes(key) for key in keys})
