"""Unconnected: situations in which two nodes are not linked, each prepared with real daemons, and what is the cause.

Ada's operator asks about bob, unless it says otherwise. What her node has told by then stands beside each.
"""

import shutil
import socket
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.cli.daemons import DAY, Daemons, Issuer
from tests.cli.processes import COMMAND, Daemon

__all__ = ["SITUATIONS", "Situation"]


@dataclass(frozen=True)
class Situation:
    """Whose operator asks, by which name, and what `p2pnoise explain` is to find."""

    home: Path
    peer: str
    cause: str


def wrong_network(daemons: Daemons) -> Situation:
    """Bob is a node of another network, at an address that ada was given."""
    daemons.member("bob", issuer=Issuer(network="other-net"))
    bob, ada = _dialled(daemons)
    ada.wait("peer-refused", name="bob")
    return Situation(ada.home, bob.address, "wrong-network")


def wrong_network_of_a_known_key(daemons: Daemons) -> Situation:
    """The same, and ada was given bob's Node ID, too: he is shown her card first, and says nothing."""
    daemons.member("bob", issuer=Issuer(network="other-net"))
    bob, ada = _dialled(daemons, by_key=True)
    ada.wait("dial-failed")
    return Situation(ada.home, bob.bootstrap, "wrong-network")


def expired(daemons: Daemons) -> Situation:
    """Bob's card and its grant ended yesterday."""
    daemons.member("bob", made=-31 * DAY)
    _, ada = _dialled(daemons)
    ada.wait("peer-refused", name="bob")
    return Situation(ada.home, "bob", "expired")


def expired_grant(daemons: Daemons) -> Situation:
    """Bob's card holds, and the grant on it ended yesterday."""
    home = daemons.member("bob")
    old = daemons.issuer.card(home, "bob", made=-31 * DAY, lifetime=5 * 365 * DAY)
    daemons.install(home, daemons.issuer.regrant(old, made=-31 * DAY, lifetime=30 * DAY))
    _, ada = _dialled(daemons)
    ada.wait("peer-refused", name="bob")
    return Situation(ada.home, "bob", "expired-app")


def expired_here(daemons: Daemons) -> Situation:
    """Ada's own card ended yesterday."""
    daemons.member("bob")
    _, ada = _dialled(daemons, made=-31 * DAY)
    ada.wait("own-card-rejected")
    ada.wait("dial-failed")
    return Situation(ada.home, "bob", "expired")


def revoked(daemons: Daemons) -> Situation:
    """They were linked; then bob's card was taken back, by a list that ada has."""
    ada, _ = daemons.pair()
    (ada.home / "revocations.pem").write_text(daemons.issuer.revocations(daemons.card("bob"), sequence=2))
    ada.wait("peer-lost", name="bob")
    return Situation(ada.home, "bob", "revoked")


def revoked_here(daemons: Daemons) -> Situation:
    """They were linked; then ada's own card was taken back, by a list that bob alone has."""
    ada, bob = daemons.pair()
    (bob.home / "revocations.pem").write_text(daemons.issuer.revocations(daemons.card("ada"), sequence=2))
    ada.wait("peer-lost", name="bob")
    return Situation(ada.home, "bob", "revoked")


def not_yet_valid(daemons: Daemons) -> Situation:
    """Bob's card was made now and begins the day after tomorrow."""
    home = daemons.member("bob")
    daemons.install(home, daemons.issuer.card_of_later(home, "bob", begins=2 * DAY))
    _, ada = _dialled(daemons)
    ada.wait("peer-refused", name="bob")
    return Situation(ada.home, "bob", "not-yet-valid")


def unknown_issuer(daemons: Daemons) -> Situation:
    """Bob's card is of an issuer whom ada does not believe."""
    daemons.member("bob", issuer=Issuer("lab"))
    _, ada = _dialled(daemons)
    ada.wait("peer-refused", name="bob")
    return Situation(ada.home, "bob", "unknown-issuer")


def unknown_issuer_there(daemons: Daemons) -> Situation:
    """Ada believes bob's issuer, and he does not believe hers."""
    lab = Issuer("lab")
    daemons.member("bob", issuer=lab)
    home = daemons.member("ada")
    (home / "policy.toml").write_text(f'{daemons.issuer.policy}\n[issuer.lab]\nkey = "{lab.key.public}"\n')
    (home / "revocations.pem").write_text(daemons.issuer.revocations() + lab.revocations())
    bob = daemons.run("bob")
    ada = daemons.run("ada", "--bootstrap", bob.bootstrap)
    ada.wait("dial-failed")
    return Situation(ada.home, bob.bootstrap, "refused-silently")


def wrong_address(daemons: Daemons) -> Situation:
    """Carol answers at the address that ada was given for bob."""
    daemons.member("bob")
    daemons.member("carol")
    carol, ada = _dialled(daemons, "carol", as_node=str(daemons.card("bob").node_id))
    ada.wait("dial-failed")
    return Situation(ada.home, f"{daemons.card('bob').node_id}@{carol.address}", "wrong-address")


def nobodys_host(daemons: Daemons) -> Situation:
    """The name of the host at which ada was told to dial is nobody's."""
    daemons.member("bob")
    daemons.member("ada")
    ada = daemons.run("ada", "--bootstrap", f"{daemons.card('bob').node_id}@nobody.invalid:7060")
    ada.wait("dial-failed")
    return Situation(ada.home, f"{daemons.card('bob').node_id}@nobody.invalid:7060", "unreachable")


def no_node_there(daemons: Daemons) -> Situation:
    """Something else listens at the address, which greets whoever connects in a way of its own."""
    daemons.member("bob")
    daemons.member("ada")
    port = daemons.greet(b"SSH-2.0-OpenSSH_9.6\r\n")
    ada = daemons.run("ada", "--bootstrap", f"{daemons.card('bob').node_id}@127.0.0.1:{port}")
    ada.wait("dial-failed")
    return Situation(ada.home, f"{daemons.card('bob').node_id}@127.0.0.1:{port}", "no-handshake")


def refused_port(daemons: Daemons) -> Situation:
    """Bob does not run: nobody listens at his port."""
    daemons.member("bob")
    daemons.member("ada")
    with socket.create_server(("127.0.0.1", 0)) as closed:
        place = f"{daemons.card('bob').node_id}@127.0.0.1:{closed.getsockname()[1]}"
    ada = daemons.run("ada", "--bootstrap", place)
    ada.wait("dial-failed")
    return Situation(ada.home, place, "refused-port")


def clock_behind(daemons: Daemons) -> Situation:
    """Ada's clock is a day behind, bob's card was made just now, and nothing newer tells her what time it is.

    Where her issuer's list is as new as bob's card, she goes by that and not by her clock, and they are linked.
    """
    daemons.member("bob", list_made=-10 * DAY)
    _, ada = _dialled(daemons, shift=-DAY, list_made=-10 * DAY, made=-10 * DAY)
    ada.wait("peer-refused", name="bob")
    return Situation(ada.home, "bob", "clock")


def clock_behind_there(daemons: Daemons) -> Situation:
    """Bob's clock is a day behind, so that he takes ada's card, which was made just now, for one of tomorrow."""
    daemons.member("bob", list_made=-10 * DAY, made=-10 * DAY)
    daemons.member("ada", list_made=-10 * DAY)
    bob = daemons.run("bob", shift=-DAY)
    ada = daemons.run("ada", "--bootstrap", bob.bootstrap)
    ada.wait("dial-failed")
    return Situation(ada.home, bob.bootstrap, "not-trusted")


def clock_ahead(daemons: Daemons) -> Situation:
    """Ada's clock is a day ahead, and the grants of all have some hours left."""
    daemons.member("bob", lifetime=DAY // 2)
    _, ada = _dialled(daemons, shift=DAY, lifetime=DAY // 2)
    ada.wait("own-card-rejected")
    ada.wait("peer-refused", name="bob")  # before, she knows nobody of that name
    return Situation(ada.home, "bob", "expired")


def duplicate_node(daemons: Daemons) -> Situation:
    """Bob's folder was copied, and both run: ada is linked with the first, and refuses the other."""
    ada, bob = daemons.pair()
    _copy(daemons, bob, ada)
    ada.wait("duplicate-node", name="bob")
    return Situation(ada.home, "bob", "duplicate-node")


def duplicate_node_here(daemons: Daemons) -> Situation:
    """The same, as the copy sees it: its operator asks about ada."""
    ada, bob = daemons.pair()
    copy = _copy(daemons, bob, ada)
    copy.wait("refused-by-peer")
    return Situation(copy.home, "ada", "duplicate-node")


def banned(daemons: Daemons) -> Situation:
    """They were linked; then ada's operator banned bob."""
    ada, _ = daemons.pair()
    subprocess.run([*COMMAND, "ban", "bob", "--reason", "floods us", "--home", ada.home], check=True)
    ada.wait("peer-lost", name="bob")
    return Situation(ada.home, "bob", "banned")


def banned_there(daemons: Daemons) -> Situation:
    """They were linked; then bob's operator banned ada, who is told no more than that she is not trusted."""
    ada, bob = daemons.pair()
    subprocess.run([*COMMAND, "ban", "ada", "--home", bob.home], check=True)
    ada.wait("peer-lost", name="bob")
    return Situation(ada.home, "bob", "not-trusted")


SITUATIONS: dict[str, Callable[[Daemons], Situation]] = {
    one.__name__: one
    for one in (
        wrong_network,
        wrong_network_of_a_known_key,
        expired,
        expired_grant,
        expired_here,
        revoked,
        revoked_here,
        not_yet_valid,
        unknown_issuer,
        unknown_issuer_there,
        wrong_address,
        nobodys_host,
        no_node_there,
        refused_port,
        clock_behind,
        clock_behind_there,
        clock_ahead,
        duplicate_node,
        duplicate_node_here,
        banned,
        banned_there,
    )
}


def _dialled(daemons: Daemons, whom="bob", *, as_node=None, by_key=False, shift=0, **options) -> tuple[Daemon, Daemon]:
    """Whom ada dials, and ada, who has a card with these options; by the Node ID `as_node`, or none."""
    daemons.member("ada", **options)
    bob = daemons.run(whom)
    place = bob.bootstrap if by_key else f"{as_node}@{bob.address}" if as_node else bob.address
    return bob, daemons.run("ada", "--bootstrap", place, shift=shift)


def _copy(daemons: Daemons, one: Daemon, other: Daemon) -> Daemon:
    """A copy of a node's folder, which runs beside it and dials another."""
    shutil.copytree(one.home, daemons.path / "copy", ignore=shutil.ignore_patterns("*.sock", "node.db*", "*.lock"))
    return daemons.run("copy", "--bootstrap", other.bootstrap)
