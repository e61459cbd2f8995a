"""The verbs of `p2pnoise simulate` that write a report write it, and refuse a place before they run anything."""

import pytest
from click.testing import CliRunner

import simulations
from cli.main import root

VERBS = {
    "run": ("run", "cold-start", "--nodes", "3"),
    "sweep": ("sweep", "cold-start", "--nodes", "3", "--seeds", "2", "--engine", "serial"),
    "model": ("model", "--nodes", "500"),
}


def simulate(verb, html):
    result = CliRunner().invoke(root, ["simulate", *VERBS[verb], "--html", str(html)])
    assert "unexpected" not in result.output
    return result


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_writes_its_report(tmp_path, verb):
    html = tmp_path / "some.html"
    assert simulate(verb, html).exit_code == 0
    assert html.read_text().startswith("<!doctype html>")
    assert simulate(verb, html).exit_code == 0  # its own report may be replaced


@pytest.mark.parametrize("verb", VERBS)
def test_a_place_that_holds_something_else_is_refused_before_anything_runs(tmp_path, verb, monkeypatch):
    html = tmp_path / "thesis.html"
    html.write_text("my thesis")
    monkeypatch.setattr(simulations, "run", None)  # nobody comes to call it
    result = simulate(verb, html)
    assert result.exit_code == 1
    assert "exists already" in result.stderr
    assert "fix: " in result.stderr
    assert html.read_text() == "my thesis"
