"""bans.toml: read strictly, with the line that is wrong; changed without touching what people wrote beside it."""

import pytest

from cards import IdentityId, IdentityKey, NodeId, NodeKey
from cli import ban_file
from cli.output import Fault
from p2pnoise.folder import bans
from p2pnoise.folder.bans import Ban

ADA = IdentityKey(bytes(31) + b"\1").public
BOB = IdentityKey(bytes(31) + b"\2").public
NODE = NodeKey.generate(lambda size: b"\7" * size).public
NOON = 1_795_262_400  # 2026-11-21T12:00:00Z
SINCE = "since = 2026-11-21T12:00:00Z"


@pytest.fixture
def file(tmp_path):
    return tmp_path / "bans.toml"


def test_without_a_file_nobody_is_banned(file):
    assert bans.read(file) == ()


def test_what_is_written_is_read_again(file):
    wanted = (
        Ban(key=ADA, since=NOON, until=NOON + 60, reason='a "quoted" \\ reason, ümlaut and 🦊', name="ada"),
        Ban(key=NODE, since=NOON),
    )
    ban_file.write(file, wanted, NOON)
    assert bans.read(file) == wanted
    assert [type(ban.key) for ban in bans.read(file)] == [IdentityId, NodeId]
    assert file.stat().st_mode & 0o077 == 0


def test_a_line_says_what_it_is(file):
    ban = Ban(key=ADA, since=NOON, until=NOON + 60, reason="floods us", name="ada")
    ban_file.write(file, [ban], NOON)
    assert file.read_text() == (
        f'"{ADA}" = {{ name = "ada", reason = "floods us", {SINCE}, until = 2026-11-21T12:01:00Z }}\n'
    )


def test_comments_and_the_lines_of_other_bans_stay_as_they_were(file):
    line = f"{ADA} = {{since=2026-11-21T13:00:00+01:00}} # by phone\n"
    file.write_text(f"# whom we refuse\n{line}\n")
    ban_file.write(file, [*bans.read(file), Ban(key=NODE, since=NOON)], NOON)
    assert file.read_text() == f'# whom we refuse\n{line}\n"{NODE}" = {{ {SINCE} }}\n'


def test_a_ban_that_has_ended_leaves_the_file_with_the_next_change(file):
    ban_file.write(file, [Ban(key=ADA, since=NOON, until=NOON + 1), Ban(key=BOB, since=NOON)], NOON)
    ban_file.write(file, bans.read(file), NOON + 1)
    assert [ban.key for ban in bans.read(file)] == [BOB]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("garbage", "is not TOML"),
        ('"name" = { since = 2026-11-21T12:00:00Z }', "is no ban"),
        ("[bans]", "is no ban"),
        (f'"{ADA}" = "for ever"', "stands for no"),
        (f'"{ADA}" = {{}}', "since is missing"),
        (f'"{ADA}" = {{ since = 2026-11-21 }}', "since is no time"),
        (f'"{ADA}" = {{ since = 2026-11-21T12:00:00 }}', "since is no time"),
        (f'"{ADA}" = {{ since = 1795262400 }}', "since is no time"),
        (f'"{ADA}" = {{ since = 1812-11-21T12:00:00Z }}', "between the years"),
        (f'"{ADA}" = {{ {SINCE}, until = 9999-12-31T23:59:59-12:00 }}', "between the years"),
        (f'"{ADA}" = {{ {SINCE}, untill = 2026-11-21T12:00:00Z }}', "did you mean until?"),
        (f'"{ADA}" = {{ {SINCE}, colour = 7 }}', "one of name, reason, since, until"),
        (f'"{ADA}" = {{ {SINCE}, reason = 7 }}', "reason is no text"),
        (f'"{ADA}" = {{ {SINCE}, name = "Ada Lovelace" }}', "name"),
        (f'"{ADA}" = {{ {SINCE}, reason = "{"r" * 201}" }}', "at most 200"),
        (f'"{ADA}" = {{ {SINCE}, reason = "\\u001b[2J" }}', "cannot be printed"),
        (f'"{str(ADA)[:-1]}q" = {{ {SINCE} }}', "mistyped"),
        (f'"{NODE}" = {{ {SINCE} }} \n"{NODE}" = {{ {SINCE} }}', "a second time"),
    ],
)  # fmt: skip
def test_a_line_that_is_wrong_is_named(file, line, says):
    file.write_text(f"# one\n{line}\n")
    with pytest.raises(Fault, match=r"bans\.toml: line [23]") as fault:
        bans.read(file)
    assert says in str(fault.value)
    assert fault.value.code == 3
    assert fault.value.hint


def test_a_huge_file_and_one_that_is_no_text_are_refused(file, monkeypatch):
    monkeypatch.setattr(bans, "MAX_BANS", 1)
    file.write_text(f'"{ADA}" = {{ {SINCE} }}\n"{BOB}" = {{ {SINCE} }}\n')
    with pytest.raises(Fault, match="2 keys, at most 1"):
        bans.read(file)
    file.write_bytes(b"\xff")
    with pytest.raises(Fault, match="not UTF-8"):
        bans.read(file)
    monkeypatch.setattr(bans, "MAX_FILE", 10)
    file.write_bytes(b"#" * 11)
    with pytest.raises(Fault, match="more than 10 bytes"):
        bans.read(file)


def test_the_longest_line_fits_as_often_as_there_may_be_bans():
    for character in ('"', "🦊"):
        longest = Ban(key=NODE, since=NOON, until=NOON, reason=character * 200, name="n" * 64)
        assert (len(bans.line_of(longest).encode()) + 1) * bans.MAX_BANS < bans.MAX_FILE


# What the node adds.


def made(number, *, since=1_000, reason="it broke the protocol: nonsense"):
    return Ban(key=NodeId(bytes([number]) * 31 + b"\1"), since=since, until=since + 3_600, reason=reason)


def test_what_a_node_adds_stands_beside_what_its_operator_wrote(file):
    file.write_text(f"# mine\n{bans.line_of(made(1, reason='floods us'))}\n")
    bans.add(file, [made(1), made(2)])
    assert bans.read(file) == (made(1, reason="floods us"), made(2))
    assert file.read_text().startswith("# mine\n")


def test_what_a_node_added_goes_when_it_has_ended(file):
    bans.add(file, [made(1), made(2, since=2_000)])
    bans.add(file, [made(3, since=5_000)])
    assert bans.read(file) == (made(2, since=2_000), made(3, since=5_000))


def test_a_node_adds_no_more_than_a_file_may_hold(file, monkeypatch):
    """Or the whole file would be refused at the next start."""
    monkeypatch.setattr(bans, "MAX_BANS", 2)
    bans.add(file, [made(1), made(2)])
    with pytest.raises(Fault, match="at most 2"):
        bans.add(file, [made(3)])
    assert len(bans.read(file)) == 2
