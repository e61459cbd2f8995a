"""`p2pnoise issuer manifest`, `sign` and `retire --other`: what several issuers sign, each where its key is."""

import pytest

from cards import Draft, IssuerId, Manifest, Retirement
from cards.text import from_armor, to_armor
from tests.cli.test_signer import serving


@pytest.fixture
def keys(place, issuer):
    """The keys of three issuers of example-net by name, each with a folder of its own; that of ops is the place's."""
    found = {"ops": issuer}
    for name in ("lab", "audit"):
        made = place.json("issuer", "new", name, "--network", "example-net", "--issuer-home", place / name)
        found[name] = made["issuer"]
    return found


def home(place, name):
    return ("--issuer-home", place.issuer if name == "ops" else place / name)


def drafted(place, keys, *names, threshold=2, file="a.draft", options=("--network", "example-net")):
    """The file of a draft of a manifest of these issuers."""
    issuers = [word for name in names for word in ("--issuer", f"{name}={keys[name]}")]
    place.ok("issuer", "manifest", "--threshold", threshold, *issuers, *options, "-o", place / file, "--force")
    return place / file


def signed(place, file, *names):
    """The file after all of these have signed, one after the other."""
    for name in names:
        place.ok("issuer", "sign", file, "-o", place / f"{file.stem}.{name}", "--force", *home(place, name))
        file = place / f"{file.stem}.{name}"
    return file


def blocks(file):
    return from_armor(file.read_text())


@pytest.fixture
def first(place, keys):
    """The file of the first manifest: two of ops and lab."""
    return signed(place, drafted(place, keys, "ops", "lab"), "lab", "ops")


@pytest.fixture
def node(place, keys):
    """A node that believes all three, with a card of ops; and the lists of the others."""
    card = place.make_card()
    issuers = [word for name, key in keys.items() for word in ("--issuer", f"{name}={key}")]
    place.ok("card", "install", card, *issuers)
    for name in ("lab", "audit"):
        place.ok("trust", "apply", place / name / "revocations.pem")
    return place.node


# Manifests


@pytest.mark.usefixtures("node")
def test_the_last_to_sign_has_the_manifest_and_a_node_goes_by_it(place, first):
    ((label, raw),) = blocks(first)
    assert (label, Manifest.parse(raw).version) == ("MANIFEST", 1)
    before = place.json("trust", "show")
    place.ok("trust", "apply", first)
    after = place.json("trust", "show")
    assert (before["manifest"], after["manifest"]) == (None, 1)
    assert [one["name"] for one in after["issuers"] if one["counts"]] == ["ops", "lab"]
    assert place.run("card", "verify").exit_code == 5  # two must grant it from now on


def test_no_order_of_signing_makes_another_manifest(place, first):
    text = first.read_text()
    assert signed(place, place / "a.draft", "ops", "lab").read_text() == text


def test_the_next_version_tells_who_comes_stays_and_goes(place, keys, first):
    options = ("--previous", first, "--by", "ops", "--by", keys["lab"])
    file = drafted(place, keys, "ops", "audit", threshold=1, file="b.draft", options=options)
    lines = place.ok("issuer", "sign", file, *home(place, "lab")).stdout.splitlines()
    said = {(word, key) for word, key, *_ in (line.split() for line in lines)}
    assert {("comes", keys["audit"]), ("stays", keys["ops"]), ("goes", keys["lab"])} <= said
    assert "manifest   version 2, after 1" in lines
    assert "threshold  1 of 2, before 2 of 2" in lines
    ((label, raw),) = blocks(signed(place, file, "ops", "lab"))
    assert (label, Manifest.parse(raw).threshold) == ("MANIFEST", 1)


def test_of_several_manifests_in_a_file_the_newest_is_the_one_before(place, keys, first):
    second = signed(
        place, drafted(place, keys, "ops", "lab", file="b.draft", options=("--previous", first)), "ops", "lab"
    )
    (place / "all.pem").write_text(second.read_text() + first.read_text())
    third = drafted(place, keys, "ops", "lab", file="c.draft", options=("--previous", place / "all.pem"))
    assert place.json("issuer", "sign", third)["statement"]["ver"] == 3


def test_a_draft_is_shown_without_a_key_and_nothing_is_signed(place, keys):
    file = drafted(place, keys, "ops", "lab")
    (place.issuer / "issuer.key").unlink()
    shown = place.ok("issuer", "sign", file)
    assert f"to sign    {keys['ops']}  this issuer" in shown.stdout.splitlines()
    assert "nothing is signed" in shown.stderr
    said = place.json("issuer", "sign", file)
    assert (said["whole"], set(said["missing"])) == (False, {keys["ops"], keys["lab"]})
    assert said["statement"]["iss"] == sorted((keys["ops"], keys["lab"]), key=IssuerId.parse)


def test_what_is_signed_is_told_before_and_comes_as_json(place, keys):
    file = drafted(place, keys, "ops", "lab")
    result = place.ok("issuer", "sign", file, "-o", "-")
    assert f"comes      {keys['ops']}  this issuer" in result.stderr.splitlines()
    ((label, raw),) = from_armor(result.stdout)
    assert (label, [str(key) for key in Draft.parse(label, raw).missing]) == ("MANIFEST DRAFT", [keys["lab"]])
    said = place.json("issuer", "sign", file, "-o", place / "b.draft")
    assert (said["missing"], said["text"]) == ([keys["lab"]], (place / "b.draft").read_text())


def test_nobody_signs_twice_and_no_stranger_at_all(place, keys, first):
    half = signed(place, place / "a.draft", "lab")
    again = ("issuer", "sign", half, "-o", place / "out")
    place.refuses(*again, *home(place, "lab"), says="this issuer has signed it already", code=2)
    place.refuses(*again, *home(place, "audit"), says="is none of those who are to sign it", code=5)
    assert keys["ops"] in place.run(*again, *home(place, "lab")).stderr
    assert not (place / "out").exists()
    for no_draft in (first, place.make_request()):
        place.refuses("issuer", "sign", no_draft, "-o", place / "out", says="is not one draft", code=3)


def test_an_issuer_that_has_ended_signs_no_manifest(place, keys):
    file = drafted(place, keys, "ops", "lab")
    place.ok("issuer", "retire", "--reason", "left", "--yes")
    refused = place.run("issuer", "sign", file, "-o", place / "out")
    assert (refused.exit_code, (place / "out").exists()) == (7, False)
    assert "this issuer retired " in refused.stderr


def test_a_process_that_has_the_key_signs_a_manifest_where_it_was_told_to(place, keys):
    file = drafted(place, keys, "ops", "lab")
    (place / "vault").mkdir()
    (place.issuer / "issuer.key").rename(place / "vault" / "issuer.key")
    (place / "vault" / "issuer.toml").write_bytes((place.issuer / "issuer.toml").read_bytes())
    ask = ("issuer", "sign", file, "-o", place / "b.draft", "--signer", place / "signer")
    with serving(place, place / "vault"):
        refused = place.run(*ask)
        assert refused.exit_code == 5
        assert "the signer refused: a manifest; this signer signs grant list" in refused.stderr
    with serving(place, place / "vault", "--sign", "manifest"):
        place.ok(*ask)
    ((label, raw),) = blocks(signed(place, place / "b.draft", "lab"))
    assert (label, Manifest.parse(raw).version) == ("MANIFEST", 1)


@pytest.mark.parametrize(
    ("options", "says", "code"),
    [
        (["--threshold", "3", "--network", "n"], "2 of its own issuers sign it, 3 needed", 2),
        (["--threshold", "2", "--network", "n", "--by", "ops"], "1 of its own issuers sign it, 2 needed", 2),
        (["--threshold", "1", "--network", "n", "--by", "ops"], "one issuer alone makes no first manifest", 5),
        (["--threshold", "0", "--network", "n"], "invalid value for '--threshold'", 2),
        (["--threshold", "2"], "--network is needed", 2),
        (["--threshold", "2", "--network", "n", "--by", "nobody"], "does not begin with issuer1", 3),
        (["--threshold", "2", "--previous", "a.draft"], "a manifest draft, which not all have signed", 4),
    ],
)
def test_a_manifest_that_could_not_be_in_force_is_not_drafted(place, keys, options, says, code):
    options = [drafted(place, keys, "ops", "lab") if word == "a.draft" else word for word in options]
    issuers = ("--issuer", f"ops={keys['ops']}", "--issuer", f"lab={keys['lab']}")
    place.refuses("issuer", "manifest", *issuers, *options, "-o", place / "out", says=says, code=code)
    assert not (place / "out").exists()


def test_a_version_needs_those_of_the_one_before(place, keys, first):
    arguments = ("--threshold", 1, "--issuer", f"ops={keys['ops']}", "--previous", first)
    says = "1 of the issuers of version 1 are to sign it, which asks for 2"
    place.refuses("issuer", "manifest", *arguments, says=says, code=5)
    place.refuses("issuer", "manifest", *arguments, "--network", "other-net", says="is for network example-net", code=5)


# What came by hand may have been changed by hand.


def changed(draft, previous=None, **values):
    """The text of a draft of its kind with other values, and the manifest before it."""
    one = draft.statement
    plain = {name: list(value) if isinstance(value, tuple) else value for name, value in one.values.items()}
    new = Draft.make(type(one), plain | values)
    before = to_armor("MANIFEST", previous) if previous else ""
    return to_armor(new.label, new.raw) + before


@pytest.mark.parametrize(
    ("values", "says", "code"),
    [
        ({"net": "other-net"}, "manifest for network other-net", 5),
        ({"iat": 2**40}, "s in the future", 6),
        ({"ver": 2}, "does not come after version 0", 5),
    ],
)
def test_a_draft_that_is_not_for_here_and_now_is_not_signed(place, keys, values, says, code):
    file = drafted(place, keys, "ops", "lab")
    ((label, raw),) = blocks(file)
    file.write_text(changed(Draft.parse(label, raw), **values))
    place.refuses("issuer", "sign", file, "-o", place / "out", says=says, code=code)
    place.refuses("issuer", "sign", file, says=says, code=code)
    assert not (place / "out").exists()


def test_a_draft_that_somebody_signed_falsely_is_not_signed(place, keys):
    file = drafted(place, keys, "ops", "lab")
    ((label, raw),) = blocks(file)
    forged = Draft(Draft.parse(label, raw).statement, (bytes(64), b""))
    file.write_text(to_armor(label, forged.raw))
    place.refuses("issuer", "sign", file, "-o", place / "out", says="draft is not signed by issuer1", code=4)


def test_a_manifest_before_that_is_forged_or_not_the_one_before_is_told(place, keys, first):
    file = drafted(place, keys, "ops", "lab", file="b.draft", options=("--previous", first))
    (label, raw), (_, previous) = blocks(file)
    forged = Manifest.from_parts(Manifest.parse(previous).body, bytes(64), bytes(64))
    file.write_text(to_armor(label, raw) + to_armor("MANIFEST", forged.raw))
    place.refuses("issuer", "sign", file, "-o", place / "out", says="the manifest is not signed by", code=4)
    file.write_text(changed(Draft.parse(label, raw), previous, ver=1))
    place.refuses("issuer", "sign", file, "-o", place / "out", says="does not come after version 1", code=5)
    file.write_text(to_armor(label, raw))
    place.refuses("issuer", "sign", file, "-o", place / "out", says="does not come after version 0", code=5)


@pytest.mark.parametrize("verb", [("trust", "apply"), ("card", "show"), ("issuer", "import")], ids=" ".join)
def test_a_draft_is_nowhere_taken_for_what_it_is_to_be(place, keys, node, verb):
    file = drafted(place, keys, "ops", "lab")
    before = place.snapshot(node)
    place.refuses(*verb, file, says="a manifest draft, which not all have signed", code=4)
    assert "p2pnoise issuer sign" in place.run(*verb, file).stderr
    assert place.snapshot(node) == before


@pytest.mark.parametrize("junk", [b"", b"hello", b"-----BEGIN P2PNOISE MANIFEST DRAFT-----\n"])
@pytest.mark.usefixtures("issuer")
def test_what_is_no_draft_is_refused(place, junk):
    (place / "junk").write_bytes(junk)
    assert place.run("issuer", "sign", place / "junk").exit_code == 3


# Retirement by others


def retiring(place, keys, *by, file="end.draft"):
    names = [word for name in by for word in ("--by", keys[name])]
    place.ok(
        "issuer", "retire", "--other", keys["ops"], "--reason", "lost", *names, "-o", place / file, *home(place, "lab")
    )
    return place / file


@pytest.mark.usefixtures("node")
def test_the_others_retire_an_issuer_whose_key_is_lost(place, keys):
    file = retiring(place, keys, "lab", "audit")
    assert f"retires  {keys['ops']}, for good" in place.ok("issuer", "sign", file).stdout.splitlines()
    end = signed(place, file, "lab", "audit")
    ((label, raw),) = blocks(end)
    assert (label, str(Retirement.parse(raw).issuer)) == ("RETIREMENT", keys["ops"])
    assert place.run("card", "verify").exit_code == 0
    place.ok("trust", "apply", end)
    assert place.run("card", "verify").exit_code == 5
    others = " ".join(sorted(("lab", "audit"), key=lambda name: IssuerId.parse(keys[name])))
    assert f"ops is retired by {others}, reason lost" in place.ok("trust", "show").stdout


def test_beside_the_draft_of_a_retirement_lies_no_manifest(place, keys, first):
    file = retiring(place, keys, "lab", "audit")
    file.write_text(file.read_text() + first.read_text())
    place.refuses("issuer", "sign", file, *home(place, "lab"), says="does not come after version 1", code=5)


def test_one_alone_retires_no_other(place, keys, node):
    end = signed(place, retiring(place, keys, "lab"), "lab")
    before = place.snapshot(node)
    refused = place.run("trust", "apply", end)
    assert (refused.exit_code, place.snapshot(node)) == (5, before)
    assert "too few of the issuers that count here retire" in refused.stderr
    assert "p2pnoise issuer sign" in refused.stderr


def test_an_issuer_does_not_retire_itself_with_others(place, keys):
    arguments = ("issuer", "retire", "--reason", "lost", "--other", keys["ops"])
    place.refuses(*arguments, "--by", keys["ops"], says="ends itself alone, or others do", code=2)
    place.refuses(*arguments, says="--by each who is to sign", code=2)
    place.refuses(*arguments[:4], "--by", keys["ops"], says="--other names whom to end", code=2)
