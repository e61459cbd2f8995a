"""`p2pnoise doctor` on an issuer's folder."""

import time

import pytest

from cards import Delegation, IssuerKey, Retirement, make_list
from cards.text import to_armor
from cli import documents

NOW = int(time.time())
DAY = 86400


@pytest.fixture
def office(place, issuer):
    """An issuer that is well and granted one card."""
    assert issuer
    place.make_card()
    return place


@pytest.fixture
def at(monkeypatch):
    """Have the clock say another time."""
    return lambda now: monkeypatch.setattr("cli.options.now", lambda: now)


def examine(place):
    """The exit code and the findings, by their codes."""
    answer = place.json("doctor", "--issuer-home", place.issuer)
    (report,) = answer["folders"]
    assert report["folder"] == str(place.issuer)
    assert all(one["message"] and one["hint"] for one in report["findings"])
    return answer["exit"], {one["code"]: one["severity"] for one in report["findings"]}


def key_of(place):
    return IssuerKey.from_pem((place.issuer / "issuer.key").read_bytes())


def put(place, *facts):
    (place.issuer / "statements.pem").write_text("".join(to_armor(fact.label, fact.raw) for fact in facts))


def test_an_issuer_that_is_well_gets_advice_alone(office):
    assert examine(office) == (0, {"unlocked": "advice"})


def test_a_locked_key_is_not_opened(place):
    place.env["P2PNOISE_PASSPHRASE"] = "open"
    place.ok("issuer", "new", "ops", "--network", "example-net", "--lock")
    del place.env["P2PNOISE_PASSPHRASE"]
    assert examine(place) == (0, {})


def test_a_key_that_a_signer_has_is_not_missed_gravely(office):
    (office.issuer / "issuer.key").unlink()
    assert examine(office) == (0, {"missing": "advice"})


@pytest.mark.parametrize("name", ["issuer.key", "registry.db"])
def test_a_secret_that_others_can_read_is_named(office, name):
    (office.issuer / name).chmod(0o644)
    assert examine(office)[1]["permissions"] == "error"


@pytest.mark.parametrize("name", ["issuer.key", "issuer.toml", "registry.db", "revocations.pem", "statements.pem"])
def test_a_file_that_cannot_be_read_is_named(office, name):
    (office.issuer / name).write_bytes(b"broken\n" * 100)
    assert examine(office)[0] == 3
    assert name in office.run("doctor").stdout


def test_a_key_of_another_issuer_is_named(office):
    (office.issuer / "issuer.key").write_bytes(IssuerKey(bytes(32)).to_pem())
    code, found = examine(office)
    assert (code, found["key-mismatch"]) == (9, "error")


def test_a_list_that_is_not_there_is_named(office):
    (office.issuer / "revocations.pem").unlink()
    assert examine(office)[1]["revocation-missing"] == "error"


@pytest.mark.parametrize(
    ("signer", "code", "what"), [(IssuerKey(bytes(32)), 9, "key-mismatch"), (None, 4, "revocation-invalid")]
)
def test_a_list_that_is_not_ours_is_named(office, signer, code, what):
    one = make_list(signer or key_of(office), network="example-net", sequence=5, now=NOW)
    raw = one.raw if signer else one.raw.replace(one.signature, bytes(64))
    (office.issuer / "revocations.pem").write_text(to_armor(documents.LIST, raw))
    found = examine(office)
    assert (found[0], found[1][what]) == (code, "error")


@pytest.mark.parametrize(("days", "expected", "code"), [(19, None, 0), (21, "warning", 0), (31, "error", 6)])
def test_a_list_is_asked_for_before_it_is_due(office, at, days, expected, code):
    at(NOW + days * DAY)
    found = examine(office)
    assert (found[0], found[1].get("revocation-stale")) == (code, expected)


def test_a_revocation_that_no_list_tells_of_is_named(office):
    office.ok("revoke", "add", "db-03")
    assert examine(office) == (7, {"unlocked": "advice", "unpublished": "error"})
    office.ok("revoke", "publish")
    assert examine(office)[0] == 0


def test_a_registry_from_an_older_backup_is_suspected(office):
    before = (office.issuer / "registry.db").read_bytes()
    office.ok("revoke", "add", "db-03")
    office.ok("revoke", "publish")
    (office.issuer / "registry.db").write_bytes(before)
    code, found = examine(office)
    assert (code, found["rollback"]) == (8, "error")
    office.ok("revoke", "publish")
    assert examine(office)[0] == 0


def test_grants_that_end_soon_are_named(office, at):
    at(NOW + 340 * DAY)
    assert examine(office)[1]["expired-app"] == "warning"
    assert "grants that end soon: db-03" in office.run("doctor", "--issuer-home", office.issuer).stdout
    at(NOW + 366 * DAY)
    assert "expired-app" not in examine(office)[1]


def test_a_grant_that_was_renewed_or_revoked_does_not_end_soon(office, at):
    at(NOW + 340 * DAY)
    office.ok("card", "issue", office / "node.request", "-o", office / "again.card")
    assert "expired-app" not in examine(office)[1]


def test_a_clock_behind_what_was_signed_is_named(office, at):
    at(NOW - 2 * DAY)
    code, found = examine(office)
    assert (code, found["clock"]) == (6, "error")


def test_an_issuer_that_retired_is_told_so(office):
    values = {"net": "example-net", "iat": NOW - 5, "iss": key_of(office).public, "reason": "left"}
    put(office, Retirement.make(values, key_of(office)))
    code, found = examine(office)
    assert (code, found["retired"]) == (7, "error")


def test_a_delegation_that_ends_is_told_before(office, at):
    values = {"net": "example-net", "iat": NOW - 5, "nbf": NOW - 5, "exp": NOW + 9 * DAY, "path": 0}
    values |= {"iss": key_of(office).public, "key": IssuerKey(bytes(32)).public}
    put(office, Delegation.make(values, key_of(office)))
    assert "issuer-constraint" not in examine(office)[1]
    at(NOW + 7 * DAY)
    assert examine(office)[1]["issuer-constraint"] == "warning"


def test_both_folders_are_looked_at_together(office):
    office.install(office / "node.card", str(key_of(office).public))
    (office.node / "node.key").unlink()
    answer = office.json("doctor")
    assert [report["exit"] for report in answer["folders"]] == [1, 0]
    assert answer["exit"] == 1
