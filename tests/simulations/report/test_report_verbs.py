"""The verbs of `p2pnoise simulate` that write a report write it, and refuse a place before they run anything."""

import json

import pytest
from click.testing import CliRunner

from cli.main import root

VERBS = {
    "run": ("run", "cold-start", "--nodes", "3"),
    "sweep": ("sweep", "cold-start", "--nodes", "3", "--seeds", "2", "--engine", "serial"),
    "model": ("model", "--nodes", "500"),
}


def simulate(verb, html, *more, option="--html"):
    result = CliRunner().invoke(root, ["simulate", *VERBS[verb], option, str(html), *map(str, more)])
    assert "unexpected" not in result.output
    return result


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_writes_its_report(tmp_path, verb):
    html = tmp_path / "some.html"
    assert simulate(verb, html).exit_code == 0
    assert html.read_text().startswith("<!doctype html>")
    assert simulate(verb, html, "--force").exit_code == 0


def test_a_report_names_the_code_the_lock_file_and_the_result_that_a_sweep_of_it_has(tmp_path, monkeypatch):
    monkeypatch.setattr("simulations.sweep.software.commit", lambda: "c0ffee")
    monkeypatch.setattr("simulations.sweep.folder.commit", lambda: "c0ffee")
    sweep = ("sweep", "cold-start", "--nodes", "3", "--seeds", "1-1", "--engine", "serial", "--json")
    told = CliRunner().invoke(root, ["simulate", *sweep, "--out", str(tmp_path / "s"), "--html", str(tmp_path / "s.h")])
    assert simulate("run", tmp_path / "r.h").exit_code == 0
    software = json.loads((tmp_path / "s" / "manifest.json").read_text())["software"]
    for page in ("s.h", "r.h"):
        text = (tmp_path / page).read_text()
        for known in ("c0ffee", software["code"], software["lock"], json.loads(told.stdout)["result_hash"]):
            assert f"<code>{known}</code>" in text


@pytest.mark.parametrize("verb", VERBS)
def test_a_place_that_holds_something_else_is_refused_before_anything_runs(tmp_path, verb, monkeypatch):
    html = tmp_path / "thesis.html"
    html.write_text("my thesis")
    nobody_runs(monkeypatch)
    result = simulate(verb, html)
    assert result.exit_code == 1
    assert "exists already" in result.stderr
    assert "--force" in result.stderr
    assert html.read_text() == "my thesis"


@pytest.mark.parametrize("verb", ["run", "model"])
def test_an_outcome_is_written_over_a_file_where_that_is_asked_for_alone(tmp_path, verb, monkeypatch):
    out = tmp_path / "outcome.json"
    out.write_text("my thesis")
    with monkeypatch.context() as patch:
        nobody_runs(patch)
        refused = simulate(verb, out, option="--out")
    assert refused.exit_code == 1
    assert "exists already" in refused.stderr
    assert "--force" in refused.stderr
    assert out.read_text() == "my thesis"
    assert simulate(verb, out, "--force", option="--out").exit_code == 0
    assert json.loads(out.read_text())["nodes"]


@pytest.mark.parametrize("verb", ["run", "model"])
def test_a_place_for_an_outcome_that_cannot_be_written_is_refused_before_anything_runs(tmp_path, verb, monkeypatch):
    nobody_runs(monkeypatch)
    result = simulate(verb, tmp_path / "nowhere" / "outcome.json", option="--out")
    assert result.exit_code == 1
    assert "is no folder" in result.stderr


def test_an_outcome_and_its_report_are_two_files(tmp_path, monkeypatch):
    nobody_runs(monkeypatch)
    result = simulate("run", tmp_path / "x", "--html", tmp_path / "x", option="--out")
    assert result.exit_code == 2
    assert "cannot hold both" in result.stderr


def nobody_runs(monkeypatch):
    for name in ("simulations.run", "simulations.sweep.sweep", "simulations.model.modelling.modelled"):
        monkeypatch.setattr(name, lambda *_given, **_more: pytest.fail("it ran"))
