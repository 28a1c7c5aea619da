"""Flags of what an experiment trains on what and how long."""
import argparse
import os
from pathlib import Path

from rdkd.arguments import Range
from rdkd.cli.common import whole
from rdkd.experiments.setup import DETECTORS, Setup


def add_setup_arguments(parser: argparse.ArgumentParser,
                        epochs: int | None = None) -> None:
    """Add the flags of :class:`~rdkd.experiments.setup.Setup`.

    Args:
        parser (ArgumentParser): Of the command.
        epochs (int, optional): Default of ``--epochs``.  Defaults to that of
            the mini configs.
    """
    parser.add_argument(
        '--data', type=lambda p: Path(os.path.realpath(p)),
        metavar='ROOT',
        help='your own images: a folder with annotations/train.json, '
        'annotations/val.json (COCO format) and images/; without it synthetic '
        'scenes are made in data/mini')
    parser.add_argument('--detector', default=DETECTORS[0], choices=DETECTORS,
                        help='of all models (default: %(default)s)')
    parser.add_argument('--epochs', type=whole(Range(1)), default=epochs,
                        help='epochs of the student; the teacher trains '
                        f'four times as long (default: {epochs or 5})')
    parser.add_argument('--size', type=whole(Range(64)),
                        help='longer side of the images in pixels (default: '
                        'that of the mini configs, 256)')


def setup_from(args: argparse.Namespace) -> Setup:
    """What the flags of :func:`add_setup_arguments` state."""
    return Setup(args.data, args.detector, args.epochs, args.size)
