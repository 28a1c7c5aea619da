#!/usr/bin/env bash
# From a bare machine to a better small detector: see tools/quickstart.py --help.
# --torch SPEC chooses the build of torch to install; --compiled compiles MMCV's operators.
set -euo pipefail
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
setup=() rest=()
while [ $# -gt 0 ]; do
    case $1 in
        --torch) setup+=(--torch "${2:?--torch needs a value, e.g. --torch torch==2.8.0}"); shift ;;
        --torch=*) setup+=(--torch "${1#--torch=}") ;;
        --compiled) setup+=(--compiled) ;;
        *) rest+=("$1") ;;
    esac
    shift
done
"$here/env.sh" ${setup[@]+"${setup[@]}"}
exec "$here/../.venv/bin/python" "$here/quickstart.py" ${rest[@]+"${rest[@]}"}
