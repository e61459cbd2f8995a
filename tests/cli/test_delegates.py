"""`p2pnoise issuer delegate`, `import`, `list` and `retire`: who signs for whom, what they may, and how that ends."""

import pytest

from cards import Delegation, IssuerKey, RevocationList
from cards.text import from_armor, to_armor


@pytest.fixture
def site(place, issuer):
    """An issuer site-7, to whom ops has delegated sensors below dc7.example for at most 30 days."""
    place.ok("issuer", "new", "site-7", "--network", "example-net", "--issuer-home", place / "site")
    site_key = IssuerKey.from_pem((place / "site" / "issuer.key").read_bytes()).public
    place.ok("issuer", "delegate", site_key, "--name", "*.dc7.example", "--group", "sensors", "--max-lifetime", "30d",
             "-o", place / "site.pem")  # fmt: skip
    place.ok("issuer", "import", place / "site.pem", "--issuer-home", place / "site")
    return issuer


def issue(place, name, *options, home="n"):
    """What card issue at the site says of a request under this name."""
    request = place.make_request(name, home)
    return place.run("card", "issue", request, "-o", place / f"{home}.card", "--force", *options,
                     "--issuer-home", place / "site")  # fmt: skip


def test_a_node_that_believes_the_root_installs_what_its_delegate_granted(place, site):
    assert issue(place, "a.dc7.example", "--group", "sensors", "--days", "30").exit_code == 0
    place.ok("card", "install", place / "n.card", "--issuer", f"ops={site}", "--home", place / "n")
    verdict = place.json("card", "verify", "--home", place / "n")
    assert (verdict["ok"], verdict["groups"], verdict["findings"]) == (True, ["sensors"], [])


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("a.dc8.example", ["--days", "30"], "site-7 may sign *.dc7.example, card is a.dc8.example"),
        ("a.dc7.example", ["--days", "30", "--group", "admins"], "site-7 may grant sensors, not admins"),
        ("a.dc7.example", ["--days", "31"], "site-7 may grant 2592000 s, not 2678400"),
    ],
)
def test_a_delegate_is_told_which_limit_forbids(place, name, options, says):
    refused = issue(place, name, *options)
    assert refused.exit_code == 5
    assert says in refused.stderr
    assert not (place / "n.card").exists()
    assert place.json("issuer", "list", "--issuer-home", place / "site")["grants"] == []


@pytest.mark.usefixtures("site")
def test_a_delegate_hands_on_the_list_of_its_root_and_not_its_own(place, site):
    issue(place, "a.dc7.example", "--days", "30")
    blocks = from_armor((place / "n.card").read_text())
    assert [label for label, _ in blocks] == ["CARD", "REVOCATION LIST", "DELEGATION"]
    assert RevocationList.parse(blocks[1][1]).issuer.__str__() == site


@pytest.mark.usefixtures("site")
def test_a_newer_list_of_the_root_is_taken_up_alone(place):
    place.ok("revoke", "publish", "--output", place / "new.list")
    taken = place.json("issuer", "import", place / "new.list", "--issuer-home", place / "site")
    assert [one["sequence"] for one in taken["lists"]] == [2]


def test_a_delegate_whose_key_is_revoked_lets_nobody_in(place, site):
    issue(place, "a.dc7.example", "--days", "30")
    key = IssuerKey.from_pem((place / "site" / "issuer.key").read_bytes()).public
    place.ok("revoke", "add", key, "--reason", "key-compromise")
    place.ok("revoke", "publish", "--output", place / "new.list")
    judged = ("card", "verify", place / "n.card", "--issuer", f"ops={site}")
    assert place.run(*judged).exit_code == 0
    assert place.run(*judged, "--revocations", place / "new.list").exit_code == 7


@pytest.mark.usefixtures("site")
def test_a_delegate_that_knows_of_its_end_grants_nothing_more(place):
    key = IssuerKey.from_pem((place / "site" / "issuer.key").read_bytes()).public
    place.ok("revoke", "add", key, "--reason", "key-compromise")
    place.ok("revoke", "publish", "--output", place / "new.list")
    place.ok("issuer", "import", place / "new.list", "--issuer-home", place / "site")
    refused = issue(place, "a.dc7.example", "--days", "30")
    assert refused.exit_code == 7
    assert "revoked this issuer's key, reason key-compromise" in refused.stderr


@pytest.mark.usefixtures("site")
def test_what_a_delegate_revokes_itself_is_said_to_reach_nobody(place):
    issue(place, "a.dc7.example", "--days", "30")
    said = place.ok("revoke", "add", "a.dc7.example", "--issuer-home", place / "site").stderr
    identity = place.card(place / "n.card").identity
    assert f"fix: at that issuer: p2pnoise revoke add {identity}" in said


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize("junk", [b"", b"hello", b"-----BEGIN P2PNOISE DELEGATION-----\n"])
def test_a_broken_file_of_delegations_stops_the_delegate(place, junk):
    (place / "site" / "statements.pem").write_bytes(junk)
    refused = issue(place, "a.dc8.example")
    assert refused.exit_code == 3
    assert "statements.pem" in refused.stderr.splitlines()[-2]


@pytest.mark.usefixtures("site")
def test_a_delegation_that_was_changed_on_the_disk_stops_the_delegate(place):
    (raw,) = (raw for label, raw in from_armor((place / "site.pem").read_text()) if label == "DELEGATION")
    wider = Delegation.from_parts(Delegation.parse(raw).body.replace(b"sensors", b"masters"), bytes(64))
    (place / "site" / "statements.pem").write_text(to_armor("DELEGATION", wider.raw))
    assert issue(place, "a.dc7.example", "--group", "masters").exit_code == 4


@pytest.mark.usefixtures("site")
def test_a_delegate_without_depth_cannot_delegate_further(place):
    result = place.run("issuer", "delegate", IssuerKey(bytes(32)).public, "--issuer-home", place / "site")
    assert result.exit_code == 5
    assert "may delegate 0 steps further" in result.stderr


@pytest.mark.usefixtures("issuer")
def test_a_delegation_for_another_key_is_not_taken_up(place):
    place.ok("issuer", "delegate", IssuerKey(bytes(32)).public, "-o", place / "other.pem")
    place.ok("issuer", "new", "site-7", "--network", "example-net", "--issuer-home", place / "site")
    place.refuses("issuer", "import", place / "other.pem", "--issuer-home", place / "site",
                  says="lets this issuer sign nothing", code=9)  # fmt: skip
    assert not (place / "site" / "statements.pem").exists()


@pytest.mark.usefixtures("issuer")
def test_a_delegation_for_another_network_is_not_taken_up(place):
    place.ok("issuer", "new", "site-7", "--network", "other-net", "--issuer-home", place / "site")
    key = IssuerKey.from_pem((place / "site" / "issuer.key").read_bytes()).public
    place.ok("issuer", "delegate", key, "-o", place / "site.pem")
    assert place.run("issuer", "import", place / "site.pem", "--issuer-home", place / "site").exit_code == 5


@pytest.mark.usefixtures("issuer")
def test_a_forged_delegation_is_not_taken_up(place):
    place.ok("issuer", "new", "site-7", "--network", "example-net", "--issuer-home", place / "site")
    key = IssuerKey.from_pem((place / "site" / "issuer.key").read_bytes()).public
    text = place.ok("issuer", "delegate", key).stdout
    (raw,) = (raw for label, raw in from_armor(text) if label == "DELEGATION")
    forged = Delegation.from_parts(Delegation.parse(raw).body, bytes(64))
    (place / "site.pem").write_text(to_armor("DELEGATION", forged.raw))
    assert place.run("issuer", "import", place / "site.pem", "--issuer-home", place / "site").exit_code == 4


@pytest.mark.usefixtures("issuer")
@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--name", "a.*"], 2),
        (["--name", "*"], 2),
        (["--group", "Admins"], 3),
        (["--max-lifetime", "30"], 2),
        (["--valid", "9999d"], 2),
        (["--depth", "3"], 2),
    ],
)
def test_a_limit_that_means_nothing_is_refused(place, options, code):
    assert place.run("issuer", "delegate", IssuerKey(bytes(32)).public, *options).exit_code == code
    assert not (place.issuer / "statements.pem").exists()


def test_an_issuer_does_not_delegate_to_itself(place, issuer):
    place.refuses("issuer", "delegate", issuer, says="KEY is this issuer's own", code=2)


# list


@pytest.fixture
def granted(place, issuer):
    """Three nodes: db-1 in group db, db-2 granted twice, web-1 revoked."""
    for name, group in (("db-1", "db"), ("db-2", "db"), ("web-1", "web")):
        place.ok("card", "issue", place.make_request(name, name), "--group", group, "-o", place / f"{name}.card")
    place.ok("card", "issue", place / "db-2.request", "--days", "20", "-o", place / "again.card")
    place.ok("revoke", "add", "web-1")


@pytest.mark.usefixtures("granted")
@pytest.mark.parametrize(
    ("options", "shown"),
    [
        ([], [("db-1", "valid"), ("web-1", "revoked"), ("db-2", "valid")]),
        (["--all"], [("db-1", "valid"), ("db-2", "replaced"), ("web-1", "revoked"), ("db-2", "valid")]),
        (["--name", "db-*"], [("db-1", "valid"), ("db-2", "valid")]),
        (["--group", "db"], [("db-1", "valid")]),
        (["--standing", "revoked"], [("web-1", "revoked")]),
        (["--standing", "replaced"], [("db-2", "replaced")]),
        (["--ending", "30d"], [("db-2", "valid")]),
    ],
    ids=["last", "all", "name", "group", "revoked", "replaced", "ending"],
)
def test_grants_are_listed_by_what_is_asked(place, options, shown):
    found = place.json("issuer", "list", *options)["grants"]
    assert [(one["name"], one["standing"]) for one in found] == shown


@pytest.mark.usefixtures("granted")
def test_the_list_of_grants_is_a_table_and_needs_no_key(place):
    (place.issuer / "issuer.key").unlink()
    lines = place.ok("issuer", "list").stdout.splitlines()
    assert lines[0].split() == ["SERIAL", "NAME", "NODE", "GROUPS", "STANDING", "UNTIL"]
    assert lines[1].split()[:2] == ["1", "db-1"]


# retire


def test_retiring_is_never_done_in_passing(place, issuer):
    place.refuses("issuer", "retire", "--reason", "left", says="ends the issuer for good", code=2)
    assert not (place.issuer / "statements.pem").exists()


def test_a_retired_issuer_grants_nothing_and_what_it_granted_counts_no_more(place, issuer):
    card = place.make_card()
    place.ok("issuer", "retire", "--reason", "key-compromise", "--yes")
    judged = ("card", "verify", card, "--issuer", f"ops={issuer}")
    assert place.run(*judged).exit_code == 0
    assert place.run(*judged, "--statements", place.issuer / "statements.pem").exit_code == 5
    place.refuses("card", "issue", place / "node.request", says="this issuer retired ", code=7)
    place.refuses("issuer", "delegate", IssuerKey(bytes(32)).public, says="this issuer retired ", code=7)


@pytest.mark.usefixtures("issuer")
def test_a_retirement_for_later_ends_nothing_yet(place):
    place.ok("issuer", "retire", "--reason", "lost", "-o", place / "later.pem")
    place.make_card()
    assert place.json("card", "show", place / "later.pem")["statements"][0]["reason"] == "lost"
