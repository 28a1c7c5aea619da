#!/usr/bin/env bash
# Make the environment if needed and run every check and test. First may come "--compiled", which
# compiles MMCV's operators, and "--stack original", for the original packages (both are of
# tools/setup_env.py); the rest goes to pytest.
set -euo pipefail
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
stack=onedl venv=.venv setup=()
while true; do
    case ${1:-} in
        --stack) stack=${2:?--stack needs a name: onedl or original}; shift 2 ;;
        --compiled) setup=(--compiled); shift ;;
        *) break ;;
    esac
done
"$here/env.sh" --tests --stack "$stack" ${setup[@]+"${setup[@]}"}
# The pages are opened in a real browser; their tests are skipped where there is none.
if ! command -v chromium >/dev/null && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    { apt-get update && apt-get install --yes --no-install-recommends chromium; } >/dev/null 2>&1 ||
        echo "[test] Chromium could not be installed; the tests that open pages are skipped." >&2
fi
cd "$here/.."
if [ "$stack" = onedl ]; then
    .venv/bin/ruff check .
    .venv/bin/mypy
else
    venv=.venv-$stack
fi
# A file of tests stays in one process: its tests share what they train.
exec "$venv/bin/python" -m pytest -n auto --maxprocesses 4 --dist loadfile "$@"
