#!/usr/bin/env bash
# Train with several processes: tools/dist_train.sh CONFIG PROCESSES [train.py's flags]
# One GPU for each process (nccl), or the CPU where there is none (gloo).
# More than one machine: the same command on each, with NNODES, NODE_RANK (from
# 0), MASTER_ADDR (of the machine of rank 0) and PORT in the environment.
set -euo pipefail
if [ $# -lt 2 ]; then
    echo "usage: $0 CONFIG PROCESSES [flags of tools/train.py]" >&2
    exit 2
fi
config=$1 processes=$2
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
PYTHONPATH="$here/..${PYTHONPATH:+:$PYTHONPATH}" \
    exec "${PYTHON:-python}" -m torch.distributed.run \
    --nnodes="${NNODES:-1}" \
    --node_rank="${NODE_RANK:-0}" \
    --master_addr="${MASTER_ADDR:-127.0.0.1}" \
    --master_port="${PORT:-29500}" \
    --nproc_per_node="$processes" \
    "$here/train.py" "$config" --launcher pytorch "${@:3}"
