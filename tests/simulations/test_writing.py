"""simulations/WRITING.md is true: its files are written, and its transcripts play as they stand."""

from pathlib import Path

import pytest

from tests.transcripts import play

PAGE = (Path(__file__).parents[2] / "simulations" / "WRITING.md").read_text(encoding="utf-8")
SEEDS = "--seeds 20"


def test_the_page_plays_with_a_sweep_of_two_seeds(tmp_path):
    assert SEEDS in PAGE
    play(PAGE.replace(SEEDS, "--seeds 2"), tmp_path, {})


@pytest.mark.long
def test_the_page_plays_as_it_stands(tmp_path):
    play(PAGE, tmp_path, {})
