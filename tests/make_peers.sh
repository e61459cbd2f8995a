#!/bin/sh
# Makes the virtual environment PEERS with PYTHON and installs into it what tests/peers.txt names: py-libp2p, whose pinned
# fastecdsa is compiled wherever it has no wheel. Where that fails it says why in a sentence, and what to do.
#
#   sh tests/make_peers.sh PYTHON PEERS
set -eu

say() { printf '%s\n' "$*" >&2; }
[ $# = 2 ] || { say "usage: sh tests/make_peers.sh PYTHON PEERS"; exit 1; }
python=$1 peers=$2 here=$(dirname -- "$0")
log=$peers.log

say "making $peers with py-libp2p; this happens once and takes about a minute"
trap 'code=$?; [ "$code" = 0 ] || rm -rf "$peers"; exit "$code"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
rm -rf "$peers"
if "$python" -m venv "$peers" >"$log" 2>&1 &&
    PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_USER=0 "$peers/bin/python" -m pip install -r "$here/peers.txt" >>"$log" 2>&1
then
    rm "$log"
    exit 0
fi

again="then \`make bench-peers\` again"
if grep -q "gmp.h" "$log"; then
    say "py-libp2p was not installed: its fastecdsa is compiled here and found no gmp.h. On Debian and Ubuntu" \
        "\`apt install libgmp-dev\`, on Fedora \`dnf install gmp-devel\`, on macOS \`brew install gmp\`, $again"
elif grep -q "Python.h" "$log"; then
    say "py-libp2p was not installed: its fastecdsa is compiled here and found no Python.h. On Debian and Ubuntu" \
        "\`apt install python3-dev\`, on Fedora \`dnf install python3-devel\`, $again"
elif grep -q "No such file or directory: '.*cc'\|command '.*' failed: No such file\|unable to execute" "$log"; then
    say "py-libp2p was not installed: its fastecdsa is compiled here and found no C compiler. On Debian and Ubuntu" \
        "\`apt install gcc libgmp-dev\`, on Fedora \`dnf install gcc gmp-devel\`, on macOS \`xcode-select --install\`, $again"
elif grep -q "No matching distribution\|Requires-Python\|requires a different Python" "$log"; then
    say "py-libp2p was not installed: the package index has no $(sed -n 's/.*No matching distribution found for \([^ ]*\).*/\1/p' \
        "$log" | tail -1) for this Python ($log). Mend the connection, or name a CPython of 3.11 to 3.13 as in" \
        "\`make PEERS_PYTHON=python3.12 bench-peers\`"
else
    say "py-libp2p was not installed: $(sed -n 's/^ERROR: //p' "$log" | tail -1). The whole of it is in $log; mend it," \
        "$again, or run \`p2pnoise bench node\`, which needs none"
fi
exit 1
