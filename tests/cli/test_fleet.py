"""cli/FLEET.md, line by line: three real daemons from nothing to a network that runs by itself."""

from pathlib import Path

from tests.transcripts import play

FLEET = (Path(__file__).parents[2] / "cli" / "FLEET.md").read_text(encoding="utf-8")


def test_the_page_is_what_an_operator_sees(tmp_path):
    play(FLEET, tmp_path, {"ISSUER": r"^issuer +(issuer1\S+)$"})
