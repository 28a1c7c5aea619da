"""What every objective has in common: how it is called."""
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

from mmengine.model import BaseModel, BaseModule
from torch import Tensor, nn

from rdkd.arguments import NotNegative, checked
from rdkd.detectors.capture import outputs_of


class Objective(BaseModule):
    """Something the student is to learn from the teacher.

    An objective says which part of the two detectors it :attr:`reads`, looks
    at both once (:meth:`prepare`) and is then called in every step with what
    that part put out on either side::

        losses = objective(student_outputs, teacher_outputs, data_samples)

    It is a submodule of the algorithm, so that what it learns is trained and
    saved; neither detector is a submodule of it.

    Args:
        loss_weight (float): Factor of all its losses.  0 switches it off: it
            is not called, and the teacher does not run for it.  Defaults to 1.

    Attributes:
        reads (Mapping[str, str]): Name of the part whose outputs are
            compared, of ``'student'`` and ``'teacher'``: the neck, unless
            :meth:`prepare` finds another.

    Raises:
        InputError: If the weight is negative or no number.
    """

    reads: Mapping[str, str] = dict(student='neck', teacher='neck')

    @checked
    def __init__(self, loss_weight: NotNegative = 1.0) -> None:
        super().__init__()
        self.loss_weight = loss_weight

    @property
    def active(self) -> bool:
        """Whether it has any weight."""
        return self.loss_weight != 0

    def prepare(self, student: BaseModel, teacher: BaseModel) -> None:
        """Look at the two detectors and build what learns.

        Args:
            student (BaseModel): The student.
            teacher (BaseModel): The frozen teacher.

        Raises:
            InputError: If they have nothing that could be compared.
        """

    def learned_parts(self) -> Mapping[str, nn.Module]:
        """Modules that learn, by name: what ``compile`` may compile."""
        return {}

    def teacher_levels(self) -> set[int] | None:
        """Positions of the teacher's neck levels that are read; None: all."""
        return None

    def watch(self, model: BaseModel, side: str
              ) -> AbstractContextManager[Any]:
        """Take what is compared, while a detector runs inside the block.

        Args:
            model (BaseModel): The detector.
            side (str): ``'student'`` or ``'teacher'``.

        Returns:
            AbstractContextManager: Gives what :meth:`forward` gets of this
            side, complete when the detector has run.
        """
        return outputs_of(getattr(model, self.reads[side]))

    def forward(self, student: Any, teacher: Any,
                data_samples: Sequence[Any]) -> dict[str, Tensor]:
        """Compare the two.

        Args:
            student: Outputs of the part on the student's side.
            teacher: The same of the teacher, without gradient.
            data_samples (Sequence[DetDataSample]): The batch's samples.

        Returns:
            dict[str, Tensor]: Scalars; names contain ``loss``.
        """
        raise NotImplementedError


@contextmanager
def watching(objectives: Mapping[str, Objective], model: BaseModel, side: str
             ) -> Iterator[dict[str, Any]]:
    """:meth:`Objective.watch` of all objectives at once, by their names."""
    with ExitStack() as stack:
        yield {name: stack.enter_context(objective.watch(model, side))
               for name, objective in objectives.items()}
