"""Evaluate a checkpoint: of a distillation run or of a plain detector."""
import argparse
from typing import Any

from mmdet.engine.hooks.utils import trigger_visualization_hook
from mmdet.evaluation import CocoMetric, DumpDetResults
from mmdet.registry import METRICS
from mmdet.utils import setup_cache_size_limit_of_dynamo

from rdkd.cli.common import add_common_arguments, config_from, readable_errors
from rdkd.errors import InputError
from rdkd.io.checkpoint import detector_state_dict, load_checkpoint_file
from rdkd.runtime.checks import check_data
from rdkd.runtime.launch import build_runner, student_config
from rdkd.runtime.processes import finish_processes, plain_model
from rdkd.teacher.build import load_strictly


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='checkpoint file or URL')
    parser.add_argument('--out', metavar='FILE.pkl',
                        help='dump predictions for offline evaluation')
    parser.add_argument(
        '--outfile-prefix', metavar='PREFIX',
        help='write the results in COCO format to PREFIX.bbox.json')
    parser.add_argument('--show', action='store_true',
                        help='show the predictions')
    parser.add_argument('--show-dir',
                        help='folder for images with predictions')
    parser.add_argument('--wait-time', type=float, default=2,
                        help='seconds an image is shown')
    add_common_arguments(parser)
    return parser.parse_args()


def set_outfile_prefix(evaluator: Any, prefix: str) -> None:
    """Set where the results of the one metric for COCO go.

    Args:
        evaluator (dict | list[dict]): ``test_evaluator`` of a config, changed
            in place.
        prefix (str): Path without its ending.

    Raises:
        InputError: If not exactly one metric writes such results.
    """
    metrics = evaluator if isinstance(evaluator, list) else [evaluator]
    writers = [m for m in metrics if issubclass(
        METRICS.get(m['type']) or object, CocoMetric)]
    if len(writers) != 1:
        raise InputError(
            '--outfile-prefix needs exactly one CocoMetric in '
            f'test_evaluator, which has {len(writers)}; set outfile_prefix '
            'of each in the config.')
    writers[0]['outfile_prefix'] = prefix


def main() -> None:
    args = parse_args()
    setup_cache_size_limit_of_dynamo()
    with readable_errors():
        if args.out and not args.out.endswith(('.pkl', '.pickle')):
            raise InputError(f'--out {args.out} must end in .pkl.')
        cfg = student_config(config_from(args))
        check_data(cfg, 'test')
        checkpoint = load_checkpoint_file(args.checkpoint)
        if args.outfile_prefix:
            set_outfile_prefix(cfg.test_evaluator, args.outfile_prefix)
        if args.show or args.show_dir:
            cfg = trigger_visualization_hook(cfg, args)
        runner = build_runner(cfg)
        load_strictly(
            plain_model(runner.model),
            detector_state_dict(checkpoint, args.checkpoint), args.checkpoint)
        if args.out:
            runner.test_evaluator.metrics.append(
                DumpDetResults(out_file_path=args.out))
        runner.test()
        finish_processes()


if __name__ == '__main__':
    main()
