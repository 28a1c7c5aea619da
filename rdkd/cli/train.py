"""Train a detector, with or without a teacher."""
import argparse
from pathlib import Path

from rdkd.cli.common import add_run_arguments, config_from
from rdkd.runtime.resolved import spell_out
from rdkd.runtime.settings import check_settings
from rdkd.runtime.status import StatusHook, outcome_kept
from rdkd.runtime.training import TrainOptions, resolve, train

CONTINUE_WITH = 'Start the same command with --resume to go on.'


def add_train_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of MMDetection's ``tools/train.py``."""
    parser.add_argument('--amp', action='store_true',
                        help='train with automatic mixed precision')
    parser.add_argument(
        '--auto-scale-lr', action='store_true',
        help='scale the learning rate to the actual total batch size')
    parser.add_argument(
        '--resume', nargs='?', const='auto', metavar='CKPT',
        help='continue from CKPT, or without it from the newest whole '
        'checkpoint in the work dir (where there is none the run starts '
        'from the beginning)')
    add_run_arguments(parser)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's flags."""
    parser.add_argument('config', help='config file')
    add_train_arguments(parser)
    parser.add_argument('--print', action='store_true',
                        help='print the complete config, as the run would '
                        'use it and with the defaults of the method, and '
                        'do not train')
    # For the process that starts this one.
    parser.add_argument('--status', type=Path, help=argparse.SUPPRESS)


def options_from(args: argparse.Namespace) -> TrainOptions:
    """The options that the flags of :func:`add_train_arguments` state."""
    return TrainOptions(args.amp, args.auto_scale_lr, args.resume,
                        args.image_check)


def run(args: argparse.Namespace) -> None:
    """Train, or print the config."""
    with outcome_kept(args.status):
        options = options_from(args)
        cfg = config_from(args)
        if args.print:
            resolve(cfg, options)
            check_settings(cfg)
            print(spell_out(cfg).pretty_text)
        else:
            train(cfg, options, hooks=(
                [StatusHook(args.status)] if args.status else []))
