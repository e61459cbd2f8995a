"""What all tests share: signatures are verified as an installation without extras does it."""

import gc
import os

import pytest

from cards import statements

statements.ENGINE = "cryptography"  # PyNaCl is here as an oracle, and would be taken for the extra `fast`


def pytest_collection_finish():
    """The tests themselves are garbage to nobody: collecting it, as simulations do, looks at them no more."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers():
    """Half as many again as there are processors: a third of the time tests wait, for processes and their timers."""
    ours = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return ours * 3 // 2
