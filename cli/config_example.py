"""`p2pnoise config example`: a configuration that says of every key what it is for, and has every default."""

import click

from . import options
from .output import answer_text

# What is commented out, by # without a space, has no value unless it is given one; all else has its default.
EXAMPLE = """\
# The configuration of a running node: node.toml in its folder, or the file of p2pnoise run --config. TOML; times are
# seconds, or a text like "90s", "5m", "24h", "30d". Every key may be left out; all that has a value here has its
# default. To see what is in force: p2pnoise config check.
#
# A running node takes up a changed file within a second, or by SIGHUP; a broken one is named and changes nothing. What
# holds a socket or a key needs a restart: listen, and the tables metrics and enrol.

# Where to accept connections. Port 0 takes any free one.
listen = ["127.0.0.1:7060"]

# Where others should dial, if that is not where the node listens.
advertise = []

# Peers to begin with: node1...@host:port, or host:port, where any peer of the network may answer. Once the table
# knows others they are not needed. One that is added is dialled at once; one that is removed is dialled no more unless
# the table names it.
peers = []

# How others may begin to connect. ["IK"] answers nobody who does not know this node's key already.
accept = ["XX", "IK"]

# How long stopping may take: streams that are open go on for half of it at most, then peers hear a goodbye.
stop_timeout = 10

[limits]
# Links that the node dials for: below, it looks for more.
target_links = 8
# Connections in any state, ours and others'. Lowered, it closes none.
max_links = 128
# How many of these may be of strangers who have proven nothing yet, in all and from one IP address.
max_handshakes = 64
max_handshakes_per_host = 32
# How long a connection may take to become a verified peer's: twice, before and after its first message.
handshake_timeout = 10
# Silence after which a peer is asked whether it is there, and how long it may take to answer.
ping_interval = 15
ping_timeout = 10
# How long the goodbye of one link may take.
close_timeout = 5
# The longest pause between two dials of an address that fails.
backoff_limit = "5m"
# Streams of one link that either side may have open at once. For links that begin from then on.
max_streams = 128
# Bytes that a stream may be sent before they are read: as many travel in one round trip. For links that begin then.
stream_window = 262144
# How long a link that was dialled for a stream alone stays without one.
idle_timeout = "1m"
# How long, and for how many bytes, a link uses its keys. For links that begin then.
rekey_interval = "5m"
rekey_bytes = 1073741824
# How often the record that says where this node can be dialled is signed anew.
record_refresh = "24h"
# How long before a revocation list is due it is told.
list_warning = "5d"

[log]
# What happens goes to stdout, a line each: "text", or "json" (also by --json).
format = "text"
# "info" for everything, "warning" for what an operator should look at.
level = "info"
# The same again within this time is counted, and told as one line at its end.
repeat = "1m"

# Metrics for Prometheus, at http://HOST:PORT/metrics, for whoever can connect. Needs: pip install "p2pnoise[metrics]".
#[metrics]
#listen = "127.0.0.1:9100"

# Let machines that were given a join token into the network of an issuer: p2pnoise join.
#[enrol]
# Where joiners connect; a port that speaks nothing else.
#listen = "0.0.0.0:7061"
# What join tokens say instead, if joiners cannot connect to that.
#advertise = ["issuer.example:7061"]
# The folder of the issuer; a path that is not absolute begins at this file's folder.
#issuer_home = "../issuer"
# The socket of p2pnoise signer serve, where the issuer's key is in a process of its own.
#signer = "../signer.socket"
# How long a grant lasts that is given here, where its token does not say, and at most one that is renewed.
#lifetime = "30d"
# Whether peers get a new grant here before theirs ends.
#renew = true

# TCP services of this machine for peers of these groups, or groups = ["*"] for every verified peer. One table each.
#[[expose]]
#service = "web"
#to = "127.0.0.1:8080"
#groups = ["ops"]

# TCP services of peers on this machine: whoever connects to listen uses SERVICE of PEER (a name, node1...,
# node1...@host:port). One table each.
#[[forward]]
#listen = "127.0.0.1:8081"
#to = "db-03:web"
"""


@click.command()
@options.as_json
def example(*, as_json: bool) -> None:
    """Print a configuration with a comment for every key.

    All that has a value in it has its default; what is commented out by # without a space has none.

    \b
    Example:
      p2pnoise config example > node.toml
    """
    answer_text(EXAMPLE, as_json=as_json)
