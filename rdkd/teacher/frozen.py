"""The frozen teacher: everything that makes a detector a teacher."""
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from mmengine.model import BaseModel
from torch import Tensor
from torch.utils._pytree import tree_leaves

from rdkd.compat.compiled import compile_forward
from rdkd.errors import InputError
from rdkd.objectives.base import Objective, watching
from rdkd.teacher.build import build_teacher
from rdkd.teacher.normalization import (
    Normalization,
    image_sizes,
    renormalize,
)
from rdkd.teacher.speed import skip_levels, speed_up

#: Values of ``model.teacher_dtype``.
DTYPES = ('bfloat16', 'float16')


class Teacher:
    """A trained detector that is only ever asked.

    Not a module: it is in no ``state_dict()``, optimizer or DDP bucket.
    What happens to it happens in this order, and each step needs those before
    it:

    1. the detector is built, its checkpoint loaded strictly, all of it frozen
       (:func:`~rdkd.teacher.build.build_teacher`);
    2. its normalization, and its weights as its checkpoint names them, are
       noted (``normalization``, ``weights``);
    3. the objectives look at it as it is (``Objective.prepare``, called by
       the algorithm);
    4. batch norms are folded and weights laid out anew, checked on what the
       objectives read (:meth:`serve`);
    5. levels that none of them reads are dropped, and it is compiled.

    Args:
        config (str | dict): A model config, or the name of a config file
            (a path or ``mmdet::...``) whose ``model`` is taken.
        checkpoint (str): File or URL of the trained detector.
        dtype (str, optional): ``'bfloat16'`` or ``'float16'`` runs it under
            autocast to it.  Defaults to what the training step runs in.

    Attributes:
        model (BaseModel): The detector, in eval mode, without gradients.
        weights (dict[str, Tensor]): Of its neck and heads, by name.

    Raises:
        InputError: If the checkpoint is missing or does not fit, or there is
            no such ``dtype``.
    """

    def __init__(self, config: str | Mapping[str, Any],
                 checkpoint: str | None, dtype: str | None = None) -> None:
        if dtype not in (None, *DTYPES):
            raise InputError(
                f'`teacher_dtype` is {dtype!r}: choose '
                f'{" or ".join(map(repr, DTYPES))}, or leave it out.')
        self.dtype = dtype
        self.model: BaseModel = build_teacher(config, checkpoint)
        self.normalization = Normalization.of(self.model.data_preprocessor)
        self.weights = {
            name: value for name, value in self.model.state_dict().items()
            if not name.startswith('backbone')}

    @property
    def classes(self) -> Sequence[str] | None:
        """Names of its classes, if its checkpoint tells."""
        return self.model.dataset_meta.get('classes')

    def serve(self, objectives: Mapping[str, Objective], compiled: bool
              ) -> None:
        """Become as cheap to run as these objectives allow.

        Args:
            objectives (Mapping[str, Objective]): All that will ever be asked
                for, by name; with none of them nothing is done.
            compiled (bool): Whether to run under ``torch.compile``.
        """
        if objectives:
            speed_up(self.model, lambda image: [
                x for x in tree_leaves(self._run(image, objectives))
                if isinstance(x, Tensor)])
            read = [each.teacher_levels() for each in objectives.values()]
            known = [levels for levels in read if levels is not None]
            if len(known) == len(read):
                skip_levels(self.model.neck, set().union(*known))
        if compiled:
            for name in ('backbone', 'neck'):
                compile_forward(getattr(self.model, name, None),
                                f'teacher\'s {name}')

    def outputs(self, images: Tensor, data_samples: Sequence[Any],
                given: Normalization, objectives: Mapping[str, Objective]
                ) -> dict[str, Any]:
        """What the objectives read of a batch.

        Args:
            images (Tensor): Shape ``(N, 3, H, W)``, normalized for the
                student and padded.
            data_samples (Sequence[DetDataSample]): Their sizes.
            given (Normalization): The student's.
            objectives (Mapping[str, Objective]): By name.

        Returns:
            dict[str, Any]: The teacher's outputs for each of them.
        """
        images = renormalize(images, given, self.normalization,
                             image_sizes(data_samples))
        with torch.no_grad(), self._precision(images.device):
            return self._run(images, objectives)

    def _precision(self, device: torch.device) -> AbstractContextManager[Any]:
        if self.dtype is None:
            return nullcontext()
        return torch.autocast(device.type, getattr(torch, self.dtype))

    def _run(self, images: Tensor, objectives: Mapping[str, Objective]
             ) -> dict[str, Any]:
        """Run backbone and neck, and the heads that objectives read."""
        with watching(objectives, self.model, 'teacher') as outputs:
            features = self.model.extract_feat(images)
            for part in {each.reads['teacher']
                         for each in objectives.values()}:
                if part != 'neck':
                    getattr(self.model, part)(features)
        return outputs
