"""Keys for tests of what stands beside a node."""

from random import Random

import pytest

from cards import NodeKey


@pytest.fixture
def node_id():
    return NodeKey.generate(Random(1).randbytes).public


@pytest.fixture
def other_id():
    return NodeKey.generate(Random(2).randbytes).public
