"""Members flood their peers with the largest messages, nonsense, bombs and questions: are the others slower for it?"""

from simulations import Connected, Converged, LiesEndLinks, NoWorse, Scenario

NUMBER = 23
RECORDED = ""


def scenario(*, flooders: float = 0.1) -> Scenario:
    """Two of eight ways to flood are against the protocol and end the link; the others are to be borne."""
    return Scenario(
        nodes=40,
        seconds=30,
        begin_with="first",
        adversaries={"flooder": flooders},
        expects=[Converged(within=20), Connected(), LiesEndLinks(least=5)],
        compares=[
            NoWorse(metric="converged_after", factor=2.0, slack=0.5),
            NoWorse(metric="bytes_per_node_median", factor=10.0),
        ],
    )
