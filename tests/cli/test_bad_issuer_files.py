"""Bad files in an issuer's folder: a sentence, nothing changed, and never a new registry in place of a lost one."""

import sqlite3

import pytest

from cards import IssuerKey, make_list
from cards.text import to_armor

JUNK = {"empty": b"", "binary": bytes(range(256)), "text": b"hello\n", "oversized": b"x" * (300 * 1024)}

ISSUER_VERBS = [["card", "issue", "node.request"], ["revoke", "add", "db-03"], ["revoke", "publish"]]


@pytest.mark.usefixtures("ready")
@pytest.mark.parametrize("junk", JUNK.values(), ids=JUNK)
@pytest.mark.parametrize("name", ["issuer.key", "issuer.toml", "registry.db"])
@pytest.mark.parametrize("verb", ISSUER_VERBS, ids=lambda verb: " ".join(verb[:2]))
def test_a_broken_issuer_file_is_a_sentence_and_stays(place, verb, name, junk):
    (place.issuer / name).write_bytes(junk)
    before = place.snapshot(place.issuer)
    place.refuses(*verb, says=name, code=3)
    assert place.snapshot(place.issuer) == before


@pytest.mark.usefixtures("ready")
@pytest.mark.parametrize("name", ["issuer.key", "issuer.toml", "registry.db"])
def test_a_missing_issuer_file_is_never_made_anew(place, name):
    (place.issuer / name).unlink()
    for verb in ISSUER_VERBS:
        place.refuses(*verb, says=name, code=1)
    assert not (place.issuer / name).exists()


def test_no_issuer_at_all_leads_to_issuer_new(place):
    result = place.run("revoke", "publish")
    assert result.exit_code == 1
    assert "fix: p2pnoise issuer new NAME --network NET" in result.stderr


@pytest.mark.usefixtures("ready")
def test_a_foreign_database_is_no_registry(place):
    (place.issuer / "registry.db").unlink()
    with sqlite3.connect(place.issuer / "registry.db") as database:
        database.execute("CREATE TABLE music (title TEXT)")
    database.close()
    place.refuses("revoke", "publish", says="registry.db is a database, but no registry", code=3)


@pytest.mark.usefixtures("ready")
def test_the_registry_of_another_issuer_is_refused(place):
    place.ok("issuer", "new", "other", "--network", "example-net", "--issuer-home", place / "other")
    (place.issuer / "registry.db").write_bytes((place / "other" / "registry.db").read_bytes())
    place.refuses("revoke", "publish", says="registry.db belongs to another issuer", code=9)


@pytest.mark.usefixtures("ready")
def test_a_registry_of_a_newer_version_is_refused(place):
    with sqlite3.connect(place.issuer / "registry.db") as database:
        database.execute("PRAGMA user_version = 6")
    database.close()
    place.refuses("revoke", "publish", says="registry.db has version 6, we speak 5", code=3)


@pytest.mark.usefixtures("ready")
@pytest.mark.parametrize("version", [1, 2, 3, 4])
def test_a_registry_of_an_older_version_is_upgraded_after_a_copy_was_laid_aside(place, version):
    path = place.issuer / "registry.db"
    with sqlite3.connect(path) as database:
        database.execute("ALTER TABLE grants DROP COLUMN final")
        for table in ("tokens", "requests", "granted_cards", "desk") if version < 4 else ():
            database.execute(f"DROP TABLE {table}")
        if version < 3:
            database.execute("DROP TABLE successions")
        if version == 1:
            database.execute("ALTER TABLE grants DROP COLUMN next_key")
        database.execute(f"PRAGMA user_version = {version}")
    database.close()
    old = path.read_bytes()
    place.ok("card", "issue", "node.request", "-o", "again")
    assert (place.issuer / f"registry.db.v{version}").read_bytes() == old
    assert place.card(place / "again").grants[0].serial == 2
    place.ok("join", "token", "--node", str(place.keys(place.node)[1].public), "--address", "127.0.0.1:7061")


@pytest.mark.usefixtures("ready")
def test_a_torn_registry_is_refused_wherever_it_is_torn(place):
    whole = (place.issuer / "registry.db").read_bytes()
    for size in range(4096, len(whole), 4096):
        (place.issuer / "registry.db").write_bytes(whole[:size])
        place.refuses("revoke", "publish", says="registry.db", code=3)


@pytest.mark.usefixtures("ready")
def test_the_key_of_another_issuer_is_refused(place):
    (place.issuer / "issuer.key").write_bytes(IssuerKey(bytes(32)).to_pem())
    place.refuses("card", "issue", "node.request", says="issuer.key is not the key that", code=9)


@pytest.mark.usefixtures("ready")
def test_the_list_of_another_issuer_is_not_handed_out(place):
    other = make_list(IssuerKey(bytes(32)), network="example-net", sequence=1, now=1)
    (place.issuer / "revocations.pem").write_text(to_armor("REVOCATION LIST", other.raw))
    place.refuses("card", "issue", "node.request", says="is the list of another issuer", code=9)


@pytest.mark.usefixtures("ready")
def test_a_registry_in_use_is_a_sentence(place, monkeypatch):
    real = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *args, **options: real(*args, **{**options, "timeout": 0.05}))
    other = real(place.issuer / "registry.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    place.refuses("card", "issue", "node.request", says="registry.db is in use by another command", code=1)
    other.close()
