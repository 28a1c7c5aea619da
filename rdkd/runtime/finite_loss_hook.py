"""A loss that is not finite ends a run, with a teacher or without one."""
import math
from collections.abc import Mapping
from typing import Any

from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner


def _images(batch: Any) -> list[Any]:
    """Ids of a batch's images, or their files."""
    samples = batch.get('data_samples') if isinstance(batch, Mapping) else None
    return [sample.metainfo.get('img_id', sample.metainfo.get('img_path', '?'))
            for sample in samples or []]


@HOOKS.register_module()
class FiniteLossHook(Hook):
    """Stop in the step whose loss is not finite, before anything is saved.

    The values are those that mmengine reads of every step to log them: this
    hook reads nothing more from the device.
    """

    # After mmengine's RuntimeInfoHook, which reads the losses, and before all
    # hooks that keep the model or an average of it.
    priority = 'HIGH'

    def after_train_iter(self, runner: Runner, batch_idx: int,
                         data_batch: Any = None,
                         outputs: Mapping[str, Any] | None = None) -> None:
        """Look at the losses of a step.

        Args:
            runner (Runner): Of the training.
            batch_idx (int): Not looked at.
            data_batch (dict): Of the step, for the message.
            outputs (Mapping): Names of the losses.

        Raises:
            FloatingPointError: Names the terms, the iteration and the images.
        """
        def logged(name: str) -> float:
            return runner.message_hub.get_scalar(f'train/{name}').current()

        if 'loss' not in (outputs or {}) or math.isfinite(logged('loss')):
            return
        terms = ', '.join(f'{name} = {logged(name)}' for name in outputs or {}
                          if name != 'loss' and not math.isfinite(
                              logged(name)))
        raise FloatingPointError(
            f'the loss is not finite in iteration {runner.iter}: '
            f'{terms or logged("loss")}. Image ids of the batch: '
            f'{_images(data_batch)}. Nothing of this step was saved. Lower '
            'the learning rate or the distillation weight, or look at these '
            'images and their boxes.')
