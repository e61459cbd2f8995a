"""Members flood their peers with the largest messages, nonsense, bombs and questions: are the others slower for it?"""

from simulations import Connected, Converged, EventsAtMost, LiesEndLinks, NoWorse, Scenario

NUMBER = 23
RECORDED = """
2026-11-22, 12 nodes, 30 seeds, bytes: all checks hold in all of them.
bytes per node median: 82,696 (32,832 to 181,503)
connected after: 1.113 (0.9863 to 1.25)
converged after: 1.375 (1.159 to 1.68)
lies told: 71.5 (55.8 to 89)
links ended for lies: 5 (5 to 7)
most address learned: 15 (15 to 16)
redundancy: 0.108 (0.06025 to 0.184)

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
