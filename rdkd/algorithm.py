"""A student detector, its frozen teacher and the objectives as one model."""
from collections.abc import Mapping, Sequence
from typing import Any, cast

import torch
from mmengine.logging import print_log
from mmengine.model import BaseModel
from mmengine.registry import MODELS
from mmengine.runner import load_checkpoint
from mmrazor.models.algorithms import BaseAlgorithm
from mmrazor.models.utils import add_prefix
from torch import Tensor, nn

from rdkd.arguments import Part, checked
from rdkd.compat.compiled import compile_forward
from rdkd.detectors.inherit import inherit_neck_and_heads
from rdkd.detectors.random_state import isolated_random_state
from rdkd.errors import InputError
from rdkd.objectives.base import Objective, watching
from rdkd.objectives.build import build_objective
from rdkd.teacher.frozen import Teacher
from rdkd.teacher.normalization import Normalization


def _counts(parts: Mapping[str, int]) -> str:
    return ', '.join(f'{part} ({n})' for part, n in parts.items()) or 'none'


def _checked_names(objectives: Mapping[str, Any], response: bool
                   ) -> Mapping[str, Any]:
    """Refuse names of objectives whose losses would mix with others."""
    taken = {'student', 'distill', *(['response'] if response else []),
             *dir(nn.ModuleDict)}
    for name in objectives:
        if name in taken or not name.isidentifier():
            raise InputError(
                f'`objectives` has the name {name!r}, which is taken or is '
                'no name of a module: its losses are logged as NAME.*. '
                'Choose another one.')
    return objectives


def distillation_losses(student: BaseModel, teacher: Teacher,
                        objectives: Mapping[str, Objective], inputs: Tensor,
                        data_samples: Sequence[Any], given: Normalization
                        ) -> dict[str, Tensor]:
    """The losses of a batch: images to both detectors, outputs to objectives.

    Args:
        student (BaseModel): The detector that learns.
        teacher (Teacher): Runs only for objectives.
        objectives (Mapping[str, Objective]): By the prefix of their losses.
        inputs (Tensor): Images ``(N, 3, H, W)``, normalized and padded.
        data_samples (Sequence[DetDataSample]): Their annotations.
        given (Normalization): Of ``inputs``.

    Returns:
        dict[str, Tensor]: The student's own losses as ``student.*``, each
        objective's as ``<its name>.*``.
    """
    if objectives:
        theirs = teacher.outputs(inputs, data_samples, given, objectives)
    with watching(objectives, student, 'student') as ours:
        losses = add_prefix(
            student(inputs, data_samples, mode='loss'), 'student')
    for name, objective in objectives.items():
        losses.update(add_prefix(
            objective(ours[name], theirs[name], data_samples), name))
    return losses


@MODELS.register_module()
class DetectorDistillation(BaseAlgorithm):
    """Train a detector with its own losses and what a teacher adds to them.

    The teacher is no submodule: it is in no ``state_dict()``, optimizer or
    DDP bucket, stays in eval mode and only follows ``.to()``.  Only its
    backbone and neck run (and a dense head that an objective reads), on the
    batch as its own ``data_preprocessor`` would have normalized it.

    Args:
        architecture (dict): Config of the student, a plain detector.
        teacher (str | dict): Config of the teacher, or the name of a config
            file (``mmdet::...`` or a path) whose ``model`` is taken.
        teacher_ckpt (str): Checkpoint of the teacher, a file or a URL.
        distiller (dict): Config of the objective on the necks:
            :class:`~rdkd.objectives.rdkd.RDKDDistiller`, or MMRazor's
            ``ConfigurableDistiller`` with any of its losses.  Its losses are
            ``distill.*``.
        data_preprocessor (dict, optional): Defaults to the student's.
        inherit (bool): Start the student with the teacher's weights of neck
            and heads where names and shapes agree.  Defaults to False.
        student_ckpt (str, optional): Checkpoint of a plain detector that the
            student starts from, as ``load_from`` is for a plain detector:
            what does not fit is logged and left as it was initialized.
        response (dict, optional): Config of an objective on the dense heads,
            :class:`~rdkd.objectives.response.ResponseLoss`; its losses are
            ``response.*``.  Defaults to none.
        objectives (dict[str, dict], optional): Configs of more objectives, by
            the prefix of their losses.  Defaults to none.
        teacher_dtype (str, optional): ``'bfloat16'`` or ``'float16'`` runs
            the teacher under autocast to it; its maps are compared in
            float32.  Defaults to what the training step runs in.
        compile (bool): Run the teacher's backbone and neck and what the
            objectives learn under ``torch.compile``; where that fails it is
            said and they run without.  Defaults to False.

    Raises:
        InputError: If an argument is of the wrong kind, the teacher's
            checkpoint is missing or does not fit, an objective finds nothing
            to compare, or there is no such ``teacher_dtype``.
    """

    @checked
    def __init__(self,
                 architecture: Part,
                 teacher: str | Part,
                 teacher_ckpt: str | None,
                 distiller: Part,
                 data_preprocessor: Part | None = None,
                 inherit: bool = False,
                 student_ckpt: str | None = None,
                 response: Part | None = None,
                 objectives: Mapping[str, Part] | None = None,
                 teacher_dtype: str | None = None,
                 compile: bool = False) -> None:
        more = {**({'response': response} if response is not None else {}),
                **_checked_names(objectives or {}, response is not None)}
        super().__init__(MODELS.build(architecture),
                         data_preprocessor and MODELS.build(data_preprocessor))
        with isolated_random_state(torch.device('cpu')):
            self.teacher = Teacher(teacher, teacher_ckpt, teacher_dtype)
            self.distiller = build_objective(distiller)
            self.objectives = nn.ModuleDict({
                name: build_objective(each) for name, each in more.items()})
            for objective in self.named_objectives().values():
                objective.prepare(self.student, self.teacher.model)
        self.teacher.serve(self.active_objectives(), compile)
        if compile:
            for prefix, objective in self.active_objectives().items():
                for name, part in objective.learned_parts().items():
                    compile_forward(part, f'{name} of {prefix}')
        self.given = Normalization.of(self.data_preprocessor)
        self.inherit = inherit
        self.student_ckpt = student_ckpt
        #: Set by MMRazor's ``StopDistillHook``.
        self.distillation_stopped = False

    @property
    def student(self) -> BaseModel:
        """The student, under the name that it has in checkpoints too."""
        return self.architecture

    def named_objectives(self) -> dict[str, Objective]:
        """All objectives by the prefix of their losses."""
        more = cast(Mapping[str, Objective], self.objectives)
        return {'distill': self.distiller, **more}

    def active_objectives(self) -> dict[str, Objective]:
        """Those that have a weight."""
        return {name: each for name, each in self.named_objectives().items()
                if each.active}

    def _apply(self, fn: Any, recurse: bool = True) -> nn.Module:
        """Take the teacher along in ``.to()``, ``.cuda()``, ``.half()``."""
        self.teacher.model._apply(fn)
        return super()._apply(fn, recurse)

    def init_weights(self) -> None:
        """Initialize the student as a baseline would be, then the rest."""
        self.student.init_weights()
        if self.student_ckpt:
            # After the initialization, which may not keep what it finds.
            load_checkpoint(self.student, self.student_ckpt,
                            map_location='cpu', logger='current')
        if self.inherit:
            copied, kept = inherit_neck_and_heads(self.student,
                                                  self.teacher.weights)
            print_log(
                'the student starts with the teacher\'s tensors of: '
                f'{_counts(copied)}; not copied, because no tensor of the '
                f'teacher has their name and shape: {_counts(kept)}.',
                'current')
        with isolated_random_state(next(self.student.parameters()).device):
            for objective in self.named_objectives().values():
                objective.init_weights()

    def loss(self, inputs: Tensor,
             data_samples: Sequence[Any]) -> dict[str, Tensor]:
        """Losses of a batch, for the optimizer and the log.

        Args:
            inputs (Tensor): Images ``(N, 3, H, W)``, normalized and padded.
            data_samples (Sequence[DetDataSample]): Their annotations.

        Returns:
            dict[str, Tensor]: See :func:`distillation_losses`.
        """
        objectives = (
            {} if self.distillation_stopped else self.active_objectives())
        losses = distillation_losses(self.student, self.teacher, objectives,
                                     inputs, data_samples, self.given)
        # DDP waits for a gradient of every parameter it knows.
        idle = [parameter.sum() * 0
                for name, objective in self.named_objectives().items()
                if name not in objectives
                for parameter in objective.parameters()]
        if idle:
            losses['distill.loss_stopped'] = torch.stack(idle).sum()
        return losses

    def parse_losses(self, losses: dict[str, Tensor]
                     ) -> tuple[Tensor, dict[str, Tensor]]:
        """Sum the losses.

        All terms go to the host in one copy; mmengine's runner would copy
        them one by one, to log them.

        Returns:
            tuple[Tensor, dict[str, Tensor]]: The sum, on its device, and
            every term, on the host.
        """
        total, log_vars = super().parse_losses(losses)
        values = torch.stack([value.detach().float().to(total.device)
                              for value in log_vars.values()]).cpu()
        return total, dict(zip(log_vars, values.unbind(), strict=True))
