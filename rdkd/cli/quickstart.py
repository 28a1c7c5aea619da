"""Train a teacher, a baseline and the same student with RDKD; compare.

Without --data the images are synthetic scenes.  Every phase is kept:
interrupt it and start it again, and it goes on where it was.
"""
import argparse
import signal

from rdkd.cli.setup import add_setup_arguments, setup_from
from rdkd.experiments.quickstart import quickstart

CONTINUE_WITH = 'Start the same command again to go on.'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's flags."""
    add_setup_arguments(parser)
    parser.add_argument('--seed', type=int, default=0)


def run(args: argparse.Namespace) -> None:
    """Do it."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    quickstart(setup_from(args), args.seed, args.command_line)
