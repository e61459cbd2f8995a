"""APPLICATIONS.md is true: each of its examples is run in nodes in memory, those of folders aside, which are compiled."""

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
    exec(compile(source, "APPLICATIONS.md", "exec"), names)  # noqa: S102 - the page is ours
    return names["example"]


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
async def test_each_example_runs(example, autojump_clock, capsys):
    # What it defines to be called, serves; what it does at once, is done; what is a test, is run.
    ready = dict.fromkeys(("answer",), b"")
    async with connected_nodes(2) as (alice, bob):
        handlers = re.search(r"^handlers = (\{.*?\})", example, re.MULTILINE)
        if handlers is not None:
            defined = example[: example.index("handlers = ")]
            made = await function_of(defined)(alice)
            for protocol, handler in eval(handlers[1], made).items():  # noqa: S307 - the page is ours
                bob.handle(protocol, handler)
        ready.update(await function_of(example)(alice))
        tests = [value for name, value in ready.items() if name.startswith("test_")]
    for test in tests:
        await test(autojump_clock)
    if "answer" in ready and "request" in example and handlers is not None:
        assert ready["answer"] == b"5"
