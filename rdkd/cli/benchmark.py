"""What distillation costs: time, memory and FLOPs of a training step.

The floor of a step with a teacher is the student's own step plus the
teacher's forward pass to its neck.  RDKD and MMRazor's CWD, PKD and MGD are
measured against it in one process, taking turns, so that whatever else the
machine does meets them alike.  Weights are random: they do not matter here.
"""
import argparse
from pathlib import Path

import torch

from rdkd.arguments import Range
from rdkd.cli.common import add_config_options, whole
from rdkd.experiments.benchmark import (
    BenchmarkPlan,
    benchmark,
    benchmark_operators,
)
from rdkd.experiments.benchmark_model import Batch
from rdkd.experiments.benchmark_steps import METHODS
from rdkd.io.config import shipped_config

CONTINUE_WITH = 'What was printed stands; the same command measures all anew.'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's flags."""
    parser.add_argument('--config', default=shipped_config(
        'rdkd_retinanet_r101_r50.py'), help='of a distillation with RDKD')
    add_config_options(parser)
    parser.add_argument('--size', type=whole(Range(1)), nargs=2,
                        default=(800, 1344),
                        metavar=('HEIGHT', 'WIDTH'), help='of the images')
    parser.add_argument('--batch', type=whole(Range(1)), default=1,
                        help='images')
    parser.add_argument('--boxes', type=whole(Range(0)), default=8,
                        help='per image')
    parser.add_argument('--rounds', type=whole(Range(1)), default=7)
    parser.add_argument(
        '--methods', type=lambda text: text.split(','), default=METHODS,
        help=f'of {", ".join(METHODS)}; "mmrazor" is with the teacher run as '
        'MMRazor runs it')
    parser.add_argument('--device', default='cuda' if
                        torch.cuda.is_available() else 'cpu')
    parser.add_argument('--threads', type=whole(Range(1)), help='of the CPU')
    parser.add_argument('--compile', action='store_true',
                        help='measure torch.compile of the teacher too')
    parser.add_argument('--no-attention', action='store_true',
                        help='leave out the measurements of attention by '
                        'itself')
    parser.add_argument('--operators', action='store_true',
                        help='measure MMCV\'s operators instead: compiled, '
                        'and those that take their place without a compiler')
    parser.add_argument('--json', type=Path, metavar='FILE')
    parser.add_argument('--plot', type=Path, metavar='FILE')


def plan_from(args: argparse.Namespace) -> BenchmarkPlan:
    """What the flags state.

    Raises:
        ArgumentError: If they name what there is not, or a file that exists.
    """
    for name in args.methods:
        if name not in METHODS:
            raise argparse.ArgumentError(
                None, f'--methods: there is no {name!r}; choose of '
                f'{", ".join(METHODS)}')
    for file in (args.json, args.plot):
        if file is not None and file.exists():
            raise argparse.ArgumentError(
                None, f'{file} exists; move it away or name another file')
    height, width = args.size
    return BenchmarkPlan(
        args.config,
        Batch((height, width), args.batch, args.boxes, args.device),
        args.cfg_options, tuple(args.methods), args.rounds, args.compile,
        not args.no_attention, args.json, args.plot)


def run(args: argparse.Namespace) -> None:
    """Measure."""
    plan = plan_from(args)
    if args.threads:
        torch.set_num_threads(args.threads)
    if args.operators:
        benchmark_operators(plan.batch, plan.rounds)
    else:
        benchmark(plan)
