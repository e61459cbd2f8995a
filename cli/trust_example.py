"""`p2pnoise trust example`: a policy file that says of every key what it is for."""

import click

from . import options
from .output import answer_text

# The secrets of the keys in it were thrown away: whoever leaves one in lets nobody in.
EXAMPLE = """\
# The policy of a node: whom it believes. TOML; times are seconds, or a text like "5m", "24h", "30d".
# To see what it would do: p2pnoise trust plan policy.toml. To put it in force: p2pnoise trust apply policy.toml.
#
# What stands higher decides first: deny, revocation, allow and pins, app, trust on first use.

# The network. Cards of any other are refused.
network = "example-net"

# Who must agree on a card: at least `threshold` of the issuers `of`, by the names below; all of them if `of` is left
# out. Several rules in an array must all be met. Left out: any one issuer.
app = [{ threshold = 1, of = ["ops", "lab"] }, { threshold = 1, of = ["ops", "site-7"] }]

# Issuers whose revocation ends an identity for good, whoever else grants it. Left out: a revocation takes back that
# issuer's own grants.
revokers = ["ops"]

# Identities (id1...) and nodes (node1...) that are refused, whatever else is said of them.
deny = ["node1pqqg8zrqvwdqwgawa6qpnwfjsw28hw5fpdv0achc4akzjn35spmq7ymh2v"]

# Identities that need no issuer. They can still be denied and revoked. To tie a name to one: p2pnoise trust pin.
allow = ["id1a7cfqgvlfwgrmd669s03sj3u2ndlyfe4szf4q26lthdnkw809h9qu6rt8k"]

# Trust on first use, for cards that too few issuers granted: "off", "ask" (refuse, and say how to pin it), or
# "first-use" (believe the first one of a name and pin the name to it).
tofu = "off"

# What an overdue revocation list means for new peers: "refuse" or "warn". Peers that are known stay.
stale = "refuse"
# How far ahead a list may name its next: longer for issuers that stay offline, at most "400d". Beyond, it is refused.
list_lifetime = "30d"
# How long after its due date a list still lets new peers in.
revocation_grace = "24h"

# How far the clocks of others may be ahead of ours.
leeway = "5m"
# How long a peer that was accepted stays after its card or grant has ended.
expired_grace = "0s"

# How many issuers must grant a group before a node is in it. Left out: any one.
[groups]
admins = { threshold = 2, of = ["ops", "lab"] }

# The same for capabilities.
[capabilities]
deploy = { threshold = 2, of = ["ops", "lab"] }

# Each issuer under a name of our choice. Everything but the key is a limit, and may be left out.
[issuer.ops]
key = "issuer1y0l8ctvgpe5hyda4ufzhh2xmugaw2gr85sn9d77rt2yp6k94t3lqmmfngv"

[issuer.lab]
key = "issuer1qs3qj0wgjzy2rny44kknkv4g66ttlanvy940lxqkv5mrcch53qmqscfa63"

[issuer.site-7]
key = "issuer1ca3euxat96z8l9y0dlc3a7lmp37vh8wz722tn5hg09a8ekw69hdqlvya5u"
# The names that it may sign: whole names, or *. and what must follow.
names = ["*.dc7.example"]
# The groups that it may grant, and then no capabilities.
groups = ["sensors"]
# How long a grant of it may last.
max_lifetime = "30d"
# Between when it may sign.
not_before = 2026-01-01T00:00:00Z
not_after = 2028-01-01T00:00:00Z
# How many steps of delegation may follow: 0 for none, at most 3.
depth = 0
"""


@click.command()
@options.as_json
def example(*, as_json: bool) -> None:
    """Print a policy file with a comment for every key.

    \b
    Example:
      p2pnoise trust example > policy.toml
    """
    answer_text(EXAMPLE, as_json=as_json)
