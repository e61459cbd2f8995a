#!/bin/sh
# `make test-all`: the tests on every CPython >= 3.11 of this machine, each in an environment under .venvs/ with the
# versions of constraints.txt. The Python of .venv runs the long campaigns too. Ends with one line for each Python.
set -eu
CDPATH='' cd -- "$(dirname -- "$0")/.."

# For a CPython that serves: "X.Y PATH".
probe='
import sys
if sys.implementation.name == "cpython" and sys.version_info >= (3, 11):
    import ensurepip, sqlite3, ssl, venv
    print("%d.%d" % sys.version_info[:2], sys.executable)
'

# Every interpreter on PATH, then those that pyenv and uv keep, the first of each X.Y.
found() {
    (
        IFS=:
        for folder in $PATH; do
            for file in "$folder"/python3 "$folder"/python3.[1-9][0-9]; do printf '%s\n' "$file"; done
        done
    )
    for file in "${PYENV_ROOT:-$HOME/.pyenv}"/versions/*/bin/python3 "$HOME"/.local/share/uv/python/*/bin/python3; do
        printf '%s\n' "$file"
    done
}

mkdir -p .venvs
found | while read -r file; do
    [ -x "$file" ] && "$file" -c "$probe" 2>/dev/null </dev/null || true
done | sort -t . -k 2n -s | awk '!seen[$1]++' > .venvs/found

own=$(.venv/bin/python -c "$probe" | cut -d ' ' -f 1)
promised=$(sed -n 's/.*"Programming Language :: Python :: \(3\.[0-9]*\)".*/\1/p' pyproject.toml)
echo "found: $(cut -d ' ' -f 1 .venvs/found | tr '\n' ' ')"

: > .venvs/summary
failed=0
while read -r version python <&3; do
    venv=.venvs/$version
    set -- -m "not long"
    if [ "$version" = "$own" ]; then
        venv=.venv
        set --
    elif [ ! -e "$venv/.installed" ] || [ -n "$(find pyproject.toml constraints.txt -newer "$venv/.installed")" ]; then
        if ! sh tests/make_venv.sh "$python" "$venv"; then
            echo "python $version  FAILED  no environment could be made" >> .venvs/summary
            failed=1
            continue
        fi
        touch "$venv/.installed"
    fi
    echo
    echo "== python $version: pytest $*"
    # The exit code takes a file, since a pipe gives back that of its last command.
    { "$venv/bin/python" -m pytest -q -n auto --dist worksteal "$@" 2>&1 && echo passed > .venvs/outcome || echo FAILED > .venvs/outcome; } |
        tee ".venvs/$version.log"
    read -r outcome < .venvs/outcome
    [ "$outcome" = passed ] || failed=1
    scope=$([ "$venv" = .venv ] && echo "long tests too" || echo "without long tests")
    echo "python $version  $outcome  $scope: $(tail -n 1 ".venvs/$version.log")" >> .venvs/summary
done 3< .venvs/found

echo
cat .venvs/summary
for version in $promised; do
    grep -q "^$version " .venvs/found ||
        echo "python $version  not found, or not able to make environments (on PATH, of pyenv, of uv)"
done
exit "$failed"
