"""RDKD: what the student's neck is to learn from the teacher's.

Source: RDKD (Zhang and Pan, Application Research of Computers 40(5), 2023).
"""
from collections.abc import Sequence
from typing import Any

import torch
from mmengine.registry import MODELS
from torch import Tensor

from rdkd.arguments import Count, NotNegative, Share, checked
from rdkd.detectors.samples import batch_masks
from rdkd.functional.distance import distance_to, make_target
from rdkd.functional.scales import POOL_SIZES
from rdkd.layers.adapter import ChannelAdapter
from rdkd.layers.review import ReviewFusion
from rdkd.objectives.neck import NeckDistiller
from rdkd.objectives.presets import with_presets

#: ``paper``: to the letter, where the defaults are [our choice].
PRESETS: dict[str, dict[str, Any]] = dict(
    paper=dict(standardize=False, direct=0.0, box_balance=0.0, kv_size=None,
               reduction=1))


@MODELS.register_module()
class RDKDDistiller(NeckDistiller):
    """Review-and-decouple distillation of the neck levels.

    With every switch off this is plain feature distillation: the mean squared
    error of each level.

    Source: RDKD (Zhang and Pan, Application Research of Computers 40(5),
    2023).  ``direct``, ``standardize``, ``box_balance``, ``kv_size`` and
    ``reduction`` are [our choice]; with ``preset='paper'`` the loss is the
    paper's.

    Args:
        loss_weight (float): Weight ``lambda`` of all distillation losses.  0
            turns distillation off: the teacher does not run and no module is
            built.
        review (bool): Compare the fused levels.  Defaults to True.
        attention (bool): Attend over the fused levels.  Only with ``review``.
            Defaults to True.
        decouple (bool): Distill foreground and background apart.  Defaults to
            True.
        pyramid (bool): Compare at pooled scales too.  Defaults to True.
        standardize (bool): Compare maps standardized per image and channel.
            Defaults to True.
        direct (float): Share, 0 to 1, of the loss that compares the student's
            levels themselves instead of the fused ones.  Only with
            ``review``.  Defaults to 0.5.
        fg_weight (float): Weight of the foreground.  Defaults to 1.
        bg_weight (float): Weight of the background.  Defaults to 0.5.
        box_balance (float): How far small boxes are raised against large
            ones: a foreground cell weighs one over this power of its box's
            cells.  0 weighs all cells alike, 1 all boxes (FGD, Yang et al.,
            CVPR 2022, equation 6).  Only with ``decouple``.  Defaults to 0.5.
        kv_size (int, optional): Side of the pooled keys and values of the
            position attention, None for exact attention.  Defaults to 16.
        reduction (int): How many times narrower than the levels the fusion
            is, up to the channels of the narrowest; 1 is the paper's.
            Defaults to 4.
        preset (str, optional): One of :data:`PRESETS`, which stands for the
            arguments that it names; those that are given beside it win.

    Raises:
        InputError: If a switch is neither True nor False, or a number out of
            its range.
    """

    @with_presets(PRESETS)
    @checked
    def __init__(self,
                 loss_weight: NotNegative,
                 review: bool = True,
                 attention: bool = True,
                 decouple: bool = True,
                 pyramid: bool = True,
                 standardize: bool = True,
                 direct: Share = 0.5,
                 fg_weight: NotNegative = 1.0,
                 bg_weight: NotNegative = 0.5,
                 box_balance: NotNegative = 0.5,
                 kv_size: Count | None = 16,
                 reduction: Count = 4) -> None:
        super().__init__(loss_weight)
        self.review = review
        self.attention = attention
        self.decouple = decouple
        self.direct = direct if review else 1.0
        self.kv_size = kv_size
        self.reduction = reduction
        self.box_balance = box_balance
        self.pool_sizes = POOL_SIZES if pyramid else ()
        self.standardize = standardize
        #: Names and weights of the regions.
        self.sides = (dict(fg_=fg_weight, bg_=bg_weight) if decouple
                      else {'': 1.0})

    def build(self, student: Sequence[int], teacher: Sequence[int]) -> None:
        """Build adapter and review."""
        self.connectors['adapter'] = ChannelAdapter(student, teacher)
        if self.review:
            self.connectors['review'] = ReviewFusion(
                teacher, self.attention, self.kv_size, self.reduction)

    def compared(self, student: Sequence[Tensor]
                 ) -> list[tuple[float, Sequence[Tensor]]]:
        """What of the student is compared with the teacher.

        Args:
            student (Sequence[Tensor]): The shared levels of its neck,
                ``(N, C_s, H_l, W_l)``, fine to coarse.

        Returns:
            list[tuple[float, Sequence[Tensor]]]: Share of the loss, and
            levels ``(N, C_t, H_l, W_l)``: the student's own, and those that
            the review made of them.
        """
        adapted = self.connectors['adapter'](student)
        if not self.review:
            return [(self.direct, adapted)]
        return [(self.direct, adapted),
                (1 - self.direct, self.connectors['review'](adapted))]

    def forward(self, student: Sequence[Tensor], teacher: Sequence[Tensor],
                data_samples: Sequence[Any]) -> dict[str, Tensor]:
        """Compare the two necks.

        Args:
            student (Sequence[Tensor]): Levels of the student's neck,
                ``(N, C_s, H_l, W_l)``.
            teacher (Sequence[Tensor]): Levels of the teacher's neck,
                ``(N, C_t, H_l, W_l)``.
            data_samples (Sequence[DetDataSample]): The batch's samples, whose
                boxes and sizes say what is foreground, background, padding.

        Returns:
            dict[str, Tensor]: For every level of stride ``s`` the scalars
            ``loss_fg_s{s}`` and ``loss_bg_s{s}``, or ``loss_s{s}`` without
            decoupling.
        """
        student, teacher = self.shared(student, teacher)
        compared = self.compared(student)
        masks = batch_masks(
            data_samples, [(x.shape[-2], x.shape[-1]) for x in teacher],
            self.decouple, self.box_balance)
        losses = {}
        for i, (level, _) in enumerate(self.pairs):
            target = make_target(teacher[i], masks[i], self.pool_sizes,
                                 self.standardize)
            distance = torch.stack([
                share * distance_to(target, levels[i])
                for share, levels in compared]).sum(dim=0)
            for (side, weight), value in zip(self.sides.items(), distance,
                                             strict=True):
                losses[f'loss_{side}s{level.stride}'] = (
                    self.loss_weight * weight * value)
        return losses
