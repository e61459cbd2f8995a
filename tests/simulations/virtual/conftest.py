"""What the tests of the virtual world share: scenarios of their own, at its fidelity and at that of bytes."""

import pytest

from simulations import Scenario, ScenarioFile, begin, run


def file_of(scenario: Scenario) -> ScenarioFile:
    return ScenarioFile(
        name="asked", question="Does it?", number=None, recorded="", parameters={}, make=lambda: scenario
    )


@pytest.fixture
def ask():
    """The outcome of a scenario of these fields."""

    def ask(*, fidelity="virtual", nodes=5, seed=1, begun=False, **fields):
        scenario = Scenario(nodes=nodes, fidelities=("bytes", "virtual"), **fields)
        return (begin if begun else run)(file_of(scenario), seed=seed, fidelity=fidelity)

    return ask
