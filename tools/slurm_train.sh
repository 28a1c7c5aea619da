#!/usr/bin/env bash
# Train on a Slurm cluster: tools/slurm_train.sh PARTITION JOB_NAME CONFIG WORK_DIR [train.py's flags]
# One torchrun on each node. Read from the environment: GPUS (in all) or NNODES
# (1), GPUS_PER_NODE (8), CPUS_PER_TASK (5 for each GPU), PORT (29500), SRUN_ARGS;
# NODE_RANK and MASTER_ADDR come from Slurm unless they are set.
set -euo pipefail
if [ $# -lt 4 ]; then
    echo "usage: $0 PARTITION JOB_NAME CONFIG WORK_DIR [flags of tools/train.py]" >&2
    exit 2
fi
partition=$1 job=$2 config=$3 work_dir=$4
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
per_node=${GPUS_PER_NODE:-8} gpus=${GPUS:-}
if [ -n "$gpus" ] && [ "$gpus" -lt "$per_node" ]; then per_node=$gpus; fi
nodes=${NNODES:-$(((${gpus:-1} + per_node - 1) / per_node))}
# On each node: its rank is Slurm's, the first node of the job leads.
# shellcheck disable=SC2016
on_node='NODE_RANK=${NODE_RANK:-$SLURM_NODEID} \
    MASTER_ADDR=${MASTER_ADDR:-$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)} \
    exec bash "$@"'
# SRUN_ARGS is a list of words on purpose.
# shellcheck disable=SC2086
NNODES=$nodes exec srun -p "$partition" \
    --job-name="$job" \
    --nodes="$nodes" \
    --ntasks="$nodes" \
    --ntasks-per-node=1 \
    --gres="gpu:$per_node" \
    --cpus-per-task="$((${CPUS_PER_TASK:-5} * per_node))" \
    --kill-on-bad-exit=1 \
    ${SRUN_ARGS:-} \
    bash -c "$on_node" node "$here/dist_train.sh" "$config" "$per_node" \
    --work-dir="$work_dir" "${@:5}"
