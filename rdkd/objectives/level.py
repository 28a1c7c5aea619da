"""One of MMRazor's losses on every neck level that two detectors share."""
from collections.abc import Sequence
from typing import Any

from mmengine.registry import MODELS
from torch import Tensor

from rdkd.arguments import Count, NotNegative, Part, checked, require
from rdkd.objectives.mmrazor import build_razor_part, plain_map
from rdkd.objectives.neck import NeckDistiller
from rdkd.objectives.presets import with_presets

#: The authors' settings for detectors, weights included: CWD (Shu et al.,
#: ICCV 2021), PKD (Cao et al., NeurIPS 2022), MGD (Yang et al., ECCV 2022).
PRESETS: dict[str, dict[str, Any]] = dict(
    cwd=dict(loss=dict(type='ChannelWiseDivergence', tau=1, loss_weight=10)),
    pkd=dict(loss=dict(type='PKDLoss', loss_weight=10), levels=4),
    pkd_two_stage=dict(loss=dict(type='PKDLoss', loss_weight=6), levels=4),
    mgd=dict(loss=dict(type='MGDLoss', alpha_mgd=2e-5),
             connector=dict(type='MGDConnector', lambda_mgd=0.65)),
    mgd_two_stage=dict(loss=dict(type='MGDLoss', alpha_mgd=5e-7),
                       connector=dict(type='MGDConnector', lambda_mgd=0.45)))


@MODELS.register_module()
class LevelDistiller(NeckDistiller):
    """One loss of MMRazor's for each shared neck level.

    Args:
        loss (dict): Config of the loss, its weight included; it is called
            with the maps of student and teacher.
        connector (dict, optional): Config of a connector for the student's
            map; its arguments ``student_channels`` and ``teacher_channels``
            are filled in.  Defaults to none.
        levels (int, optional): Number of levels, from the finest on.
            Defaults to all.
        preset (str, optional): One of :data:`PRESETS`, which stands for the
            arguments above; those that are given beside it win.

    Raises:
        InputError: If the loss has a negative weight, a part has no ``type``
            or ``levels`` is not a positive number.
    """

    @with_presets(PRESETS)
    @checked
    def __init__(self,
                 loss: Part,
                 connector: Part | None = None,
                 levels: Count | None = None) -> None:
        super().__init__(loss_weight=1, levels=levels)
        require(loss['type'], 'loss_weight', loss.get('loss_weight', 1.0),
                NotNegative)
        self.level_loss = build_razor_part(loss)
        self.connector = connector

    def build(self, student: Sequence[int], teacher: Sequence[int]) -> None:
        """Build one connector for each level, if there is any."""
        if self.connector is None:
            return
        for i, (own, other) in enumerate(zip(student, teacher, strict=True)):
            self.connectors[f'level_{i}'] = build_razor_part(dict(
                self.connector, student_channels=own, teacher_channels=other))

    def forward(self, student: Sequence[Tensor], teacher: Sequence[Tensor],
                data_samples: Sequence[Any]) -> dict[str, Tensor]:
        """One scalar ``loss_s{s}`` for every level of stride ``s``."""
        losses = {}
        for i, ((level, _), own, other) in enumerate(
                zip(self.pairs, *self.shared(student, teacher), strict=True)):
            own, other = plain_map(own), plain_map(other)
            if self.connector is not None:
                own = self.connectors[f'level_{i}'](own)
            losses[f'loss_s{level.stride}'] = self.level_loss(own, other)
        return losses
