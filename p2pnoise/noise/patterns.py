"""Handshake patterns as data, and the modifiers that make further ones of them (spec, sections 7, 9 and 10).

A new pattern is a new row of the table; the engine in `handshake_state` reads the tokens and knows no pattern
by name.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from p2pnoise.errors import LocalProtocolError

__all__ = ["PATTERNS", "Layout", "Pattern", "Token", "Tokens", "parse_pattern"]

Token = str
"""e, s, ee, es, se, ss, or psk with the number of its modifier, as in psk0.

A DH token names the initiator's key first, then the responder's.
"""
Tokens = tuple[Token, ...]


class Layout(NamedTuple):
    """What surrounds the payload of one message."""

    public_keys: int
    tags: int
    payload_encrypted: bool


@dataclass(frozen=True, slots=True)
class Pattern:
    """What each message of a handshake carries. The initiator writes the first and every other one."""

    name: str
    pre_messages: tuple[Tokens, Tokens]
    """The public keys known beforehand: the initiator's, the responder's."""
    messages: tuple[Tokens, ...]
    one_way: bool = False
    """Whether the initiator alone sends after the handshake."""
    fallback: bool = False
    """Whether it goes on from another's first message; its initiator is who responded there."""
    psks: tuple[int, ...] = ()
    """The numbers of its psk modifiers, in ascending order."""
    layouts: tuple[Layout, ...] = field(init=False, repr=False, compare=False)
    """One for each message, and one for those of the transport."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "layouts", tuple(_layouts(self)))


def _layouts(pattern: Pattern) -> Iterator[Layout]:
    # Any DH and any psk makes a key. Where there is a psk, each ephemeral public key does too (9.2).
    ephemeral_keyed = bool(pattern.psks)
    keyed = False
    for tokens in pattern.messages:
        public_keys = tags = 0
        for token in tokens:
            match token:
                case "e":
                    public_keys += 1
                    keyed = keyed or ephemeral_keyed
                case "s":
                    public_keys += 1
                    tags += keyed
                case _:
                    keyed = True
        yield Layout(public_keys, tags + keyed, keyed)
    yield Layout(0, 1, payload_encrypted=True)


# Sections 7.4, 7.5 and 18.1, in the spec's own notation. What stands left of the dots is known beforehand.
_TABLE = """
N            <- s ...  -> e, es
K     -> s   <- s ...  -> e, es, ss
X            <- s ...  -> e, es, s, ss

NN                     -> e            <- e, ee
NK           <- s ...  -> e, es        <- e, ee
NX                     -> e            <- e, ee, s, es
KN    -> s        ...  -> e            <- e, ee, se
KK    -> s   <- s ...  -> e, es, ss    <- e, ee, se
KX    -> s        ...  -> e            <- e, ee, se, s, es
XN                     -> e            <- e, ee              -> s, se
XK           <- s ...  -> e, es        <- e, ee              -> s, se
XX                     -> e            <- e, ee, s, es       -> s, se
IN                     -> e, s         <- e, ee, se
IK           <- s ...  -> e, es, s, ss <- e, ee, se
IX                     -> e, s         <- e, ee, se, s, es

NK1          <- s ...  -> e            <- e, ee, es
NX1                    -> e            <- e, ee, s           -> es
X1N                    -> e            <- e, ee              -> s      <- se
X1K          <- s ...  -> e, es        <- e, ee              -> s      <- se
XK1          <- s ...  -> e            <- e, ee, es          -> s, se
X1K1         <- s ...  -> e            <- e, ee, es          -> s      <- se
X1X                    -> e            <- e, ee, s, es       -> s      <- se
XX1                    -> e            <- e, ee, s           -> es, s, se
X1X1                   -> e            <- e, ee, s           -> es, s  <- se
K1N   -> s        ...  -> e            <- e, ee              -> se
K1K   -> s   <- s ...  -> e, es        <- e, ee              -> se
KK1   -> s   <- s ...  -> e            <- e, ee, se, es
K1K1  -> s   <- s ...  -> e            <- e, ee, es          -> se
K1X   -> s        ...  -> e            <- e, ee, s, es       -> se
KX1   -> s        ...  -> e            <- e, ee, se, s       -> es
K1X1  -> s        ...  -> e            <- e, ee, s           -> se, es
I1N                    -> e, s         <- e, ee              -> se
I1K          <- s ...  -> e, es, s     <- e, ee              -> se
IK1          <- s ...  -> e, s         <- e, ee, se, es
I1K1         <- s ...  -> e, s         <- e, ee, es          -> se
I1X                    -> e, s         <- e, ee, s, es       -> se
IX1                    -> e, s         <- e, ee, se, s       -> es
I1X1                   -> e, s         <- e, ee, s           -> se, es
"""


def _row(row: str) -> Pattern:
    name, _, arrows = row.partition(" ")
    known, _, messages = arrows.rpartition("...")
    initiator, responder = (("s",) if arrow in known else () for arrow in ("->", "<-"))
    tokens = tuple(tuple(re.findall("[a-z]+", message)) for message in re.split("->|<-", messages)[1:])
    # 7.4: "One-way patterns are named with a single character".
    return Pattern(name, (initiator, responder), tokens, one_way=len(name) == 1)


PATTERNS = {pattern.name: pattern for pattern in map(_row, filter(None, _TABLE.splitlines()))}
"""The patterns without a modifier, by name."""


def parse_pattern(name: str) -> Pattern:
    """The pattern of this name, like XX, IKpsk2, XXfallback or NNpsk0+psk2; spec, section 8.

    Raises LocalProtocolError saying which part of the name is wrong and what could stand there.
    """
    base = name[: len(name) - len(name.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"))]
    if base not in PATTERNS:
        raise LocalProtocolError(f"pattern {base or name!r} in {name!r}, one of {', '.join(PATTERNS)} expected")
    pattern = PATTERNS[base]
    # Applied from the left: each takes the pattern that those before it have made.
    for modifier in name[len(base) :].split("+") if name != base else ():
        pattern = _modified(pattern, modifier, name)
    return pattern


def _modified(pattern: Pattern, modifier: str, name: str) -> Pattern:
    number = re.fullmatch("psk(0|[1-9][0-9]?)", modifier, re.ASCII)
    separator = "+" if pattern.name not in PATTERNS else ""
    modified_name = f"{pattern.name}{separator}{modifier}"
    if number is not None:
        return _with_psk(pattern, int(number[1]), modified_name, name)
    if modifier == "fallback":
        return _with_fallback(pattern, modified_name, name)
    raise LocalProtocolError(f"modifier {modifier!r} in {name!r}, fallback or psk and a number expected")


def _with_psk(pattern: Pattern, number: int, modified_name: str, name: str) -> Pattern:
    last = len(pattern.messages)
    if number > last:
        raise LocalProtocolError(f"modifier 'psk{number}' in {name!r}, psk0 to psk{last} expected")
    # 8: modifiers that commute are sorted. Twice the same one would be no other place.
    if pattern.psks and number <= pattern.psks[-1]:
        raise LocalProtocolError(f"modifier 'psk{number}' in {name!r}, above psk{pattern.psks[-1]} expected: sort them")
    # 9.4: psk0 places a psk token at the beginning of the first message, psk1 at the end of the first, psk2 at
    # the end of the second, and so on.
    token = (f"psk{number}",)
    messages = list(pattern.messages)
    at = max(number - 1, 0)
    messages[at] = token + messages[at] if number == 0 else messages[at] + token
    return replace(pattern, name=modified_name, messages=tuple(messages), psks=(*pattern.psks, number))


def _with_fallback(pattern: Pattern, modified_name: str, name: str) -> Pattern:
    # 10.2: Alice's first message becomes a pre-message; so it must be "e", "s" or "e, s".
    first, *others = pattern.messages
    if not set(first) <= {"e", "s"} or pattern.pre_messages[0]:
        raise LocalProtocolError(f"modifier 'fallback' in {name!r}, none expected: no first message of e or s alone")
    # The rest is Bob-initiated. Our rows are all of the initiator's view: the sides change places, in the
    # pre-messages and in the DH tokens (7.2).
    messages = tuple(tuple(_SWAPPED.get(token, token) for token in tokens) for tokens in others)
    pre_messages = (pattern.pre_messages[1], first)
    return replace(pattern, name=modified_name, pre_messages=pre_messages, messages=messages, fallback=True)


_SWAPPED = {"es": "se", "se": "es"}
