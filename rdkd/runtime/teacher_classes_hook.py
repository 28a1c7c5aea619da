"""Teacher and student must mean the same by their classes."""
from collections.abc import Sequence
from typing import cast

from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from rdkd.algorithm import DetectorDistillation
from rdkd.errors import InputError
from rdkd.runtime.processes import plain_model


def check_classes(teacher: Sequence[str] | None,
                  student: Sequence[str]) -> None:
    """Compare the class names that two models were trained on.

    Args:
        teacher (Sequence[str], optional): As the teacher's checkpoint says;
            None if it does not say, which is accepted.
        student (Sequence[str]): Of the student's training set.

    Raises:
        InputError: Says what differs, the names or their order.
    """
    if teacher is None or list(teacher) == list(student):
        return
    if set(teacher) == set(student):
        raise InputError(
            'the teacher was trained on the same classes in another order: '
            f'{list(teacher)}, this data set has {list(student)}. Put the '
            'classes of the config into the teacher\'s order.')
    raise InputError(
        'the teacher was trained on other classes: only the teacher has '
        f'{sorted(set(teacher) - set(student))}, only this data set has '
        f'{sorted(set(student) - set(teacher))}. Use a teacher that was '
        'trained on these classes.')


@HOOKS.register_module()
class TeacherClassesHook(Hook):
    """Stop before training if the teacher was trained on other classes."""

    def before_train(self, runner: Runner) -> None:
        """Compare the teacher's checkpoint with the training set."""
        algorithm = cast(DetectorDistillation, plain_model(runner.model))
        check_classes(
            algorithm.teacher.classes,
            runner.train_dataloader.dataset.metainfo['classes'])
