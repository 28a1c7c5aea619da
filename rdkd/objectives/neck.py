"""Objectives that compare the neck levels which two detectors share."""
from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.model import BaseModel
from torch import Tensor, nn

from rdkd.arguments import Count, NotNegative, checked
from rdkd.detectors.levels import (
    Level,
    check_sizes,
    match_levels,
    neck_levels,
)
from rdkd.objectives.base import Objective


class NeckDistiller(Objective):
    """What distills the neck levels that student and teacher share.

    Levels are matched by stride and channels are read from the two models,
    so nothing about them is configured.

    Args:
        loss_weight (float): Weight ``lambda`` of all distillation losses.  0
            turns distillation off: the teacher does not run and no module is
            built.
        levels (int, optional): Number of shared levels, from the finest on.
            Defaults to all.

    Attributes:
        pairs (list[tuple[Level, Level]]): The levels of student and teacher
            that are compared, fine to coarse.
        connectors (nn.ModuleDict): What learns.
    """

    @checked
    def __init__(self, loss_weight: NotNegative,
                 levels: Count | None = None) -> None:
        super().__init__(loss_weight)
        self.levels = levels
        self.pairs: list[tuple[Level, Level]] = []
        self.connectors: Any = nn.ModuleDict()

    def prepare(self, student: BaseModel, teacher: BaseModel) -> None:
        """Match the levels and build what learns.

        Raises:
            InputError: If the two necks share no stride.
        """
        self.pairs = match_levels(neck_levels(student),
                                  neck_levels(teacher))[:self.levels]
        if self.active:
            self.build([own.channels for own, _ in self.pairs],
                       [other.channels for _, other in self.pairs])

    def build(self, student: Sequence[int], teacher: Sequence[int]) -> None:
        """Build what learns, for levels of these channels, fine to coarse."""

    def learned_parts(self) -> Mapping[str, nn.Module]:
        """The connectors."""
        return dict(self.connectors)

    def teacher_levels(self) -> set[int] | None:
        """Positions of the shared levels in the teacher's neck."""
        return {level.index for _, level in self.pairs}

    def shared(self, student: Sequence[Tensor], teacher: Sequence[Tensor]
               ) -> tuple[list[Tensor], list[Tensor]]:
        """Choose the shared levels.

        Args:
            student (Sequence[Tensor]): All levels of the student's neck.
            teacher (Sequence[Tensor]): All levels of the teacher's.

        Returns:
            tuple[list[Tensor], list[Tensor]]: Of student and teacher, shapes
            ``(N, C_s, H_l, W_l)`` and ``(N, C_t, H_l, W_l)``, fine to coarse.

        Raises:
            InputError: If two maps of one stride differ in size.
        """
        own = [student[level.index] for level, _ in self.pairs]
        other = [teacher[level.index] for _, level in self.pairs]
        check_sizes([level.stride for level, _ in self.pairs], own, other)
        return own, other
