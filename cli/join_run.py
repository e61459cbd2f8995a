"""`p2pnoise join run`: from a machine that has nothing to a node that others trust, by a join token."""

# ruff: noqa: PLC0415 - trio is loaded only where something runs

import os
from pathlib import Path
from typing import NoReturn

import click

from cards import Address, Card, CardError, IdentityKey, NodeKey, Policy, verify_card
from cards.fields import name as name_field
from cards.findings import UNEXPECTED
from cards.text import MAX_ARMOR
from p2pnoise.config import listen_address
from p2pnoise.enrolment import MAX_TOKEN, REASONS, Granted, JoinToken, Pending, Refused

from . import documents, files, options, passphrase
from .card_install import put_in_place
from .folders import NodeFolder
from .output import Fault, answer, answer_json, rows, say
from .owner import keep, sign_next

_LIFETIME = 5 * 365 * options.DAY  # of a card, as p2pnoise card request makes them
_TRIES = 3  # at an issuer that was never reached; a guess
_LONGEST_PAUSE = 60.0  # seconds between two tries at one that was; a guess
_PASSING = ("busy", "unreachable")
_WRONG_ISSUER = ("unknown-issuer", "threshold", "chain-too-long", "app-signature-invalid")


@click.command()
@click.argument("token", metavar="TOKEN|FILE|-")
@click.option(
    "--name", callback=options.checked_name(64), help="what people call the node; that of the token if it has one"
)
@click.option(
    "--listen",
    multiple=True,
    callback=lambda _ctx, _parameter, values: tuple(map(listen_address, values)),
    metavar="HOST:PORT",
    help="where the node is to accept connections, for node.toml; may be repeated",
)
@click.option("--wait/--no-wait", default=True, help="wait for an operator or a signer; so it does if not told")
@click.option("--run", "then_run", is_flag=True, help="run the node at once: p2pnoise run")
@options.home
@passphrase.option
@options.as_json
def run(
    *,
    token: str,
    name: str | None,
    listen: tuple[Address, ...],
    wait: bool,
    then_run: bool,
    home: NodeFolder,
    as_json: bool,
) -> None:
    """Make this machine a node of a network, by a join token.

    Its keys are made here and stay here. It asks where the token says, installs the card that it gets, and writes
    policy.toml, which believes the token's issuer alone, and node.toml with peers to begin with. Run it again after a
    crash, or when an operator has approved: it goes on where it was. A token on the command line can be read by others
    on this machine: give a file, or - for standard input.

    \b
    Examples:
      p2pnoise join run db-03.token
      ssh issuer p2pnoise join token --name db-03 | p2pnoise join run - --run
      p2pnoise join run db-03.token --no-wait --json
    """
    import trio

    held = _read(token)
    name = _name(held, name)
    key, card = _request(home, held, name)
    granted = trio.run(_wait_for_card, held, key, card, wait)
    document = _check(granted, held, card)
    issuer = {_issuer_name(granted.name, held): held.issuer}
    put_in_place(document, home, issuer, options.now())
    _write_config(home.config, granted, listen)
    peers = [str(peer) for peer in granted.peers]
    if as_json:
        view = {"card": document.card.to_json(), "home": str(home.path), "issuer": str(held.issuer), "peers": peers}
        answer_json({"ok": True, **view})
    else:
        answer(
            *rows(
                ("joined", held.network),
                ("as", document.card.label),
                ("node", str(document.card.node_id)),
                ("folder", str(home.path)),
                ("begins at", " ".join(peers)),
            )
        )
    if not then_run:
        say("next: p2pnoise run")
        return
    from . import run as run_verb

    json_word = ["--json"] if as_json else []
    run_verb.command.main(["--home", str(home.path), *json_word], "p2pnoise run", standalone_mode=False)


def _read(token: str) -> JoinToken:
    """The token on the command line, in a file, or on stdin. Raises `Fault` or `CardError`; it repeats none of it."""
    if token.startswith("join1"):
        say(
            "warning: others on this machine can read a token on the command line while this runs",
            "fix: p2pnoise join run FILE, or - for standard input",
        )
        return JoinToken.parse(token)
    read = files.read if token == files.STREAM else files.read_secret
    where = token if token == files.STREAM else Path(token)
    data = read(where, limit=MAX_TOKEN + 2, what="join token")  # type: ignore[arg-type]
    return JoinToken.parse(data.decode("latin-1").strip())


def _name(token: JoinToken, name: str | None) -> str | None:
    if token.name is not None and name not in (None, token.name):
        _refuse("token-name", f"it is for {token.name}")
    return token.name or name


def _request(home: NodeFolder, token: JoinToken, name: str | None) -> tuple[NodeKey, Card]:
    """The node key and the card to be granted, both made here unless they are here from an earlier run."""
    files.make_folder(home.path)
    with files.lock(home.path):
        if not home.identity_key.exists() and not home.node_key.exists():
            files.write(home.identity_key, IdentityKey.generate(os.urandom).to_pem(), secret=True)
        identity = home.read_identity()
        if not home.node_key.exists():  # a run before this one may have come so far
            files.write(home.node_key, NodeKey.generate(os.urandom).to_pem(), secret=True)
        key = home.read_node()
        if token.identity not in (None, identity.public):
            _refuse("token-identity", f"it is for {token.identity}, here is {identity.public}")
        installed, last = home.read_card(), home.read_request()
        if installed is not None and installed.network != token.network:
            text = f"{home.path} holds a card for network {installed.network}, the token is for {token.network}"
            raise Fault(text, "join from another folder: --home", code=REASONS["not-granted"].exit)
        same = last is not None and (last.network, last.name, last.node_id) == (token.network, name, key.public)
        if last is not None and same and last.identity == identity.public and options.now() < last.not_after:
            return key, last.with_grants(())
        card = sign_next(home, identity, key, network=token.network, name=name, lifetime=_LIFETIME)
        keep(home, card)
        return key, card


async def _wait_for_card(token: JoinToken, key: NodeKey, card: Card, wait: bool) -> Granted:  # noqa: FBT001 - trio.run's way
    """Ask until there is an answer that is for good. Raises `Fault`."""
    import trio

    from .daemon.joining import NobodyThere, ask_to_join, ask_what_became

    waits_for, tries = "", 0
    while True:
        pause = min(2.0**tries, _LONGEST_PAUSE)
        try:
            found = await (ask_what_became(token, key) if waits_for else ask_to_join(token, key, card.raw))
        except NobodyThere as error:
            found = Refused("unreachable", str(error))
        match found:
            case Granted():
                return found
            case Pending(code, seconds) if wait:
                if waits_for != code:
                    say(REASONS.get(code, REASONS["pending"]).text, "this waits; to stop and run it again does no harm")
                waits_for, tries, pause = code, 0, max(1.0, float(seconds))
            case Pending(code):
                _refuse(code)
            case Refused(code, text):
                tries += 1
                if code not in _PASSING or not wait or (not waits_for and tries >= _TRIES):
                    _refuse(code, text)
        await trio.sleep(pause)


def _refuse(code: str, text: str = "") -> NoReturn:
    reason = REASONS.get(code)
    if reason is None:  # of a newer issuer
        raise Fault(f"NOT JOINED  {code}: {text or 'the issuer says no more'}", "ask the issuer", code=UNEXPECTED)
    more = f" ({text})" if text else ""
    raise Fault(f"NOT JOINED  {code}: {reason.text}{more}", reason.hint, code=reason.exit)


def _check(granted: Granted, token: JoinToken, card: Card) -> documents.Document:
    """What was granted, if it is our card with a grant of the issuer that the token names. Raises `Fault`."""
    if len(granted.document) > MAX_ARMOR or not granted.document:
        _refuse("issuer-mismatch", "its answer holds no card")
    document = documents.parse("the issuer's answer", granted.document)
    if document.card.card_id != card.card_id:
        _refuse("issuer-mismatch", "it granted another card than ours")
    policy = Policy(network=token.network, issuers={"issuer": token.issuer})
    from .trust_state import believe

    facts, _ = believe(policy, document.facts, options.now())
    verdict = verify_card(document.card, policy=policy, now=options.now(), facts=facts)
    if any(finding.code in _WRONG_ISSUER for finding in verdict.errors):
        _refuse("issuer-mismatch", "; ".join(finding.message for finding in verdict.errors))
    return document


def _issuer_name(name: str, token: JoinToken) -> str:
    """What to call the issuer in policy.toml."""
    try:
        return str(name_field(64)(name, "issuer name"))
    except CardError:
        return str(token.issuer)[:14]


def _write_config(path: Path, granted: Granted, listen: tuple[Address, ...]) -> None:
    """Where to begin and where to listen, for p2pnoise run. What people wrote there stays as it is."""
    said = {"listen": listen, "peers": granted.peers}
    lines = [f"{key} = [{', '.join(map(_quoted, values))}]" for key, values in said.items() if values]
    text = "".join(f"{line}\n" for line in ("# Written by p2pnoise join run; p2pnoise run reads it.", *lines)).encode()
    if not granted.peers:
        say("the issuer named no peers to begin with: p2pnoise run --bootstrap [NODE@]HOST:PORT")
    if lines and not path.exists():
        files.write(path, text)
    elif lines and path.read_bytes() != text:
        say(f"{path} is there already and stays as it is; it may say:", *lines)


def _quoted(value: object) -> str:
    return f'"{value}"'
