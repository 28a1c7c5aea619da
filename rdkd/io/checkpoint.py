"""Reading checkpoints: never running code from them, never half of them."""
import hashlib
import pickle
import re
import sys
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlparse

import numpy as np
import torch
from mmengine.dist import barrier, is_main_process
from mmengine.logging import HistoryBuffer
from mmengine.runner import CheckpointLoader
from torch import Tensor

from rdkd.errors import InputError

_STATISTICS = ('min', 'max', 'current', 'mean')


def _history_method(cls: type, name: str) -> Any:
    """Stands for ``getattr`` in a checkpoint, for HistoryBuffer's alone.

    mmengine's log buffers are pickled with references to their own methods.
    """
    if cls is not HistoryBuffer or name not in _STATISTICS:
        raise pickle.UnpicklingError(
            f'GLOBAL getattr({cls!r}, {name!r}) is not allowed')
    return getattr(cls, name)


_multiarray = sys.modules[np.ndarray((0, )).__reduce__()[0].__module__]

#: What mmengine's checkpoints hold besides tensors and builtins.
_ALLOWED: list[Any] = [
    HistoryBuffer,
    np.ndarray,
    np.dtype,
    _multiarray._reconstruct,
    # Both names: files of numpy 1 and 2 are read by either.
    *((getattr(_multiarray, function), f'numpy.{core}.multiarray.{function}')
      for core in ('core', '_core')
      for function in ('_reconstruct', 'scalar')),
    *(type(np.dtype(t)) for t in (np.float64, np.float32, np.int64, np.int32,
                                  np.uint32, np.uint8, np.bool_)),
    (_history_method, 'builtins.getattr'),
]

#: Keys of a distillation checkpoint: the student's begin with this, all
#: others are of what learned only to distill.
_STUDENT = 'architecture.'


def load_local(filename: str, map_location: Any = None) -> dict[str, Any]:
    """Read a checkpoint file with an allowlist of types.

    Args:
        filename (str): Path of the file.
        map_location: As for :func:`torch.load`.

    Returns:
        dict: The checkpoint.

    Raises:
        InputError: If the file does not exist, is cut off, is no checkpoint,
            has not the form of one, or holds objects that are not on the
            allowlist.
    """
    path = Path(filename).expanduser()
    if not path.is_file():
        raise InputError(f'the checkpoint {filename} does not exist.')
    try:
        with torch.serialization.safe_globals(_ALLOWED):
            checkpoint = torch.load(path, map_location=map_location,
                                    weights_only=True)
    except pickle.UnpicklingError as error:
        # Not torch's message, which says how to unpickle the file anyway.
        foreign = re.search(r'GLOBAL (.+?)(?= was not| whose| is not|$)',
                            str(error), re.MULTILINE)
        if foreign or zipfile.is_zipfile(path):
            raise InputError(
                f'the checkpoint {filename} holds objects other than weights '
                'and was refused, because loading them can run code from the '
                'file' + (f': {foreign[1]}.' if foreign else '.')) from error
        with path.open('rb') as file:
            begins = file.read(16)
        raise InputError(
            f'the checkpoint {filename} is not a PyTorch checkpoint: it '
            f'begins with {begins!r}.') from error
    except Exception as error:
        reason = str(error).partition('\n')[0]
        raise InputError(
            f'the checkpoint {filename} cannot be read: it is cut off or is '
            f'not a PyTorch checkpoint ({type(error).__name__}: {reason}).'
            ) from error
    _check_form(checkpoint, filename)
    return checkpoint


def _check_form(checkpoint: Any, filename: str) -> None:
    """Refuse what has not the form that everything here reads."""
    def refuse(what: str, value: Any, wanted: str) -> NoReturn:
        raise InputError(f'{what} {filename} is a {type(value).__name__} and '
                         f'not {wanted}: it is no checkpoint of a model.')

    if not isinstance(checkpoint, dict):
        refuse('the checkpoint', checkpoint, 'a dict')
    state = checkpoint.get('state_dict', checkpoint)
    if not isinstance(state, Mapping):
        refuse('`state_dict` of the checkpoint', state, 'a dict')
    for key in state:
        if not isinstance(key, str):
            refuse(f'the key {key!r} of the weights in', key, 'a string')
    if not isinstance(checkpoint.get('meta', {}), Mapping):
        refuse('`meta` of the checkpoint', checkpoint['meta'], 'a dict')


def load_from_url(filename: str, map_location: Any = None) -> dict[str, Any]:
    """Download a checkpoint into torch's cache, once, and read it from there.

    Args:
        filename (str): URL of the file.
        map_location: As for :func:`torch.load`.

    Returns:
        dict: The checkpoint.

    Raises:
        InputError: If it cannot be downloaded, or as :func:`load_local`.
    """
    folder = Path(torch.hub.get_dir()) / 'checkpoints'
    cached = folder / Path(urlparse(filename).path).name
    # Names with a checksum, as torchvision's and OpenMMLab's, are unique.
    if not re.search(r'-[0-9a-f]{8,}\.pth$', cached.name):
        place = hashlib.sha256(filename.encode()).hexdigest()[:8]
        cached = cached.with_name(f'{cached.stem}-{place}{cached.suffix}')
    new = is_main_process() and not cached.is_file()
    if new:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            torch.hub.download_url_to_file(filename, str(cached))
        except OSError as error:
            raise InputError(
                f'the checkpoint {filename} cannot be downloaded: {error}. '
                'Download it by hand and name the file instead.') from error
    barrier()
    try:
        return load_local(str(cached), map_location)
    except InputError:
        if new:  # to be downloaded again, not read again
            cached.unlink()
        raise


def refuse_store(filename: str, map_location: Any = None) -> NoReturn:
    """Refuse what only mmengine's own, unpickling loaders can fetch."""
    raise InputError(f'the checkpoint {filename} cannot be loaded from there '
                     'safely. Download it and name the file.')


def load_checkpoint_file(filename: str) -> dict[str, Any]:
    """Load a checkpoint from a path or URL to the CPU."""
    return CheckpointLoader.load_checkpoint(
        filename, map_location='cpu', logger='silent')


def is_distilled(state: Mapping[str, Any]) -> bool:
    """Whether a state dict is that of a distillation run."""
    return any(key.startswith(_STUDENT) for key in state)


def detector_state_dict(checkpoint: Mapping[str, Any],
                        source: str) -> 'OrderedDict[str, Tensor]':
    """The weights of the plain detector in a checkpoint.

    A checkpoint of a distillation run gives its student; that of a plain
    detector is returned as it is.

    Args:
        checkpoint (Mapping[str, Any]): A loaded checkpoint.
        source (str): Where it is from, for the message.

    Returns:
        OrderedDict[str, Tensor]: Keys as the plain detector has them.

    Raises:
        InputError: If the checkpoint holds no weights.
    """
    state = checkpoint.get('state_dict', checkpoint)
    if not state or not all(isinstance(v, Tensor) for v in state.values()):
        raise InputError(f'the checkpoint {source} holds no `state_dict`.')
    if is_distilled(state):
        state = {
            key.removeprefix(_STUDENT): value
            for key, value in state.items() if key.startswith(_STUDENT)
        }
    return OrderedDict(state)


def deployable(checkpoint: Mapping[str, Any], source: str) -> dict[str, Any]:
    """The part of a training checkpoint that is deployed.

    Args:
        checkpoint (Mapping[str, Any]): Of a distillation run or of a plain
            detector.
        source (str): Where it is from, for the message.

    Returns:
        dict: The plain detector's ``state_dict``, and of ``meta`` what says
        which classes it knows and how long it was trained.

    Raises:
        InputError: As :func:`detector_state_dict`.
    """
    meta = checkpoint.get('meta', {})
    return dict(
        state_dict=detector_state_dict(checkpoint, source),
        meta={key: meta[key] for key in
              ('dataset_meta', 'epoch', 'iter', 'seed') if key in meta})


def latest_checkpoint(work_dir: str | Path) -> tuple[Path | None, list[Path]]:
    """The newest whole ``epoch_N.pth`` or ``iter_N.pth`` of a run.

    Args:
        work_dir (str | Path): The run's folder.

    Returns:
        tuple: The file, or None, and the newer files that are cut off.
    """
    def number(path: Path) -> int:
        digits = path.stem.rpartition('_')[2]
        return int(digits) if digits.isdigit() else -1

    candidates = [
        path for pattern in ('epoch_*.pth', 'iter_*.pth')
        for path in Path(work_dir).glob(pattern) if number(path) >= 0
    ]
    broken: list[Path] = []
    for path in sorted(candidates, key=number, reverse=True):
        # torch writes a zip archive, whose directory is at the very end.
        if zipfile.is_zipfile(path):
            return path, broken
        broken.append(path)
    return None, broken
