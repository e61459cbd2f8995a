"""simulations/WRITING.md is true: its files are written, and its transcripts play as they stand."""

import re
from dataclasses import MISSING, fields
from pathlib import Path

import pytest

from simulations.toml_scenario import EXPECTATIONS, fields_of
from tests.transcripts import play

PAGE = (Path(__file__).parents[2] / "simulations" / "WRITING.md").read_text(encoding="utf-8")
SEEDS = "--seeds 20"


def test_the_page_plays_with_a_sweep_of_two_seeds(tmp_path):
    assert SEEDS in PAGE
    play(PAGE.replace(SEEDS, "--seeds 2"), tmp_path, {})


def test_the_table_of_what_can_be_expected_names_every_kind_with_all_its_fields():
    rows = [line.strip("|").split("|") for line in PAGE.partition("| what holds |")[2].splitlines()]
    told = {}
    for kind, given, _ in (row for row in rows if len(row) == 3 and row[0].startswith(" `")):
        needed, _, rest = given.partition("[")
        told[kind.strip(" `")] = [re.findall("`(.+?)`", part) for part in (needed, rest)]
    kinds = {}
    for kind, made in EXPECTATIONS.items():
        names, defaults = fields_of(kind), {one.name for one in fields(made) if one.default is not MISSING}
        kinds[kind] = [[names[one] for one in names if (one in defaults) is left_out] for left_out in (False, True)]
    assert told == kinds


@pytest.mark.long
def test_the_page_plays_as_it_stands(tmp_path):
    play(PAGE, tmp_path, {})
