#!/usr/bin/env bash
# Make .venv with the whole stack, or .venv-original with --stack original: see
# tools/setup_env.py. PYTHON chooses the Python to use.
set -euo pipefail
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
for python in "${PYTHON:-}" python3 python python3.12 python3.11 python3.10; do
    # The active Python first; it may be too new or too old for the stack.
    if [ -n "$python" ] && command -v "$python" >/dev/null &&
        "$python" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null; then
        exec "$python" "$here/setup_env.py" "$@"
    fi
done
echo "[setup] cannot go on: Python 3.10, 3.11 or 3.12 was not found. Install one, or set PYTHON=/path/to/python3.11." >&2
exit 1
