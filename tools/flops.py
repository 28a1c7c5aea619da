"""What a training step computes, and how long that takes on GPUs.

Counts the floating-point operations of one step on one image, of the student,
its teacher and what is between them, and turns them into hours of a whole
training on one, two and eight GPUs.  Nothing is downloaded: weights are
random, and no GPU is needed.  Of a detector's own config it counts that.
"""
import argparse
from pathlib import Path
from typing import NamedTuple

import torch
from benchmark import Bench
from mmengine.config import Config, ConfigDict
from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope
from rich.console import Console
from rich.table import Table
from torch import Tensor

from rdkd.algorithm import DetectorDistillation
from rdkd.cli.common import readable_errors
from rdkd.data.coco import read_annotations
from rdkd.data.datasets import coco_datasets
from rdkd.errors import InputError
from rdkd.experiments.measure import flop_counter
from rdkd.io.config import detector_config, load_config

#: Training images by folder, where the data need not be there to know: COCO
#: train2017 has 118,287, of which MMDetection drops those without a box; FLIR
#: is release 1.3.
IMAGES = {'data/coco': 117_266, 'data/flir': 8_862}
#: fp32 of a V100, NVIDIA's data sheet (2020): MMDetection's public times, by
#: which UTILISATION is chosen, are of it, and it has no TF32 to be on or off.
TFLOPS = 15.7
#: An assumption.  MMDetection's model zoo, "Comparison with Detectron2", has
#: 0.205 s for a step of 2 images of RetinaNet R50 and 0.216 s of Faster R-CNN
#: on each of 8 V100, with sides of 640 to 800 pixels, on average 0.81 of the
#: area: 0.72 and 0.56 of the peak if every image filled 800x1344.
UTILISATION = 0.6
GPUS = (1, 2, 8)


class Step(NamedTuple):
    """Floating-point operations of one training step.

    A multiplication and an addition are two.  Convolutions and matrix
    products count; sums, norms, resizing and mmcv's own operators do not.

    Attributes:
        forward: The student's losses.
        backward: Their gradients.
        teacher: Its forward pass.
        distiller: Review and distances, forward and backward.
    """
    forward: int
    backward: int
    teacher: int
    distiller: int

    @property
    def student(self) -> int:
        """The step of the student alone."""
        return self.forward + self.backward


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument('--size', type=int, nargs=2, default=(800, 1344),
                        metavar=('HEIGHT', 'WIDTH'),
                        help='of an image after resizing and padding')
    parser.add_argument('--tflops', type=float, default=TFLOPS,
                        help='peak of a GPU; default: %(default)s, a V100 '
                        'in fp32')
    parser.add_argument('--utilisation', type=float, default=UTILISATION,
                        help='share of the peak that is reached, an '
                        'assumption; default: %(default)s')
    args = parser.parse_args()
    if min(*args.size, args.tflops) <= 0 or not 0 < args.utilisation <= 1:
        parser.error('--size and --tflops must be positive, --utilisation '
                     'above 0 and at most 1')
    return args


def count(model: DetectorDistillation, inputs: Tensor,
          samples: list[object]) -> Step:
    """Take a step, without an optimizer, and count.

    Args:
        model (DetectorDistillation): In training mode.
        inputs (Tensor): Preprocessed images ``(N, 3, H, W)``.
        samples (list[DetDataSample]): Their annotations.
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
        own, _ = model.student.parse_losses(
            {name: value for name, value in losses.items()
             if name.startswith('student.')})
        own.backward(retain_graph=True)
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
    bench = Bench(cfg, argparse.Namespace(device='cpu', batch=1, boxes=8,
                                          size=size))
    return count(bench.rdkd, bench.inputs, bench.samples)


def images_of(cfg: Config) -> int:
    """How many images an epoch of a config has.

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


def steps_table(step: Step) -> Table:
    """Operations of each part, and their share of the student's own step."""
    table = Table('one image', 'GFLOPs', 'student alone = 100 %')
    for name, flops in (('student, forward', step.forward),
                        ('student, backward', step.backward),
                        ('teacher, forward', step.teacher),
                        ('distiller, both', step.distiller),
                        ('sum', step.student + step.teacher + step.distiller)):
        if flops:  # a detector alone has no teacher
            table.add_row(name, f'{flops / 1e9:.1f}',
                          f'{flops / step.student:.1%}')
    return table


def hours_table(step: Step, images: int, peak: float) -> Table:
    """Hours of training the student alone and distilled."""
    table = Table('hours of training', *(
        f'{n} GPU{"s" if n > 1 else ""}' for n in GPUS))
    rows = {'student alone': step.student}
    if step.teacher:
        rows['distilled'] = step.student + step.teacher + step.distiller
    for name, flops in rows.items():
        table.add_row(name, *(
            f'{value:.1f}' for value in hours(flops, images, peak)))
    return table


def main() -> None:
    args = parse_args()
    torch.manual_seed(0)
    cfg = load_config(args.config)
    epochs = cfg.train_cfg.get('max_epochs')
    if not epochs:
        raise InputError(f'{args.config} does not train by epochs: its '
                         '`train_cfg` has no `max_epochs`.')
    images = epochs * images_of(cfg)
    init_default_scope('mmdet')
    # mmengine gives an account of every initialised weight.
    MMLogger.get_instance('flops', log_level='ERROR')
    step = step_of(cfg, args.size)
    console = Console()
    console.print(steps_table(step))
    console.print(hours_table(
        step, images, args.tflops * 1e12 * args.utilisation))
    console.print(
        f'{images // epochs} images, {epochs} epochs, each image '
        f'{args.size[0]}x{args.size[1]}. Assumed: {args.tflops:g} TFLOP/s at '
        f'a utilisation of {args.utilisation:g}, and that two and eight GPUs '
        'are two and eight times as fast. Evaluation is not counted.')


if __name__ == '__main__':
    with readable_errors():
        main()
