"""p2pnoise: a private peer-to-peer network whose node IDs are Noise keys. Applications import from here only.

Names are loaded when they are first used, so that a program which only verifies cards never waits for trio.
"""

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from cards import (
        Address,
        AddressRecord,
        Card,
        CardError,
        Entry,
        Fact,
        IdentityId,
        IdentityKey,
        IssuerId,
        IssuerKey,
        NodeId,
        NodeKey,
        Policy,
        RevocationList,
        Verdict,
        grant,
        make_card,
        make_list,
        verify_card,
    )

    from .config import Bootstrap, NodeConfig
    from .errors import LocalProtocolError, P2PNoiseError, RemoteProtocolError
    from .event_log import log_event
    from .folder.fault import Fault
    from .folder.opening import open_folder
    from .node.bans import Ban
    from .node.driver.errors import (
        AmbiguousPeer,
        NodeStopping,
        PeerGone,
        PeerNotTrusted,
        PeerTimeout,
        PeerUnreachable,
        StreamBroken,
        StreamNotOpened,
        StreamReset,
        TooManyStreams,
        UnknownPeer,
    )
    from .node.driver.messages import Message, receiving
    from .node.driver.node import Node
    from .node.driver.opening import open_node
    from .node.driver.peer_stream import PeerStream
    from .node.driver.peers import Peer
    from .node.driver.requests import Request, RequestRefused, ResponseTooLarge, allowing, answering
    from .node.driver.subscription import Subscription
    from .node.driver.surroundings import ListenError
    from .node.effects import BansChanged, FactOffered, OwnCardChanged, PinsChanged, PolicyChanged
    from .node.stream_events import StreamCode
    from .noise import KeyPair
    from .noisesocket.stream import (
        EarlyData,
        HandshakeRejected,
        HandshakeTimeout,
        NoiseListener,
        NoiseStream,
        NoiseStreamError,
        PeerProtocolError,
        PeerRefused,
        TruncatedError,
        anyone,
        open_noise_stream,
        serve_noise,
    )
    from .store import StoreError

_HOMES = {
    "cards": (
        "Address",
        "AddressRecord",
        "Card",
        "CardError",
        "Entry",
        "Fact",
        "IdentityId",
        "IdentityKey",
        "IssuerId",
        "IssuerKey",
        "NodeId",
        "NodeKey",
        "Policy",
        "RevocationList",
        "Verdict",
        "grant",
        "make_card",
        "make_list",
        "verify_card",
    ),
    "p2pnoise.config": ("Bootstrap", "NodeConfig"),
    "p2pnoise.errors": ("LocalProtocolError", "P2PNoiseError", "RemoteProtocolError"),
    "p2pnoise.event_log": ("log_event",),
    "p2pnoise.folder.fault": ("Fault",),
    "p2pnoise.folder.opening": ("open_folder",),
    "p2pnoise.node.bans": ("Ban",),
    "p2pnoise.node.driver.errors": (
        "AmbiguousPeer",
        "NodeStopping",
        "PeerGone",
        "PeerNotTrusted",
        "PeerTimeout",
        "PeerUnreachable",
        "StreamBroken",
        "StreamNotOpened",
        "StreamReset",
        "TooManyStreams",
        "UnknownPeer",
    ),
    "p2pnoise.node.driver.messages": ("Message", "receiving"),
    "p2pnoise.node.driver.node": ("Node",),
    "p2pnoise.node.driver.opening": ("open_node",),
    "p2pnoise.node.driver.peer_stream": ("PeerStream",),
    "p2pnoise.node.driver.peers": ("Peer",),
    "p2pnoise.node.driver.requests": ("Request", "RequestRefused", "ResponseTooLarge", "allowing", "answering"),
    "p2pnoise.node.driver.subscription": ("Subscription",),
    "p2pnoise.node.driver.surroundings": ("ListenError",),
    "p2pnoise.node.effects": ("BansChanged", "FactOffered", "OwnCardChanged", "PinsChanged", "PolicyChanged"),
    "p2pnoise.node.stream_events": ("StreamCode",),
    "p2pnoise.noise": ("KeyPair",),
    "p2pnoise.noisesocket.stream": (
        "EarlyData",
        "HandshakeRejected",
        "HandshakeTimeout",
        "NoiseListener",
        "NoiseStream",
        "NoiseStreamError",
        "PeerProtocolError",
        "PeerRefused",
        "TruncatedError",
        "anyone",
        "open_noise_stream",
        "serve_noise",
    ),
    "p2pnoise.store": ("StoreError",),
}

__all__ = [
    "Address",
    "AddressRecord",
    "AmbiguousPeer",
    "Ban",
    "BansChanged",
    "Bootstrap",
    "Card",
    "CardError",
    "EarlyData",
    "Entry",
    "Fact",
    "FactOffered",
    "Fault",
    "HandshakeRejected",
    "HandshakeTimeout",
    "IdentityId",
    "IdentityKey",
    "IssuerId",
    "IssuerKey",
    "KeyPair",
    "ListenError",
    "LocalProtocolError",
    "Message",
    "Node",
    "NodeConfig",
    "NodeId",
    "NodeKey",
    "NodeStopping",
    "NoiseListener",
    "NoiseStream",
    "NoiseStreamError",
    "OwnCardChanged",
    "P2PNoiseError",
    "Peer",
    "PeerGone",
    "PeerNotTrusted",
    "PeerProtocolError",
    "PeerRefused",
    "PeerStream",
    "PeerTimeout",
    "PeerUnreachable",
    "PinsChanged",
    "Policy",
    "PolicyChanged",
    "RemoteProtocolError",
    "Request",
    "RequestRefused",
    "ResponseTooLarge",
    "RevocationList",
    "StoreError",
    "StreamBroken",
    "StreamCode",
    "StreamNotOpened",
    "StreamReset",
    "Subscription",
    "TooManyStreams",
    "TruncatedError",
    "UnknownPeer",
    "Verdict",
    "allowing",
    "answering",
    "anyone",
    "grant",
    "log_event",
    "make_card",
    "make_list",
    "open_folder",
    "open_node",
    "open_noise_stream",
    "receiving",
    "serve_noise",
    "verify_card",
]


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(home), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
