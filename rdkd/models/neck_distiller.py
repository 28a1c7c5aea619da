"""Distillers of the neck levels that two detectors share."""
from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.model import BaseModel
from mmengine.registry import MODELS
from mmrazor.models.distillers import ConfigurableDistiller
from torch import Tensor, nn

from rdkd.models.attention import full_precision
from rdkd.models.levels import (
    Level,
    check_sizes,
    match_levels,
    neck_levels,
)

_NECK = dict(neck=dict(type='ModuleOutputs', source='neck'))


def plain_map(x: Tensor) -> Tensor:
    """``x`` as MMRazor's losses take it: contiguous and in full precision."""
    return full_precision(x).contiguous()


class NeckDistiller(ConfigurableDistiller):
    """What distils the neck levels that student and teacher share.

    Levels are matched by stride and channels are read from the two models,
    so nothing about them is configured.

    Args:
        loss_weight (float): Weight ``lambda`` of all distillation losses.  0
            turns distillation off: the teacher does not run and no module is
            built.
        levels (int, optional): Number of shared levels, from the finest on.
            Defaults to all.

    Raises:
        InputError: If the two necks share no stride.
    """

    def __init__(self, loss_weight: float, levels: int | None = None) -> None:
        super().__init__(student_recorders=_NECK, teacher_recorders=_NECK)
        self.loss_weight = loss_weight
        self.levels = levels
        self._student_levels: tuple[Level, ...] = ()
        self.pairs: list[tuple[Level, Level]] = []

    def prepare_from_student(self, model: BaseModel) -> None:
        """Attach to the student's neck and read its levels."""
        super().prepare_from_student(model)
        self._student_levels = neck_levels(model)

    def prepare_from_teacher(self, model: nn.Module) -> None:
        """Attach to the teacher's neck, match levels, build what learns."""
        super().prepare_from_teacher(model)
        self.pairs = match_levels(self._student_levels,
                                  neck_levels(model))[:self.levels]
        if self.loss_weight:
            self.build([student.channels for student, _ in self.pairs],
                       [teacher.channels for _, teacher in self.pairs])

    def build(self, student: Sequence[int], teacher: Sequence[int]) -> None:
        """Build what learns, for levels of these channels, fine to coarse."""

    def recorded(self) -> tuple[list[Tensor], list[Tensor]]:
        """The shared levels that both recorders hold.

        Returns:
            tuple[list[Tensor], list[Tensor]]: Of student and teacher, shapes
            ``(N, C_s, H_l, W_l)`` and ``(N, C_t, H_l, W_l)``, fine to coarse.

        Raises:
            InputError: If two maps of one stride differ in size.
        """
        student_neck = self.get_record('neck', from_student=True)
        teacher_neck = self.get_record('neck', from_student=False)
        student = [student_neck[level.index] for level, _ in self.pairs]
        teacher = [teacher_neck[level.index] for _, level in self.pairs]
        check_sizes([level.stride for level, _ in self.pairs], student,
                    teacher)
        return student, teacher

    def compute_distill_losses(self, data_samples: Sequence[Any]
                               ) -> dict[str, Tensor]:
        """Compute the losses of the batch that both recorders hold.

        Args:
            data_samples (Sequence[DetDataSample]): The batch's samples.

        Returns:
            dict[str, Tensor]: Scalars.
        """
        raise NotImplementedError


@MODELS.register_module()
class LevelDistiller(NeckDistiller):
    """One loss of MMRazor's for each shared neck level.

    Args:
        loss (dict): Config of the loss, its weight included; it is called
            with the maps of student and teacher.
        connector (dict, optional): Config of a connector for the student's
            map; its arguments ``student_channels`` and ``teacher_channels``
            are filled in.
        levels (int, optional): Number of levels, from the finest on.
            Defaults to all.
    """

    def __init__(self,
                 loss: Mapping[str, Any],
                 connector: Mapping[str, Any] | None = None,
                 levels: int | None = None) -> None:
        super().__init__(loss_weight=1, levels=levels)
        self.level_loss = MODELS.build(loss)
        self.connector = connector

    def build(self, student: Sequence[int], teacher: Sequence[int]) -> None:
        """Build one connector for each level, if there is any."""
        if self.connector is None:
            return
        for i, (own, other) in enumerate(zip(student, teacher, strict=True)):
            self.connectors[f'level_{i}'] = MODELS.build(dict(
                self.connector, student_channels=own, teacher_channels=other))

    def compute_distill_losses(self, data_samples: Sequence[Any]
                               ) -> dict[str, Tensor]:
        """One scalar ``loss_s{s}`` for every level of stride ``s``."""
        losses = {}
        for i, ((level, _), student, teacher) in enumerate(
                zip(self.pairs, *self.recorded(), strict=True)):
            student, teacher = plain_map(student), plain_map(teacher)
            if self.connector is not None:
                student = self.connectors[f'level_{i}'](student)
            losses[f'loss_s{level.stride}'] = self.level_loss(student, teacher)
        return losses
