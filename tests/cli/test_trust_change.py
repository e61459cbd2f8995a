"""`p2pnoise trust plan` and `apply`: the change is told before it is made, and made whole or not at all."""

import os
import pty
import time

import pytest

from cards import Delegation, IssuerKey, Retirement, SelfRevocation, grant, make_card, make_list
from cards.text import from_armor, to_armor
from cli import documents, trust_change
from p2pnoise.folder import reading
from tests.patience import PATIENCE

NOW = int(time.time())


@pytest.fixture
def network(place, installed):
    """The node db-03 of ops knows ada, whom it was linked with, and bob."""
    assert installed.exists()
    for name in ("ada", "bob"):
        place.make_card(name, name)
    place.remember(ada="live", bob="proven")
    return place


def files_of(place):
    """Every file of the node's folder with its bytes, but for what SQLite makes in order to read."""
    kept = place.snapshot(place.node)
    return {name: data for name, data in kept.items() if name not in ("node.db-shm", "node.db-wal")}


def issuer_key(place):
    return IssuerKey.from_pem((place.issuer / "issuer.key").read_bytes())


def policy_of(place, *more):
    """The policy of the node with these lines before its tables."""
    path = place / "new.toml"
    rest = (place.node / "policy.toml").read_text().replace("leeway = 300\n", "")
    path.write_text("\n".join([*more, rest]))
    return path


def statement(place, fact, name="statement.pem"):
    (place / name).write_text(to_armor(fact.label, fact.raw))
    return place / name


def self_revocation(place, name):
    identity, _ = place.keys(place / name)
    values = {"net": "example-net", "iat": NOW - 5, "key": identity.public, "reason": "lost"}
    return SelfRevocation.make(values, identity)


def blocks(path):
    return [label for label, _ in from_armor(path.read_text())]


def effects(answer):
    return {one["name"]: (one["before"]["level"], one["after"]["level"]) for one in answer["effects"]}


# Plans


def test_a_plan_names_the_peers_that_a_list_would_drop_and_why(network):
    network.ok("revoke", "add", "ada")
    network.ok("revoke", "publish", "--output", network / "new.list")
    before = files_of(network)
    result = network.ok("trust", "plan", network / "new.list")
    assert result.stdout.splitlines()[0].startswith("drops    ada  node1")
    assert "revoked" in result.stdout
    assert "fix: " in result.stdout
    assert result.stdout.splitlines()[-1] == "1 of 3 known cards change, 2 stay as they are"
    assert files_of(network) == before


def test_a_plan_in_json_has_every_effect(network):
    identity, _ = network.keys(network / "bob")
    policy = policy_of(network, f'deny = ["{identity.public}"]')
    answer = network.json("trust", "plan", policy)
    assert (answer["ok"], answer["running"], answer["known"], answer["drops"]) == (True, False, 3, 1)
    assert effects(answer) == {"bob": ("verified", "reject")}
    assert [one["code"] for one in answer["effects"][0]["after"]["findings"]] == ["denied"]


def test_what_would_happen_to_our_own_card_is_told_too(network):
    policy = policy_of(network, "app = { threshold = 1, of = ['lab'] }")
    policy.write_text(policy.read_text() + f'\n[issuer.lab]\nkey = "{IssuerKey(bytes(32)).public}"\n')
    result = network.ok("trust", "plan", "--policy", policy)
    assert "db-03" in result.stdout
    assert "this node" in result.stdout
    assert effects(network.json("trust", "plan", policy)).keys() == {"db-03", "ada", "bob"}


def test_a_pin_is_planned_too(network):
    identity, _ = network.keys(network / "bob")
    answer = network.json("trust", "plan", "--pin", f"ada={identity.public}")
    assert effects(answer) == {"ada": ("verified", "reject")}
    assert [one["code"] for one in answer["effects"][0]["after"]["findings"]] == ["pin-changed"]


def test_a_new_issuer_and_its_list_count_together_in_any_order(network):
    lab = IssuerKey(bytes(32))
    policy = policy_of(network)
    policy.write_text(policy.read_text() + f'\n[issuer.lab]\nkey = "{lab.public}"\n')
    (network / "lab.list").write_text(
        documents.list_blocks([make_list(lab, network="example-net", sequence=1, now=NOW)])
    )
    network.refuses("trust", "plan", network / "lab.list", says="REFUSED", code=5)
    assert network.json("trust", "plan", network / "lab.list", policy)["ok"]


def test_a_plan_names_the_peers_whose_capabilities_a_policy_would_change(network):
    card, now = network.card(network / "bob.card"), int(time.time())
    held = next(grant.position for grant in card.grants)
    granted = grant(
        issuer_key(network), card, serial=9, now=now, entropy=os.urandom, capabilities=["deploy"], position=held
    )
    (network / "bob.card").write_text(documents.card_block(granted))
    network.remember(bob="proven")
    policy = policy_of(network)
    lab = IssuerKey(bytes(32)).public
    rule = f'\n[capabilities]\ndeploy = {{ threshold = 2 }}\n[issuer.lab]\nkey = "{lab}"\n'
    policy.write_text(policy.read_text() + rule)
    (line, *_) = network.ok("trust", "plan", policy).stdout.splitlines()
    assert line.startswith("changes  bob")
    assert line.endswith("verified +cap:deploy -> verified")


def test_a_chain_of_statements_counts_in_any_order(network):
    chain = [issuer_key(network), IssuerKey(bytes(32)), IssuerKey(b"\1" * 32)]
    values = {"net": "example-net", "iat": NOW - 5, "nbf": NOW - 5, "exp": NOW + 900_000}
    made = [
        Delegation.make({**values, "iss": one.public, "key": other.public, "path": path}, one)
        for one, other, path in ((chain[0], chain[1], 1), (chain[1], chain[2], 0))
    ]
    for order in (made, made[::-1]):
        text = "".join(to_armor(one.label, one.raw) for one in order)
        (network / "chain.pem").write_text(text)
        assert network.json("trust", "apply", network / "chain.pem")["ok"]
        # A node reads each once: the root's comes first.
        assert documents.read(network.node / "statements.pem").statements == tuple(made)
        (network.node / "statements.pem").unlink()


def test_peers_with_a_link_are_marked_while_the_node_runs(network):
    identity, _ = network.keys(network / "ada")
    plan = ["trust", "plan", policy_of(network, f'deny = ["{identity.public}"]')]
    assert not network.json(*plan)["effects"][0]["live"]
    with reading.only_one(network.node, "node"):
        answer = network.json(*plan)
        assert (answer["running"], answer["effects"][0]["live"]) == (True, True)
        assert "linked" in network.ok(*plan).stdout
    assert network.json(*plan)["running"] is False


def test_an_overdue_list_drops_nobody_who_is_known(network, monkeypatch):
    monkeypatch.setattr("cli.options.now", lambda: NOW + 60 * 86400)
    identity, _ = network.keys(network / "bob")
    answer = network.json("trust", "plan", policy_of(network, f'deny = ["{identity.public}"]'))
    assert effects(answer) == {"bob": ("verified", "reject")}


def plan_of(place, *paths):
    (arrival,) = place.json("trust", "plan", *paths)["arrivals"]
    return arrival


def test_a_card_that_follows_a_known_one_replaces_it(network):
    old = network.card(network / "ada.card")
    network.make_card("ada", "ada")
    before = files_of(network)
    arrival = plan_of(network, network / "ada.card")
    assert (arrival["sequence"], arrival["replaces"]["card_id"]) == (2, old.card_id.hex())
    assert (arrival["before"]["level"], arrival["after"]["level"]) == ("verified", "verified")
    told = network.ok("trust", "plan", network / "ada.card").stdout.splitlines()
    assert told[0].startswith("replaces  ada  node1")
    assert told[-1] == "1 of 3 known cards change, 1 of them are replaced, 2 stay as they are"
    assert files_of(network) == before


def test_a_known_card_that_was_granted_anew_brings_its_groups(network):
    network.ok("card", "issue", network / "ada.request", "--group", "db", "-o", network / "ada.card", "--force")
    arrival = plan_of(network, network / "ada.card")
    assert arrival["replaces"]["card_id"] == arrival["card_id"]
    assert (arrival["before"]["groups"], arrival["after"]["groups"]) == ([], ["db"])
    assert "+db" in network.ok("trust", "plan", network / "ada.card").stdout


def test_a_card_that_is_known_changes_nothing(network):
    arrival = plan_of(network, network / "ada.card")
    assert (arrival["replaces"], arrival["after"]["level"]) == (None, "verified")
    assert network.ok("trust", "plan", network / "ada.card").stdout.startswith("keeps     ada")


def test_a_card_that_nobody_knew_is_admitted(network):
    arrival = plan_of(network, network.make_card("eve", "eve"))
    assert (arrival["before"], arrival["replaces"], arrival["after"]["level"]) == (None, None, "verified")


def test_an_older_card_is_refused_and_replaces_nothing(network):
    old = (network / "ada.card").read_bytes()
    network.make_card("ada", "ada")
    network.remember(ada="live")
    (network / "ada.card").write_bytes(old)
    arrival = plan_of(network, network / "ada.card")
    assert (arrival["replaces"], arrival["after"]["level"]) == (None, "reject")
    assert "rollback" in {finding["code"] for finding in arrival["after"]["findings"]}


def test_a_card_at_the_node_of_another_identity_is_refused(network):
    network.ok("id", "new", "--home", network / "eve")
    identity, _ = network.keys(network / "eve")
    _, node = network.keys(network / "ada")
    thief = make_card(identity, node, network="example-net", now=NOW, name="eve")
    issuer = issuer_key(network)
    (network / "eve.card").write_text(grant(issuer, thief, serial=9, now=NOW, entropy=os.urandom).to_text())
    codes = {finding["code"] for finding in plan_of(network, network / "eve.card")["after"]["findings"]}
    assert "node-conflict" in codes


def test_the_card_of_an_heir_takes_the_place_of_the_one_before(network):
    old = network.card(network / "ada.card")
    network.ok("id", "rotate", "--identity", "--home", network / "ada", "-o", network / "heir.request")
    network.ok("card", "issue", network / "heir.request", "-o", network / "heir.card")
    answer = network.json("trust", "plan", network / "heir.card")
    assert answer["arrivals"][0]["replaces"]["identity"] == str(old.identity)
    assert answer["effects"] == []


def test_a_card_judged_with_a_list_that_comes_too(network):
    network.ok("revoke", "add", "ada")
    network.ok("revoke", "publish", "--output", network / "new.list")
    arrival = plan_of(network, network / "ada.card", network / "new.list")
    assert (arrival["before"]["level"], arrival["after"]["level"]) == ("verified", "reject")


def test_a_stranger_s_list_beside_a_card_is_a_note(network):
    network.ok("issuer", "new", "lab", "--network", "example-net", "--issuer-home", network / "lab")
    network.make_request("eve", "eve")
    network.ok("card", "issue", network / "eve.request", "-o", network / "eve.card", "--issuer-home", network / "lab")
    answer = network.json("trust", "plan", network / "eve.card")
    assert [note["code"] for note in answer["notes"]] == ["unknown-issuer"]
    assert answer["arrivals"][0]["after"]["level"] == "known"


def test_a_card_cannot_be_applied(network):
    network.refuses("trust", "apply", network / "ada.card", says="a card of ada is no change", code=3)


def test_a_plan_of_nothing_is_a_usage_error(network):
    network.refuses("trust", "plan", says="nothing to plan", code=2)


# Applying


def test_a_policy_replaces_the_one_here_with_its_comments(network):
    policy = policy_of(network, "# by order of the board", 'leeway = "1m"')
    result = network.ok("trust", "apply", policy)
    assert (network.node / "policy.toml").read_bytes() == policy.read_bytes()
    assert "policy.toml" in result.stdout
    assert network.json("trust", "show")["leeway"] == 60


def test_a_list_joins_those_here_and_nothing_is_unrevoked(network):
    network.ok("revoke", "add", "ada")
    network.ok("revoke", "publish", "--output", network / "new.list")
    network.ok("trust", "apply", network / "new.list")
    # A later list that leaves the entry out, as one by a thief of the issuer's key would.
    later = make_list(issuer_key(network), network="example-net", sequence=9, now=NOW)
    (network / "later.list").write_text(documents.list_blocks([later]))
    network.ok("trust", "apply", network / "later.list")
    assert [one.sequence for one in documents.read(network.node / "revocations.pem").lists] == [2, 9]
    assert network.run("trust", "explain", "ada").exit_code == 7


def test_a_statement_joins_those_here_once(network):
    one, other = (statement(network, self_revocation(network, name), f"{name}.pem") for name in ("ada", "bob"))
    network.ok("trust", "apply", one)
    network.ok("trust", "apply", other, one)
    assert blocks(network.node / "statements.pem") == ["SELF-REVOCATION", "SELF-REVOCATION"]
    assert one.read_text() in (network.node / "statements.pem").read_text()
    assert network.run("trust", "explain", "bob").exit_code == 7
    again = network.json("trust", "apply", one)
    assert (again["ok"], again["files"]) == (True, [])


def test_a_retirement_takes_back_all_that_the_issuer_granted(network):
    values = {"net": "example-net", "iat": NOW - 5, "iss": issuer_key(network).public, "reason": "left"}
    answer = network.json("trust", "apply", statement(network, Retirement.make(values, issuer_key(network))))
    assert answer["drops"] == 3


def test_everything_comes_from_standard_input_too(network):
    text = statement(network, self_revocation(network, "ada")).read_text()
    assert network.ok("trust", "apply", "-", input=text).exit_code == 0
    assert blocks(network.node / "statements.pem") == ["SELF-REVOCATION"]


def test_a_first_policy_may_come_this_way(place):
    place.ok("id", "new")
    place.ok("trust", "example")
    (place / "policy.toml").write_text(place.ok("trust", "example").stdout)
    place.ok("trust", "apply", place / "policy.toml")
    assert place.json("trust", "show")["network"] == "example-net"


BROKEN_POLICIES = {
    "a torn line": ("leeway =", 3, "line 1, column 9"),
    "an unknown key": ('\n\nlevay = "5m"', 3, "line 3, column 1"),
    "a wrong value": ('leeway = "soon"', 3, "line 1, column 1"),
    "no text": (b"\xff", 3, "byte 0: not UTF-8"),
    "another network": (None, 5, ""),
}


@pytest.mark.parametrize(("line", "code", "where"), BROKEN_POLICIES.values(), ids=BROKEN_POLICIES)
@pytest.mark.parametrize("verb", ["plan", "apply"])
def test_a_broken_policy_is_refused_with_its_place_and_the_old_one_stays(network, verb, line, code, where):
    path = network / "broken.toml"
    if line is None:
        path.write_text((network.node / "policy.toml").read_text().replace("example-net", "other-net"))
    else:
        path.write_bytes(line if isinstance(line, bytes) else f"{line}\n".encode() + b'network = "example-net"\n')
    before = files_of(network)
    network.refuses("trust", verb, path, says=where or "REFUSED", code=code)
    assert files_of(network) == before


def broken_facts(place):
    identity, _ = place.keys(place / "ada")
    key = issuer_key(place)
    good = make_list(key, network="example-net", sequence=5, now=NOW)
    stranger = make_list(IssuerKey(bytes(32)), network="example-net", sequence=5, now=NOW)
    forged = to_armor("REVOCATION LIST", good.raw.replace(good.signature, bytes(64)))
    ahead = make_list(key, network="example-net", sequence=5, now=NOW + 10_000)
    foreign = self_revocation(place, "ada").values | {"net": "other-net"}
    foreign.pop("v")
    return {
        "forged": (forged, 4),
        "a stranger's": (documents.list_blocks([stranger]), 5),
        "from the future": (documents.list_blocks([ahead]), 6),
        "of another network": (documents.fact_blocks([SelfRevocation.make(foreign, identity)]), 5),
        "cut": (documents.list_blocks([good])[:-40], 3),
        "a card": ((place / "ada.card").read_text(), 3),
        "a key": ((place.node / "node.key").read_text(), 3),
        "unknown": (to_armor("THING", b"x"), 3),
        "empty": ("", 3),
    }


@pytest.mark.parametrize(
    "kind",
    ["forged", "a stranger's", "from the future", "of another network", "cut", "a card", "a key", "unknown", "empty"],
)
def test_one_broken_file_among_several_changes_nothing(network, kind):
    text, code = broken_facts(network)[kind]
    (network / "bad").write_text(text)
    good = statement(network, self_revocation(network, "bob"))
    before = files_of(network)
    policy = policy_of(network, 'leeway = "1m"')
    result = network.run("trust", "apply", good, policy, network / "bad")
    assert (result.exit_code, result.stdout) == (code, "")
    assert "fix: " in result.stderr
    assert files_of(network) == before


def test_a_good_policy_is_applied_over_a_broken_one(network):
    good = policy_of(network, "leeway = 60")
    (network.node / "policy.toml").write_text("nonsense\n")
    result = network.ok("trust", "apply", good)
    assert "warning: not used: " in result.stderr
    assert (network.node / "policy.toml").read_text() == good.read_text()


def test_all_that_is_wrong_is_told_at_once(network):
    bad = broken_facts(network)
    (network / "bad").write_text(bad["forged"][0] + bad["a stranger's"][0])
    answer = network.json("trust", "apply", network / "bad")
    assert {one["code"] for one in answer["findings"]} == {"revocation-invalid", "unknown-issuer"}
    assert answer["exit"] == 4


def test_two_policies_are_a_usage_error(network):
    policy = policy_of(network)
    network.refuses("trust", "apply", policy, policy, says="second policy", code=2)


def test_a_private_key_in_a_wrong_place_is_called_one(network):
    network.refuses("trust", "apply", network.node / "node.key", says="node.key is a private key", code=3)


@pytest.mark.parametrize("name", ["statements.pem", "revocations.pem", "pins.toml"])
def test_a_broken_file_here_is_named_before_anything_is_written(network, name):
    (network.node / name).write_text("broken")
    before = files_of(network)
    network.refuses("trust", "apply", statement(network, self_revocation(network, "ada")), says=name, code=3)
    assert files_of(network) == before


def test_more_than_a_node_reads_is_not_written(network, monkeypatch):
    monkeypatch.setattr(trust_change, "MAX_ARMOR", 100)
    monkeypatch.setattr("cli.trust_change.Proposal.read", lambda self, path: self.facts.extend(
        documents.read(path).facts))  # fmt: skip
    before = files_of(network)
    network.refuses("trust", "apply", statement(network, self_revocation(network, "ada")), says="at most 100", code=1)
    assert files_of(network) == before


def test_a_link_in_place_of_the_policy_is_not_written_through(network):
    (network.node / "policy.toml").rename(network / "elsewhere.toml")
    (network.node / "policy.toml").symlink_to(network / "elsewhere.toml")
    before = (network / "elsewhere.toml").read_bytes()
    network.refuses("trust", "apply", policy_of(network, 'leeway = "1m"'), says="symbolic link", code=1)
    assert (network / "elsewhere.toml").read_bytes() == before


def test_on_a_terminal_a_change_that_drops_peers_asks_for_yes(network):
    change = statement(network, self_revocation(network, "ada"))
    before = files_of(network)
    answers = []
    for more in ([], ["--yes"]):
        master, slave = pty.openpty()
        process = network.start("trust", "apply", change, *more, stdout=slave, stderr=-1)
        _, errors = process.communicate(timeout=PATIENCE)
        os.close(slave)
        os.close(master)
        answers.append((process.returncode, errors.decode()))
        if not more:
            assert files_of(network) == before
    (refused, said), (done, _) = answers
    assert (refused, done) == (1, 0)
    assert "drops    ada" in said
    assert "fix: if you mean it: --yes" in said
    assert blocks(network.node / "statements.pem") == ["SELF-REVOCATION"]


def test_without_a_policy_the_next_step_is_told(place):
    place.ok("id", "new")

    place.refuses("trust", "show", says="no policy in", code=5)
