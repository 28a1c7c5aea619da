"""Make the embedded data set: synthetic scenes in COCO format."""
import argparse

from rdkd.arguments import Range
from rdkd.cli.common import whole
from rdkd.data.synthetic import Spec, make_dataset
from rdkd.io.terminal import track

CONTINUE_WITH = 'Nothing was written: start the same command again.'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's flags."""
    parser.add_argument('out', help='folder to make')
    parser.add_argument('--seed', type=whole(Range(0)), default=0)
    parser.add_argument('--train', type=whole(Range(1)), default=200,
                        help='number of training images')
    parser.add_argument('--val', type=whole(Range(1)), default=100,
                        help='number of validation images')


def run(args: argparse.Namespace) -> None:
    """Make the data set, unless it is there."""
    spec = Spec(seed=args.seed, splits={'train': args.train, 'val': args.val})
    made = make_dataset(
        args.out, spec,
        lambda images: track(list(images), 'making synthetic scenes'))
    print(f'{args.out}: ' + ('made' if made else 'already there'))
