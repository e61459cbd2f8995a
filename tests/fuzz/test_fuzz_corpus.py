"""Every fuzz target over its corpus, as plain calls: what was found once is never found again."""

import pytest

from tests.fuzz.target import CORPUS
from tests.fuzz.targets import TARGETS

INPUTS = [(name, path) for name in TARGETS for path in sorted((CORPUS / name).glob("*"))]


@pytest.mark.parametrize(("name", "path"), INPUTS, ids=lambda value: getattr(value, "name", value))
def test_an_input_of_the_corpus_breaks_no_rule(name, path):
    TARGETS[name].run(path.read_bytes())


@pytest.mark.parametrize("name", TARGETS)
def test_the_seeds_of_a_target_are_accepted(name):
    """Or the fuzzer would begin in front of the first check."""
    accepted = [TARGETS[name].run(seed) for seed in TARGETS[name].seeds()]
    assert sum(accepted) >= len(accepted) / 3


@pytest.mark.parametrize("name", TARGETS)
def test_every_target_has_its_seeds_in_the_corpus(name):
    kept = {path.read_bytes() for path in (CORPUS / name).glob("*")}
    assert kept.issuperset(TARGETS[name].seeds())
