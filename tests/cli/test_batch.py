"""`p2pnoise card issue --batch`: each request gets its answer, nobody unexpected a card, no number a second one."""

import json
import random
import sqlite3
import time

import pytest

from cards import Card, Entry, IdentityKey, IssuerKey, NodeKey, make_card, make_list
from cards.text import fingerprint, from_armor, to_armor

SEED = 20


class Fleet:
    """Requests in a folder, and the file that says who is expected."""

    def __init__(self, place, count, *, groups="agents"):
        self.place = place
        self.chance = random.Random(SEED)
        self.folder, self.csv, self.out = place / "requests", place / "fleet.csv", place / "cards"
        self.folder.mkdir()
        self.identities = {}
        rows = ["identity,name,groups"]
        for number in range(count):
            name = f"n{number:04}"
            identity = self.add(name)
            rows.append(f"{identity},{name},{groups}")
        self.rows(*rows)

    def add(self, name, identity=None, **how):
        identity = identity or IdentityKey.generate(self.chance.randbytes)
        card = make_card(
            identity,
            NodeKey.generate(self.chance.randbytes),
            network="example-net",
            name=name,
            now=int(time.time()),
            **how,
        )
        self.write(f"{name}.request", to_armor("CARD", card.raw))
        self.identities[name] = identity
        return identity.public

    def write(self, file, text):
        (self.folder / file).write_text(text)

    def rows(self, *rows):
        self.csv.write_text("\n".join(rows) + "\n")

    def arguments(self, *more):
        return ["card", "issue", "--batch", self.folder, "--expect", self.csv, "-o", self.out, *more]

    def issue(self, *more, code=0):
        result = self.place.run(*self.arguments(*more))
        assert result.exit_code == code, result.output
        return {line["item"]: line for line in map(json.loads, result.stdout.splitlines())}

    def card(self, name):
        return self.place.card(self.out / f"{name}.card")

    def lines(self):
        """The requests as `card request --json` prints them."""
        return "".join(json.dumps({"request": path.read_text()}) + "\n" for path in sorted(self.folder.iterdir()))


@pytest.fixture
def fleet(place, issuer):
    return Fleet(place, 3)


def recorded(place):
    database = sqlite3.connect(place.issuer / "registry.db")
    rows = database.execute("SELECT serial, card_id FROM grants").fetchall()
    database.close()
    return dict(rows)


def test_all_that_is_expected_is_granted_and_each_says_so(fleet):
    lines = fleet.issue()
    assert {line["status"] for line in lines.values()} == {"granted"}
    assert sorted(line["serial"] for line in lines.values()) == [1, 2, 3]
    for name in ("n0000", "n0001", "n0002"):
        card = fleet.card(name)
        assert card.grants[0].groups == ("agents",)
        assert lines[f"{name}.request"]["serial"] == card.grants[0].serial
    assert [label for label, _ in from_armor((fleet.out / "n0000.card").read_text())] == ["CARD"]


def test_a_card_of_a_batch_installs(place, fleet, issuer):
    place.ok("id", "new")
    place.ok("card", "request", "--name", "own", "--network", "example-net", "-o", fleet.folder / "own.request")
    fleet.rows("identity", place.json("id", "show")["identity"])
    fleet.issue(code=5)
    place.ok("card", "install", fleet.out / "own.card", "--issuer", issuer)
    assert (place.node / "revocations.pem").read_bytes() == (place.issuer / "revocations.pem").read_bytes()


@pytest.fixture
def long_list(place, issuer):
    """The issuer has revoked ten thousand cards."""
    key = IssuerKey.from_pem((place.issuer / "issuer.key").read_bytes())
    now = int(time.time())
    entries = [Entry(random.Random(n).randbytes(32), now, "lost", now + 10**7) for n in range(10_000)]
    one = make_list(key, network="example-net", sequence=9, now=now, entries=entries)
    (place.issuer / "revocations.pem").write_text(to_armor("REVOCATION LIST", one.raw))
    return to_armor("REVOCATION LIST", one.raw)


def test_a_long_list_is_kept_once_for_a_whole_folder(fleet, long_list):
    fleet.issue()
    assert (fleet.out / "revocations.pem").read_text() == long_list
    assert max(path.stat().st_size for path in fleet.out.glob("*.card")) < 1000


@pytest.mark.parametrize("output", ["-", "cards.jsonl"])
def test_a_long_list_is_one_line_of_many(place, fleet, long_list, output):
    told = place.ok(*fleet.arguments("-o", output if output == "-" else place / output)).stdout
    first, *others = (told if output == "-" else (place / output).read_text()).splitlines()
    assert json.loads(first)["item"] is None
    assert json.loads(first)["text" if output == "-" else "revocations"] == long_list
    assert len(others) == 3
    assert max(map(len, others)) < 3000


def test_a_list_in_a_file_of_lines_is_written_again_only_when_there_is_a_newer_one(place, fleet):
    fleet.out = place / "cards.jsonl"
    for publish in (False, False, True):
        if publish:
            place.ok("revoke", "publish")
        fleet.issue()
    lists = [line["revocations"] for line in map(json.loads, fleet.out.read_text().splitlines()) if not line["item"]]
    assert len(lists) == 2
    assert lists[-1] == (place.issuer / "revocations.pem").read_text()


def test_the_list_beside_the_cards_follows_that_of_the_issuer(place, fleet):
    fleet.issue()
    place.ok("revoke", "publish")
    fleet.issue()
    assert (fleet.out / "revocations.pem").read_bytes() == (place.issuer / "revocations.pem").read_bytes()


def test_a_list_of_somebody_else_is_not_replaced_and_nothing_is_granted(place, fleet):
    fleet.out.mkdir()
    other = make_list(IssuerKey(bytes(32)), network="example-net", sequence=1, now=int(time.time()))
    for text, code in (("mine", 3), (to_armor("REVOCATION LIST", other.raw), 1)):
        (fleet.out / "revocations.pem").write_text(text)
        assert fleet.place.run(*fleet.arguments()).exit_code == code
        assert (fleet.out / "revocations.pem").read_text() == text
    assert recorded(place) == {}
    fleet.issue("--force")
    assert len(recorded(place)) == 3


@pytest.mark.usefixtures("fleet")
def test_a_delegates_cards_have_its_delegation_and_the_list_of_its_root_beside_them(place, fleet, issuer):
    place.ok("issuer", "new", "site-7", "--network", "example-net", "--issuer-home", place / "site")
    delegate = IssuerKey.from_pem((place / "site" / "issuer.key").read_bytes()).public
    place.ok("issuer", "delegate", delegate, "-o", place / "site.pem")
    place.ok("issuer", "import", place / "site.pem", "--issuer-home", place / "site")
    place.ok("id", "new")
    place.ok("card", "request", "--name", "own", "--network", "example-net", "-o", fleet.folder / "own.request")
    fleet.rows("identity", place.json("id", "show")["identity"])
    fleet.issue("--issuer-home", place / "site", "--days", "30", code=5)
    assert [label for label, _ in from_armor((fleet.out / "own.card").read_text())] == ["CARD", "DELEGATION"]
    place.ok("card", "verify", fleet.out / "own.card", "--issuer", f"ops={issuer}")
    place.ok("card", "install", fleet.out / "own.card", "--issuer", f"ops={issuer}")
    assert place.json("card", "verify")["ok"]


def test_one_that_is_wrong_stops_no_other(place, fleet):
    fleet.add("stranger")
    fleet.write("broken.request", "-----BEGIN P2PNOISE CARD-----\n")
    fleet.write("empty.request", "")
    fleet.write("key.request", (place.issuer / "issuer.key").read_text())
    fleet.write(".hidden", "not looked at")
    lines = fleet.issue(code=3)
    assert {item: line["status"] for item, line in lines.items() if line["status"] != "granted"} == dict.fromkeys(
        ("broken.request", "empty.request", "key.request", "stranger.request"), "refused"
    )
    assert "nobody expects stranger" in lines["stranger.request"]["error"]
    assert lines["stranger.request"]["exit"] == 5
    assert lines["broken.request"]["findings"][0]["code"] == "armor-invalid"
    assert "private key" in lines["key.request"]["error"]
    assert all(line["fix"] for line in lines.values() if line["status"] == "refused")
    assert sorted(path.name for path in fleet.out.glob("*.card")) == ["n0000.card", "n0001.card", "n0002.card"]


def test_another_name_than_the_expected_one_is_refused(fleet):
    identity = fleet.identities["n0000"]
    fleet.rows("identity,name", f"{identity.public},other")
    line = fleet.issue(code=5)["n0000.request"]
    assert "expects the name other, the card has n0000" in line["error"]


def test_whoever_is_expected_may_be_named_by_fingerprint_and_any_name_may_do(fleet):
    fleet.rows("identity", *(fingerprint(str(one.public)) for one in fleet.identities.values()))
    assert {line["status"] for line in fleet.issue().values()} == {"granted"}
    assert fleet.card("n0000").grants[0].groups == ()


def test_a_second_request_of_one_identity_is_refused(fleet):
    fleet.add("n0001-again", fleet.identities["n0001"], sequence=2)
    fleet.rows("identity", *(str(one.public) for one in set(fleet.identities.values())))
    line = fleet.issue(code=8)["n0001.request"]
    assert line["error"] == "n0001-again.request is a request of the same identity"


def test_two_in_one_portion_do_not_share_a_name(fleet):
    other = IdentityKey.generate(fleet.chance.randbytes)
    card = make_card(
        other, NodeKey.generate(fleet.chance.randbytes), network="example-net", name="n0000", now=int(time.time())
    )
    fleet.write("x.request", to_armor("CARD", card.raw))
    fleet.rows("identity", *(str(one.public) for one in (*fleet.identities.values(), other)))
    line = fleet.issue(code=8)["x.request"]
    assert "the name n0000 is held by" in line["error"]


@pytest.mark.parametrize("change", ["key", "node", "network"])
def test_a_request_without_its_proofs_is_refused_as_by_itself(place, fleet, change):
    card = place.card(fleet.folder / "n0000.request")
    if change == "network":
        identity, node = fleet.identities["n0000"], NodeKey.generate(fleet.chance.randbytes)
        card = make_card(identity, node, network="other-net", name="n0000", now=int(time.time()))
    else:
        signatures = (bytes(64), card.node_signature) if change == "key" else (card.key_signature, b"")
        card = Card.from_body(card.body, *signatures)
    fleet.write("n0000.request", to_armor("CARD", card.raw))
    code = {"key": 4, "node": 9, "network": 5}[change]
    assert fleet.issue(code=code)["n0000.request"]["exit"] == code
    assert place.run("card", "issue", fleet.folder / "n0000.request").exit_code == code


def test_a_dry_run_says_what_would_be_and_changes_nothing(place, fleet):
    fleet.add("stranger")
    before = place.snapshot(place.path)
    lines = fleet.issue("--dry-run", code=5)
    assert sorted(line["status"] for line in lines.values()) == ["grantable"] * 3 + ["refused"]
    assert place.snapshot(place.path) == before
    assert not fleet.out.exists()
    assert fleet.issue(code=5)["n0000.request"]["serial"] == 1


def test_run_again_it_leaves_what_is_granted_as_it_is(place, fleet):
    fleet.issue()
    before = place.snapshot(fleet.out)
    assert {line["status"] for line in fleet.issue().values()} == {"already"}
    assert place.snapshot(fleet.out) == before
    assert sorted(recorded(place)) == [1, 2, 3]
    assert {line["status"] for line in fleet.issue("--force").values()} == {"granted"}


def test_other_groups_are_granted_anew(fleet):
    fleet.issue()
    position = fleet.card("n0000").grants[0].position
    fleet.rows("identity,groups", *(f"{one.public},{name[:2]} ops" for name, one in fleet.identities.items()))
    fleet.issue()
    assert fleet.card("n0000").grants[0].groups == ("n0", "ops")
    assert fleet.card("n0000").grants[0].position == position


def test_a_file_of_somebody_else_is_not_replaced(fleet):
    fleet.out.mkdir()
    (fleet.out / "n0000.card").write_text("mine")
    (fleet.out / "n0001.card").write_text((fleet.folder / "n0002.request").read_text())
    lines = fleet.issue(code=3)
    assert [lines[f"n000{number}.request"]["status"] for number in range(3)] == ["refused", "refused", "granted"]
    assert (fleet.out / "n0000.card").read_text() == "mine"


@pytest.mark.usefixtures("fleet")
def test_requests_come_as_json_lines_and_cards_go_into_the_answers(place, fleet):
    arguments = ("card", "issue", "--batch", "-", "--expect", fleet.csv)
    lines = fleet.lines().replace("\n", "\n\n", 1) + "no json\n" + '{"request": 7}\n' + '{"request": ""}\n'
    result = place.run(*arguments, input=lines)
    assert result.exit_code == 3
    lists, *answers = [json.loads(line) for line in result.stdout.splitlines()]
    assert lists["text"] == (place.issuer / "revocations.pem").read_text()
    assert [answer["status"] for answer in answers] == ["granted"] * 3 + ["refused"] * 3
    assert [answer["item"] for answer in answers] == [f"line {number}" for number in (1, 3, 4, 5, 6, 7)]
    card = Card.parse(from_armor(answers[0]["text"])[0][1])
    assert (card.name, card.grants[0].serial) == ("n0000", 1)


@pytest.mark.parametrize(("source", "lines"), [("-", ""), ("-", "\n\n"), ("nothing", None)])
def test_a_batch_of_nothing_is_a_fault(place, fleet, source, lines):
    (place / "nothing").mkdir()
    source = source if source == "-" else place / source
    result = place.run("card", "issue", "--batch", source, "--expect", fleet.csv, input=lines)
    assert result.exit_code == 3
    assert "no request in " in result.stderr
    assert "fix: name a folder of requests" in result.stderr


def test_a_line_that_never_ends_is_one_refusal_and_takes_little_room(place, fleet):
    lines = '{"request": "' + "A" * 3_000_000 + "\n" + fleet.lines()
    result = place.run("card", "issue", "--batch", "-", "--expect", fleet.csv, input=lines)
    statuses = [json.loads(line)["status"] for line in result.stdout.splitlines()]
    assert statuses == ["revocations", "refused", "granted", "granted", "granted"]


def test_json_lines_go_to_a_file_whose_torn_end_is_mended(place, fleet):
    fleet.out = place / "cards.jsonl"
    fleet.issue()
    whole = fleet.out.read_bytes()
    fleet.out.write_bytes(whole[:-100])
    lines = fleet.issue()
    assert [line["status"] for line in lines.values()] == ["already", "already", "granted"]
    _, *kept = [json.loads(line) for line in fleet.out.read_text().splitlines()]
    assert [line["label"] for line in kept] == ["n0000", "n0001", "n0002"]
    assert len({Card.parse(from_armor(line["text"])[0][1]).grants[0].serial for line in kept}) == 3


def test_a_torn_end_that_is_not_a_card_is_left_alone(place, fleet):
    fleet.out = place / "notes.jsonl"
    fleet.out.write_text('{"mine": 1}\n{"mine": 2}')
    place.refuses(
        "card", "issue", "--batch", fleet.folder, "--expect", fleet.csv, "-o", fleet.out, says="no card", code=1
    )
    assert fleet.out.read_text() == '{"mine": 1}\n{"mine": 2}'
    assert recorded(place) == {}


@pytest.mark.parametrize(
    ("text", "says", "code"),
    [
        ("", "is empty", 3),
        ("name\nn0\n", "identity, name and groups expected", 2),
        ("identity,nmae\nx,y\n", "identity, name and groups expected", 2),
        ("identity\nid1qqqq\n", "line 2: ", 3),
        ("identity\nnobody\n", "neither id1... nor a fingerprint", 3),
        ("identity,name\nIDENTITY,Upper\n", "line 2: name", 3),
        ("identity,groups\nIDENTITY,a b C\n", "line 2: group", 3),
        ("identity,groups\nIDENTITY," + " ".join(f"g{n}" for n in range(17)) + "\n", "17 groups", 3),
        ("identity,name\nIDENTITY\n", "another number of columns", 3),
        ("identity,name\nIDENTITY,a,b\n", "another number of columns", 3),
        ("identity\nIDENTITY\nIDENTITY\n", "is in line 2 already", 2),
        ('identity\n"IDENTITY\n', "is no CSV", 3),
        ("identity\n\x00\n", "", 3),
        ("x" * 100_000 + "\n", f"columns {'x' * 80!r}; identity", 2),
    ],
)
def test_a_broken_list_of_the_expected_is_refused_by_line_before_anything_is_granted(place, fleet, text, says, code):
    fleet.csv.write_text(text.replace("IDENTITY", str(fleet.identities["n0000"].public)))
    place.refuses(*fleet.arguments(), says=says, code=code)
    assert recorded(place) == {}


def test_a_list_of_the_expected_that_is_not_utf8_is_named_with_the_byte(place, fleet):
    fleet.csv.write_bytes(b"identity\n\xff\n")
    place.refuses(*fleet.arguments(), says="byte 9 is not UTF-8", code=3)


def test_a_list_from_a_spreadsheet_is_read(fleet):
    rows = ["identity,name,groups", *(f"{one.public},{name}," for name, one in fleet.identities.items())]
    fleet.csv.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(rows).encode())
    assert {line["status"] for line in fleet.issue().values()} == {"granted"}


def test_who_is_expected_and_sent_nothing_is_told(place, fleet):
    (fleet.folder / "n0001.request").unlink()
    result = place.ok(*fleet.arguments())
    assert "2 granted" in result.stderr
    assert "1 expected identities sent no request that fits, the first in line 3" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["--batch", "requests"],
        ["x.request", "--batch", "requests", "--expect", "fleet.csv"],
        ["--batch", "requests", "--expect", "fleet.csv", "--group", "g"],
        ["x.request", "--expect", "fleet.csv"],
        ["x.request", "--dry-run"],
    ],
)
def test_words_that_do_not_go_together_are_refused(place, fleet, arguments):
    place.refuses("card", "issue", *arguments, says="these do not go together", code=2)


def test_killed_at_any_moment_it_goes_on_and_no_serial_means_two_things(place, issuer):
    """kill -9 while it grants; what was acknowledged stays, and in the end every node has one card."""
    fleet = Fleet(place, 1200)
    rng, meanings, acknowledged = random.Random(SEED), {}, {}
    for _ in range(6):
        process = place.start(*fleet.arguments(), stdout=-1, stderr=-1)
        for _ in range(rng.randrange(1, 300)):  # then somewhere in the next portion
            line = process.stdout.readline()
            if line:
                answer = json.loads(line)
                acknowledged.setdefault(answer["item"], answer)
        time.sleep(rng.random() / 20)
        process.kill()
        process.communicate()
        records = recorded(place)
        for path in fleet.out.glob("*.card"):
            card = place.card(path)
            meaning = card.card_id + card.grants[0].attrs
            assert meanings.setdefault(card.grants[0].serial, meaning) == meaning
            assert records[card.grants[0].serial] == card.card_id.hex()
    before = place.snapshot(fleet.out)
    lines = fleet.issue()
    assert len(lines) == 1200
    assert "granted" in {answer["status"] for answer in acknowledged.values()}
    for item, answer in acknowledged.items():
        name = f"{answer['label']}.card"
        assert lines[item]["status"] == "already"
        assert (fleet.out / name).read_bytes() == before[name]
    cards = [place.card(path) for path in fleet.out.glob("*.card")]
    assert len({card.grants[0].serial for card in cards}) == len(cards) == 1200
    records = recorded(place)
    assert all(records[card.grants[0].serial] == card.card_id.hex() for card in cards)


def test_two_at_once_share_no_serial(place, issuer):
    fleet = Fleet(place, 300)
    running = []
    for output in ("one.jsonl", "two.jsonl"):
        fleet.out = place / output
        running.append(place.start(*fleet.arguments(), stdout=-1, stderr=-1))
    answers = [json.loads(line) for process in running for line in process.communicate()[0].splitlines()]
    serials = [answer["serial"] for answer in answers]
    assert len(set(serials)) == len(serials) == 600
    assert (place / "one.jsonl").stat().st_size > 0
