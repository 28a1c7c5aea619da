"""The distillation method: registered modules and the functions they use."""
from rdkd.models.algorithm import DetectorDistillation
from rdkd.models.attention import (
    DualAttention,
    PositionAttention,
    channel_attention,
    position_attention,
)
from rdkd.models.distiller import RDKDDistiller
from rdkd.models.fgd import FGDDistiller
from rdkd.models.loss import DecoupledPyramidLoss
from rdkd.models.neck_distiller import LevelDistiller, NeckDistiller
from rdkd.models.response import ResponseLoss
from rdkd.models.review import ChannelAdapter, ReviewFusion

__all__ = [
    'ChannelAdapter', 'DecoupledPyramidLoss', 'DetectorDistillation',
    'DualAttention', 'FGDDistiller', 'LevelDistiller', 'NeckDistiller',
    'PositionAttention', 'RDKDDistiller', 'ResponseLoss', 'ReviewFusion',
    'channel_attention', 'position_attention'
]
