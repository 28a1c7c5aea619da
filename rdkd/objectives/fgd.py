"""FGD, focal and global distillation, to compare RDKD with.

Source: Yang et al., "Focal and Global Knowledge Distillation for Detectors",
CVPR 2022, equations 2 to 11.  Rounding of boxes, padding and ignored boxes are
treated as everywhere in this project (``masks.py``).
"""
from collections.abc import Sequence
from typing import Any

import torch
from mmcv.cnn.bricks import ContextBlock
from mmengine.registry import MODELS
from torch import Tensor, nn

from rdkd.arguments import NotNegative, Positive, checked
from rdkd.detectors.samples import batch_masks
from rdkd.functional.precision import full_precision
from rdkd.layers.adapter import ChannelAdapter
from rdkd.objectives.neck import NeckDistiller
from rdkd.objectives.presets import with_presets

#: The authors' settings for other detectors than RetinaNet.
PRESETS: dict[str, dict[str, Any]] = dict(
    fcos=dict(alpha=1.6e-3, beta=8e-4, gamma=8e-4, lambda_global=8e-6,
              temperature=0.8),
    faster_rcnn=dict(alpha=5e-5, beta=2.5e-5, gamma=5e-5,
                     lambda_global=5e-7, temperature=0.5))


def spatial_and_channel_attention(x: Tensor, temperature: float
                                  ) -> tuple[Tensor, Tensor]:
    """How much each position and each channel of a map stands out.

    Equations 2 to 5: a softmax over the mean absolute value, times the number
    of positions or channels, so that the mean is 1.

    Args:
        x (Tensor): Shape ``(N, C, H, W)``.
        temperature (float): Divides before the softmax.

    Returns:
        tuple[Tensor, Tensor]: Shapes ``(N, 1, H, W)`` and ``(N, C, 1, 1)``.
    """
    n, channels, height, width = x.shape
    strength = x.abs()
    places = (strength.mean(dim=1).flatten(1) / temperature).softmax(dim=1)
    of_channels = (strength.mean(dim=(2, 3)) / temperature).softmax(dim=1)
    return (height * width * places.view(n, 1, height, width),
            channels * of_channels[..., None, None])


def focal_weights(data_samples: Sequence[Any],
                  map_sizes: Sequence[tuple[int, int]]
                  ) -> list[tuple[Tensor, Tensor]]:
    """Weight of each cell in the losses of foreground and background.

    Equations 6 and 7: a cell of a box weighs one over the number of cells the
    box covers, the largest such weight where boxes overlap; a cell of the
    background one over the number of such cells.

    Args:
        data_samples (Sequence[DetDataSample]): See
            :func:`~rdkd.detectors.samples.read_samples`.
        map_sizes (Sequence[tuple[int, int]]): ``(H_l, W_l)`` of each level.

    Returns:
        list[tuple[Tensor, Tensor]]: For each level two, ``(N, 1, H_l, W_l)``.
    """
    weights = []
    for masks in batch_masks(data_samples, map_sizes, decouple=True,
                              box_balance=1):
        foreground, background = masks.split(1, dim=1)
        count = background.sum(dim=(2, 3), keepdim=True).clamp(min=1)
        weights.append((foreground, background / count))
    return weights


def weighted_squared_error(student: Tensor, teacher: Tensor, weight: Tensor
                           ) -> Tensor:
    """``sum(weight * (student - teacher)^2) / N``, maps ``(N, C, H, W)``."""
    return (weight * (student - teacher).square()).sum() / len(student)


@MODELS.register_module()
class FGDDistiller(NeckDistiller):
    """FGD on every neck level that student and teacher share.

    Defaults are the authors' for RetinaNet; :data:`PRESETS` has theirs for
    FCOS and Faster R-CNN.  They clip the gradient's norm at 35.

    Args:
        alpha (float): Weight of the foreground.  Defaults to 1e-3.
        beta (float): Weight of the background.  Defaults to 5e-4.
        gamma (float): Weight of the attentions.  Defaults to 5e-4.
        lambda_global (float): Weight of the global relation.  Defaults to
            5e-6.
        temperature (float): Of the attentions.  Defaults to 0.5.
        loss_weight (float): Factor of all of them; 0 turns distillation off.
            Defaults to 1.
        preset (str, optional): One of :data:`PRESETS`.

    Raises:
        InputError: If a weight is negative or the temperature not positive.
    """

    @with_presets(PRESETS)
    @checked
    def __init__(self,
                 alpha: NotNegative = 1e-3,
                 beta: NotNegative = 5e-4,
                 gamma: NotNegative = 5e-4,
                 lambda_global: NotNegative = 5e-6,
                 temperature: Positive = 0.5,
                 loss_weight: NotNegative = 1.0) -> None:
        super().__init__(loss_weight)
        self.alpha = alpha
        self.beta = beta
        self.gamma = gamma
        self.lambda_global = lambda_global
        self.temperature = temperature

    def build(self, student: Sequence[int], teacher: Sequence[int]) -> None:
        """Build the adapter and the context blocks of both sides.

        The blocks' last convolutions start at zero: at first the global
        relation is the map itself.
        """
        self.connectors['adapter'] = ChannelAdapter(student, teacher)
        self.connectors['student_context'] = nn.ModuleList(
            ContextBlock(channels, 0.5) for channels in teacher)
        self.connectors['teacher_context'] = nn.ModuleList(
            ContextBlock(channels, 0.5) for channels in teacher)

    def forward(self, student: Sequence[Tensor], teacher: Sequence[Tensor],
                data_samples: Sequence[Any]) -> dict[str, Tensor]:
        """Compare the two necks.

        Args:
            student (Sequence[Tensor]): Levels of the student's neck,
                ``(N, C_s, H_l, W_l)``.
            teacher (Sequence[Tensor]): Levels of the teacher's neck,
                ``(N, C_t, H_l, W_l)``.
            data_samples (Sequence[DetDataSample]): The batch's samples.

        Returns:
            dict[str, Tensor]: For every level of stride ``s`` the scalars
            ``loss_fg_s{s}``, ``loss_bg_s{s}``, ``loss_attention_s{s}`` and
            ``loss_global_s{s}``.
        """
        student, teacher = self.shared(student, teacher)
        student = self.connectors['adapter'](student)
        weights = focal_weights(
            data_samples, [(x.shape[-2], x.shape[-1]) for x in teacher])
        losses = {}
        for i, (level, _) in enumerate(self.pairs):
            parts = self.level(i, student[i], teacher[i], *weights[i])
            for name, value in parts.items():
                losses[f'loss_{name}_s{level.stride}'] = (
                    self.loss_weight * value)
        return losses

    def level(self, index: int, student: Tensor, teacher: Tensor,
              foreground: Tensor, background: Tensor) -> dict[str, Tensor]:
        """The four losses of one level.

        Args:
            index (int): Of the level.
            student (Tensor): Shape ``(N, C, H, W)``.
            teacher (Tensor): Shape ``(N, C, H, W)``.
            foreground (Tensor): Shape ``(N, 1, H, W)``.
            background (Tensor): Shape ``(N, 1, H, W)``.

        Returns:
            dict[str, Tensor]: Scalars ``fg``, ``bg``, ``attention``,
            ``global``.
        """
        with torch.autocast(student.device.type, enabled=False):
            student, teacher = map(full_precision, (student, teacher))
            places, channels = spatial_and_channel_attention(
                teacher, self.temperature)
            own_places, own_channels = spatial_and_channel_attention(
                student, self.temperature)
            focus = places * channels
            relation = self.connectors['student_context'][index](student)
            wanted = self.connectors['teacher_context'][index](teacher)
            return {
                'fg': self.alpha * weighted_squared_error(
                    student, teacher, foreground * focus),
                'bg': self.beta * weighted_squared_error(
                    student, teacher, background * focus),
                'attention': self.gamma * (
                    (own_places - places).abs().sum() +
                    (own_channels - channels).abs().sum()) / len(student),
                'global': self.lambda_global * weighted_squared_error(
                    relation, wanted, torch.ones_like(foreground)),
            }
