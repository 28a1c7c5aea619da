"""Distilling what a dense head says: scores and boxes.

Source: BCKD (Yang et al., "Bridging Cross-task Protocol Inconsistency for
Distillation in Dense Object Detection", ICCV 2023), sections 3.2 and 3.3: a
sigmoid head is as many binary classifiers as it has classes, and boxes are
compared by their overlap.  It asks nothing of the box branch, unlike LD
(Zheng et al., CVPR 2022), and its paper reports more (GFL R101 to R50 on COCO,
40.1 to 43.2 AP; LD 42.1).  Temperature, normalizer and centerness are
[our choice].
"""
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmdet.models.dense_heads import ATSSHead, FCOSHead, RetinaHead, RPNHead
from mmdet.models.losses.iou_loss import giou_loss
from mmengine.model import BaseModel
from mmengine.registry import MODELS
from torch import Tensor

from rdkd.arguments import NotNegative, Positive, checked
from rdkd.detectors.levels import check_sizes
from rdkd.detectors.samples import batch_masks
from rdkd.errors import InputError
from rdkd.functional.precision import full_precision
from rdkd.objectives.base import Objective


def soft_binary_loss(student: Tensor, teacher: Tensor,
                     temperature: float = 1.0) -> Tensor:
    """Binary cross entropy to soft targets, weighted by their distance.

    ``T^2 |p_t - p_s| BCE(p_s, p_t)`` with ``p = sigmoid(z / T)`` (BCKD,
    section 3.2; the factor ``T^2`` keeps the gradient's size, Hinton et al.,
    2015).  0 where the two agree.

    Args:
        student (Tensor): Logits of any shape.
        teacher (Tensor): Logits of the same shape.
        temperature (float): Above 1 it makes the targets softer.  Defaults
            to 1.

    Returns:
        Tensor: The loss of every element, same shape.
    """
    student = student / temperature
    target = (teacher / temperature).sigmoid()
    weight = (target - student.sigmoid()).abs()
    return temperature ** 2 * weight * F.binary_cross_entropy_with_logits(
        student, target, reduction='none')


def _rows(maps: Sequence[Tensor], width: int) -> Tensor:
    """Levels ``(N, A * width, H_l, W_l)`` as ``(N, M, width)``, by prior."""
    return torch.cat([
        full_precision(x).permute(0, 2, 3, 1).reshape(len(x), -1, width)
        for x in maps], dim=1)


def _kind(head: Any) -> type | None:
    """Which of the known heads this one is, as far as its outputs go.

    A subclass may put out something else under the same names: GFL's
    distributions, TOOD's finished boxes, VFNet's two boxes.
    """
    for kind in (RetinaHead, FCOSHead, ATSSHead, RPNHead):
        if isinstance(head, kind) and head.use_sigmoid_cls and all(
                getattr(type(head), name) is getattr(kind, name)
                for name in ('forward', 'forward_single')):
            return kind
    return None


def _strides(head: Any) -> list[int]:
    """Pixels of one cell at each level of a head."""
    return [stride[0] for stride in head.prior_generator.strides]


def _outputs_mean(head: Any) -> tuple[Any, ...]:
    """What a head's outputs mean, one by one: equal heads, equal values."""
    generator = head.prior_generator
    places = generator.grid_priors([(2, 3)] * generator.num_levels,
                                   device='cpu')
    return (_kind(head), head.cls_out_channels,
            [prior.tolist() for prior in places])


def _priors(head: Any, scores: Sequence[Tensor]) -> list[Tensor]:
    """A head's anchors or points of each level, ``(A H_l W_l, 4 or 2)``."""
    return head.prior_generator.grid_priors(
        [(x.shape[-2], x.shape[-1]) for x in scores], dtype=torch.float32,
        device=scores[0].device)


def _inside_images(data_samples: Sequence[Any], scores: Sequence[Tensor],
                   priors: Sequence[Tensor]) -> Tensor:
    """1 for each prior whose cell is not padding, ``(N, M)``."""
    sizes = [(x.shape[-2], x.shape[-1]) for x in scores]
    masks = batch_masks(data_samples, sizes, decouple=False)
    return torch.cat([
        mask.flatten(1).repeat_interleave(
            len(prior) // mask[0].numel(), dim=1)
        for mask, prior in zip(masks, priors, strict=True)], dim=1)


def _in_pixels(head: Any, maps: Sequence[Tensor]) -> Sequence[Tensor]:
    """A head's box maps as it puts them out in eval mode.

    In training mode FCOS's distances are in strides
    (``FCOSHead.forward_single``).
    """
    if head.training and getattr(head, 'norm_on_bbox', False):
        return [x * stride for x, stride in zip(maps, _strides(head),
                                                strict=True)]
    return maps


def _boxes(coder: Any, maps: Sequence[Tensor], priors: Sequence[Tensor]
           ) -> Tensor:
    """Decode box maps ``(N, A * 4, H_l, W_l)`` to ``(N M, 4)``."""
    return coder.decode(
        torch.cat(list(priors)).repeat(len(maps[0]), 1),
        _rows(maps, 4).flatten(0, 1))


@MODELS.register_module()
class ResponseLoss(Objective):
    """Soft targets for the scores and boxes of a dense head.

    For the heads of RetinaNet, FCOS and ATSS (their centerness too) and the
    region proposals of Faster R-CNN, with sigmoid scores; subclasses that
    leave ``forward`` and ``forward_single`` as they are count as these.
    Each image is divided by its teacher's summed confidence, at least 1, and
    the batch is averaged, so that two processes give the gradient of one.

    Args:
        cls_weight (float): Weight of the scores.  Defaults to 1.
        box_weight (float): Weight of the boxes, compared by GIoU where the
            scores differ.  Defaults to 4, BCKD's.
        temperature (float): Of the scores.  Defaults to 1.

    Raises:
        InputError: If a weight is negative or the temperature not positive.
    """

    @checked
    def __init__(self, cls_weight: NotNegative = 1.0,
                 box_weight: NotNegative = 4.0,
                 temperature: Positive = 1.0) -> None:
        super().__init__()
        self.cls_weight = cls_weight
        self.box_weight = box_weight
        self.temperature = temperature

    def prepare(self, student: BaseModel, teacher: BaseModel) -> None:
        """Find the dense heads of the two detectors.

        Raises:
            InputError: If there is none, or the two are not of one kind.
        """
        names, heads = [], []
        for detector, whose in ((student, 'student'), (teacher, 'teacher')):
            name = 'rpn_head' if hasattr(detector, 'rpn_head') else 'bbox_head'
            head: Any = getattr(detector, name, None)
            if _kind(head) is None:
                what = 'no dense head' if head is None else type(head).__name__
                raise InputError(
                    '`response` knows the heads of RetinaNet, FCOS and ATSS '
                    'and the RPN of two-stage detectors, with sigmoid '
                    f'scores; the {whose} ({type(detector).__name__}) has '
                    f'{what}. Leave `response` out.')
            names.append(name)
            heads.append(head)
        if _outputs_mean(heads[0]) != _outputs_mean(heads[1]):
            raise InputError(
                '`response` compares outputs one by one, but the '
                f'{type(heads[0]).__name__} of the student and the '
                f'{type(heads[1]).__name__} of the teacher differ in kind, '
                'number of classes, or anchors and strides. Leave `response` '
                'out for detectors of two families.')
        self.reads = dict(student=names[0], teacher=names[1])
        # In a tuple: it is not this module's own to train, save or move.
        self.student_head = (heads[0], )
        self.teacher_coder = heads[1].bbox_coder

    def forward(self, student: Sequence[Sequence[Tensor]],
                teacher: Sequence[Sequence[Tensor]],
                data_samples: Sequence[Any]) -> dict[str, Tensor]:
        """Compare what the two heads put out.

        Args:
            student (Sequence): Outputs of the student's head: for each level
                the scores ``(N, A * K, H, W)``, the boxes ``(N, A * 4, H, W)``
                and perhaps the centerness ``(N, A, H, W)``.
            teacher (Sequence): The same of the teacher's.
            data_samples (Sequence[DetDataSample]): The batch's samples; cells
                of padding do not count.

        Returns:
            dict[str, Tensor]: The scalars ``loss_cls`` and ``loss_box``, and
            ``loss_centerness`` of a head that has it.

        Raises:
            InputError: If the maps of the two differ in size.
        """
        head, = self.student_head
        check_sizes(_strides(head), student[0], teacher[0])
        with torch.autocast(student[0][0].device.type, enabled=False):
            priors = _priors(head, student[0])
            inside = _inside_images(data_samples, student[0], priors)
            student_logits, teacher_logits = (
                _rows(outputs[0], head.cls_out_channels)
                for outputs in (student, teacher))
            scores = teacher_logits.sigmoid()
            # Where the two disagree most a box is worth most (BCKD, 3.3).
            gap = (scores - student_logits.detach().sigmoid()).abs().amax(2)
            gap = gap * inside
            count = (scores.amax(2) * inside).sum(1).clamp(min=1)
            cls = soft_binary_loss(student_logits, teacher_logits,
                                   self.temperature).sum(2)
            box = giou_loss(
                _boxes(head.bbox_coder, _in_pixels(head, student[1]), priors),
                _boxes(self.teacher_coder, teacher[1], priors),
                reduction='none').view_as(gap)
            losses = dict(
                loss_cls=self.cls_weight * cls * inside,
                loss_box=self.box_weight * box * gap)
            if len(student) > 2:
                centerness = soft_binary_loss(
                    _rows(student[2], 1), _rows(teacher[2], 1),
                    self.temperature).squeeze(2)
                losses['loss_centerness'] = self.cls_weight * centerness * gap
            return {name: (loss.sum(1) / count).mean()
                    for name, loss in losses.items()}
