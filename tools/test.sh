#!/usr/bin/env bash
# Make the environment if needed and run every check and test. Arguments go to pytest.
set -euo pipefail
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
"$here/env.sh" --tests
cd "$here/.."
.venv/bin/ruff check .
.venv/bin/mypy
exec .venv/bin/python -m pytest "$@"
