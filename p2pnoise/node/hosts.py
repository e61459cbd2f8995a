"""Hosts: what keeps others from making us dial whom they like: an address that they name counts by its host (P20).

Whoever has a card can name any address in its record, of its own or of somebody who has nothing to do with us; and as
many ports of one host as it has cards. What our operator or an application wants is not asked about here. No I/O; time
is handed in, in monotonic nanoseconds.
"""

import ipaddress
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from cards import Address, NodeId
from p2pnoise.instant import SECOND

FEW = 2  # addresses of a host where nobody has answered us yet that may fail in succession: then one dial a minute
MANY = 16  # the same where somebody has, or where we live: a NAT, or a machine with many nodes; a guess
PAUSE = 60 * SECOND  # between two dials of a host that is held back: rule P20
BLOCK = 3600 * SECOND  # for an address at which another node answered: the same
MAX_REMEMBERED = 10_000  # hosts, and as many addresses; the oldest are forgotten first

_PRIVATE = tuple(
    map(ipaddress.ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"))
)
_LOCAL, _NEAR, _WILDCARD = "loopback", "private", "wildcard"


@lru_cache(maxsize=16_384)
def scope_of(host: str) -> str | None:
    """Where alone this host means what its namer meant: on one machine, one wire, in one site; None for anywhere."""
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        return _LOCAL if host == "localhost" or host.endswith(".localhost") else None
    if ip.is_unspecified:  # systems take it for their own
        return _WILDCARD
    if ip.is_loopback:
        return _LOCAL
    if ip.is_link_local:
        return "link-local"
    return _NEAR if any(ip in network for network in _PRIVATE) else None


def _is_name(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return scope_of(host) is None
    return False


@dataclass(slots=True)
class _Host:
    answered: bool = False
    failed: set[Address] = field(default_factory=set)  # since somebody answered last, `MANY` at most
    not_before: int = 0


@dataclass(slots=True)
class _Elsewhere:
    """Another node than the one that was dialled has answered at an address."""

    node_id: bytes
    since: int
    until: int
    again: bool


class Hosts:
    """By host and by address, whoever is said to live there. Bounded by `MAX_REMEMBERED`."""

    def __init__(self) -> None:
        self._hosts: OrderedDict[str, _Host] = OrderedDict()
        self._elsewhere: OrderedDict[Address, _Elsewhere] = OrderedDict()
        self._scopes: set[str | None] = {None}
        self._homes: set[str | None] = set()  # of these, where we live ourselves

    def live_at(self, addresses: Iterable[Address]) -> None:
        """We listen there, or have others dial us there: those who live in such a place may be our neighbours."""
        self._homes |= {scope_of(address.host) for address in addresses} - {_WILDCARD, None}
        self._scopes |= self._homes

    def begin_at(self, addresses: Iterable[Address]) -> None:
        """Our operator has us begin there: within a site, say. A loopback address is the end of a tunnel.

        A name may be one of a site; what it stands for is known where it is dialled alone.
        """
        hosts = [address.host for address in addresses]
        if any(scope_of(host) == _NEAR or _is_name(host) for host in hosts):
            self._scopes.add(_NEAR)

    def believes(self, address: Address) -> bool:
        """Whether this address may mean to us what it means to whoever named it."""
        return scope_of(address.host) in self._scopes

    def failed(self, address: Address, now: int) -> None:
        """Nobody answered there, or nobody who knows the protocol or is who was dialled."""
        host = self._hosts.pop(address.host, None) or _Host()
        self._hosts[address.host] = host
        if len(host.failed) < MANY:
            host.failed.add(address)
        if len(host.failed) >= self._most(address.host):
            host.not_before = now + PAUSE
        _forget(self._hosts)

    def answered(self, address: Address, node_id: NodeId) -> None:
        """This peer, whom we had dialled there, is who it should be."""
        self._hosts.pop(address.host, None)
        self._hosts[address.host] = _Host(answered=True)
        known = self._elsewhere.get(address)
        if known is not None and known.node_id != node_id:  # it has moved there
            del self._elsewhere[address]
        _forget(self._hosts)

    def elsewhere(self, address: Address, node_id: bytes, now: int) -> None:
        """This node answered there, and another was dialled."""
        known = self._elsewhere.pop(address, None)
        again = known is not None and now < known.since + BLOCK
        self._elsewhere[address] = _Elsewhere(node_id, now, now + BLOCK, again)
        _forget(self._elsewhere)

    def named(self, address: Address) -> None:
        """A new record names it: who answered may have moved. Once in an hour, or whoever signs records is believed."""
        known = self._elsewhere.get(address)
        if known is not None and not known.again:
            known.until = 0

    def blocked_until(self, address: Address, node_id: NodeId) -> int:
        """Until when this node is not looked for there, since another has answered."""
        known = self._elsewhere.get(address)
        return known.until if known is not None and known.node_id != node_id else 0

    def not_before(self, address: Address, node_id: NodeId) -> int:
        """Until when this node is not dialled there: another has answered, or the host is held back."""
        host = self._hosts.get(address.host)
        free_at = host.not_before if host is not None else 0
        return max(free_at, self.blocked_until(address, node_id)) if self._elsewhere else free_at

    def room(self, host: str) -> int:
        """How many may be dialled at this host at once."""
        known = self._hosts.get(host)
        return max(self._most(host) - (len(known.failed) if known is not None else 0), 1)

    def _most(self, host: str) -> int:
        """How many may fail there: more where somebody has answered, and where we live ourselves."""
        known = self._hosts.get(host)
        return MANY if (known is not None and known.answered) or scope_of(host) in self._homes else FEW


def _forget(remembered: OrderedDict[Any, Any]) -> None:
    if len(remembered) > MAX_REMEMBERED:
        remembered.popitem(last=False)
