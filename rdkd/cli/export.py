"""Write the student of a training checkpoint for deployment.

The result loads into the student's plain MMDetection config and holds neither
the teacher nor what was learned only to distill.
"""
import argparse
from pathlib import Path

from mmengine.runner import save_checkpoint

from rdkd.errors import InputError
from rdkd.io.checkpoint import deployable, load_checkpoint_file


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's flags."""
    parser.add_argument('checkpoint', help='checkpoint of a training run')
    parser.add_argument('out', type=Path, help='file to write')


def run(args: argparse.Namespace) -> None:
    """Write the student."""
    if args.out.exists():
        raise InputError(f'{args.out} exists already. Choose another name.')
    student = deployable(load_checkpoint_file(args.checkpoint),
                         args.checkpoint)
    save_checkpoint(student, str(args.out),
                    backend_args=dict(backend='atomic'))
    state = student['state_dict']
    total = sum(value.numel() for value in state.values())
    print(f'{args.out}: {len(state)} tensors, {total / 1e6:.2f} M values')
