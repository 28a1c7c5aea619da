"""Building a teacher that is real and frozen."""
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.model import BaseModel
from mmengine.registry import MODELS
from torch import Tensor

from rdkd.errors import InputError
from rdkd.io.checkpoint import detector_state_dict, load_checkpoint_file
from rdkd.io.config import detector_config, load_config


def build_teacher(teacher: str | Mapping[str, Any],
                  checkpoint: str | None) -> BaseModel:
    """Build a detector, load its weights strictly and freeze it.

    Args:
        teacher (str | dict): A model config, or the name of a config file
            (a path or ``mmdet::...``) whose ``model`` is taken.
        checkpoint (str): File or URL of the trained teacher: a plain
            detector's checkpoint or one of this project.

    Returns:
        BaseModel: In eval mode, no parameter requires a gradient.  Its
        attribute ``dataset_meta`` holds what the checkpoint says of its data
        set, if anything.

    Raises:
        InputError: If there is no checkpoint or it does not fit.
    """
    if isinstance(teacher, str):
        teacher = detector_config(load_config(teacher))
    if not checkpoint:
        raise InputError(
            'the teacher has no checkpoint: a teacher with random weights '
            'teaches noise. Set `teacher_ckpt` in the config, or '
            '`--cfg-options model.teacher_ckpt=FILE`.')
    if '://' not in checkpoint and not Path(checkpoint).is_file():
        raise InputError(
            f'the teacher checkpoint {checkpoint} does not exist. Train the '
            'teacher first, or name another file with '
            '`--cfg-options model.teacher_ckpt=FILE`.')
    model = MODELS.build(teacher)
    loaded = load_checkpoint_file(checkpoint)
    load_strictly(model, detector_state_dict(loaded, checkpoint), checkpoint)
    meta = loaded.get('meta', {})
    # Older MMDetections wrote CLASSES, with and without `dataset_meta`.
    model.dataset_meta = {
        key.lower(): value
        for key, value in (meta.get('dataset_meta') or meta).items()}
    model.requires_grad_(False)
    return model.eval()


def load_strictly(model: BaseModel, state: Mapping[str, Tensor],
                  source: str) -> None:
    """Load a state dict that must fit exactly.

    Args:
        model (BaseModel): Receives the weights.
        state (Mapping[str, Tensor]): Keys and tensors.
        source (str): Where the state is from, for the message.

    Raises:
        InputError: Names missing, unexpected and wrongly shaped keys.
    """
    own = model.state_dict()
    problems = []
    for title, keys in (
        ('missing from it', sorted(own.keys() - state.keys())),
        ('unknown to the model', sorted(state.keys() - own.keys())),
        ('of another shape', sorted(
            f'{k} {tuple(state[k].shape)}, the model has '
            f'{tuple(own[k].shape)}' for k in own.keys() & state.keys()
            if own[k].shape != state[k].shape)),
    ):
        if keys:
            more = f' and {len(keys) - 5} more' if len(keys) > 5 else ''
            problems.append(
                f'{len(keys)} {title}: {"; ".join(keys[:5])}{more}')
    if problems:
        raise InputError(
            f'the checkpoint {source} does not fit '
            f'{type(model).__name__}: ' + '. '.join(problems) +
            '. It must come from the same config (detector, depth, number of '
            'classes).')
    model.load_state_dict(state)
