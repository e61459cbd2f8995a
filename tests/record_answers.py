"""Writes what a sweep found into the scenarios it is of, as their last recorded answers.

p2pnoise simulate sweep --all --seeds 30 --out FOLDER --json > swept.json
python -m tests.record_answers swept.json 2026-11-21
"""

import json
import re
import sys
from pathlib import Path

SCENARIOS = Path(__file__).parents[1] / "simulations" / "scenarios"
ALWAYS = {"deliveries", "handshakes", "links_per_node_median", "links_per_node_most", "bytes_per_node_most"}
_RECORDED = re.compile(r'^RECORDED = (?:""".*?"""|"[^"]*"|\(.*?^\))', re.MULTILINE | re.DOTALL)


def answer(summary, day):
    """A few lines: how many seeds, what held, and the figures with the band of nine in ten."""
    size = f"{summary['nodes']} nodes, {summary['seeds']} seeds, {summary['fidelity']}"
    lost = len(summary["broken"]) + len(summary["failed"])
    lines = [f"{day}, {size}: {'all checks hold in all of them' if not lost else f'{lost} of them broke'}."]
    for name, (low, median, high) in summary["metrics"].items():
        if name not in ALWAYS:
            lines.append(f"{name.replace('_', ' ')}: {_short(median)} ({_short(low)} to {_short(high)})")
    return 'RECORDED = """\n' + "\n".join(lines) + '\n"""'


def _short(figure):
    return f"{figure:,.0f}" if figure >= 1_000 else f"{figure:.4g}"


def main(swept, day):
    for summary in json.loads(Path(swept).read_text(encoding="utf-8"))["scenarios"]:
        path = SCENARIOS / f"{summary['scenario'].replace('-', '_')}.py"
        text = path.read_text(encoding="utf-8")
        recorded = answer(summary, day)
        before = _RECORDED.search(text)
        _, apart, older = before[0].partition("\n\n") if before is not None else ("", "", "")
        if apart:  # what was measured at other sizes stays below
            recorded = recorded.removesuffix('"""') + "\n" + older
        path.write_text(_RECORDED.sub(lambda _: recorded, text, count=1), encoding="utf-8")  # noqa: B023


if __name__ == "__main__":
    main(*sys.argv[1:])
