#!/bin/sh
# Makes the virtual environment VENV with PYTHON and installs the project into it, editable and with its dev group, in
# the versions of constraints.txt. Whoever calls this touches VENV/.installed once it has succeeded: an environment
# without that file is taken for a half one and made anew, one with it is brought up to date where it stands.
#
#   sh tests/make_venv.sh PYTHON VENV
set -eu
CDPATH='' cd -- "$(dirname -- "$0")/.."

say() { printf '%s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# X.Y.Z of an interpreter; nothing where there is none, or where it is a launcher without a Python behind it.
version_of() { "$1" -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])' 2>/dev/null || true; }
new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

[ $# = 2 ] || die "usage: sh tests/make_venv.sh PYTHON VENV"
python=$1 venv=$2

if ! new_enough "$python"; then
    version=$(version_of "$python")
    fault="$python is ${version:+Python }${version:-not to be found}, and p2pnoise needs Python 3.11 or newer"
    other=
    if [ "$python" = python3 ]; then
        for name in python3.13 python3.12 python3.11 python3.14; do
            if new_enough "$name"; then other=$name; break; fi
        done
    fi
    [ -n "$other" ] || die "$fault: install one and name it, as in \`make PYTHON=python3.12 test\`"
    say "$fault: taking $other, which is Python $(version_of "$other")"
    python=$other
fi

# Debian and Ubuntu pack ensurepip apart; a Python built by hand may lack what it found no headers for.
lacking=$("$python" -c '
for name in ("venv", "ensurepip", "ssl", "sqlite3"):
    try:
        __import__(name)
    except ImportError:
        print(name)
' | tr '\n' ' ')
case $lacking in
    '') ;;
    *ssl*|*sqlite3*)
        die "$python was built without ${lacking% }: install one that has them and name it, as in" \
            "\`make PYTHON=python3.12 test\`" ;;
    *)
        minor=$(version_of "$python")
        die "$python cannot make virtual environments: on Debian and Ubuntu \`apt install python${minor%.*}-venv\`," \
            "on Fedora \`dnf install python3\`, on macOS \`brew install python\`, then again" ;;
esac

if [ -e "$venv/.installed" ] && [ "$(version_of "$venv/bin/python")" = "$(version_of "$python")" ]; then
    say "bringing $venv up to date with pyproject.toml and constraints.txt"
    rm "$venv/.installed"
else
    if [ -d "$venv" ] && [ -n "$(ls -A "$venv")" ] && [ ! -e "$venv/pyvenv.cfg" ]; then
        die "$venv is there and is no virtual environment: move it away first"
    fi
    say "making $venv with Python $(version_of "$python") ($python); this happens once and takes about half a minute"
    trap 'code=$?; [ "$code" = 0 ] || rm -rf "$venv"; exit "$code"' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    rm -rf "$venv"
    "$python" -m venv "$venv" >&2 || die "$python could not make $venv; it said why above"
fi

# Two steps: a pip as old as its Python knows no dependency groups, and the build backend is pinned only where the
# build is not isolated. Twice quiet: a pip with several indexes warns of each that lacks a package.
PIP_USER=0 PIP_DISABLE_PIP_VERSION_CHECK=1
export PIP_USER PIP_DISABLE_PIP_VERSION_CHECK
install() {
    "$venv/bin/python" -m pip install -qq --constraint constraints.txt "$@" >&2 ||
        die "pip could not install what p2pnoise needs and said why above; it fetches from your package index:" \
            "mend the connection if that is it, and run make again"
}
install --upgrade pip hatchling editables
say "installing p2pnoise and its tools in the versions of constraints.txt"
install --no-build-isolation --editable . --group dev
