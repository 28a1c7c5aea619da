"""Deployment checkpoints while training: the newest and the best student."""
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.dist import master_only
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.registry import HOOKS
from mmengine.runner import (
    IterBasedTrainLoop,
    Runner,
    get_state_dict,
    save_checkpoint,
)
from mmengine.runner.checkpoint import weights_to_cpu

from rdkd.io.checkpoint import deployable, load_checkpoint_file
from rdkd.runtime.processes import plain_model

#: The newest student and the best one, in the work dir.
LATEST, BEST = 'student_latest.pth', 'student_best.pth'


@HOOKS.register_module()
class DeployHook(Hook):
    """Write ``student_latest.pth`` and ``student_best.pth`` to the work dir.

    Both hold the student alone and load into its plain MMDetection config,
    as what ``tools/export_student.py`` writes.  With mmengine's ``EMAHook``
    they hold the averaged weights, which are also those that are evaluated.

    Args:
        metric (str): Name of the score by which a student is the best, the
            higher the better.  Defaults to ``'coco/bbox_mAP'``.
    """

    priority = 'LOW'

    def __init__(self, metric: str = 'coco/bbox_mAP') -> None:
        self.metric = metric
        self._best = float('-inf')
        self._training = False

    def before_train(self, runner: Runner) -> None:
        """Continue from the best score of the run that is resumed."""
        self._training = True
        best = Path(runner.work_dir, BEST)
        if runner.iter > 0 and best.is_file():
            meta = load_checkpoint_file(str(best)).get('meta', {})
            self._best = meta.get(self.metric, self._best)

    def after_train_epoch(self, runner: Runner) -> None:
        """Write the newest student."""
        self._write(runner, LATEST, epoch=runner.epoch + 1)

    def after_val_epoch(self, runner: Runner,
                        metrics: Mapping[str, Any] | None = None) -> None:
        """Write the student if it is the best so far."""
        if not self._training:  # a validation by itself
            return
        if isinstance(runner.train_loop, IterBasedTrainLoop):
            self._write(runner, LATEST)
        if not metrics:  # CocoMetric has none when nothing was detected
            return
        if self.metric not in metrics:
            print_log(
                f'DeployHook.metric={self.metric!r} is not measured, so no '
                f'best student is kept. There are: {", ".join(metrics)}.',
                'current', logging.WARNING)
        elif metrics[self.metric] > self._best:
            self._best = float(metrics[self.metric])
            self._write(runner, BEST, **{self.metric: self._best})

    @master_only
    def _write(self, runner: Runner, name: str, **meta: Any) -> None:
        checkpoint = dict(
            state_dict=weights_to_cpu(
                get_state_dict(plain_model(runner.model))),
            meta=dict(
                dataset_meta=runner.train_dataloader.dataset.metainfo,
                epoch=runner.epoch,
                iter=runner.iter,
                seed=runner.seed))
        # EMAHook puts the averaged weights into what is saved.
        runner.call_hook('before_save_checkpoint', checkpoint=checkpoint)
        student = deployable(checkpoint, name)
        student['meta'].update(meta)
        save_checkpoint(student, str(Path(runner.work_dir, name)),
                        backend_args=dict(backend='atomic'))
