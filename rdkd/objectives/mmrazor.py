"""MMRazor's distillers, with their recorders, as an objective.

The only file that knows recorders.
"""
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from mmengine.model import BaseModel, BaseModule
from mmengine.registry import MODELS
from torch import Tensor, nn
from torch.utils._pytree import tree_map_only

from rdkd.errors import InputError
from rdkd.functional.precision import full_precision
from rdkd.objectives.base import Objective


def build_razor_part(config: Mapping[str, Any]) -> Any:
    """Build a registered part; MMRazor's need no prefix.

    Raises:
        InputError: If there is none of this name.
    """
    kind, scope = config['type'], config.get('_scope_')
    with (MODELS.switch_scope_and_registry('mmrazor') as razor,
          razor.switch_scope_and_registry(scope) as registry):
        if isinstance(kind, str) and registry.get(kind) is None:
            raise InputError(f'nothing is registered as {kind!r}.')
        return razor.build(config)


def plain_map(x: Tensor) -> Tensor:
    """``x`` as MMRazor's losses take it: contiguous and in full precision."""
    return full_precision(x).contiguous()


class RecordedObjective(Objective):
    """A distiller that finds by recorders what it compares.

    Args:
        distiller (BaseModule): MMRazor's ``ConfigurableDistiller`` or one of
            its kind.
    """

    def __init__(self, distiller: BaseModule) -> None:
        super().__init__(getattr(distiller, 'loss_weight', 1.0))
        # In a tuple it is no submodule itself, and what it holds is held here
        # too: connectors, losses and its own parameters keep the names in a
        # checkpoint that they have under MMRazor's algorithm.
        self._wrapped = (distiller, )
        self._modules = distiller._modules
        self._parameters = distiller._parameters
        self._buffers = distiller._buffers
        self._non_persistent_buffers_set = (
            distiller._non_persistent_buffers_set)

    @property
    def distiller(self) -> Any:
        """The distiller itself."""
        return self._wrapped[0]

    def train(self, mode: bool = True) -> 'RecordedObjective':
        """Set the mode of the distiller too, which may ask for its own."""
        self.distiller.training = mode
        return super().train(mode)

    def learned_parts(self) -> Mapping[str, nn.Module]:
        """Its connectors."""
        return dict(self.distiller.connectors)

    def init_weights(self) -> None:
        """Initialize its connectors and losses as it would."""
        self.distiller.init_weights()

    def prepare(self, student: BaseModel, teacher: BaseModel) -> None:
        """Attach the recorders.

        Raises:
            InputError: If a recorder looks beyond the teacher's neck, or the
                distiller delivers something to the student's heads.
        """
        recorders = self.distiller.teacher_recorders.recorders
        for name, recorder in recorders.items():
            if recorder.source.split('.')[0] not in ('backbone', 'neck'):
                raise InputError(
                    f'the teacher recorder {name!r} reads '
                    f'{recorder.source!r}, but only the backbone and the '
                    'neck of the teacher run while distilling.')
        if self.distiller.deliveries.deliveries:
            raise InputError('`distill_deliveries` are not supported: the '
                             'heads of the teacher do not run.')
        self.distiller.prepare_from_student(student)
        self.distiller.prepare_from_teacher(teacher)

    @contextmanager
    def watch(self, model: BaseModel, side: str) -> Iterator[list[Any]]:
        """Record inside the block."""
        recorders = getattr(self.distiller, f'{side}_recorders')
        with recorders:
            # The buffers themselves, which fill as the model runs.
            yield [recorder.data_buffer
                   for recorder in recorders.recorders.values()]

    def forward(self, student: list[list[Any]], teacher: list[list[Any]],
                data_samples: Sequence[Any]) -> dict[str, Tensor]:
        """The distiller's own losses, of what its recorders hold."""
        buffers = [*student, *teacher]
        for buffer in buffers:
            buffer[:] = tree_map_only(Tensor, plain_map, buffer)
        try:
            return self.distiller.compute_distill_losses()
        finally:
            # The graph is not to outlive the step.
            for buffer in buffers:
                buffer.clear()
