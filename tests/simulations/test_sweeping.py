"""simulations/SWEEPING.md is true: its transcripts play as they stand."""

from pathlib import Path

from tests.transcripts import play

PAGE = (Path(__file__).parents[2] / "simulations" / "SWEEPING.md").read_text(encoding="utf-8")


def test_the_page_plays_as_it_stands(tmp_path):
    play(PAGE, tmp_path, {})
