"""Check a config's data as training would, without training.

Looks at the annotations and opens every image of the train, val and test
split; stops at the first problem and says what to do.
"""
import argparse

from mmengine.config import DictAction

from rdkd.cli.common import readable_errors
from rdkd.io.config import load_config
from rdkd.runtime.checks import check_config, check_data


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction,
                        metavar='KEY=VALUE',
                        help='override settings of the config')
    args = parser.parse_args()
    with readable_errors():
        cfg = load_config(args.config)
        cfg.merge_from_dict(args.cfg_options or {})
        check_config(cfg)
        if cfg.get('test_dataloader') != cfg.get('val_dataloader'):
            check_data(cfg, 'test')
        print(f'{args.config}: no problem found.')


if __name__ == '__main__':
    main()
