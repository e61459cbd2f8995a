"""Members flood their peers with the largest messages, nonsense, bombs and questions: are the others slower for it?"""

from simulations import Connected, Converged, EventsAtMost, LiesEndLinks, NoWorse, Scenario

NUMBER = 23
RECORDED = """
2026-11-22, 12 nodes, 20 seeds, bytes: all checks hold in all of them.
bytes per node median: 60,376 (43,708 to 143,138)
connected after: 1.125 (0.9988 to 1.25)
converged after: 1.387 (1.196 to 1.75)
lies told: 68 (59.55 to 81)
links ended for lies: 5.5 (5 to 9)
most address learned: 15 (15 to 16)
redundancy: 0.114 (0.0562 to 0.1883)

2026-11-21, medians and ranges. 12 nodes, seeds 1-11: all know all after 1.55 s (1.4-1.7), never twice as late as
without floods. What is asked is answered: 84 kB (43-185) a node are sent, 10 kB without floods.
"""


def scenario(*, flooders: float = 0.1) -> Scenario:
    """Two of nine ways to flood are against the protocol and end the link; the others are to be borne.

    What is drawn by questions without end is not bounded here: each is answered. Of the records that a flooder signs
    without end a node takes five, and one a minute; of others it takes the one or two that there are.
    """
    return Scenario(
        nodes=40,
        seconds=30,
        begin_with="first",
        adversaries={"flooder": flooders},
        expects=[
            Converged(within=20),
            Connected(),
            LiesEndLinks(least=5),
            EventsAtMost(kind="address-learned", per_node=100),
        ],
        compares=[NoWorse(metric="converged_after", factor=2.0, slack=0.5)],
    )
