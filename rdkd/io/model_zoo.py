"""Pretrained backbones by their short names, read with the allowlist.

mmengine resolves ``torchvision://resnet50`` by importing torchvision and
unpickles what it downloads.  The names are the same here; torchvision is only
needed for those that mmengine does not list itself.
"""
from collections import OrderedDict
from pathlib import Path
from typing import Any

import mmengine
from mmengine.runner.checkpoint import (
    get_deprecated_model_names,
    get_external_models,
    get_mmcls_models,
    get_torchvision_models,
)

from rdkd.errors import InputError
from rdkd.io.checkpoint import load_from_url


def torchvision_urls(name: str) -> dict[str, str]:
    """URLs of torchvision's models: mmengine's own list if it has ``name``."""
    listed = mmengine.load(
        str(Path(mmengine.__path__[0], 'hub', 'torchvision_0.12.json')))
    if name in listed:
        return listed
    try:
        return get_torchvision_models()
    except ImportError as error:
        raise InputError(
            f'torchvision://{name} can only be found with torchvision '
            'installed. Install the release that belongs to your torch, or '
            'name the checkpoint by its URL.') from error


def openmmlab_urls(name: str) -> dict[str, str]:
    """URLs of OpenMMLab's own backbones, old names included."""
    urls = get_external_models()
    return urls | {old: urls[new] for old, new in
                   get_deprecated_model_names().items() if new in urls}


#: The zoos whose names are read here.
ZOOS = {
    'torchvision': torchvision_urls,
    'modelzoo': torchvision_urls,
    'open-mmlab': openmmlab_urls,
    'openmmlab': openmmlab_urls,
    'mmcls': lambda name: get_mmcls_models(),
}


def load_from_zoo(filename: str, map_location: Any = None) -> dict[str, Any]:
    """Download a model of a zoo, once, and read it with the allowlist.

    Args:
        filename (str): ``torchvision://NAME``, ``open-mmlab://NAME`` or
            ``mmcls://NAME``.
        map_location: As for :func:`torch.load`.

    Returns:
        dict: The checkpoint.

    Raises:
        InputError: If the zoo has no such model, or as
            :func:`~rdkd.io.checkpoint.load_from_url`.
    """
    zoo, _, name = filename.partition('://')
    urls = ZOOS[zoo](name)
    if name not in urls:
        raise InputError(f'{zoo} has no model {name!r}.')
    checkpoint = load_from_url(urls[name], map_location)
    if zoo == 'mmcls':  # whole classifiers, of which detectors want this part
        state = checkpoint.get('state_dict', checkpoint)
        checkpoint = dict(state_dict=OrderedDict(
            (key.removeprefix('backbone.'), value)
            for key, value in state.items() if key.startswith('backbone.')))
    return checkpoint
