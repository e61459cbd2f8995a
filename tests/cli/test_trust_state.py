"""What a folder's facts come to: all that can be believed, in whatever order they lie there, and by what was known."""

import hashlib
import itertools

import pytest

from cards import (
    Delegation,
    IdentityKey,
    IssuerKey,
    Manifest,
    Mark,
    Policy,
    Retirement,
    Succession,
    make_list,
)
from cards.facts import BUILD_TIME
from cli.trust_state import believe

NOW = BUILD_TIME + 1_000
OPS, LAB, SITE, GATE, DESK = (IssuerKey(name.ljust(32).encode()) for name in ("ops", "lab", "site", "gate", "desk"))
OLD, HEIR, THIEF = (IdentityKey(name.ljust(32).encode()) for name in ("old", "heir", "thief"))
POLICY = Policy(network="example-net", issuers={"ops": OPS.public})


def delegation(issuer, key, path, **changes):
    values = {"net": "example-net", "iat": NOW - 9, "iss": issuer.public, "key": key.public, "path": path}
    return Delegation.make(values | {"nbf": NOW - 9, "exp": NOW + 9} | changes, issuer)


def succession(heir):
    values = {"net": "example-net", "iat": NOW - 9, "old": OLD.public, "new": heir.public}
    return Succession.make(values, OLD, heir)


def manifest(version, *issuers, by):
    signers = sorted(by, key=lambda key: key.public)
    values = {"net": "example-net", "iat": NOW - 9, "ver": version, "thr": len(issuers)}
    lists = {"iss": sorted(key.public for key in issuers), "by": [key.public for key in signers]}
    return Manifest.make(values | lists, *signers)


def retirement(issuer, *by):
    signers = sorted(by, key=lambda key: key.public)
    values = {"net": "example-net", "iat": NOW - 9, "iss": issuer.public, "reason": "lost"}
    return Retirement.make(values | {"by": [key.public for key in signers]}, *signers)


CHAIN = [delegation(OPS, SITE, 2), delegation(SITE, GATE, 1), delegation(GATE, DESK, 0)]
LONGER = [delegation(OPS, SITE, 0), delegation(OPS, SITE, 1), delegation(SITE, GATE, 0)]
STEPS = [
    manifest(1, OPS, by=[OPS]),
    manifest(2, LAB, SITE, by=[OPS, LAB, SITE]),
    manifest(3, OPS, LAB, SITE, by=[OPS, LAB, SITE]),
    retirement(OPS, LAB, SITE),
]


@pytest.mark.parametrize("facts", [CHAIN, LONGER, STEPS], ids=["a chain", "a step that came later", "a manifest"])
def test_no_order_in_the_files_leaves_out_what_can_be_believed(facts):
    for order in itertools.permutations(facts):
        held, unused = believe(POLICY, order, NOW)
        assert (len(held.statements), unused) == (len(facts), ())


def test_what_cannot_be_believed_is_told_once_each():
    stranger = delegation(LAB, GATE, 0)
    forged = Delegation.from_parts(delegation(OPS, LAB, 0).body, bytes(64))
    _, unused = believe(POLICY, [stranger, forged, *CHAIN[::-1]], NOW)
    assert sorted((finding.code, fact.digest) for fact, finding in unused) == sorted(
        [("unknown-issuer", stranger.digest), ("delegation-invalid", forged.digest)]
    )


def test_two_lists_of_one_number_are_told_of_once():
    policy = Policy(network="example-net", issuers={"ops": OPS.public, "lab": LAB.public})
    lists = [make_list(OPS, network="example-net", sequence=1, now=NOW - n) for n in (5, 6)]
    _, unused = believe(policy, [*lists, *CHAIN[::-1]], NOW)
    assert [finding.code for _, finding in unused] == ["issuer-equivocation"]


def test_a_successor_that_a_known_card_did_not_commit_to_is_not_believed():
    marks = {bytes(OLD.public): Mark(1, bytes(32), hashlib.sha256(HEIR.public).digest())}
    for order in itertools.permutations([succession(THIEF), succession(HEIR)]):
        held, unused = believe(POLICY, order, NOW, marks=marks)
        assert held.heirs(OLD.public, None) == {HEIR.public}
        assert [finding.code for _, finding in unused] == ["succession-invalid"]
