"""torchvision's operators, where they work with the torch at hand."""
import functools
import importlib
import warnings
from types import ModuleType

import torch


@functools.cache
def vision() -> ModuleType | None:
    """Find ``torchvision.ops``, once.

    Returns:
        ModuleType, optional: None where torchvision is not installed, or is
        one that was built for another torch; the latter is said once.
    """
    try:
        found = importlib.import_module('torchvision.ops')
        # Without its C++ part it may be imported all the same.
        torch.ops.torchvision.nms  # noqa: B018
        return found
    except ModuleNotFoundError as error:
        if (error.name or '').split('.')[0] == 'torchvision':
            return None
        reason: Exception = error
    except (ImportError, RuntimeError, OSError, AttributeError) as error:
        reason = error
    warnings.warn(
        'torchvision cannot be used with this torch '
        f'({type(reason).__name__}: {reason}): plain torch takes the place '
        'of its operators, which are faster. Install the torchvision that '
        'was built for this torch.', stacklevel=2)
    return None
