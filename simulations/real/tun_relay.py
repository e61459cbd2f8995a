"""TUN relay: carries IP packets between network namespaces, late and with losses, as no wire of this machine would.

A law for all lines: each packet takes `delay` seconds, give or take `jitter`, in order for each pair of hosts; a share
of `loss` is dropped, which TCP in the kernels on both ends then mends.
"""

import heapq
import os
import select
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from cards import Address

__all__ = ["RelayLaw", "run"]

MTU = 1_600  # bytes of a packet that are read; larger than any that is sent
HEADER = 20  # bytes of an IPv4 header, at least


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayLaw:
    """Seconds one way, and a share of all packets."""

    delay: float = 0.0
    jitter: float = 0.0
    loss: float = 0.0


def run(tuns: Sequence[int], addresses: Sequence[Address], law: RelayLaw, *, seed: int) -> None:
    """Relay between these lines, each the one of the address at its place, until ended."""
    to = {socket.inet_aton(address.host): tun for address, tun in zip(addresses, tuns, strict=True)}
    chance = Random(seed)  # noqa: S311 - which packets are late and lost may be known
    waiting: list[tuple[float, int, int, bytes]] = []  # (when, order, where to, what)
    last: dict[bytes, float] = {}  # source and target -> when the last packet of theirs is due
    order = 0
    for tun in tuns:
        os.set_blocking(tun, False)
    while True:
        pause = max(0.0, waiting[0][0] - time.monotonic()) if waiting else None
        # select(2) counts in microseconds where poll(2) and epoll count in milliseconds.
        for tun in select.select(tuns, (), (), pause)[0]:
            packet = os.read(tun, MTU)
            target = to.get(packet[16:20]) if len(packet) >= HEADER and packet[0] >> 4 == 4 else None
            if target is None or (law.loss and chance.random() < law.loss):
                continue
            pair = packet[12:20]
            due = time.monotonic() + law.delay + (2 * chance.random() - 1) * law.jitter
            due = last[pair] = max(due, last.get(pair, 0.0))
            order += 1
            heapq.heappush(waiting, (due, order, target, packet))
        now = time.monotonic()
        while waiting and waiting[0][0] <= now:
            _, _, target, packet = heapq.heappop(waiting)
            try:
                os.write(target, packet)
            except OSError:  # full, or whoever was there is gone: as on a wire, it is lost
                continue
