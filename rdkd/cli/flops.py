"""What a training step computes, and how long that takes on GPUs.

Counts the floating-point operations of one step on one image, of the student,
its teacher and what is between them, and turns them into hours of a whole
training on one, two and eight GPUs.  Nothing is downloaded: weights are
random, and no GPU is needed.  Of a detector's own config it counts that.
"""
import argparse

from rdkd.arguments import Range
from rdkd.cli.common import whole
from rdkd.experiments.flops import (
    TFLOPS,
    UTILIZATION,
    FlopsPlan,
    report_flops,
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's flags."""
    parser.add_argument('config', help='config file')
    parser.add_argument('--size', type=whole(Range(1)), nargs=2,
                        default=(800, 1344),
                        metavar=('HEIGHT', 'WIDTH'),
                        help='of an image after resizing and padding')
    parser.add_argument('--tflops', type=float, default=TFLOPS,
                        help='peak of a GPU; default: %(default)s, a V100 '
                        'in fp32')
    parser.add_argument('--utilisation', dest='utilization', type=float,
                        default=UTILIZATION, metavar='SHARE',
                        help='share of the peak that is reached, an '
                        'assumption; default: %(default)s')


def plan_from(args: argparse.Namespace) -> FlopsPlan:
    """What the flags state.

    Raises:
        ArgumentError: If a number is out of its range.
    """
    if args.tflops <= 0 or not 0 < args.utilization <= 1:
        raise argparse.ArgumentError(
            None, '--tflops must be positive, --utilisation above 0 and at '
            'most 1')
    height, width = args.size
    return FlopsPlan(args.config, (height, width), args.tflops,
                     args.utilization)


def run(args: argparse.Namespace) -> None:
    """Count."""
    report_flops(plan_from(args))
