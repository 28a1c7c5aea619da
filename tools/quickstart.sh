#!/usr/bin/env bash
# From a bare machine to a better small detector: see tools/quickstart.py --help.
# --torch SPEC (first argument) chooses the build of torch to install.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
setup=()
if [ "${1:-}" = --torch ]; then
    setup=(--torch "${2:?--torch needs a value, e.g. --torch torch==2.8.0}")
    shift 2
fi
"$here/env.sh" ${setup[@]+"${setup[@]}"}
exec "$here/../.venv/bin/python" "$here/quickstart.py" "$@"
