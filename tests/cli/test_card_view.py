"""`p2pnoise card show` and `card verify`: every form is read, every reason is told."""

import base64
import re
import shutil
import time
from contextlib import closing

import pytest

from cards import Card, IdentityKey, IssuerKey, Policy, Retirement, SelfRevocation, grant, make_card, make_list
from cards.text import to_armor
from cli import documents
from cli.trust_state import believe
from p2pnoise.store import PeerStore

YEAR = 365 * 86400


@pytest.mark.usefixtures("issuer")
def test_show_judges_nothing(place):
    card = place.card(place.make_request())
    forged = Card.from_body(card.body, bytes(64), bytes(64))
    (place / "forged").write_text(forged.to_text())
    assert "db-03" in place.ok("card", "show", place / "forged").stdout


@pytest.mark.parametrize("form", ["armor", "crlf", "line", "qr", "raw"])
def test_a_card_is_read_in_every_form(place, issuer, form):
    card = place.card(place.make_card())
    view = place.json("card", "show", place / "node.card")["cards"][0]
    data = {
        "armor": to_armor("CARD", card.raw).encode(),
        "crlf": to_armor("CARD", card.raw).replace("\n", "\r\n").encode(),
        "line": view["line"].encode() + b"\r\n",
        "qr": view["qr"].encode(),
        "raw": card.raw,
    }[form]
    (place / "form").write_bytes(data)
    assert place.json("card", "verify", place / "form", "--issuer", issuer)["ok"]


def test_the_qr_text_is_upper_case_base32_and_drawn(place, installed):
    text = place.json("card", "show")["cards"][0]["qr"]
    padded = text.removeprefix("CARD1:") + "=" * (-len(text.removeprefix("CARD1:")) % 8)
    assert base64.b32decode(padded) == place.card(installed).raw
    assert re.search("[▀▄█]", place.ok("card", "show", "--qr").stdout)


def test_a_verdict_in_json_has_every_finding_with_its_hint(place, issuer):
    verdict = place.json("card", "verify", place.make_request(), "--issuer", issuer)
    assert (verdict["ok"], verdict["exit"], verdict["level"]) == (False, 5, "known")
    assert len(verdict["card_id"]) == 64
    assert all(finding["hint"] for finding in verdict["findings"])


@pytest.mark.usefixtures("issuer")
def test_verify_without_a_policy_names_the_ways_out(place):
    result = place.run("card", "verify", place.make_card())
    assert result.exit_code == 5
    assert "--issuer issuer1... or --policy FILE" in result.stderr


def test_without_a_list_the_verdict_says_that_none_was_looked_at(place, issuer):
    (place / "bare").write_text(place.card(place.make_card()).to_text())
    result = place.ok("card", "verify", place / "bare", "--issuer", issuer)
    assert "revocation-unchecked" in result.stdout


def test_a_list_named_on_the_command_line_counts(place, issuer):
    card = place.make_card()
    place.ok("revoke", "add", "db-03")
    place.ok("revoke", "publish", "--output", place / "list")
    assert place.run("card", "verify", card, "--issuer", issuer).exit_code == 0
    assert place.run("card", "verify", card, "--issuer", issuer, "--revocations", place / "list").exit_code == 7


@pytest.mark.parametrize(("option", "says"), [("--revocations", "no lists"), ("--statements", "no statements")])
def test_a_file_without_what_it_is_named_for_is_refused(place, issuer, option, says):
    """Or a card would pass whose revocation was thought to be looked at."""
    card = place.make_card()
    args = ("card", "verify", card, "--issuer", issuer, option, place / "node.request")
    place.refuses(*args, says=f"node.request holds {says}", code=3)


def test_a_list_with_a_forged_signature_is_an_error(place, issuer):
    card = place.make_card()
    one = make_list(IssuerKey.from_pem((place.issuer / "issuer.key").read_bytes()),
                    network="example-net", sequence=9, now=int(time.time()))  # fmt: skip
    (place / "list").write_text(to_armor("REVOCATION LIST", one.raw.replace(one.signature, bytes(64))))
    result = place.run("card", "verify", card, "--issuer", issuer, "--revocations", place / "list")
    assert result.exit_code == 4


def test_an_expired_grant_is_a_matter_of_time(place):
    key, now = IssuerKey(bytes(32)), int(time.time())
    place.ok("id", "new")
    card = make_card(*place.keys(place.node), network="n", now=now - 2 * YEAR)
    card = grant(key, card, serial=1, now=now - 2 * YEAR, lifetime=YEAR, entropy=bytes)
    (place / "old").write_text(card.to_text())
    result = place.run("card", "verify", place / "old", "--issuer", f"ops={key.public}")
    assert result.exit_code == 6
    assert "expired-app  the signature of issuer ops ended" in result.stdout


def test_a_forged_statement_is_an_error_and_a_stranger_s_a_warning(place, issuer):
    card = place.card(place.make_card())
    identity, _ = place.keys(place.node)
    values = {"net": "example-net", "iat": 1, "key": bytes(identity.public), "reason": "lost"}
    forged = SelfRevocation.from_parts(SelfRevocation.make(values, identity).body, bytes(64))
    (place / "forged").write_text(to_armor("SELF-REVOCATION", forged.raw))
    key = IssuerKey(bytes(32))
    end = Retirement.make({"net": "example-net", "iat": 1, "iss": bytes(key.public), "reason": "lost"}, key)
    (place / "stranger").write_text(to_armor("RETIREMENT", end.raw))
    judged = ("card", "verify", place / "node.card", "--issuer", issuer, "--statements")
    refused = place.json(*judged, place / "forged")
    assert (refused["exit"], refused["ok"], refused["level"]) == (4, False, "reject")
    found = place.json(*judged, place / "stranger")
    assert (found["exit"], [one["severity"] for one in found["findings"]]) == (0, ["warning"])
    assert found["card_id"] == card.card_id.hex()


def test_a_name_pinned_to_another_identity_is_a_conflict_here_and_nowhere_else(place, issuer, installed):
    other = IdentityKey(b"x" * 32).public
    (place.node / "pins.toml").write_text(f'"db-03" = "{other}"\n')
    assert place.run("card", "verify").exit_code == 8
    assert place.run("card", "verify", installed, "--issuer", issuer).exit_code == 0


def test_a_pinned_identity_needs_no_issuer_and_is_said_to_be_pinned(place, issuer):
    place.install(place.make_card(), issuer)
    request = place.make_request("db-04", "second")
    identity = place.card(request).identity
    (place.node / "pins.toml").write_text(f'"db-04" = "{identity}"\n')
    result = place.ok("card", "verify", request)
    assert result.stdout.startswith("OK  db-04  pinned\n")
    assert "0 of 1 needed  the identity is pinned" in result.stdout


def test_who_is_trusted_on_first_use_is_not_said_to_be_granted_anything(place, issuer):
    place.install(place.make_card(), issuer)
    text = (place.node / "policy.toml").read_text()
    (place.node / "policy.toml").write_text(f'tofu = "first-use"\n{text}')
    request = place.make_request("db-04", "second")
    assert "0 of 1 needed  trusted on first use" in place.ok("card", "verify", request).stdout
    explained = place.ok("trust", "explain", request).stdout
    assert "issuers     ok     too few of them, but on first use none is needed" in explained


def test_two_signatures_are_both_shown(place, issuer, installed):
    other, now = IssuerKey(bytes(32)), int(time.time())
    both = grant(other, place.card(installed), serial=5, now=now, entropy=bytes)
    first = make_list(other, network="example-net", sequence=1, now=now)
    (place / "both").write_text(to_armor("CARD", both.raw) + to_armor("REVOCATION LIST", first.raw))
    (place / "policy.toml").write_text(
        'network = "example-net"\napp = { threshold = 2 }\n'
        f'[issuer.a]\nkey = "{issuer}"\n[issuer.b]\nkey = "{other.public}"\n'
    )
    judged = ("card", "verify", place / "both", "--policy", place / "policy.toml", "--revocations")
    shown = place.ok(*judged, place.issuer / "revocations.pem").stdout.splitlines()
    assert "app signatures  2 of 2 needed  a  serial 1" in shown[5]
    assert shown[6].split()[:3] == ["b", "serial", "5"]


# What lies in this node's folder where another policy is asked


@pytest.fixture
def newer(place, issuer, installed):
    """Verify by another policy; list 2, which revokes the card, lies in the node's folder, list 1 beside it."""
    shutil.copy(place.node / "revocations.pem", place / "old.list")
    place.ok("revoke", "add", "db-03")
    place.ok("revoke", "publish", "--output", place.node / "revocations.pem")
    return "card", "verify", installed, "--issuer", f"ops={issuer}", "--revocations", place / "old.list"


def test_a_newer_list_in_the_node_s_folder_that_was_not_given_is_told_once(place, newer):
    result = place.ok(*newer)
    assert result.stderr.splitlines() == [
        f"warning: not looked at: newer lists or statements in {place.node}",
        f"fix: add --revocations {place.node / 'revocations.pem'}",
    ]
    again = place.run(*newer, "--revocations", place.node / "revocations.pem")
    assert (again.exit_code, again.stderr) == (7, "")


def test_a_policy_file_is_no_way_round_the_warning_either(place, newer, installed):
    assert newer
    shutil.copy(place.node / "policy.toml", place / "policy.toml")
    assert "--revocations" in place.ok("card", "verify", installed, "--policy", place / "policy.toml").stderr


def test_statements_in_the_node_s_folder_that_were_not_given_are_told(place, newer):
    (place.node / "revocations.pem").unlink()
    place.ok("revoke", "self", "--reason", "lost", "--yes")
    assert f"fix: add --statements {place.node / 'statements.pem'}" in place.ok(*newer).stderr


def test_what_came_to_the_node_by_itself_and_was_not_given_is_told(place, newer):
    lists = documents.read(place.node / "revocations.pem").lists
    (place.node / "revocations.pem").unlink()
    policy = Policy.from_toml((place.node / "policy.toml").read_text())
    facts, _ = believe(policy, lists, int(time.time()))
    own = place.card(place.node / "card.pem")
    with closing(PeerStore(place.node / "node.db", network="example-net", node_id=own.node_id)) as store:
        store.commit([facts.revocations])
    assert "fix: p2pnoise trust explain" in place.ok(*newer).stderr


def test_a_folder_that_cannot_be_read_keeps_no_other_policy_from_its_answer(place, newer):
    (place.node / "revocations.pem").write_text("broken")
    assert place.ok(*newer).stderr == ""


def test_a_folder_that_knows_no_more_is_not_spoken_of(place, issuer, installed):
    ways = ("--issuer", f"ops={issuer}", "--revocations", place.node / "revocations.pem")
    assert place.ok("card", "verify", installed, *ways).stderr == ""
