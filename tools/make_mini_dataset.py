"""Draw the embedded data set: scenes of textured shapes in COCO format."""
import argparse
import sys

from rich.progress import track

from rdkd.data.synthetic import Spec, make_dataset
from rdkd.errors import InputError


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('out', help='folder to make')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--train', type=int, default=200,
                        help='number of training images')
    parser.add_argument('--val', type=int, default=100,
                        help='number of validation images')
    args = parser.parse_args()
    spec = Spec(seed=args.seed, splits={'train': args.train, 'val': args.val})
    try:
        made = make_dataset(
            args.out, spec,
            lambda images: track(list(images), description='drawing'))
    except InputError as error:
        sys.exit(f'error: {error}')
    print(f'{args.out}: ' + ('drawn' if made else 'already there'))


if __name__ == '__main__':
    main()
