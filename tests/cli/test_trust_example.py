"""`p2pnoise trust example`: it is a policy, has every key that there is, and lets nobody in as it stands."""

import re
import tomllib

from cards import Policy
from cards.policy_file import _GRANTED, _ISSUER_KEYS, _KEYS, read_policy
from cli.trust_example import EXAMPLE


def test_it_is_a_policy_and_comes_out_as_it_is(place):
    assert place.ok("trust", "example").stdout == EXAMPLE
    assert Policy.from_toml(EXAMPLE).network == "example-net"


def test_every_key_of_a_policy_is_in_it():
    table = tomllib.loads(EXAMPLE)
    assert table.keys() == {"network", "issuer", *_GRANTED, *_KEYS}
    assert {key for entry in table["issuer"].values() for key in entry} == {"key", *_ISSUER_KEYS}


def test_every_value_that_is_a_default_is_the_default():
    read, default = read_policy(EXAMPLE), Policy(network="example-net")
    for key in ("tofu", "stale", "list_lifetime", "leeway", "revocation_grace", "expired_grace"):
        assert read[key] == getattr(default, key)


def test_every_key_has_a_comment_before_it():
    for block in re.split(r"\n\n", EXAMPLE.partition("\n\n")[2]):
        assert block.startswith(("#", "[issuer.")), block
