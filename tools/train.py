"""Train a detector, with or without a teacher."""
import argparse

from rdkd.cli.common import (
    add_train_arguments,
    config_from,
    readable_errors,
    train,
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file')
    add_train_arguments(parser)
    args = parser.parse_args()
    with readable_errors('Continue with --resume.'):
        train(config_from(args), args)


if __name__ == '__main__':
    main()
