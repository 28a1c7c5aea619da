"""What a training step computes, and how long that takes on GPUs."""
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from mmengine.config import Config, ConfigDict
from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope
from torch import Tensor

from rdkd.algorithm import DetectorDistillation
from rdkd.data.coco import read_annotations
from rdkd.data.datasets import coco_datasets
from rdkd.errors import InputError
from rdkd.experiments.benchmark_model import Batch, build_bench
from rdkd.experiments.measure import flop_counter
from rdkd.io.config import detector_config, load_config
from rdkd.io.terminal import console
from rdkd.report.tables import print_table

#: Training images by folder, where the data need not be there to know: COCO
#: train2017 has 118,287, of which MMDetection drops those without a box; FLIR
#: is release 1.3.
IMAGES = {'data/coco': 117_266, 'data/flir': 8_862}
#: fp32 of a V100, NVIDIA's data sheet (2020): MMDetection's public times, by
#: which UTILIZATION is chosen, are of it, and it has no TF32 to be on or off.
TFLOPS = 15.7
#: An assumption.  MMDetection's model zoo, "Comparison with Detectron2", has
#: 0.205 s for a step of 2 images of RetinaNet R50 and 0.216 s of Faster R-CNN
#: on each of 8 V100, with sides of 640 to 800 pixels, on average 0.81 of the
#: area: 0.72 and 0.56 of the peak if every image filled 800x1344.
UTILIZATION = 0.6
GPUS = (1, 2, 8)


class Step(NamedTuple):
    """Floating-point operations of one training step.

    A multiplication and an addition are two.  Convolutions and matrix
    products count; sums, norms, resizing and mmcv's own operators do not.

    Attributes:
        forward: The student's losses.
        backward: Their gradients.
        teacher: The teacher's forward pass.
        distiller: Review and distances, forward and backward.
    """
    forward: int
    backward: int
    teacher: int
    distiller: int

    @property
    def student(self) -> int:
        """The step of the baseline."""
        return self.forward + self.backward

    @property
    def whole(self) -> int:
        """The step of the distillation."""
        return self.student + self.teacher + self.distiller


@dataclass(frozen=True)
class FlopsPlan:
    """What is counted.

    Attributes:
        config: File of a distillation or of a detector.
        size: Height and width in pixels of an image after resizing and
            padding.
        tflops: Peak of a GPU, in 10^12 operations a second.  Defaults to
            :data:`TFLOPS`.
        utilization: Share of the peak that is reached, 0 to 1.  Defaults to
            :data:`UTILIZATION`.
    """
    config: str
    size: tuple[int, int]
    tflops: float = TFLOPS
    utilization: float = UTILIZATION


def count(model: DetectorDistillation, inputs: Tensor,
          samples: Sequence[Any]) -> Step:
    """Take a step, without an optimizer, and count.

    Args:
        model (DetectorDistillation): In training mode.
        inputs (Tensor): Preprocessed images ``(N, 3, H, W)``.
        samples (Sequence[DetDataSample]): Their annotations.
    """
    marks: list[int] = []
    with flop_counter() as counter:

        def mark(*_: object) -> None:
            marks.append(counter.get_total_flops())

        # The teacher runs before the student, the distiller after it.
        hooks = [model.student.register_forward_pre_hook(mark),
                 model.student.register_forward_hook(mark)]
        losses = model.loss(inputs, samples)
        for hook in hooks:
            hook.remove()
        mark()
        baseline, _ = model.student.parse_losses(
            {name: value for name, value in losses.items()
             if name.startswith('student.')})
        baseline.backward(retain_graph=True)
        mark()
        total, _ = model.parse_losses(losses)
        total.backward()
        mark()
    teacher, forward, distances, backward, both = (
        b - a for a, b in zip([0, *marks], marks, strict=False))
    return Step(forward, backward, teacher, distances + both - backward)


def step_of(cfg: Config, size: tuple[int, int]) -> Step:
    """Build the model of a config and count a step on one image.

    Args:
        cfg (Config): Of a distillation or of a detector; is changed.
        size (tuple[int, int]): Height and width in pixels.
    """
    if 'teacher' not in cfg.model:
        # With weight 0 the teacher does not run: training is the detector's.
        model = detector_config(cfg)
        cfg.model = ConfigDict(
            type='DetectorDistillation', architecture=model, teacher=model,
            distiller=dict(type='RDKDDistiller', loss_weight=0))
    bench = build_bench(cfg, Batch(size))
    return count(bench.algorithm, bench.inputs, bench.samples)


def images_of(cfg: Config) -> int:
    """How many images an epoch of a config has.

    Args:
        cfg (Config): Of a training.

    Raises:
        InputError: If the data set is another than COCO and FLIR, and its
            annotations are not there.
    """
    images = 0
    for data in coco_datasets(cfg.train_dataloader.dataset):
        root = Path(data['data_root'])
        images += IMAGES.get(str(root)) or len(
            read_annotations(root / data['ann_file'])['images'])
    return images


def hours(flops: int, images: int, peak: float) -> list[float]:
    """Hours on each number of :data:`GPUS`.

    Args:
        flops (int): Operations on an image.
        images (int): Of all epochs together.
        peak (float): Operations that a GPU does in a second.
    """
    return [flops * images / (peak * gpus) / 3600 for gpus in GPUS]


def step_cells(step: Step) -> list[list[str]]:
    """Operations of each part, and their share of the student's own step.

    Args:
        step (Step): What was counted.
    """
    return [['one image', 'GFLOPs', 'baseline = 100 %'], *(
        [name, f'{flops / 1e9:.1f}', f'{flops / step.student:.1%}']
        for name, flops in (('student, forward', step.forward),
                            ('student, backward', step.backward),
                            ('teacher, forward', step.teacher),
                            ('distiller, both', step.distiller),
                            ('sum', step.whole))
        if flops)]  # a plain detector has no teacher


def hour_cells(step: Step, images: int, peak: float) -> list[list[str]]:
    """Hours of training the baseline and the distilled student.

    Args:
        step (Step): What was counted.
        images (int): Of all epochs together.
        peak (float): Operations that a GPU does in a second.
    """
    rows = {'baseline': step.student}
    if step.teacher:
        rows['distilled'] = step.whole
    return [
        ['hours of training',
         *(f'{n} GPU{"s" if n > 1 else ""}' for n in GPUS)],
        *([name, *(f'{value:.1f}' for value in hours(flops, images, peak))]
          for name, flops in rows.items())]


def report_flops(plan: FlopsPlan) -> None:
    """Count a step and print the tables.

    Args:
        plan (FlopsPlan): What is counted.

    Raises:
        InputError: If the config cannot be read or does not train by epochs.
    """
    torch.manual_seed(0)
    cfg = load_config(plan.config)
    epochs = cfg.train_cfg.get('max_epochs')
    if not epochs:
        raise InputError(f'{plan.config} does not train by epochs: its '
                         '`train_cfg` has no `max_epochs`.')
    images = epochs * images_of(cfg)
    init_default_scope('mmdet')
    # mmengine gives an account of every initialized weight.
    MMLogger.get_instance('flops', log_level='ERROR')
    step = step_of(cfg, plan.size)
    print_table(step_cells(step))
    print_table(hour_cells(step, images,
                           plan.tflops * 1e12 * plan.utilization))
    console.print(
        f'{images // epochs} images, {epochs} epochs, each image '
        f'{plan.size[0]}x{plan.size[1]}. Assumed: {plan.tflops:g} TFLOP/s at '
        f'a utilization of {plan.utilization:g}, and that two and eight GPUs '
        'are two and eight times as fast. Evaluation is not counted.')
