"""Adversaries: inhabitants of a world that mean no good, each with keys of its own. Kinds by name."""

from collections.abc import Mapping

from simulations.nodes import honest

from .around import Adversary, by_gossip
from .clone import copy_folder
from .eclipser import Eclipser
from .equivocator import Equivocator, sign_twice
from .flooder import Flooder
from .liar import Liar
from .newer import Newer
from .replayer import Replayer
from .silent import Silent
from .slowloris import Slowloris
from .sybil import AcceptedSybil, Sybil, join_accepted, join_rogues
from .thief import thief

KINDS: Mapping[str, Adversary] = {
    "accepted-sybil": Adversary(AcceptedSybil, join_accepted),
    "clone": Adversary(honest, copy_folder),
    "eclipser": Adversary(Eclipser),
    "equivocator": Adversary(Equivocator, sign_twice),
    "flooder": Adversary(Flooder),
    "liar": Adversary(by_gossip(Liar)),
    "newer": Adversary(Newer),
    "replayer": Adversary(Replayer),
    "silent": Adversary(by_gossip(Silent)),
    "slowloris": Adversary(Slowloris),
    "sybil": Adversary(Sybil, join_rogues),
    "thief": Adversary(thief),
}
