"""Network namespaces: for each process a network of its own, whose one line out is a TUN that a relay reads.

A TUN (Linux) hands a program the packets that would leave, and takes those that arrive: kernel TCP on both ends, and
between them whatever the program does. Namespaces have no names here, so that they go with their processes.
"""

import ctypes
import errno
import fcntl
import os
import socket
import struct
import sys
from pathlib import Path

from cards import Address

__all__ = ["addresses", "enter", "impossible", "receive_tun"]

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000  # unshare(2)
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000  # linux/if_tun.h
SIOCGIFFLAGS, SIOCSIFFLAGS, SIOCSIFADDR, SIOCSIFNETMASK, SIOCSIFMTU = 0x8913, 0x8914, 0x8916, 0x891C, 0x8922
IFF_UP, IFF_RUNNING = 0x1, 0x40
MTU = 1_500
NAME = b"p2pnoise0"
TUN = Path("/dev/net/tun")
MOST = 250  # processes: as many descriptors of TUNs does the relay wait for


def impossible() -> str | None:
    """Why this machine has no namespaces with TUNs for us, in a sentence; None where it has."""
    if sys.platform != "linux":
        return "network namespaces are of Linux alone"
    if not os.access(TUN, os.R_OK | os.W_OK):
        return f"{TUN} is missing or may not be opened"
    pid = os.fork()
    if pid == 0:
        try:
            _unshare()
            os.close(_open_tun())
        except OSError as error:
            os._exit(error.errno or errno.EPERM)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return None if code == 0 else f"a network namespace with a TUN cannot be made: {os.strerror(code).lower()}"


def addresses(nodes: int) -> list[Address]:
    """One in a namespace of its own for each node."""
    return [Address(f"10.99.{number >> 8}.{number & 255}", 7060) for number in range(1, nodes + 1)]


def enter(address: Address, control: socket.socket) -> None:
    """Go into a new namespace with this address, and hand the other end of its line over by `control`."""
    _unshare()
    tun = _open_tun()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        _up(any_socket, b"lo")
        _configure(any_socket, SIOCSIFADDR, address.host)
        _configure(any_socket, SIOCSIFNETMASK, "255.255.0.0")
        fcntl.ioctl(any_socket, SIOCSIFMTU, struct.pack("16si", NAME, MTU))
        _up(any_socket, NAME)
    socket.send_fds(control, [b"t"], [tun])
    os.close(tun)


def receive_tun(control: socket.socket) -> int:
    """The line of a process that has entered its namespace. Raises OSError where it could not."""
    said, descriptors, _, _ = socket.recv_fds(control, 1, 1)
    if not said or not descriptors:
        raise OSError(errno.EPERM, impossible() or "a process could not enter its network namespace")
    return descriptors[0]


def _unshare() -> None:
    flags = CLONE_NEWNET if os.geteuid() == 0 else CLONE_NEWUSER | CLONE_NEWNET
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(flags) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _open_tun() -> int:
    tun = os.open(TUN, os.O_RDWR)
    fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", NAME, IFF_TUN | IFF_NO_PI))
    return tun


def _configure(any_socket: socket.socket, request: int, host: str) -> None:
    fcntl.ioctl(any_socket, request, struct.pack("16sHH4s8x", NAME, socket.AF_INET, 0, socket.inet_aton(host)))


def _up(any_socket: socket.socket, name: bytes) -> None:
    found = fcntl.ioctl(any_socket, SIOCGIFFLAGS, struct.pack("16sH14x", name, 0))
    flags = struct.unpack("16sH14x", found)[1] | IFF_UP | IFF_RUNNING
    fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sH14x", name, flags))
