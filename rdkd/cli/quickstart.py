"""Train a teacher, a baseline and the same student with RDKD; compare.

A fourth model only inherits the teacher's neck and heads: what RDKD adds to
that is its own.

Without --data the images are synthetic scenes.  Every phase is kept:
interrupt it and start it again, and it goes on where it was.
"""
import argparse

from rdkd.arguments import SEEDS
from rdkd.cli.common import whole
from rdkd.cli.setup import add_setup_arguments, setup_from
from rdkd.experiments.quickstart import quickstart

CONTINUE_WITH = 'Start the same command again to go on.'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's flags."""
    # As many as two cores have time for in ten minutes.
    add_setup_arguments(parser, epochs=3)
    parser.add_argument('--seed', type=whole(SEEDS), default=0,
                        help='of every training (default: %(default)s)')


def run(args: argparse.Namespace) -> None:
    """Do it."""
    quickstart(setup_from(args), args.seed, args.command_line)
