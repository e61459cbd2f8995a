"""A report says all that was found, asks for nothing outside itself, and has no room for somebody else's markup."""

import base64
import hashlib
import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser

import matplotlib as mpl
import pytest

from p2pnoise.folder.fault import Fault
from simulations import report
from simulations.outcome import Outcome
from simulations.report import embedding, page
from simulations.report.bands import POINTS
from simulations.results import Failure
from tests.simulations.report.made import QUESTION, VERSIONS, hostile_outcome, outcome, sweep


class Read(HTMLParser):
    """What a browser would make of a page: its elements, its text, its scripts."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.elements, self.text, self.scripts, self._in = [], "", [], ""
        self.feed(text)
        self.text = " ".join(self.text.split())

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        self._in = tag
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag):  # noqa: ARG002 - its signature
        self._in = ""

    def handle_data(self, data):
        if self._in == "script":
            self.scripts[-1] += data
        elif self._in != "style":
            self.text += data if self._in == "text" else f"{data} "

    @property
    def data(self):
        return json.loads(self.scripts[0])


def read(*outcomes):
    return Read(page.report(outcomes))


def figures(text):
    return re.findall(r"<svg viewBox.*?</svg>", text, flags=re.DOTALL)


def test_the_same_outcomes_are_the_same_bytes_in_processes_that_hash_differently():
    script = (
        "from simulations.report import page; from tests.simulations.report.made import sweep; import hashlib; "
        "print(hashlib.sha256(page.report(sweep(3, hostile=(2, 5), broken=(3,))).encode()).hexdigest())"
    )
    hashes = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert hashes == {f"{hashlib.sha256(page.report(sweep(3, hostile=(2, 5), broken=(3,))).encode()).hexdigest()}\n"}


def test_a_page_says_what_was_asked_what_ran_and_what_came_of_it():
    text = read(*sweep(40)).text
    for said in (
        QUESTION,
        "half-partition",
        "24 nodes",
        "seeds 1-40",
        "fidelity bytes",
        "1 of 4 checks broke, in 2 of 40 runs",
        "all know all after the cut has healed",
        "38 of 40",
        "seed 17 at 14.8 s",
        "node 7 lacks the cards of 3 and 11",
        "p2pnoise simulate run half-partition --nodes 24 --seed 31",
        *VERSIONS.values(),
        outcome(1).trace_hash,
        "Noise handshakes",
        "real disks and SQLite",
    ):
        assert said in text, said


def test_every_figure_of_a_run_is_drawn():
    said = read(outcome(hostile=(2, 5)))
    headings = [
        "How knowledge spreads",
        "How nodes get linked",
        "How long a node waits for the last card",
        "What a node has to send",
        "How the links are spread over nodes",
        "How many links a node keeps",
        "How far attackers get",
        "Who was linked to whom at the end",
    ]
    assert all(heading in said.text for heading in headings)
    assert sum(tag == "svg" for tag, _ in said.elements) == len(headings)


def test_many_runs_are_drawn_as_a_median_and_a_band_and_each_as_a_dot():
    text = page.report(sweep(30))
    assert "run by run" in text
    assert "5-95 % of runs" in text
    assert "seed 17" in "".join(figures(text))
    assert "5-95 % of runs" not in page.report([outcome()])


def test_a_page_asks_for_nothing_outside_itself():
    for text in (page.report(sweep(6)), page.report([hostile_outcome()])):
        said = Read(text)
        assert {"link", "img", "iframe", "object", "embed", "base", "form", "video"} & {
            t for t, _ in said.elements
        } == set()
        assert all(not {"src", "srcset", "data", "action"} & set(attributes) for _, attributes in said.elements)
        assert all(
            attributes["href"].startswith("#") for _, attributes in said.elements if attributes.get("href") is not None
        )
        assert "@import" not in text
        assert set(re.findall(r"url\((.)", text)) <= {"#"}
        assert "://" not in text


def test_no_script_but_its_own_may_run_and_that_is_named_by_its_digest():
    said = read(outcome())
    (policy,) = [a["content"] for _, a in said.elements if a.get("http-equiv") == "Content-Security-Policy"]
    digest = base64.b64encode(hashlib.sha256(said.scripts[1].encode()).digest()).decode()
    assert "default-src 'none'" in policy
    assert f"script-src 'sha256-{digest}'" in policy


def test_hostile_text_is_text():
    text = page.report([hostile_outcome()])
    said = Read(text)
    assert [tag for tag, _ in said.elements].count("script") == len(said.scripts) == 2
    assert not any(name.startswith("on") for _, attributes in said.elements for name in attributes)
    assert "<script>alert(1)" in said.text
    assert "{{ 7*7 }}" in said.text
    assert "\\u202egnp.exe \\x1b[31m \\ud800" in said.text
    assert not any(character in text for character in "\u202e\x1b\ud800")


def test_the_data_of_a_page_is_the_outcomes_and_never_ends_its_element():
    given = [hostile_outcome(), outcome(2)]
    text = page.report(given)
    assert [
        Outcome.from_json({k: v for k, v in one.items() if k != "ok"}) for one in Read(text).data["outcomes"]
    ] == given
    assert "<" not in Read(text).scripts[0]


def test_hostile_figures_are_left_out_and_the_rest_is_drawn():
    bad = [10**400, 1e300, -1e300]
    odd = outcome(
        curves={
            "informed": tuple((t, v) for v in bad for t in (0.0, 1e300)),
            "linked": ((0.0, 0.0), (0.0, 1.0), (1.0, 1.0)),
        },
        samples={"links": tuple(bad), "bytes_sent": (1.0, *bad)},
        metrics={str(number): value for number, value in enumerate(bad)} | {"converged_after": 5e-324},
        edges=((0, 1), (5, 5), (3, 99), (-1, 2)),
        kinds={"99": "liar", "-1": "liar", "x": "liar"},
    )
    assert "How nodes get linked" in read(odd).text


@pytest.mark.parametrize(
    "changed",
    [
        {"nodes": 1},
        {"nodes": 2},
        {"nodes": 1, "curves": {}, "samples": {}, "edges": (), "metrics": {}, "checks": ()},
        {"curves": {"informed": ()}, "samples": {"links": ()}, "metrics": {"converged_after": None}},
        {"curves": {"informed": ((0.0, 1.0),)}, "samples": {"links": (3.0,)}},
        {"schedule": (), "parameters": {}, "versions": {}, "events": {}, "trace_hash": ""},
        {"checks": ()},
    ],
)
@pytest.mark.parametrize("runs", [1, 6])
def test_a_run_with_little_in_it_has_a_page_too(changed, runs):
    assert QUESTION in read(*(outcome(seed, **changed) for seed in range(1, runs + 1))).text


def test_an_unchecked_run_is_not_called_good():
    assert "Nothing was checked" in read(outcome(checks=())).text


def test_a_model_and_what_goes_by_reference_are_labelled_before_any_figure():
    model = page.report([outcome(fidelity="model")])
    assert "no node ran" in model[: model.index("<svg")]
    handed = page.report([outcome(fidelity="messages", notes={"bodies": "by reference"})])
    assert "BY REFERENCE" in handed[: handed.index("<svg")]
    assert "BY REFERENCE" not in page.report([outcome(fidelity="messages")])
    drawn = page.report([outcome(fidelity="messages", notes={"links": "drawn: a ring, 8 a node"})])
    assert "LINKS DRAWN: whom each node knows when it begins is a ring, 8 a node." in drawn[: drawn.index("<svg")]
    assert "LINKS DRAWN" not in page.report([outcome(fidelity="messages", notes={"links": "found"})])
    assert "UNKNOWN FIDELITY" in page.report([outcome(fidelity="dream")])


@pytest.mark.parametrize("fidelity", ["bytes", "messages", "virtual", "real", "model"])
def test_each_fidelity_says_what_it_does_not_exercise(fidelity):
    text = read(outcome(fidelity=fidelity)).text
    assert "It does not exercise" in text
    assert "not known" not in text


def test_faults_are_shaded_where_all_runs_had_them_at_the_same_times():
    (first, *_) = figures(page.report([outcome()]))
    assert "var(--fault)" in first
    assert ">partition</text>" in first
    assert "var(--fault)" not in figures(page.report([outcome(schedule=())]))[0]


def test_faults_at_times_of_their_own_are_not_drawn_and_that_is_said():
    late = {"kind": "reset", "at": 3.0, "nodes": [1]}
    text = page.report([outcome(1), outcome(2, schedule=(late,))])
    assert "Each run had faults of its own" in text
    assert "var(--fault)" not in figures(text)[0]


def test_faults_that_met_other_nodes_in_each_run_are_drawn_without_saying_whom():
    one, other = ({"kind": "crash", "at": 3.0, "until": None, "nodes": [node]} for node in (1, 2))
    text = page.report([outcome(1, schedule=(one,)), outcome(2, schedule=(other,))])
    assert ">crash</text>" in figures(text)[0]
    assert "nodes 1" not in text
    assert "the end" in text


def test_a_thing_that_nobody_could_say_is_called_undecided():
    open_one = outcome(breaks=True)
    checks = tuple(
        type(check)(name=check.name, holds=check.holds, detail=check.detail, at=check.at, decided=check.holds)
        for check in open_one.checks
    )
    assert "not decided in 1 run: it ended before" in read(outcome(checks=checks)).text


DIP = ((0.0, 0.2), (1.0, 1.0), (4.0, 1.0), (5.0, 0.5), (9.0, 1.0), (12.0, 1.0))


def test_who_is_up_after_half_were_down_is_so_from_then_on():
    text = read(outcome(curves={"online": DIP})).text
    assert "100 % from 9 s on" in text
    assert "100 % from 1 s on" not in text


def test_of_many_runs_each_is_whole_from_when_it_stays_so():
    runs = [outcome(seed, curves={"online": DIP}) for seed in range(1, 6)]
    ends_low = outcome(6, curves={"online": DIP[:4]})
    text = read(*runs, ends_low).text
    assert "5 of 6 runs reached 100 % for good, the median at 9 s" in text


def test_scenarios_sizes_and_fidelities_have_sections_of_their_own():
    said = read(outcome(1), outcome(2), outcome(1, nodes=30), outcome(1, fidelity="virtual"), outcome(1, scenario="x"))
    assert "4 simulations, 5 runs" in said.text
    assert sum(attributes.get("class") == "one-of" for _, attributes in said.elements) == 4


def test_of_a_large_network_a_sample_is_drawn_and_that_is_said():
    big = outcome(nodes=3000, hostile=tuple(range(0, 3000, 300)))
    text = page.report([big])
    assert "Drawn is a sample: 250 nodes" in text
    picture = figures(text)[-1]
    assert "var(--hostile)" in picture
    assert len(picture) < 150_000


def test_who_is_down_is_no_piece_of_the_network_and_not_drawn():
    ring = tuple((a, a + 1) for a in range(9))
    text = read(outcome(nodes=20, edges=ring, down=tuple(range(10, 20)))).text
    assert "20 nodes, 10 of them down and not drawn; the others have 9 links, in one piece" in text
    assert "in 11 pieces" in read(outcome(nodes=20, edges=ring)).text


def test_links_of_whom_is_down_are_not_drawn():
    assert "at the end of" not in read(outcome(edges=((0, 1),), down=(1,))).text
    assert "1 link, in 22 pieces" in read(outcome(edges=((0, 1), (2, 3)), down=(1,))).text


def test_of_a_crowded_network_some_links_are_drawn_and_that_is_said():
    full = outcome(nodes=90, edges=tuple((a, b) for a in range(90) for b in range(a + 1, 90)))
    assert re.search(r"Of these 4,005 links 1,\d\d\d are drawn", page.report([full]))


def test_two_hundred_long_runs_are_a_small_page_that_says_what_it_leaves_out():
    text = page.report(sweep(200, points=1200))
    assert len(text) < embedding.LIMIT + 700_000
    data = Read(text).data
    assert len(data["outcomes"]) == 200
    assert "curves" in data["left_out"]
    assert "curves" not in data["outcomes"][0]
    assert len(data["bands"][0]["curves"]["informed"]["t"]) <= POINTS
    assert "without: curves" in text


def test_of_more_runs_than_a_page_can_hold_those_that_broke_are_kept(monkeypatch):
    monkeypatch.setattr(embedding, "LIMIT", 20_000)
    data = read(*sweep(40)).data
    assert [one["seed"] for one in data["outcomes"][:2]] == [17, 31]
    assert 2 < len(data["outcomes"]) < 40
    assert f"{40 - len(data['outcomes'])} of 40 runs" in data["left_out"]


def test_of_very_many_groups_those_that_broke_are_drawn(monkeypatch):
    monkeypatch.setattr(page, "DRAWN", 2)
    said = read(*(outcome(1, nodes=nodes, breaks=nodes == 9) for nodes in range(5, 10)))
    assert "Figures are drawn for 2 of them" in said.text
    assert [a["href"] for tag, a in said.elements if tag == "a"] == ["#group-1", "#group-5"]


@pytest.mark.parametrize("outcomes", [[], sweep(3, broken=()), [outcome(1), outcome(1, nodes=9)]])
def test_a_run_without_an_outcome_is_named_before_all_figures(outcomes):
    failure = Failure(scenario="loss", nodes=9, seed=4, fidelity="bytes", failure="KeyError: <b>")
    text = page.report(outcomes, [failure])
    assert "1 run ended without an outcome" in text[: text.find("<svg")]
    assert "KeyError: &lt;b&gt;" in text
    assert "p2pnoise simulate run loss --nodes 9 --seed 4 --fidelity bytes" in text
    assert "All checks held in all runs<" not in text


def test_many_failing_runs_are_counted():
    text = read(*sweep(60, broken=range(1, 61))).text
    assert "in 60 of 60 runs" in text
    assert "10 more runs broke something" in text


def test_a_report_replaces_a_file_where_that_is_asked_for_alone(tmp_path):
    target = tmp_path / "some.html"
    report.write([outcome(1)], target)
    with pytest.raises(Fault, match="exists already") as refused:
        report.write([outcome(2)], target)
    assert "--force" in refused.value.hint
    assert b"seed 1" in target.read_bytes()
    report.write([outcome(2)], target, force=True)
    assert b"seed 2" in target.read_bytes()


@pytest.mark.parametrize("target", ["nowhere/some.html", "."])
def test_a_place_that_cannot_be_written_is_refused_before_anything_runs(tmp_path, target):
    with pytest.raises(Fault) as refused:
        report.check(tmp_path / target)
    assert refused.value.hint


def test_a_report_of_nothing_is_refused(tmp_path):
    with pytest.raises(Fault, match="no outcome"):
        report.write([], tmp_path / "some.html")


def test_without_the_extra_a_person_is_told_its_name(tmp_path, monkeypatch):
    monkeypatch.setattr(report, "find_spec", lambda name: None if name == "igraph" else object())
    with pytest.raises(Fault, match="needs igraph") as refused:
        report.check(tmp_path / "some.html")
    assert refused.value.hint == 'pip install "p2pnoise[sim]"'


def test_nothing_heavy_is_imported_by_those_who_draw_nothing():
    script = (
        "import sys; from simulations import report, results; "
        "print([m for m in ('matplotlib', 'jinja2', 'igraph') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_somebodys_own_style_of_matplotlib_changes_nothing(monkeypatch):
    before = page.report([outcome()])
    monkeypatch.setitem(mpl.rcParams, "font.size", 30.0)
    monkeypatch.setitem(mpl.rcParams, "xtick.direction", "in")
    assert page.report([outcome()]) == before
    assert mpl.rcParams["font.size"] == 30.0
