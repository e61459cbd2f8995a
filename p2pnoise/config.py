"""Configuration of a node's core: limits and intervals, each with its source. Times in seconds."""

from dataclasses import dataclass
from typing import Literal

from cards import Address, NodeId


def listen_address(text: Address | str) -> Address:
    """Where to listen, from `host:port`, where port 0 means any free one. Raises `CardError` bad-address."""
    if isinstance(text, Address):
        return text
    # No card or record may name port 0, so that an address that others could dial never has it.
    return Address(Address.parse(text[:-1] + "1").host, 0) if text.endswith(":0") else Address.parse(text)


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """Where to begin: an address, and the Node ID that must answer there, where it is known."""

    address: Address
    node_id: NodeId | None = None

    @classmethod
    def parse(cls, text: str) -> "Bootstrap":
        """From `host:port` or `node1…@host:port`. Raises `CardError` bad-address, bad-node-id or text-invalid."""
        node, separator, address = text.rpartition("@")
        return cls(Address.parse(address), NodeId.parse(node) if separator else None)

    def __str__(self) -> str:
        return f"{self.node_id}@{self.address}" if self.node_id is not None else str(self.address)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeConfig:
    """How one node behaves; the defaults suit a handful as well as a few hundred nodes."""

    bootstrap: tuple[Bootstrap, ...] = ()
    """Where to begin when the table knows nobody."""

    accept: tuple[Literal["XX", "IK"], ...] = ("XX", "IK")
    """Patterns that a dialler may begin with. IK alone answers nobody who does not know our key, and switches off the
    fallback of both sides. Protocol rule P13."""

    target_links: int = 8
    """Dials are made until this many links stand. HyParView's active view is 5; 8 survive 80 % failures (measured)."""

    max_links: int = 128
    """Connections in any state, ours and others'; further ones are closed at once. A guess: 128 links of 10 KiB."""

    max_handshakes: int = 64
    """Of these, how many may be unproven; above it newcomers are closed at once, so that strangers cannot fill all."""

    max_handshakes_per_host: int = 32
    """Unproven connections from one IP address: half of the above, so that one host cannot fill it."""

    handshake_timeout: float = 10.0
    """From a connection to its first HELLO, and from there to a verified peer: three round trips each. A guess."""

    ping_interval: float = 15.0
    """Silence after which a peer is asked whether it is there. Half of the shortest NAT timeouts in use (30 s)."""

    ping_timeout: float = 10.0
    """Silence after a ping that ends the link. A guess."""

    clone_timeout: float = 2.0
    """How long an old link has to answer when another node turns up with its key. Protocol rule P11."""

    close_timeout: float = 5.0
    """How long a link that was ended may take to say goodbye. Protocol rule P11, "drains within 5 s"."""

    backoff_base: float = 0.5
    """First pause after a failed dial, doubled each time, with jitter of a half."""

    backoff_limit: float = 300.0
    """The longest pause between two dials of one address."""

    deference: float = 1.0
    """How long the higher Node ID leaves a newly learned peer to the lower one, or both would dial at once."""

    max_streams: int = 128
    """Streams of one link that either side may have open at once; one more is refused as busy. A guess."""

    stream_window: int = 256 * 1024
    """Bytes that a stream may be sent before they are read: yamux's window, and its least. A stream carries at most
    this much in a round trip; a link holds at most 2 * `max_streams` of them, 64 MiB."""

    idle_timeout: float = 60.0
    """How long a link that was dialled for a stream stays without one, where enough others stand. A guess."""

    drain_timeout: float = 1.0
    """How long a link without streams stays when another one to its peer has taken its place: the peer may just be
    opening one on it. A guess: more than a round trip."""

    rekey_interval: float = 300.0
    """How long a link uses its keys. Protocol rule P15: 5 minutes."""

    rekey_bytes: int = 1024 * 1024 * 1024
    """How many bytes, of both directions, a link uses its keys for. Protocol rule P15: 1 GiB."""

    record_refresh: float = 86400.0
    """How often our address record is made anew. Protocol rule P2: daily."""

    list_warning: float = 5 * 86400.0
    """How long before a list is due the operator is told. A guess: a working week."""
