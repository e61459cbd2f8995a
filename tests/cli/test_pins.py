"""pins.toml: read strictly, with the line that is wrong; changed without touching what people wrote beside it."""

import pytest

from cards import IdentityId, IdentityKey
from cli import pins
from cli.output import Fault
from cli.pins import Pins
from p2pnoise.folder import pins as reader

ADA = IdentityKey(bytes(31) + b"\1").public
BOB = IdentityKey(bytes(31) + b"\2").public


@pytest.fixture
def file(tmp_path):
    return tmp_path / "pins.toml"


def test_without_a_file_nothing_is_pinned(file):
    assert pins.read(file).held == {}


def test_what_is_written_is_read_again(file):
    pins.write(file, Pins({"ada": ADA, "db-03.dc1": BOB}))
    assert pins.read(file).held == {"ada": ADA, "db-03.dc1": BOB}
    assert all(isinstance(identity, IdentityId) for identity in pins.read(file).held.values())


def test_comments_and_the_lines_of_other_pins_stay_as_they_were(file):
    file.write_text(f'# by phone, 3 May\nada   =  \'{ADA}\'   # her laptop\n\n"bob" = "{ADA}"\n')
    pins.write(file, Pins({"ada": ADA, "bob": BOB}))
    assert file.read_text() == f'# by phone, 3 May\nada   =  \'{ADA}\'   # her laptop\n\n"bob" = "{BOB}"\n'


def test_a_file_from_another_editor_is_read_too(file):
    file.write_bytes(f"# 3 May\u2028by phone\r\nada = '{ADA}'".encode())
    pins.write(file, pins.read(file).tied("bob", BOB))
    assert pins.read(file).held == {"ada": ADA, "bob": BOB}


def test_the_last_pin_can_be_taken_out(file):
    pins.write(file, Pins({"ada": ADA}))
    pins.write(file, Pins({}))
    assert pins.read(file).held == {}
    pins.write(file, Pins({"bob": BOB}))
    assert pins.read(file).held == {"bob": BOB}


def test_a_name_is_untied_from_the_identity_of_its_first_use(file):
    pins.write(file, Pins({"ada": ADA}).freed("ada", BOB))
    assert file.read_text() == f'"ada" = "not {BOB}"\n'
    assert pins.read(file) == Pins({}, {"ada": BOB})
    assert pins.read(file).over({"ada": BOB, "carl": BOB}) == {"carl": BOB}
    assert pins.read(file).over({"ada": ADA}) == {"ada": ADA}


def test_a_name_that_was_untied_can_be_pinned_again(file):
    file.write_text(f'ada = "not {BOB}"  # reinstalled\n')
    pins.write(file, pins.read(file).tied("ada", BOB))
    assert file.read_text() == f'"ada" = "{BOB}"\n'


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("ada = ", "line 2 is not TOML"),
        ("[ada]", "line 2 is no pin"),
        ('"Ada" = "x"', "line 2 is no pin"),
        ('ada.bob = "x"', "line 2 is no pin"),
        ("ada = 5", "'5' does not begin with id1"),
        (f'ada = "{str(ADA)[:-1]}"', "is not a whole id1 identifier"),
        (f'ada = "{str(ADA)[:-1]}{"q" if str(ADA)[-1] != "q" else "p"}"', "is mistyped"),
        (f'"{"a" * 65}" = "{ADA}"', "name"),
        ('ada = "not "', "does not begin with id1"),
        (f'bob = "not {BOB}"', "line 2 pins bob a second time"),
        ('ada = """', "line 2 is not TOML"),
        (f'bob = "{ADA}"', "line 2 pins bob a second time"),
    ],
)
def test_a_line_that_is_no_pin_is_named(file, line, says):
    file.write_text(f'bob = "{BOB}"\n{line}\n')
    with pytest.raises(Fault) as refused:
        pins.read(file)
    assert f"{file}: line 2" in str(refused.value)
    assert says in str(refused.value)
    assert (refused.value.code, bool(refused.value.hint)) == (3, True)


def test_more_names_than_a_node_keeps_are_refused(file, monkeypatch):
    monkeypatch.setattr(reader, "MAX_PINS", 1)
    file.write_text(f'ada = "{ADA}"\nbob = "{BOB}"\n')
    with pytest.raises(Fault, match="pins 2 names, at most 1"):
        pins.read(file)


def test_a_file_that_is_no_text_is_refused(file):
    file.write_bytes(b'ada = "\xff"\n')
    with pytest.raises(Fault, match="byte 7 is not UTF-8"):
        pins.read(file)


def test_a_file_that_is_far_too_large_is_refused_unread(file):
    with file.open("wb") as sparse:
        sparse.truncate(reader.MAX_FILE + 1)
    with pytest.raises(Fault, match="has more than"):
        pins.read(file)
