"""The table of patterns and what modifiers make of it, held against the spec's validity rules."""

import re
from contextlib import suppress
from itertools import chain, combinations

import pytest

from p2pnoise.errors import LocalProtocolError
from p2pnoise.noise.patterns import PATTERNS, parse_pattern

ONE_WAY = ["N", "K", "X"]
INTERACTIVE = ["NN", "NK", "NX", "KN", "KK", "KX", "XN", "XK", "XX", "IN", "IK", "IX"]
DEFERRED = """
NK1 NX1 X1N X1K XK1 X1K1 X1X XX1 X1X1 K1N K1K KK1 K1K1 K1X KX1 K1X1 I1N I1K IK1 I1K1 I1X IX1 I1X1
""".split()  # noqa: SIM905 - 23 lines otherwise
FALLBACK = [name for name in [*INTERACTIVE, *DEFERRED] if re.fullmatch("N[NX]|[XI]1?[NX]1?|N[KX]1|[XI]1?K1|NX1", name)]


def places(pattern):
    """Every choice of psk places in the pattern, from none to all."""
    numbers = range(len(pattern.messages) + 1)
    return chain.from_iterable(combinations(numbers, count) for count in range(len(numbers) + 1))


def with_psks(name, numbers):
    return name + ("+" if "fallback" in name and numbers else "") + "+".join(f"psk{number}" for number in numbers)


ALL = [
    with_psks(name, numbers)
    for name in [*PATTERNS, *(f"{name}fallback" for name in FALLBACK)]
    for numbers in places(parse_pattern(name))
]


def test_the_table_holds_the_spec_s_38_patterns():
    assert list(PATTERNS) == [*ONE_WAY, *INTERACTIVE, *DEFERRED]


def test_fallback_makes_a_pattern_of_each_whose_first_message_is_e_or_s_alone():
    made = []
    for name in PATTERNS:
        with suppress(LocalProtocolError):
            made.append(parse_pattern(f"{name}fallback").name.removesuffix("fallback"))
    assert made == FALLBACK


def test_a_fallback_pattern_is_told_by_its_initiator_who_was_the_responder():
    pattern = parse_pattern("XXfallback")
    assert pattern.pre_messages == ((), ("e",))
    assert pattern.messages == (("e", "ee", "s", "se"), ("s", "es"))
    assert pattern.fallback
    assert parse_pattern("INfallback").pre_messages == ((), ("e", "s"))


@pytest.mark.parametrize(
    ("name", "messages"),
    [
        ("NNpsk0", (("psk0", "e"), ("e", "ee"))),
        ("NNpsk1+psk2", (("e", "psk1"), ("e", "ee", "psk2"))),
        ("XXpsk0+psk1+psk2+psk3", (("psk0", "e", "psk1"), ("e", "ee", "s", "es", "psk2"), ("s", "se", "psk3"))),
        ("XXfallback+psk0", (("psk0", "e", "ee", "s", "se"), ("s", "es"))),
        ("XXpsk2+fallback", (("e", "ee", "s", "se", "psk2"), ("s", "es"))),
    ],
)
def test_a_psk_is_placed_where_its_number_says(name, messages):
    assert parse_pattern(name).messages == messages
    assert parse_pattern(name).name == name


def test_the_one_way_patterns_are_those_of_one_letter_with_any_psk():
    assert {name for name in ALL if parse_pattern(name).one_way} == {
        with_psks(name, numbers) for name in ONE_WAY for numbers in ((), (0,), (1,), (0, 1))
    }


def flat(pattern):
    """Each token with its sender's place: 0 the initiator, 1 the responder."""
    return [(number % 2, token) for number, tokens in enumerate(pattern.messages) for token in tokens]


@pytest.mark.parametrize("name", ALL)
def test_every_pattern_is_valid(name):
    pattern = parse_pattern(name)
    known = [set(pattern.pre_messages[0]), set(pattern.pre_messages[1])]
    mixed = set()
    for number, tokens in enumerate(pattern.messages):
        sender = number % 2
        for token in tokens:
            if token in ("e", "s"):
                # 7.3: parties send each key once.
                assert token not in known[sender]
                known[sender].add(token)
            else:
                # 7.3: a DH is done once and of keys that both sides have.
                assert token not in mixed
                mixed.add(token)
                assert token.startswith("psk") or (token[0] in known[0] and token[1] in known[1])
        # 7.3 and 9.3: nothing is encrypted by a key of a static or a psk without an ephemeral of the sender's.
        if mixed:
            assert "e" in known[sender]
    assert {token for token in mixed if token.startswith("psk")} == {f"psk{number}" for number in pattern.psks}
