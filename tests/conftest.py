"""What all tests share: signatures are verified as an installation without extras does it."""

import gc

from cards import statements

statements.ENGINE = "cryptography"  # PyNaCl is here as an oracle, and would be taken for the extra `fast`


def pytest_collection_finish():
    """The tests themselves are garbage to nobody: collecting it, as simulations do, looks at them no more."""
    gc.collect()
    gc.freeze()
