"""Evaluate a checkpoint: of a distillation run or of a plain detector."""
import argparse
from pathlib import Path

from rdkd.cli.common import add_run_arguments, config_from
from rdkd.runtime.testing import EvaluationOptions, evaluate

CONTINUE_WITH = 'Nothing is kept of it: start the same command again.'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's flags."""
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='checkpoint file or URL')
    parser.add_argument('--out', metavar='FILE.pkl',
                        help='dump predictions for offline evaluation')
    parser.add_argument(
        '--outfile-prefix', metavar='PREFIX',
        help='write the results in COCO format to PREFIX.bbox.json')
    parser.add_argument('--show', action='store_true',
                        help='show the predictions')
    parser.add_argument('--show-dir',
                        help='folder for images with predictions')
    parser.add_argument('--wait-time', type=float, default=2,
                        help='seconds an image is shown')
    # For the process that starts this one.
    parser.add_argument('--metrics', type=Path, help=argparse.SUPPRESS)
    add_run_arguments(parser)


def run(args: argparse.Namespace) -> None:
    """Evaluate."""
    evaluate(config_from(args), args.checkpoint, EvaluationOptions(
        out=args.out, outfile_prefix=args.outfile_prefix,
        metrics=args.metrics, show=args.show, show_dir=args.show_dir,
        wait_time=args.wait_time, image_check=args.image_check))
