#!/usr/bin/env bash
# Make .venv with the whole stack: see tools/setup_env.py. PYTHON chooses the Python to use.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
for python in "${PYTHON:-}" python3.11 python3.12 python3.10 python3 python; do
    # The newest Python of a machine may be too new for the stack.
    if [ -n "$python" ] && command -v "$python" >/dev/null &&
        "$python" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null; then
        exec "$python" "$here/setup_env.py" "$@"
    fi
done
echo "[setup] cannot go on: Python 3.10, 3.11 or 3.12 was not found. Install one, or set PYTHON=/path/to/python3.11." >&2
exit 1
