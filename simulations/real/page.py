"""Page: a validation as a page of the docs, and as the table that people read at a terminal."""

from collections.abc import Iterator

from .processes import RealRun
from .statistics import LEVEL, Comparison, quantile
from .validating import MAX_BUSY, Validation, is_valid

__all__ = ["page", "table", "title", "verdict"]

_HEAD = """# The simulator against reality

Made by `p2pnoise simulate validate`; run it again rather than edit this page.

The scenario `like-reality` was run as real processes, each `open_node` with TCP sockets, a database and the system's
clock, and as simulated nodes. One seed decides keys, identities, cards, who knows whom and who starts when, alike in
both. Everything is counted up to the same event: the moment at which that node knew every card and every address. The
simulated lines are as long as the round trips that were measured in the real runs.
"""
_FOOT = """
*Near* is within the margins: medians within 10 %, 95th percentiles within 15 %, median bytes within 5 %; times that
differ by less than 5 ms are alike. *One law* is the two-sample test of Kolmogorov and Smirnov with Holm's correction,
at {level:g}: D is the largest distance between both distributions, p the probability of as large a one by chance. It
takes the nodes of one run to be independent, which they are not quite, and so sees differences a little too easily.
"""


def verdict(validation: Validation) -> str:
    """In one sentence."""
    match validation.accepted:
        case None:
            return (
                f"no verdict: during all real runs the processors were busy for {MAX_BUSY:.0%} of the time or more, "
                "so that the machine was slow and not the network"
            )
        case True:
            return "the simulator does as reality does: all figures are near, and of one law"
    far = [one.name for one in validation.comparisons if not one.near]
    other = [one.name for one in validation.comparisons if one.near and not one.one_law]
    parts = [
        f"{what}: {', '.join(names)}"
        for what, names in (("not near", far), ("near, but of another law", other))
        if names
    ]
    return "; ".join(parts)


def title(validation: Validation) -> str:
    """Which network was compared."""
    relay = validation.relay
    if relay is None:
        return f"{validation.nodes} nodes on loopback"
    lost = f", and loses {relay.loss:.1%}" if relay.loss else ""
    return (
        f"{validation.nodes} nodes in network namespaces, with a relay that takes {relay.delay * 1000:g} ms one way, "
        f"give or take {relay.jitter * 1000:g} ms{lost}"
    )


def table(validation: Validation) -> list[tuple[str, ...]]:
    """What was compared, with a heading."""
    heading = ("figure of each node", "real median", "simulated", "off", "real 95 %", "simulated", "off", "D", "p", "")
    return [heading, *map(_row, validation.comparisons)]


def _row(one: Comparison) -> tuple[str, ...]:
    cells = [one.name]
    for share in (0.5, 0.95):
        real, simulated = quantile(one.real, share), quantile(one.simulated, share)
        cells += [_figure(real, one.unit), _figure(simulated, one.unit), f"{one.off(share):+.1%}"]
    near, law = ("near" if one.near else "far"), ("one law" if one.one_law else "another law")
    return (*cells, f"{one.distance:.2f}", f"{one.probability:.2g}", f"{near}, {law}")


def _figure(value: float, unit: str) -> str:
    match unit:
        case "s":
            return f"{value * 1000:.1f} ms" if value < 1 else f"{value:.3f} s"
        case "share":
            return f"{value:.1%}"
        case _:
            return f"{value:,.0f}"


def page(validations: list[Validation]) -> str:
    """In Markdown: one section for each network that was compared."""
    sections = [line for validation in validations for line in _section(validation)]
    return "\n".join([_HEAD, *sections, _FOOT.format(level=LEVEL)])


def _section(validation: Validation) -> Iterator[str]:
    yield f"## {title(validation)}"
    yield ""
    yield f"{len(validation.real)} real runs, {validation.simulated_seeds} simulated at fidelity {validation.fidelity}."
    law = validation.parameters
    yield f"Simulated lines: {_ms(law['latency'])} one way, and up to {_ms(law['jitter'])} more."
    yield ""
    yield f"**{verdict(validation)[0].upper()}{verdict(validation)[1:]}.**"
    if validation.used_all:
        yield "The table compares those runs all the same."
    yield ""
    heading, *body = table(validation)
    yield _cells(heading)
    yield _cells(("---", *("---:" for _ in heading[1:-1]), "---"))
    for row in body:
        yield _cells(row)
    yield ""
    yield "Real runs: " + "; ".join(map(_run, validation.real)) + "."
    yield ""


def _run(run: RealRun) -> str:
    busy = "unknown" if run.busy is None else f"{run.busy:.0%}"
    why = "" if is_valid(run) else ", invalid"
    return f"seed {run.seed} processors busy {busy}{why}"


def _cells(row: tuple[str, ...]) -> str:
    return "| " + " | ".join(row) + " |"


def _ms(value: object) -> str:
    return f"{float(str(value)) * 1000:.2f} ms"
