"""Figures have names and units, and a stranger's text cannot pass for ours."""

import shlex

import pytest

from simulations.report.words import LONGEST, ascii_text, named, plain, ranges, repeat, unit_of
from tests.simulations.report.made import HOSTILE, outcome


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("converged_after", 4.1234, "4.12 s"),
        ("cut_after", 0.0123, "0.0123 s"),
        ("bytes_per_node_median", 43_412, "43.4 kB"),
        ("bytes_per_node_most", 999, "999 B"),
        ("idle_bytes_per_second", 1234.5, "1.23 kB/s"),
        ("attacker_share", 0.125, "12.5 %"),
        ("informed", 0.9999, "> 99.9 %"),
        ("informed", 1, "100 %"),
        ("informed", 0.9994, "99.9 %"),
        ("deliveries", 1_234_567, "1,234,567"),
        ("redundancy", 1.4567, "1.46"),
        ("whatever", 0, "0"),
        ("whatever", 0.00001, "1.0e-05"),
    ],
)
def test_a_figure_is_shown_in_the_unit_of_its_name(name, value, shown):
    assert unit_of(name).show(value) == shown


@pytest.mark.parametrize("name", ["", "_", "__x__", "bytes", "median", "a_b_median", HOSTILE])
def test_any_name_has_a_call_and_a_unit(name):
    assert named(name)
    assert unit_of(name)


def test_text_is_printable_on_one_line_and_ends():
    assert plain("a\nb\x1b[31m\u202e\ud800") == "a\\nb\\x1b[31m\\u202e\\ud800"
    assert len(plain("x" * 10**6)) < LONGEST + 40
    assert "1,000,000 characters" in plain("x" * 10**6)


def test_letters_of_a_figure_are_ascii_and_few():
    shown = ascii_text("\u0416\U0001f600" * 50)
    assert shown.isascii()
    assert len(shown) <= 28


@pytest.mark.parametrize(
    ("numbers", "text"), [([], "none"), ([3], "3"), ([1, 2, 3, 7], "1-3, 7"), ([5, 4, 4, 6], "4-6")]
)
def test_seeds_are_given_as_ranges(numbers, text):
    assert ranges(numbers) == text


def test_many_ranges_are_counted():
    assert ranges(range(0, 100, 2)).endswith("and 38 more")


def test_the_command_that_repeats_a_run_is_words_of_one_shell_line():
    name = "x; rm -rf ~ $(id) `id` 'q\" \n"
    words = shlex.split(repeat(outcome(7, scenario=name, parameters={"a b": "$HOME", "on": True})))
    assert words[:3] == ["p2pnoise", "simulate", "run"]
    assert words[3] == plain(name)
    assert words[4:] == [
        "--nodes",
        "24",
        "--seed",
        "7",
        "--fidelity",
        "bytes",
        "--set",
        "a b=$HOME",
        "--set",
        "on=true",
    ]


@pytest.mark.parametrize("fidelity", ["real", "model", "unheard-of"])
def test_what_no_command_repeats_has_none(fidelity):
    assert repeat(outcome(fidelity=fidelity)) == ""
