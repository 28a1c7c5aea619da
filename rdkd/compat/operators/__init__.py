"""MMCV's operators where none are compiled.

MMCV's C++ module ``mmcv._ext`` takes a compiler and most of an hour to build,
and ``mmcv-lite`` leaves it out.  :func:`install` puts a module with the same
functions in its place, computed by torchvision where that is usable and by
plain torch elsewhere, on any device.  What detectors of MMDetection need to
train and to evaluate is there; any other operator raises when it is called.
"""
import importlib
import sys
import warnings
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, NoReturn

from rdkd.compat.operators import (
    deform_conv,
    deformable_attention,
    focal_loss,
    masked_conv,
    nms,
    roi_align,
    soft_nms,
)

_NAME = 'mmcv._ext'

#: The operators that there are, by the file that has them.
_COVERED: dict[ModuleType, tuple[str, ...]] = {
    nms: ('nms',),
    soft_nms: ('softnms',),
    roi_align: ('roi_align_forward', 'roi_align_backward'),
    focal_loss: (
        'sigmoid_focal_loss_forward', 'sigmoid_focal_loss_backward',
        'softmax_focal_loss_forward', 'softmax_focal_loss_backward'),
    deform_conv: (
        'deform_conv_forward', 'deform_conv_backward_input',
        'deform_conv_backward_parameters', 'modulated_deform_conv_forward',
        'modulated_deform_conv_backward'),
    masked_conv: ('masked_im2col_forward', 'masked_col2im_forward'),
    deformable_attention: (
        'ms_deform_attn_forward', 'ms_deform_attn_backward'),
}


class Operators(ModuleType):
    """Stands in the place of ``mmcv._ext``."""

    def __init__(self) -> None:
        super().__init__(_NAME, 'See rdkd/compat/operators/__init__.py.')
        # MMCV asks whether the module could be found.
        self.__spec__ = ModuleSpec(_NAME, None)
        for module, names in _COVERED.items():
            for name in names:
                setattr(self, name, getattr(module, name))
        for name in ('get_compiler_version', 'get_compiling_cuda_version'):
            setattr(self, name, lambda: 'not compiled')

    def __getattr__(self, name: str) -> Any:
        if name.startswith('__'):
            raise AttributeError(name)

        def refuse(*args: Any, **kwargs: Any) -> NoReturn:
            raise NotImplementedError(
                f'MMCV\'s operator {name} has to be compiled, and '
                'rdkd.compat.operators has no version of it without a '
                'compiler. Install an MMCV with compiled operators in the '
                'place of this one (a C++ compiler and half an hour; for '
                'CUDA also nvcc): in a checkout `bash tools/quickstart.sh '
                '--compiled`, elsewhere `pip uninstall mmcv-lite`, then `pip '
                'install mmcv==2.1.0` beside mmdet or `pip install '
                'onedl-mmcv==2.3.6` beside onedl-mmdetection.')
        return refuse


def install() -> bool:
    """Give MMCV its operators if it has none; to be called before others.

    Returns:
        bool: Whether it did; False where ``mmcv._ext`` is importable, or is
        this module already.
    """
    try:
        importlib.import_module(_NAME)
    except ImportError as error:
        if not isinstance(error, ModuleNotFoundError):
            warnings.warn(
                f'MMCV\'s compiled operators cannot be loaded ({error}): '
                'rdkd.compat.operators takes their place. Compile them '
                'again for this torch to get them back.', stacklevel=2)
        package, _, child = _NAME.partition('.')
        operators = sys.modules[_NAME] = Operators()
        setattr(sys.modules[package], child, operators)
        ops: Any = importlib.import_module('mmcv.ops')
        if not hasattr(ops, 'line_nms'):
            # The fork's MMDetection warns at every start where it is missing.
            ops.line_nms = operators.line_nms
        return True
    return False
