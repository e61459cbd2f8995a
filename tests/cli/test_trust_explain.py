"""`p2pnoise trust explain` and `show`: the whole way to a verdict, and all that it stands on."""

import re
import time
from contextlib import closing
from pathlib import Path

import pytest

from cards import Delegation, IssuerKey, Manifest, Retirement, SelfRevocation, grant
from cards.text import to_armor
from cli import documents
from cli.trust_explain import _STEPS
from p2pnoise.store import PeerStore

NOW = int(time.time())
SITE = IssuerKey(b"\7" * 32)  # a delegate of ops


@pytest.fixture
def network(place, installed):
    """The node db-03 of ops knows ada."""
    assert installed.exists()
    place.make_card("ada", "ada")
    place.remember(ada="live")
    return place


def issuer_key(place):
    return IssuerKey.from_pem((place.issuer / "issuer.key").read_bytes())


def give(place, *facts):
    """Hand statements to the node."""
    (place.node / "statements.pem").write_text("".join(to_armor(fact.label, fact.raw) for fact in facts))


def delegation(place, **limits):
    values = {"net": "example-net", "iat": NOW - 5, "nbf": NOW - 5, "exp": NOW + 10_000, "path": 0, **limits}
    return Delegation.make({**values, "iss": issuer_key(place).public, "key": SITE.public}, issuer_key(place))


def granted_by_site(place, **options):
    """The file of a card of eve that the delegate granted."""
    card = place.card(place.make_request("eve", "eve"))
    options = {"serial": 5, "now": NOW, "lifetime": 5_000, "groups": ["sensors"], **options}
    (place / "eve.card").write_text(documents.card_block(grant(SITE, card, entropy=bytes, **options)))
    return place / "eve.card"


def test_every_finding_that_a_card_can_have_belongs_to_one_step():
    source = Path(__file__).parents[2] / "cards" / "verification.py"
    said = set(re.findall(r'(?:error|warn|Finding)\)?\(\s*"([a-z-]+)"', source.read_text()))
    said |= set(re.findall(r'return "([a-z-]+)", ', source.read_text()))
    codes = [code for step in _STEPS for code in step.codes]
    assert said
    assert said - set(codes) <= {"revocation-unchecked"}  # a node always looks
    assert len(codes) == len(set(codes))


@pytest.mark.parametrize("by", ["name", "node", "identity", "file", "line", "stdin"])
def test_a_card_is_found_by_whatever_names_it(network, by):
    identity, node = network.keys(network / "ada")
    card = network.card(network / "ada.card")
    words = {
        "name": "ada", "node": node.public, "identity": identity.public, "file": network / "ada.card",
        "line": card.to_text(), "stdin": "-",
    }  # fmt: skip
    result = network.ok("trust", "explain", words[by], input=(network / "ada.card").read_text())
    assert result.stdout.splitlines()[0] == "OK  ada  verified"


def test_a_known_peer_and_a_new_one_are_told_apart(network):
    assert "in the table" in network.ok("trust", "explain", "ada").stdout
    assert "judged as a new peer" in network.ok("trust", "explain", network / "ada.card").stdout
    assert "this node" in network.ok("trust", "explain", "db-03").stdout


def test_a_stranger_is_a_sentence(network):
    network.refuses("trust", "explain", "nobody", says="this node knows no nobody", code=5)
    network.refuses("trust", "explain", "node1qqq", says="node1qqq", code=3)


def test_two_of_one_name_are_told_apart_by_their_nodes(network):
    network.ok("revoke", "add", "ada")
    network.make_card("ada", "again")
    network.remember(again="proven")
    result = network.run("trust", "explain", "ada")
    assert "2 nodes have the name ada" in result.stderr
    assert str(network.keys(network / "again")[1].public) in result.stderr


def test_a_delegate_s_grant_is_explained_from_the_root_down(network):
    give(network, delegation(network, grp=["sensors"], name=["*.dc7", "eve"]))
    text = network.ok("trust", "explain", granted_by_site(network)).stdout
    root, site = (next(line for line in text.splitlines() if word in line) for word in ("in the policy", "delegated"))
    assert "ops  in the policy: may sign anything" in root
    assert f"{SITE.public.short}  delegated: names *.dc7 eve, groups sensors, until" in site
    assert site.index("issuer1") > root.index("ops")
    assert "list 1 of ops, 0 entries" in text
    assert re.search(r"counted +ops\n", text)


def test_what_came_to_the_node_by_itself_counts_as_what_was_handed_to_it(network):
    identity, _ = network.keys(network / "ada")
    values = {"net": "example-net", "iat": NOW - 5, "key": identity.public, "reason": "lost"}
    card = network.card(network / "node.card")
    with closing(PeerStore(network.node / "node.db", network="example-net", node_id=card.node_id)) as store:
        store.commit([SelfRevocation.make(values, identity)])
    assert network.run("trust", "explain", "ada").exit_code == 7
    assert network.run("card", "verify", network / "ada.card").exit_code == 7


def test_the_limit_that_forbids_a_grant_is_named(network):
    give(network, delegation(network, grp=["agents"]))
    result = network.run("trust", "explain", granted_by_site(network))
    assert result.exit_code == 5
    assert "does not count: issuer-constraint" in result.stdout
    assert "may grant agents, not sensors" in result.stdout
    answer = network.json("trust", "explain", network / "eve.card")
    assert [(one["counts"], one["code"], len(one["chain"])) for one in answer["weighed"]] == [
        (False, "issuer-constraint", 2)
    ]


def test_a_grant_of_nobody_s_is_told_from_a_forged_one_and_from_one_of_a_retired_issuer(network):
    assert "signed by nobody who may sign" in network.run("trust", "explain", granted_by_site(network)).stdout
    card = network.card(network / "ada.card")
    forged = card.raw.replace(card.grants[0].signature, bytes(64))
    (network / "forged.card").write_text(to_armor("CARD", forged))
    assert "the signature does not fit, by the key of ops" in network.run(
        "trust", "explain", network / "forged.card"
    ).stdout  # fmt: skip
    values = {"net": "example-net", "iat": NOW - 5, "iss": issuer_key(network).public, "reason": "left"}
    give(network, Retirement.make(values, issuer_key(network)))
    assert "ops is in the policy, but retired" in network.run("trust", "explain", "ada").stdout


def test_what_fails_is_marked_at_its_step_with_its_fix(network):
    identity, _ = network.keys(network / "ada")
    text = (network.node / "policy.toml").read_text()
    (network.node / "policy.toml").write_text(f'deny = ["{identity.public}"]\n{text}')
    result = network.run("trust", "explain", "ada")
    assert (result.exit_code, result.stdout.splitlines()[0]) == (5, "NOT TRUSTED  ada")
    assert re.search(r"deny +FAILS  denied: the policy denies ada", result.stdout)
    assert re.search(r"revocation +ok ", result.stdout)
    assert "fix: the policy's deny names it" in result.stdout
    failed = [step["step"] for step in network.json("trust", "explain", "ada")["steps"] if not step["ok"]]
    assert failed == ["deny"]


def test_a_request_is_explained_as_granted_by_nobody(network):
    result = network.run("trust", "explain", network.make_request("eve", "eve"))
    assert "none: nobody has granted it" in result.stdout
    assert re.search(r"counted +no issuer", result.stdout)


def test_a_broken_file_beside_it_is_named_and_the_rest_still_counts(network):
    (network.node / "pins.toml").write_text("\x1b[2J")
    result = network.ok("trust", "explain", "ada")
    assert "warning: not used" in result.stderr
    assert "pins.toml: line 1" in result.stderr
    assert "\x1b" not in result.output


# show


def test_show_has_every_issuer_with_its_limits_and_its_list(network):
    key = issuer_key(network).public
    text = (network.node / "policy.toml").read_text()
    more = f'groups = ["agents"]\nmax_lifetime = "90d"\ndepth = 0\n\n[issuer.lab]\nkey = "{SITE.public}"\n'
    (network.node / "policy.toml").write_text(text + more)
    shown = network.ok("trust", "show").stdout
    assert f"ops  {key}  groups agents, for at most 90 days, no delegates" in shown
    assert re.search(r"list 1  0 entries  due \d{4}-\d\d-\d\d \(in 30 days\)", shown)
    assert "no revocation list is held" in shown
    ops, lab = network.json("trust", "show")["issuers"]
    assert (ops["list"], ops["limits"]["max_lifetime"], ops["counts"]) == (1, 90 * 86400, True)
    assert (lab["list"], lab["next_due"]) == (None, None)


def test_show_has_rules_statements_manifest_and_floor(network):
    key = issuer_key(network)
    values = {"net": "example-net", "iat": NOW - 5, "ver": 3, "thr": 1, "iss": [key.public], "by": [key.public]}
    give(network, delegation(network, grp=["sensors"]), Manifest.make(values, key))
    text = (network.node / "policy.toml").read_text()
    (network.node / "policy.toml").write_text(f'tofu = "ask"\ngroups.admins = {{ of = ["ops"] }}\n{text}')
    shown = network.ok("trust", "show").stdout
    assert "group admins: 1 of ops" in shown
    assert f"delegation: ops delegates to {SITE.public}: groups sensors" in shown
    assert "version 3: 1 of ops" in shown
    assert re.search(r"trust on first use +ask", shown)
    answer = network.json("trust", "show")
    assert (answer["manifest"], answer["tofu"]) == (3, "ask")
    assert {one["kind"] for one in answer["statements"]} == {"delegation", "manifest"}
    assert answer["time_floor"] <= answer["now"] + 1


def test_show_says_when_the_clock_is_behind_the_floor(network, monkeypatch):
    monkeypatch.setattr("cli.options.now", lambda: NOW - 400 * 86400)
    assert "this clock is wrong, the floor counts" in network.ok("trust", "show").stdout


def test_show_says_what_lies_in_the_files_and_is_not_used(network):
    values = {"net": "example-net", "iat": NOW - 5, "iss": SITE.public, "reason": "left"}
    give(network, Retirement.make(values, SITE))
    result = network.ok("trust", "show")
    assert "not used" in result.stderr
    assert "unknown-issuer" in result.stderr
    assert [one["code"] for one in network.json("trust", "show")["unused"]] == ["unknown-issuer"]
