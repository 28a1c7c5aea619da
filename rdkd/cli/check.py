"""Check a config's data as training would, without training.

Looks at the annotations and decodes every image of the train, val and test
split; stops at the first problem and says what to do.  Which images are in
order is remembered in the config's work dir, for the training.
"""
import argparse
from pathlib import Path

from rdkd.cli.common import add_config_options, set_work_dir
from rdkd.io.config import load_config, merge_options
from rdkd.runtime.checks import check_config, check_data


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's flags."""
    parser.add_argument('config', help='config file')
    add_config_options(parser)


def run(args: argparse.Namespace) -> None:
    """Check."""
    cfg = load_config(args.config)
    merge_options(cfg, args.cfg_options)
    set_work_dir(cfg, Path(args.config).stem)
    check_config(cfg)
    if cfg.get('test_dataloader') != cfg.get('val_dataloader'):
        check_data(cfg, 'test')
    print(f'{args.config}: no problem found.')
