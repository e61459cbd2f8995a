"""What the tests of sweeps share: a worker has garbage collected after each task, and finds here what is of a test."""

import gc

import pytest


@pytest.fixture(scope="module", autouse=True)
def nothing_of_other_tests():
    """What other tests have left alive is not looked at after each task."""
    gc.collect()
    gc.freeze()
