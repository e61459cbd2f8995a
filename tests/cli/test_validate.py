"""`p2pnoise simulate validate`: what it says of a comparison, and where none is possible."""

import json
import sys
from dataclasses import replace

import pytest
from click.testing import CliRunner

from cli.main import root
from simulations import ScenarioError
from simulations.real import netns, validating
from simulations.real.measuring import Figures
from simulations.real.page import page, verdict
from simulations.real.processes import RealRun
from simulations.real.statistics import Margins, compare
from simulations.real.tun_relay import RelayLaw
from simulations.real.validating import Validation


def validate(*options, over="loopback"):
    result = CliRunner().invoke(root, ["simulate", "validate", "--over", over, *options])
    assert "Traceback" not in result.output
    return result


def figures(knew, *, noticed=0.02):
    return tuple(
        Figures(
            number=number,
            listening_after=float(number),
            knew_all_after=knew,
            bytes_sent=10_000,
            messages_sent=50,
            offered=10,
            held=4,
            links=3,
            noticed_after=noticed if number else None,
        )
        for number in range(4)
    )


def real_run(seed=1, *, busy=0.1, knew=4.0):
    return RealRun(
        seed=seed, figures=figures(knew), missing=(), busy=busy, cpu_seconds=1.0, round_trips=(0.02, 0.022, 0.021)
    )


@pytest.fixture
def machine(monkeypatch):
    """A machine whose real runs are these, and whose simulated ones take so long."""

    def machine(*runs, knew=4.0):
        waiting = list(runs)
        monkeypatch.setattr(validating, "run_processes", lambda *_, **__: waiting.pop(0))
        monkeypatch.setattr(validating, "simulate", lambda *_, **__: list(figures(knew)))

    return machine


@pytest.fixture
def validation():
    return Validation(
        nodes=4,
        fidelity="bytes",
        relay=RelayLaw(delay=0.05, jitter=0.005, loss=0.01),
        parameters={"start": 1.0, "latency": 0.05, "jitter": 0.01},
        real=(real_run(), real_run(2, busy=0.9)),
        simulated_seeds=3,
        comparisons=tuple(
            compare(
                [
                    ("knows all", "s", [0.1, 0.2, 1.5], [0.1, 0.2, 1.5], Margins(median=0.1, p95=0.1)),
                    ("duplicates", "share", [0.5], [0.5], Margins(median=0.1, p95=0.1)),
                    ("bytes", "bytes", [12_345.0], [12_345.0], Margins(median=0.1, p95=0.1)),
                ]
            )
        ),
    )


def test_a_simulator_that_does_as_reality_does_is_accepted(machine, tmp_path):
    machine(real_run(1), real_run(2))
    out = tmp_path / "page.md"
    result = validate("--nodes", "4", "--runs", "2", "--seeds", "3", "--page", str(out))
    assert result.exit_code == 0
    assert "knows all after the last start" in result.stdout
    assert "does as reality does" in result.stderr
    assert "## 4 nodes on loopback" in out.read_text()


def test_the_law_of_the_simulated_lines_is_that_of_the_round_trips(machine):
    machine(real_run())
    (found,) = json.loads(validate("--nodes", "4", "--runs", "1", "--seeds", "1", "--json").stdout)
    assert found["accepted"] is True
    assert found["parameters"]["latency"] == pytest.approx(0.0101, abs=0.0001)
    assert found["parameters"]["jitter"] == pytest.approx(0.0008, abs=0.0001)
    assert len(found["figures"]) == 6
    assert {one["name"] for one in found["figures"]} >= {"links", "bytes sent until then"}


def test_a_simulator_that_is_off_fails_and_the_figure_is_named(machine):
    machine(real_run(), knew=6.0)
    result = validate("--nodes", "4", "--runs", "1", "--seeds", "3")
    assert result.exit_code == 1
    assert "not near: knows all after the last start" in result.stderr
    assert "does not do as reality does" in result.stderr


def test_on_a_busy_machine_there_is_no_verdict(machine):
    machine(real_run(busy=0.8), real_run(2, busy=0.5))
    result = validate("--nodes", "4", "--runs", "2", "--seeds", "1")
    assert result.exit_code == 1
    assert "no verdict: during all real runs" in result.stderr
    assert "the machine was busy" in result.stderr


@pytest.mark.parametrize(("run", "accepted"), [(real_run(busy=0.8), None), (real_run(knew=40.0), False)])
def test_without_a_verdict_or_against_it_there_is_one_answer_all_the_same(machine, run, accepted):
    machine(run)
    result = validate("--nodes", "4", "--runs", "1", "--seeds", "1", "--json")
    assert result.exit_code == 1
    assert [one["accepted"] for one in json.loads(result.stdout)] == [accepted]


def test_a_run_of_a_busy_machine_is_left_out_where_there_are_others(machine):
    machine(real_run(busy=0.8, knew=9.0), real_run(2))
    assert validate("--nodes", "4", "--runs", "2", "--seeds", "1").exit_code == 0


def test_runs_in_which_not_all_came_to_know_all_are_no_basis(machine):
    unfinished = real_run()
    machine(replace(unfinished, missing=(3,)), replace(unfinished, figures=figures(None)))
    result = validate("--nodes", "4", "--runs", "2")
    assert result.exit_code == 2
    assert "in no real run did all processes come to know all" in result.stderr


def test_without_namespaces_loopback_has_to_do(machine, monkeypatch):
    monkeypatch.setattr(netns, "impossible", lambda: "network namespaces are of Linux alone")
    machine(real_run())
    result = validate("--nodes", "4", "--runs", "1", "--seeds", "1", over="both")
    assert result.exit_code == 0
    assert "on loopback alone: network namespaces are of Linux alone" in result.stderr


def test_where_there_are_namespaces_both_are_compared(machine, monkeypatch):
    monkeypatch.setattr(netns, "impossible", lambda: None)
    machine(real_run(), real_run())
    result = validate("--nodes", "4", "--runs", "1", "--seeds", "1", over="both")
    assert result.exit_code == 0
    assert "4 nodes on loopback\n" in result.stdout
    assert "4 nodes in network namespaces, with a relay that takes 50 ms one way" in result.stdout


def test_what_a_machine_cannot_do_is_said(monkeypatch):
    def refuse(*_args, **_named):
        raise ScenarioError("no relay between namespaces: there are none", "leave it out")

    monkeypatch.setattr(validating, "run_processes", refuse)
    result = validate(over="relay")
    assert "no relay between namespaces" in result.stderr
    assert "fix: leave it out" in result.stderr


@pytest.mark.parametrize(
    "options",
    [
        ("--nodes", "1"),
        ("--nodes", "201"),
        ("--runs", "0"),
        ("--jitter", "-1"),
        ("--delay", "nan"),
        ("--loss", "0.9"),
        ("--over", "wire"),
        ("--fidelity", "model"),
    ],
)
def test_options_that_are_none_are_usage_errors(options):
    assert validate(*options).exit_code == 2


def test_a_page_says_what_was_compared_and_which_runs_were_not_valid(validation):
    text = page([validation])
    assert "## 4 nodes in network namespaces, with a relay that takes 50 ms one way, give or take 5 ms" in text
    assert "| knows all | 200.0 ms | 200.0 ms | +0.0% | 1.370 s |" in text
    assert "| bytes | 12,345 |" in text
    assert "How busy the processors were in each real run: 10%, 90% (invalid)." in text
    assert "**The simulator does as reality does" in text


def test_a_page_without_valid_runs_says_so(validation):
    text = page([replace(validation, real=(real_run(busy=0.9),))])
    assert "**No verdict: during all real runs" in text
    assert "The table compares those runs all the same." in text


def test_a_law_that_is_another_but_near_is_told_from_one_that_is_far(validation):
    near = compare([("a", "", [100.0] * 90, [101.0] * 90, Margins(median=0.1, p95=0.1))])
    assert verdict(replace(validation, comparisons=tuple(near))) == "near, but of another law: a"


@pytest.mark.long
@pytest.mark.skipif(sys.platform == "win32", reason="real runs fork")
def test_a_small_validation_from_beginning_to_end():
    result = validate("--nodes", "6", "--runs", "2", "--seeds", "4", "--start", "2", "--json")
    (found,) = json.loads(result.stdout)
    assert len(found["real_runs"]) == 2
    assert all(one["real"]["count"] > 0 < one["simulated"]["count"] for one in found["figures"])


@pytest.mark.long
@pytest.mark.skipif(netns.impossible() is not None, reason=f"{netns.impossible()}")
def test_a_small_validation_with_a_relay():
    result = validate("--nodes", "5", "--runs", "1", "--seeds", "3", "--start", "2", "--json", over="relay")
    (found,) = json.loads(result.stdout)
    assert found["parameters"]["latency"] >= found["relay"]["delay"] - found["relay"]["jitter"]
