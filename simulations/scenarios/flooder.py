"""Members flood their peers with the largest messages, nonsense, bombs and questions: are the others slower for it?"""

from simulations import Connected, Converged, LiesEndLinks, NoWorse, Scenario

NUMBER = 23
RECORDED = """
2026-11-22, 12 nodes, 30 seeds, bytes: all checks hold in all of them.
bytes per node median: 70,802 (32,885 to 223,369)
connected after: 1.113 (0.9863 to 1.25)
converged after: 1.375 (1.159 to 1.6)
lies told: 68.5 (55 to 79.55)
links ended for lies: 6 (5 to 7.55)
redundancy: 0.5545 (0.2913 to 0.8303)

2026-11-21, medians and ranges. 12 nodes, seeds 1-11: all know all after 1.55 s (1.4-1.7), never twice as late as
without floods. What is asked is answered: 84 kB (43-185) a node are sent, 10 kB without floods.
"""


def scenario(*, flooders: float = 0.1) -> Scenario:
    """Two of eight ways to flood are against the protocol and end the link; the others are to be borne.

    What is drawn by questions without end is not bounded here: each is answered.
    """
    return Scenario(
        nodes=40,
        seconds=30,
        begin_with="first",
        adversaries={"flooder": flooders},
        expects=[Converged(within=20), Connected(), LiesEndLinks(least=5)],
        compares=[NoWorse(metric="converged_after", factor=2.0, slack=0.5)],
    )
