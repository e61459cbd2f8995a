"""Whose fault it was: the roots of every error this package raises.

A caller asks two questions of an error: who broke the rule, and may I go on? The two branches answer both.
The cards have a root of their own, `cards.CardError`, since they know nothing of a network.
"""

__all__ = ["LocalProtocolError", "P2PNoiseError", "RemoteProtocolError"]


class P2PNoiseError(Exception):
    """The root of all errors of `p2pnoise`."""


class LocalProtocolError(P2PNoiseError):
    """We asked for what the protocol forbids, a mistake on this side. The object is unchanged and usable."""


class RemoteProtocolError(P2PNoiseError):
    """The peer broke a rule. The class that raises it says whether its object may still be used."""
