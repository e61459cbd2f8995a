"""APPLICATIONS.md is true: each of its examples runs, in nodes in memory; of those with a folder, what they define."""

import re
import textwrap
from pathlib import Path

import pytest

from p2pnoise.testing import connected_nodes

PAGE = (Path(__file__).parent.parent / "p2pnoise" / "APPLICATIONS.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def function_of(example):
    """An example as the body of a function of `node`, so that it may await, which gives all names that it has made."""
    source = f"async def example(node):\n{textwrap.indent(example, '    ')}\n    return dict(locals())"
    names = {}
    exec(compile(source, "APPLICATIONS.md", "exec"), names)
    return names["example"]


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
async def test_each_example_runs(example, autojump_clock):
    """What it defines as handlers serves, what it does is done, and what is a test is run."""
    async with connected_nodes(2) as (alice, bob):
        defined, handlers, _ = example.partition("handlers = ")
        if handlers:
            table = re.search(r"^handlers = (\{.*?\})", example, re.MULTILINE)[1]
            for protocol, handler in eval(table, await function_of(defined)(alice)).items():
                bob.handle(protocol, handler)
        made = await function_of(example)(alice)
    for test in [value for name, value in made.items() if name.startswith("test_")]:
        await test(autojump_clock)
    if "answer" in made:
        assert made["answer"] in (b"5", b"HELLO")
