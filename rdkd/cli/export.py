"""Write the student of a training checkpoint for deployment.

The result loads into the student's plain MMDetection config and holds neither
the teacher nor what was learned only to distill.
"""
import argparse
from pathlib import Path

from rdkd.runtime.exporting import export


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's flags."""
    parser.add_argument('checkpoint', help='checkpoint of a training run')
    parser.add_argument('out', type=Path, help='file to write')


def run(args: argparse.Namespace) -> None:
    """Write the student."""
    state = export(args.checkpoint, args.out)['state_dict']
    total = sum(value.numel() for value in state.values())
    print(f'{args.out}: {len(state)} tensors, {total / 1e6:.2f} M values')
