"""Detectors with MMCV's compiled operators and without, a process each."""
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict
from functools import partial
from typing import Any

import torch
from mmdet.testing import demo_mm_inputs
from mmengine.logging import MMLogger
from mmengine.registry import MODELS, init_default_scope

from rdkd.errors import InputError
from rdkd.experiments.benchmark_model import Batch
from rdkd.experiments.benchmark_operators import COMPILED, PLAIN
from rdkd.experiments.benchmark_rounds import Times, Work, take_turns
from rdkd.experiments.measure import seconds
from rdkd.io.config import load_config, without_downloads
from rdkd.runtime.commands import end_with_parent, environment

#: What is measured, and of which config of MMDetection.
DETECTORS = {
    'RetinaNet R50, evaluation': 'retinanet/retinanet_r50_fpn_2x_coco.py',
    'Faster R-CNN R50, training step':
        'faster_rcnn/faster-rcnn_r50_fpn_2x_coco.py'}
#: How a process is started; the second finds no compiled operators.
_HIDE = {COMPILED: '', PLAIN: "import sys; sys.modules['mmcv._ext'] = None; "}
_SERVE = ('from rdkd.experiments.benchmark_detectors import serve; '
          'serve({!r}, {!r})')


def detector_work(name: str, batch: Batch) -> Work:
    """A detector with random weights at its work.

    Untrained scores are all alike: without a threshold the evaluation
    suppresses as many boxes as it takes from every level, the most there is.

    Args:
        name (str): Of :data:`DETECTORS`.
        batch (Batch): What it works on.
    """
    torch.manual_seed(0)
    cfg = load_config(f'mmdet::{DETECTORS[name]}').model
    without_downloads(cfg)
    training = name.endswith('step')
    if not training:
        cfg.test_cfg.score_thr = 0.0
    model: Any = MODELS.build(cfg)
    model.init_weights()
    model.to(batch.device).train(training)
    data = model.data_preprocessor(demo_mm_inputs(
        batch.images, [[3, *batch.size]] * batch.images,
        num_items=[batch.boxes] * batch.images, num_classes=80,
        device=batch.device), training)

    def evaluation() -> None:
        with torch.no_grad():
            model(**data, mode='predict')

    def step() -> None:
        model.zero_grad()
        total, _ = model.parse_losses(model(**data, mode='loss'))
        total.backward()

    return step if training else evaluation


def serve(batch: Mapping[str, Any], threads: int) -> None:
    """Work whenever a line with a name comes in, and answer when done."""
    torch.set_num_threads(threads)
    init_default_scope('mmdet')
    MMLogger.get_instance('benchmark', log_level='ERROR')
    which = Batch(**batch)
    works = {name: detector_work(name, which) for name in DETECTORS}
    for line in sys.stdin:
        print(seconds(works[line.strip()], torch.device(which.device)),
              flush=True)


def compare_detectors(batch: Batch, rounds: int) -> dict[str, Times]:
    """Let two processes, with and without compiled operators, take turns.

    Args:
        batch (Batch): What they work on.
        rounds (int): How often each is timed.

    Returns:
        dict: Of each of :data:`DETECTORS` the seconds in each round.
    """
    code = _SERVE.format(asdict(batch), torch.get_num_threads())

    def ask(process: subprocess.Popen[str], name: str) -> None:
        assert process.stdin is not None and process.stdout is not None
        print(name, file=process.stdin, flush=True)
        if not process.stdout.readline():
            raise InputError(f'the measurement of {name} ended early (see '
                             'above).')

    with ExitStack() as stack:
        processes = {way: stack.enter_context(subprocess.Popen(
            [sys.executable, '-c', hide + code], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True, env=environment(),
            preexec_fn=end_with_parent)) for way, hide in _HIDE.items()}
        return {name: take_turns(
            {way: partial(ask, process, name)
             for way, process in processes.items()},
            rounds, torch.device('cpu'), name) for name in DETECTORS}
