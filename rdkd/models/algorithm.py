"""A student detector, a frozen teacher and a distiller as one model."""
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from mmengine.logging import MessageHub, print_log
from mmengine.model import BaseModel
from mmengine.registry import MODELS, DefaultScope
from mmengine.runner import load_checkpoint
from mmrazor.models.algorithms import SingleTeacherDistill
from mmrazor.models.utils import add_prefix
from torch import Tensor, nn
from torch.utils._pytree import tree_map_only

from rdkd.errors import InputError
from rdkd.models.fast_teacher import Compiled, skip_levels, speed_up
from rdkd.models.inherit import inherit_neck_and_heads
from rdkd.models.neck_distiller import NeckDistiller, plain_map
from rdkd.models.normalisation import (
    Normalisation,
    image_sizes,
    renormalise,
)
from rdkd.models.teacher import build_teacher


@contextmanager
def isolated_random_state(device: torch.device) -> Iterator[None]:
    """Restore torch's random state on leaving the block.

    The student draws the same random numbers with and without a distiller
    beside it, so that a distilled run and its baseline start from the same
    weights and see the same batches.
    """
    devices = [device] if device.type == 'cuda' else []
    with torch.random.fork_rng(devices=devices):
        yield


def _counts(parts: Mapping[str, int]) -> str:
    return ', '.join(f'{part} ({n})' for part, n in parts.items()) or 'none'


@MODELS.register_module()
class DetectorDistillation(SingleTeacherDistill):
    """Train a detector with its own losses and those of a distiller.

    The teacher is no submodule: it is in no ``state_dict()``, optimizer or
    DDP bucket, stays in eval mode and only follows ``.to()``.  Only its
    backbone and neck run (and its dense head for ``response``), on the batch
    as its own ``data_preprocessor`` would have normalised it.

    Args:
        architecture (dict): Config of the student, a plain detector.
        teacher (str | dict): Config of the teacher, or the name of a config
            file (``mmdet::...`` or a path) whose ``model`` is taken.
        teacher_ckpt (str): Checkpoint of the teacher, a file or a URL.
        distiller (dict): Config of a distiller:
            :class:`~rdkd.models.distiller.RDKDDistiller`, or MMRazor's
            ``ConfigurableDistiller`` with any of its losses.
        data_preprocessor (dict, optional): Defaults to the student's.
        inherit (bool): Start the student with the teacher's weights of neck
            and heads where names and shapes agree.  Defaults to False.
        student_ckpt (str, optional): Checkpoint of a plain detector that the
            student starts from, as ``load_from`` is for a plain detector:
            what does not fit is logged and left as it was initialised.
        response (dict, optional): Config of a
            :class:`~rdkd.models.response.ResponseLoss` between the dense
            heads (the region proposals of a two-stage detector), beside the
            distiller's losses.  Defaults to none.
        teacher_dtype (str, optional): ``'bfloat16'`` or ``'float16'`` runs
            the teacher under autocast to it; its maps are compared in
            float32.  Defaults to what the training step runs in.
        compile (bool): Run the teacher's backbone and neck and the review
            under ``torch.compile``; where that fails it is said and they run
            without.  Defaults to False.

    Raises:
        InputError: If the teacher's checkpoint is missing or does not fit, or
            a recorder of the distiller looks beyond its neck, or there is no
            such ``teacher_dtype``.
    """

    def __init__(self,
                 architecture: Mapping[str, Any],
                 teacher: str | Mapping[str, Any],
                 teacher_ckpt: str | None,
                 distiller: Mapping[str, Any],
                 data_preprocessor: Mapping[str, Any] | None = None,
                 inherit: bool = False,
                 student_ckpt: str | None = None,
                 response: Mapping[str, Any] | None = None,
                 teacher_dtype: str | None = None,
                 compile: bool = False) -> None:
        if teacher_dtype not in (None, 'bfloat16', 'float16'):
            raise InputError(
                f'`teacher_dtype` is {teacher_dtype!r}: choose \'bfloat16\' '
                'or \'float16\', or leave it out.')
        student = MODELS.build(architecture)
        if data_preprocessor is not None:
            data_preprocessor = MODELS.build(data_preprocessor)
        with isolated_random_state(torch.device('cpu')):
            frozen = build_teacher(teacher, teacher_ckpt)
            # MMRazor's own parts are named in its scope.
            with DefaultScope.overwrite_default_scope('mmrazor'):
                super().__init__(
                    architecture=student,
                    teacher=frozen,
                    distiller=distiller,
                    data_preprocessor=data_preprocessor)
        # Read before batch norms are folded: names and values change then.
        self._inherited = {
            name: value for name, value in self.teacher.state_dict().items()
            if not name.startswith('backbone')} if inherit else None
        self.student_ckpt = student_ckpt
        self._given = Normalisation.of(self.data_preprocessor)
        self._wanted = Normalisation.of(self.teacher.data_preprocessor)
        # Out of the module tree, so that nothing saves, trains or wraps it.
        object.__setattr__(self, '_teacher', self._modules.pop('teacher'))
        for name, recorder in self.distiller.teacher_recorders.recorders.items(
        ):
            if recorder.source.split('.')[0] not in ('backbone', 'neck'):
                raise InputError(
                    f'the teacher recorder {name!r} reads '
                    f'{recorder.source!r}, but only the backbone and the '
                    'neck of the teacher run while distilling.')
        if self.distiller.deliveries.deliveries:
            raise InputError('`distill_deliveries` are not supported: the '
                             'heads of the teacher do not run.')
        self.response = None if response is None else MODELS.build(response)
        if self.response is not None:
            self.response.attach(self.student, self.teacher)
        self._features_off = getattr(self.distiller, 'loss_weight', 1) == 0
        self._off = self._features_off and self.response is None
        if not self._off:  # else the teacher never runs
            speed_up(self.teacher, self.distiller.teacher_recorders)
        if isinstance(self.distiller, NeckDistiller) and not self.response:
            skip_levels(self.teacher.neck,
                        {level.index for _, level in self.distiller.pairs})
        self.teacher_dtype = teacher_dtype
        if compile:
            self._compile()

    def _compile(self) -> None:
        parts = {'teacher\'s backbone': self.teacher.backbone,
                 'teacher\'s neck': getattr(self.teacher, 'neck', None),
                 **{f'distiller\'s {name}': connector for name, connector in
                    self.distiller.connectors.items()}}
        for name, part in parts.items():
            # The call itself stays plain: recorders hook into it.
            if part is not None:
                part.forward = Compiled(part.forward, name)

    @property
    def teacher(self) -> BaseModel:
        """The frozen teacher."""
        return self._teacher

    def _apply(self, fn: Any, recurse: bool = True) -> nn.Module:
        """Take the teacher along in ``.to()``, ``.cuda()``, ``.half()``."""
        if '_teacher' in self.__dict__:
            self.teacher._apply(fn)
        return super()._apply(fn, recurse)

    def train(self, mode: bool = True) -> 'DetectorDistillation':
        """Set the mode of student and distiller; the teacher stays in eval."""
        BaseModel.train(self, mode)
        return self

    def init_weights(self) -> None:
        """Initialise the student as if it were alone, then the distiller."""
        self.student.init_weights()
        if self.student_ckpt:
            # After the initialisation, which may not keep what it finds.
            load_checkpoint(self.student, self.student_ckpt,
                            map_location='cpu', logger='current')
        if self._inherited is not None:
            copied, kept = inherit_neck_and_heads(self.student,
                                                  self._inherited)
            print_log(
                'the student starts with the teacher\'s tensors of: '
                f'{_counts(copied)}; not copied, because no tensor of the '
                f'teacher has their name and shape: {_counts(kept)}.',
                'current')
        device = next(self.student.parameters()).device
        with isolated_random_state(device):
            self.distiller.init_weights()

    def _teacher_precision(self, device: torch.device
                           ) -> AbstractContextManager[Any]:
        if self.teacher_dtype is None:
            return nullcontext()
        return torch.autocast(device.type, getattr(torch, self.teacher_dtype))

    def loss(self, inputs: Tensor,
             data_samples: Sequence[Any]) -> dict[str, Tensor]:
        """Losses of a batch.

        Args:
            inputs (Tensor): Images ``(N, 3, H, W)``, normalised and padded.
            data_samples (Sequence[DetDataSample]): Their annotations.

        Returns:
            dict[str, Tensor]: The detector's own losses as ``student.*``, the
            distiller's as ``distill.*`` and the heads' as ``response.*``.
        """
        self._batch = data_samples
        if self.distillation_stopped or self._off:
            losses = add_prefix(
                self.student(inputs, data_samples, mode='loss'), 'student')
            # DDP waits for a gradient of every parameter it knows.
            idle = [p.sum() * 0 for p in self.distiller.parameters()]
            if idle:
                losses['distill.loss_stopped'] = torch.stack(idle).sum()
            return losses
        images = renormalise(inputs, self._given, self._wanted,
                             image_sizes(data_samples))
        with (self.distiller.teacher_recorders, torch.no_grad(),
              self._teacher_precision(inputs.device)):
            features = self.teacher.extract_feat(images)
            if self.response is not None:
                answer = self.response.teacher_head(features)
        with self.distiller.student_recorders, (
                self.response.recorder if self.response else nullcontext()):
            losses = add_prefix(
                self.student(inputs, data_samples, mode='loss'), 'student')
        if self.response is not None:
            losses.update(add_prefix(
                self.response(answer, data_samples), 'response'))
        if self._features_off:
            distilled = {}
        elif isinstance(self.distiller, NeckDistiller):
            distilled = self.distiller.compute_distill_losses(data_samples)
        else:
            for recorders in (self.distiller.student_recorders,
                              self.distiller.teacher_recorders):
                for recorder in recorders.recorders.values():
                    recorder._data_buffer = tree_map_only(
                        Tensor, plain_map, recorder.data_buffer)
            distilled = self.distiller.compute_distill_losses()
        losses.update(add_prefix(distilled, 'distill'))
        # The graph is not to outlive the step in the recorders.
        for recorders in (self.distiller.student_recorders,
                          self.distiller.teacher_recorders):
            for recorder in recorders.recorders.values():
                recorder.reset_data_buffer()
        return losses

    def parse_losses(self, losses: dict[str, Tensor]
                     ) -> tuple[Tensor, dict[str, Tensor]]:
        """Sum the losses; stop on a value that is not finite.

        All terms go to the host in one copy, before ``backward``; mmengine's
        runner would copy them one by one after the step, to log them.

        Returns:
            tuple[Tensor, dict[str, Tensor]]: The sum, on its device, and
            every term, on the host.

        Raises:
            FloatingPointError: Names the terms, the iteration and the images.
        """
        total, log_vars = super().parse_losses(losses)
        values = torch.stack([value.detach().float().to(total.device)
                              for value in log_vars.values()]).cpu()
        log_vars = dict(zip(log_vars, values.unbind(), strict=True))
        if not log_vars['loss'].isfinite():
            terms = ', '.join(f'{name} = {value.item()}'
                              for name, value in log_vars.items()
                              if name != 'loss' and not value.isfinite())
            iteration = MessageHub.get_current_instance().get_info('iter')
            images = [sample.metainfo.get('img_id', sample.metainfo.get(
                'img_path', '?')) for sample in self._batch]
            raise FloatingPointError(
                f'the loss is not finite in iteration {iteration}: {terms}. '
                f'Image ids of the batch: {images}. The optimizer has not '
                'stepped. Lower the learning rate or the distillation '
                'weight, or look at these images and their boxes.')
        return total, log_vars
