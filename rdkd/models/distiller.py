"""RDKD as an MMRazor distiller: from two necks to one dict of losses."""
from collections.abc import Sequence
from typing import Any

import torch
from mmengine.model import BaseModel
from mmengine.registry import MODELS
from mmrazor.models.distillers import ConfigurableDistiller
from torch import Tensor, nn

from rdkd.errors import InputError
from rdkd.models.levels import Level, match_levels, neck_levels
from rdkd.models.loss import DecoupledPyramidLoss
from rdkd.models.masks import region_masks
from rdkd.models.review import ChannelAdapter, ReviewFusion

_NECK = dict(neck=dict(type='ModuleOutputs', source='neck'))


@MODELS.register_module()
class RDKDDistiller(ConfigurableDistiller):
    """Review-and-decouple distillation of the neck levels.

    Levels are matched by stride and channels are read from the two models,
    so nothing about them is configured.  With every switch off this is plain
    feature distillation: the mean squared error of each level.

    Source: RDKD (Zhang and Pan, Application Research of Computers 40(5),
    2023).  ``direct``, ``standardize`` and ``kv_size`` are [our choice]; with
    ``direct=0, standardize=False, kv_size=None`` the loss is the paper's.

    Args:
        loss_weight (float): Weight ``lambda`` of all distillation losses.  0
            turns distillation off: the teacher does not run and no module is
            built.
        review (bool): Compare the fused levels.  Defaults to True.
        attention (bool): Attend over the fused levels.  Only with ``review``.
            Defaults to True.
        decouple (bool): Distil foreground and background apart.  Defaults to
            True.
        pyramid (bool): Compare at pooled scales too.  Defaults to True.
        standardize (bool): Compare maps standardised per image and channel.
            Defaults to True.
        direct (float): Share, 0 to 1, of the loss that compares the student's
            levels themselves instead of the fused ones.  Only with
            ``review``.  Defaults to 0.5.
        fg_weight (float): Weight of the foreground.  Defaults to 1.
        bg_weight (float): Weight of the background.  Defaults to 0.5.
        kv_size (int, optional): Side of the pooled keys and values of the
            position attention, None for exact attention.  Defaults to 32.

    Raises:
        InputError: If the two necks share no stride.
    """

    def __init__(self,
                 loss_weight: float,
                 review: bool = True,
                 attention: bool = True,
                 decouple: bool = True,
                 pyramid: bool = True,
                 standardize: bool = True,
                 direct: float = 0.5,
                 fg_weight: float = 1.0,
                 bg_weight: float = 0.5,
                 kv_size: int | None = 32) -> None:
        super().__init__(student_recorders=_NECK, teacher_recorders=_NECK)
        self.loss_weight = loss_weight
        self.review = review
        self.attention = attention
        self.decouple = decouple
        self.direct = direct if review else 1.0
        self.kv_size = kv_size
        self.distance = DecoupledPyramidLoss(fg_weight, bg_weight, pyramid,
                                             standardize)
        self._student_levels: tuple[Level, ...] = ()
        self.pairs: list[tuple[Level, Level]] = []

    def prepare_from_student(self, model: BaseModel) -> None:
        """Attach to the student's neck and read its levels."""
        super().prepare_from_student(model)
        self._student_levels = neck_levels(model)

    def prepare_from_teacher(self, model: nn.Module) -> None:
        """Attach to the teacher's neck, match levels, build what learns."""
        super().prepare_from_teacher(model)
        self.pairs = match_levels(self._student_levels, neck_levels(model))
        if self.loss_weight == 0:
            return
        channels = [teacher.channels for _, teacher in self.pairs]
        self.connectors['adapter'] = ChannelAdapter(
            [student.channels for student, _ in self.pairs], channels)
        if self.review:
            self.connectors['review'] = ReviewFusion(channels, self.attention,
                                                     self.kv_size)

    def compute_distill_losses(self, data_samples: Sequence[Any]
                               ) -> dict[str, Tensor]:
        """Compute the losses of the batch that both recorders hold.

        Args:
            data_samples (Sequence[DetDataSample]): The batch's samples, whose
                boxes and sizes say what is foreground, background, padding.

        Returns:
            dict[str, Tensor]: For every level of stride ``s`` the scalars
            ``loss_fg_s{s}`` and ``loss_bg_s{s}``, or ``loss_s{s}`` without
            decoupling.
        """
        student_neck = self.get_record('neck', from_student=True)
        teacher_neck = self.get_record('neck', from_student=False)
        student = self.connectors['adapter'](
            [student_neck[level.index] for level, _ in self.pairs])
        teacher = [teacher_neck[level.index] for _, level in self.pairs]
        compared = [(self.direct, student)]
        if self.review:
            compared.append(
                (1 - self.direct, self.connectors['review'](student)))

        for (level, _), own, other in zip(self.pairs, student, teacher,
                                          strict=True):
            if own.shape[-2:] != other.shape[-2:]:
                raise InputError(
                    f'at stride {level.stride} the student\'s map is '
                    f'{tuple(own.shape[-2:])} and the teacher\'s '
                    f'{tuple(other.shape[-2:])}: the two round odd sizes '
                    'differently. Set '
                    '`model.architecture.data_preprocessor.pad_size_divisor` '
                    'to the largest stride.')
        sides = ('fg_', 'bg_') if self.decouple else ('', )
        losses = {}
        for i, (level, _) in enumerate(self.pairs):
            mask = region_masks(data_samples, teacher[i].shape[-2:],
                                self.decouple)
            distance = torch.stack([
                share * self.distance.level(maps[i], teacher[i], mask)
                for share, maps in compared
            ]).sum(dim=0)
            for side, value in zip(sides, distance, strict=True):
                losses[f'loss_{side}s{level.stride}'] = (
                    self.loss_weight * value)
        return losses
