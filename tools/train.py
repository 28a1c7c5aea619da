"""Train a detector, with or without a teacher."""
import argparse

from mmdet.utils import setup_cache_size_limit_of_dynamo
from mmengine.device import get_device

from rdkd.datasets.preflight import check_config
from rdkd.engine.cli import add_common_arguments, config_from, readable_errors
from rdkd.engine.launch import build_runner, finish_processes, set_resume
from rdkd.errors import InputError


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument('--amp', action='store_true',
                        help='train with automatic mixed precision')
    parser.add_argument(
        '--auto-scale-lr', action='store_true',
        help='scale the learning rate to the actual total batch size')
    parser.add_argument(
        '--resume', nargs='?', const='auto', metavar='CKPT',
        help='continue from CKPT, or without it from the newest whole '
        'checkpoint in the work dir')
    add_common_arguments(parser)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    setup_cache_size_limit_of_dynamo()
    with readable_errors('Continue with --resume.'):
        cfg = config_from(args)
        if args.amp:
            if get_device() == 'cpu':
                raise InputError('--amp needs a GPU: mmengine trains with '
                                 'mixed precision on accelerators only.')
            cfg.optim_wrapper.type = 'AmpOptimWrapper'
            cfg.optim_wrapper.loss_scale = 'dynamic'
        if args.auto_scale_lr:
            if 'base_batch_size' not in cfg.get('auto_scale_lr', {}):
                raise InputError(f'{args.config} has no '
                                 '`auto_scale_lr.base_batch_size`, which '
                                 '--auto-scale-lr needs.')
            cfg.auto_scale_lr.enable = True
        set_resume(cfg, args.resume)
        check_config(cfg)
        build_runner(cfg).train()
        finish_processes()


if __name__ == '__main__':
    main()
