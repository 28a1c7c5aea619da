"""The mathematics: functions of tensors that import torch and nothing else."""
from rdkd.functional.attention import channel_attention, position_attention
from rdkd.functional.distance import (
    Target,
    distance_to,
    make_target,
    region_distance,
)
from rdkd.functional.masks import (
    box_weights,
    boxes_to_mask,
    covered_cells,
    region_masks,
)
from rdkd.functional.precision import full_precision
from rdkd.functional.scales import (
    Scales,
    add_unpooled,
    pool,
    pooling_windows,
    region_scales,
)
from rdkd.functional.standardization import standardize

__all__ = [
    'Scales', 'Target', 'add_unpooled', 'box_weights', 'boxes_to_mask',
    'channel_attention', 'covered_cells', 'distance_to', 'full_precision',
    'make_target', 'pool', 'pooling_windows', 'position_attention',
    'region_distance', 'region_masks', 'region_scales', 'standardize'
]
