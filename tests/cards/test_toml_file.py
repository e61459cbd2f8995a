"""TOML files: values checked, and the line and column of what is wrong, however the file is written."""

import random
import tomllib

import pytest

from cards.toml_file import Wrong, check_known, one_of, place, read, seconds, several


def at(text, *path):
    tomllib.loads(text)
    return place(text, path).rstrip(": ")


@pytest.mark.parametrize(
    ("text", "path", "where"),
    [
        ("a = 1", ("a",), "line 1, column 1"),
        ("# a = 1\n\n  a = 1", ("a",), "line 3, column 3"),
        ('b = "a = 1"\na = 1', ("a",), "line 2, column 1"),
        ('b = """\na = 1\n"""\na = 1', ("a",), "line 4, column 1"),
        ("b = '''\na = 1\n'''''\na = 1", ("a",), "line 4, column 1"),
        ('b = "\\"\\\\" # "\na = 1', ("a",), "line 2, column 1"),
        ("[t]\na = 1\n[u]\na = 2", ("u", "a"), "line 4, column 1"),
        ("[t]\na = 1\n[u]\na = 2", ("u",), "line 3, column 2"),
        ("[t.u]\na = 1", ("t",), "line 1, column 2"),
        ("[[t]]\na = 1\n[[t]]\na = 2", ("t", 1, "a"), "line 4, column 1"),
        ("[[t]]\na = 1\n[[t]]\na = 2", ("t", 1, "gone"), "line 3, column 3"),
        ("[[t]]\n[[t]]\n[t.u]\na = 2", ("t", 1, "u", "a"), "line 4, column 1"),
        ("[[t]]\n[[t.u]]\n[[t.u]]\na = 2", ("t", 0, "u", 1, "a"), "line 4, column 1"),
        ("t.u = 1\nt.v = 2", ("t", "v"), "line 2, column 1"),
        ("t.u = 1\nt.v = 2", ("t",), "line 1, column 1"),
        ("t = { u = 1, v = 2 }", ("t", "v"), "line 1, column 14"),
        ('a = [\n  1, # one\n  "]",\n  2,\n]\nb = 1', ("a", 2), "line 4, column 3"),
        ('a = [\n  1, # one\n  "]",\n  2,\n]\nb = 1', ("b",), "line 6, column 1"),
        ("a = [[1, 2], [3]]", ("a", 1, 0), "line 1, column 15"),
        ("a = [{ b = 1 }, { b = 2 }]", ("a", 1, "b"), "line 1, column 19"),
        ("x = 1.5\nd = 2026-01-01 00:00:00Z\na = 1", ("a",), "line 3, column 1"),
        ('"a.b" = 1\na.b = 2', ("a", "b"), "line 2, column 1"),
        ('"a.b" = 1\na.b = 2', ("a.b",), "line 1, column 1"),
        ('"\\u0061" = 1', ("a",), "line 1, column 1"),
        ("[ t . 'u' ]\r\na = 1\r\n", ("t", "u", "a"), "line 2, column 1"),
        ("a = 1", ("b",), ""),
        ("", ("b",), ""),
    ],
)
def test_a_key_or_an_item_is_found_where_it_stands(text, path, where):
    assert at(text, *path) == where


def paths(value, path=()):
    for key, one in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield (*path, key)
        yield from paths(one, (*path, key))


WORDS = ["a", "b", "'b.c'", '"d"', ".", "=", "\n", "[", "]", "[[", "]]", "{", "}", ",", " ", "1", '"x = 1"']
WORDS += ["# a\n", "a = 1\n", "[t]\n", "[[v]]\n"]


@pytest.mark.parametrize("seed", range(4))
def test_every_key_of_any_file_is_found_and_no_file_upsets_the_search(seed):
    rng, read_whole = random.Random(seed), 0
    for _ in range(20_000):
        text = "".join(rng.choices(WORDS, k=rng.randint(1, 14)))
        try:
            table = tomllib.loads(text)
        except tomllib.TOMLDecodeError:
            continue
        for path in paths(table):
            read_whole += 1
            where = at(text, *path)
            line, column = (int(part.split()[1]) for part in where.split(", "))
            rest = text.split("\n")[line - 1][column - 1 :]
            last = path[-1]
            assert isinstance(last, int) or last in rest, (text, path, where)
    assert read_whole > 100


def test_a_wrong_value_is_named_with_its_place_and_one_of_an_array_with_its_own():
    check = several(one_of("up", "down"), 3)
    with pytest.raises(Wrong, match=r"line 2, column 7: way is 'left', one of up, down expected"):
        read('way = ["up",\n      "left"]', "file", 100, lambda table: check(table["way"], ("way",)))


def test_an_unknown_key_is_named_with_the_nearest_known_one():
    with pytest.raises(Wrong, match=r"line 1, column 1: file has an unknown key 'lissen'; did you mean 'listen'\?"):
        read("lissen = 1", "file", 100, lambda table: check_known(table, ("listen", "peers"), (), "file"))


def test_what_is_no_toml_is_named_with_line_and_column():
    with pytest.raises(Wrong, match=r"not TOML: .*line 2, column 5"):
        read("a = 1\nb = ", "file", 100, dict)


@pytest.mark.parametrize("text", ["[" * 50_000, "a = " + "[" * 50_000, "a = " + "1" * 5_000, "a" * 200_001])
def test_what_is_too_deep_or_too_long_is_refused(text):
    with pytest.raises(Wrong):
        read(text, "file", 200_000, dict)


@pytest.mark.parametrize(("value", "result"), [(5, 5), ("5m", 300), ("2h", 7200), ("1d", 86400), ("90s", 90)])
def test_seconds_are_a_number_or_a_text_with_its_unit(value, result):
    assert seconds(86400)(value, ("t",)) == result


@pytest.mark.parametrize("value", [0, -1, "0s", "2d", 86401, 1.5, True, "5 m", "m", "", [], None, "1" * 40 + "s"])
def test_seconds_out_of_range_or_of_another_kind_are_refused(value):
    with pytest.raises(Wrong, match="seconds from 1 to 86400"):
        seconds(86400, least=1)(value, ("t",))
