"""Compare distillation methods: one teacher, one student, several seeds.

Trains the teacher once and then the student with each method and each seed,
on images of your own or on synthetic scenes.  Whatever is done is kept and
not done again: interrupt it and start it again, and it goes on where it was;
add methods or seeds later.
"""
import argparse

from rdkd.arguments import SEEDS
from rdkd.cli.common import whole
from rdkd.cli.setup import add_setup_arguments, setup_from
from rdkd.errors import InputError
from rdkd.experiments.comparison import ComparisonPlan, compare
from rdkd.experiments.methods import EXTRAS, METHODS, split

CONTINUE_WITH = 'Start the same command again to go on.'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's flags."""
    add_setup_arguments(parser)
    parser.add_argument(
        '--methods', default='none,plain,rdkd,fgd,mgd,pkd,cwd',
        type=lambda text: text.split(','),
        help=f'of {",".join(METHODS)}, each perhaps with '
        f'{" or ".join("+" + extra for extra in EXTRAS)} (default: '
        '%(default)s)')
    parser.add_argument(
        '--seeds', default='0,1,2',
        type=lambda text: [whole(SEEDS)(seed) for seed in text.split(',')],
        help='each method is trained with each (default: %(default)s)')
    parser.add_argument(
        '--tune', type=whole(SEEDS), metavar='SEED',
        help='choose each method\'s loss weight with this seed, which is not '
        'one of --seeds (default: the weights are not chosen)')


def plan_from(args: argparse.Namespace) -> ComparisonPlan:
    """What the flags state.

    Raises:
        ArgumentError: If they name what there is not, or contradict.
    """
    try:
        for name in args.methods:
            split(name)
    except InputError as error:
        raise argparse.ArgumentError(None, f'--methods: {error}') from error
    for name in ('methods', 'seeds'):
        values = getattr(args, name)
        if len(set(values)) < len(values):
            raise argparse.ArgumentError(None, f'--{name} names one twice')
    if args.tune in args.seeds:
        raise argparse.ArgumentError(
            None, f'--tune {args.tune} is one of --seeds: a weight that was '
            'chosen with a seed looks too good on it')
    return ComparisonPlan(setup_from(args), tuple(args.methods),
                          tuple(args.seeds), args.tune)


def run(args: argparse.Namespace) -> None:
    """Compare."""
    compare(plan_from(args), args.command_line)
