"""Evaluating a checkpoint with a config."""
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmdet.engine.hooks.utils import trigger_visualization_hook
from mmdet.evaluation import CocoMetric, DumpDetResults
from mmdet.registry import METRICS
from mmdet.utils import setup_cache_size_limit_of_dynamo
from mmengine.config import Config

from rdkd.errors import InputError
from rdkd.io.atomic import AtomicLocalBackend
from rdkd.io.checkpoint import detector_state_dict, load_checkpoint_file
from rdkd.runtime.checks import check_data
from rdkd.runtime.launch import build_runner, student_config
from rdkd.runtime.processes import (
    finish_processes,
    first_process,
    plain_model,
)
from rdkd.runtime.settings import check_loader
from rdkd.teacher.build import load_strictly


@dataclass(frozen=True)
class EvaluationOptions:
    """What to make of an evaluation beside its log.

    Attributes:
        out: A ``.pkl`` for the predictions.  Defaults to none.
        outfile_prefix: The results in COCO's format go to
            ``PREFIX.bbox.json``.  Defaults to none.
        metrics: A JSON file for the metrics.  Defaults to none.
        show: Show the predictions.  Defaults to False.
        show_dir: Folder for images with predictions.  Defaults to none.
        wait_time: Seconds an image is shown.  Defaults to 2.
        image_check: Look at all images first.  Defaults to True.
    """
    out: str | None = None
    outfile_prefix: str | None = None
    metrics: Path | None = None
    show: bool = False
    show_dir: str | None = None
    wait_time: float = 2
    image_check: bool = True


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


def evaluate(cfg: Config, checkpoint: str, options: EvaluationOptions
             ) -> None:
    """Evaluate a checkpoint of a distillation run or of a plain detector.

    Args:
        cfg (Config): Of either; has a ``work_dir`` and a ``launcher``.
        checkpoint (str): File or URL.
        options (EvaluationOptions): What to make beside the log.

    Raises:
        InputError: If the checkpoint or an option does not fit.
    """
    setup_cache_size_limit_of_dynamo()
    if options.out and not options.out.endswith(('.pkl', '.pickle')):
        raise InputError(f'--out {options.out} must end in .pkl.')
    cfg = student_config(cfg)
    check_loader('test_dataloader', cfg.get('test_dataloader'))
    check_data(cfg, 'test', options.image_check)
    weights = load_checkpoint_file(checkpoint)
    if options.outfile_prefix:
        set_outfile_prefix(cfg.test_evaluator, options.outfile_prefix)
    if options.show or options.show_dir:
        cfg = trigger_visualization_hook(cfg, options)
    runner = build_runner(cfg)
    load_strictly(plain_model(runner.model),
                  detector_state_dict(weights, checkpoint), checkpoint)
    if options.out:
        runner.test_evaluator.metrics.append(
            DumpDetResults(out_file_path=options.out))
    metrics = runner.test()
    if options.metrics and first_process():
        AtomicLocalBackend().put(json.dumps(metrics).encode(),
                                 options.metrics)
    finish_processes()
