"""Many join a running network at one moment: does it take them all in, and go on meanwhile?"""

from collections.abc import Iterable

from simulations import Connected, Converged, Crash, Fault, FirstNodeCarries, Renew, Scenario, Setting

RECORDED = """
2026-11-22, 12 nodes, 20 seeds, bytes: all checks hold in all of them.
bytes per node median: 7,986 (4,729 to 9,817)
connected after: 0.3 (0.245 to 0.3)
converged after: 0.7125 (0.5712 to 1.179)
first node bytes a node: 6,840 (6,456 to 7,128)
redundancy: 0.3345 (0.1754 to 0.4781)
"""

_AT = 20  # seconds


def scenario(
    *, share: float = 0.75, within: float = 10.0, bytes_a_node: int = 20_000, bytes_a_card: int = 800
) -> Scenario:
    """A `share` of all nodes comes after 20 seconds, within no time; the first node is all they know.

    While they come some of the others have new cards. The first node may send each newcomer so many bytes, and all
    cards once.
    """

    def faults(setting: Setting) -> Iterable[Fault]:
        late = setting.some(share)
        there = [number for number in range(setting.nodes) if number not in late]
        yield Crash(at=0, until=_AT, nodes=late)
        yield Renew(at=_AT, nodes=tuple(there[: max(1, len(there) // 5)]))

    return Scenario(
        nodes=100,
        seconds=_AT + within + 30,
        begin_with="first",
        faults=faults,
        expects=[
            Converged(within=within),
            Connected(within=within),
            FirstNodeCarries(bytes_a_node=bytes_a_node, bytes_a_card=bytes_a_card),
        ],
        fidelities=("bytes", "virtual", "messages"),
    )
