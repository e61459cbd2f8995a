"""TOML scenarios: what a file says is done, and what it cannot mean is refused with the word that is wrong."""

import pytest

from simulations import ScenarioError, find, run
from simulations.adversaries import KINDS as ADVERSARIES
from simulations.toml_scenario import EXPECTATIONS, fields_of

HEAD = 'question = "Does it hold?"\nnodes = 6\nsmoke = 6\nseconds = 20\n'
CONVERGED = '[[expects]]\nkind = "converged"\nwithin = 15\n'
CRASH = '[[faults]]\nkind = "crash"\nat = 5\n'

VALUES = {  # one for each field that has no default
    "within": 5,
    "after": 2,
    "known": 2,
    "bytes_per_second": 1e9,
    "per_node": 1e9,
    "bytes_a_node": 1e9,
    "redundancy": 1e9,
    "least": 0,
    "kinds": ["liar"],
    "event": "peer-verified",
}


@pytest.fixture
def written(tmp_path):
    def write(text):
        file = tmp_path / "mine.toml"
        file.write_text(text)
        return str(file)

    return write


def table(kind):
    lines = [f"{name} = {VALUES[name]!r}" for name in fields_of(kind).values() if name in VALUES]
    return "\n".join([HEAD, "adversaries = { liar = 1 }", "[[expects]]", f'kind = "{kind}"', *lines])


@pytest.mark.parametrize("kind", EXPECTATIONS)
def test_each_expectation_can_be_written(written, kind):
    [expected] = find(written(table(kind))).with_parameters({}).expects
    assert type(expected) is EXPECTATIONS[kind]


def test_an_expectation_of_events_hears_those_that_are_named(written):
    told = HEAD + '[[expects]]\nkind = "told"\nevent = "peer-verified"\n'
    assert run(written(told)).broken == ()
    never = HEAD + '[[expects]]\nkind = "events-at-most"\nevent = "peer-verified"\nper_node = 0\n'
    assert [check.name for check in run(written(never)).broken] == ["at most 0 peer-verified a node"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (HEAD + '[law]\nlatency = "fast"\n' + CONVERGED, "latency = 'fast' is not uniform or heavy or regions"),
        (HEAD + "[law]\nbytes_per_second = 0\n" + CONVERGED, "bytes_per_second = 0 is not a number from 1 to"),
        (HEAD + '[law]\nleast = "a"\n' + CONVERGED, "law: least = 'a' is not a number"),
        (HEAD + "[law]\nleast = -1\n" + CONVERGED, "law: least = -1 is not a number from 0"),
        (HEAD + "[law]\nleast = 2\nmost = 1\n" + CONVERGED, "law: most = 1 is not a number from 2"),
        (HEAD + "[law]\njitter = nan\n" + CONVERGED, "law: jitter = nan is not a number"),
        (HEAD + "[law]\nregions = -1\n" + CONVERGED, "law: regions = -1"),
        (HEAD + "[law]\nundialable = 7\n" + CONVERGED, "law: undialable = 7 is not a number from 0 to 1"),
        (HEAD + "[law]\nspeed = 7\n" + CONVERGED, "law: speed is not one of its fields: latency"),
        ("law = 3\n" + HEAD + CONVERGED, "law = 3 is no table: it begins with [law]"),
        (HEAD + "[clocks]\ndrift = 1e99\n" + CONVERGED, "clocks: drift = 1e+99 is not a whole number"),
        (HEAD + "[clocks]\ndrift = 1000000\n" + CONVERGED, "clocks: drift = 1000000"),
        (HEAD + "start = 1e30\n" + CONVERGED, "start = 1e+30 is not a number from 0 to"),
        (HEAD.replace("smoke = 6", "smoke = 0") + CONVERGED, "smoke = 0 is not a whole number from 1 to"),
        (HEAD.replace("seconds = 20", "seconds = 0") + CONVERGED, "seconds = 0"),
        (HEAD + 'disks = "tape"\n' + CONVERGED, "disks = 'tape' is not memory or files"),
        (HEAD + CONVERGED.replace("15", '"x"'), "expects converged: within = 'x' is not a number"),
        (HEAD + CONVERGED.replace("15", "-4"), "expects converged: within = -4 is less than 0"),
        (HEAD + CONVERGED.replace("within = 15", ""), "expects converged: within is missing"),
        (HEAD + CONVERGED + 'apart_from = ["crush"]', "apart_from = 'crush' is not partition or"),
        (HEAD + '[[expects]]\nkind = "told"\nevnt = "x"', "expects told: evnt is not one of its fields: event, least"),
        (HEAD + '[[expects]]\nkind = "told"\nevent = "x"', "event = 'x', which no node tells"),
        (HEAD + '[[expects]]\nkind = "excluded"\nkinds = "liar"', "kinds = 'liar' is not a list of texts"),
        (HEAD + '[[expects]]\nkind = "excluded"\nkinds = ["liar"]', "of which there is none in [adversaries]"),
        (HEAD + '[[expects]]\nkind = "excluded"\nkinds = []', "kinds names nobody"),
        (HEAD + '[expects]\nkind = "converged"', "expects is no list of tables: each begins with [[expects]]"),
        (HEAD + CONVERGED + '[faults]\nkind = "crash"', "faults is no list of tables: each begins with [[faults]]"),
        (HEAD + CONVERGED + CRASH + "nodes = [1]\nshare = 0.5", "fault crash: both nodes and share"),
        (HEAD + CONVERGED + CRASH.replace("5", "20") + "nodes = [1]", "at = 20, and the run is over after 20 s"),
        (HEAD + CONVERGED + CRASH + "nodes = [6]", "there is no node 6: there are 6, counted from 0"),
        (HEAD + CONVERGED + CRASH.replace("crash", "revoke") + "nodes = [1]\nby = 77", "there is no node 77"),
        (HEAD + CONVERGED + "[adversaries]\nliar = -1", "adversaries: liar = -1 is not a number from 0"),
        (HEAD + CONVERGED + '[adversaries]\nliar = "all"', "adversaries: liar = 'all' is not a number"),
        (HEAD + CONVERGED + "[adversaries]\nfibber = 1", "adversaries = 'fibber' is not accepted-sybil or"),
    ],
)
def test_what_a_file_cannot_mean_is_refused_with_the_word_that_is_wrong(written, text, words):
    file = written(text)
    with pytest.raises(ScenarioError) as caught:
        find(file)
    assert words in str(caught.value)
    assert str(caught.value).startswith(f"{file}: ")


def test_more_adversaries_than_there_are_places_are_refused(written):
    file = written(HEAD + CONVERGED + "[adversaries]\nliar = 4\nsilent = 2\n")
    with pytest.raises(ScenarioError, match="2 of kind silent, and 1 places beside the first node's"):
        run(file)


def test_nodes_that_start_after_the_end_are_refused(written):
    with pytest.raises(ScenarioError, match="start within 30 s, and it is over after 20 s"):
        run(written(HEAD + "start = 30\n" + CONVERGED))


def test_a_fault_that_is_drawn_may_lie_behind_the_end(written):
    file = find(written(HEAD + CONVERGED))
    outcome = run(file, schedule=[{"kind": "crash", "at": 30, "nodes": [1]}])
    assert outcome.virtual_seconds == 20


def test_every_adversary_can_be_written(written):
    for kind in ADVERSARIES:
        assert find(written(f"{HEAD}adversaries = {{ {kind} = 1 }}\n{CONVERGED}"))
