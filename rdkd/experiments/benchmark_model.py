"""The detectors of a distillation config with random weights, and a batch.

Weights do not matter for what a step costs, and nothing is downloaded.
"""
import copy
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from mmdet.testing import demo_mm_inputs
from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.registry import MODELS
from mmengine.runner import save_checkpoint
from torch import Tensor

from rdkd.algorithm import DetectorDistillation
from rdkd.detectors.classes import class_counts
from rdkd.io.config import load_config, without_downloads
from rdkd.teacher.build import build_teacher


@dataclass(frozen=True)
class Batch:
    """What a step is measured on.

    Attributes:
        size: Height and width of the images in pixels.
        images: How many.  Defaults to 1.
        boxes: On each image.  Defaults to 8.
        device: Where.  Defaults to ``'cpu'``.
    """
    size: tuple[int, int]
    images: int = 1
    boxes: int = 8
    device: str = 'cpu'


@dataclass(frozen=True)
class Bench:
    """A student, its teacher twice, and a batch.

    Attributes:
        algorithm: Of the config, in training mode.
        plain: The teacher as it was loaded, not made faster.
        inputs: Preprocessed images ``(N, 3, H, W)``.
        samples: Their annotations, ``DetDataSample``.
    """
    algorithm: DetectorDistillation
    plain: BaseModel
    inputs: Tensor
    samples: Sequence[Any]

    @property
    def device(self) -> torch.device:
        """Where all of it is."""
        return self.inputs.device


def build_bench(cfg: Config, batch: Batch) -> Bench:
    """Build what a config trains and a batch for it.

    Args:
        cfg (Config): Of a distillation; is changed.
        batch (Batch): What to build a batch of.

    Raises:
        InputError: If the teacher's config cannot be read, or there is
            nothing to distill.
    """
    teacher = cfg.model.teacher
    if isinstance(teacher, str):
        teacher = load_config(teacher).model
    without_downloads(teacher)
    without_downloads(cfg.model)
    with tempfile.TemporaryDirectory() as folder:
        file = str(Path(folder) / 'teacher.pth')
        random = MODELS.build(copy.deepcopy(teacher))
        random.init_weights()
        save_checkpoint(dict(state_dict=random.state_dict()), file)
        cfg.model.update(teacher=teacher, teacher_ckpt=file)
        plain = build_teacher(copy.deepcopy(teacher), file)
        algorithm: DetectorDistillation = MODELS.build(cfg.model)
    algorithm.init_weights()
    algorithm.to(batch.device).train()
    data = algorithm.data_preprocessor(demo_mm_inputs(
        batch.images, [[3, *batch.size]] * batch.images,
        num_items=[batch.boxes] * batch.images,
        num_classes=max(class_counts(cfg.model.architecture)),
        device=batch.device), True)
    return Bench(algorithm, plain.to(batch.device), data['inputs'],
                 data['data_samples'])
