"""Review-and-decouple knowledge distillation for MMDetection.

Importing it registers everything with MMEngine.  Where OpenMMLab's packages
are missing, :mod:`rdkd.functional` works by itself.
"""
import contextlib
import importlib
import importlib.util
import sys
import warnings
from collections.abc import Iterator
from types import TracebackType
from typing import NoReturn


@contextlib.contextmanager
def _one_line_if_interrupted() -> Iterator[None]:
    """End a program that is interrupted in the block without a traceback.

    The imports take seconds, and no command's handler is there yet.
    """
    try:
        yield
    except KeyboardInterrupt:
        before = sys.excepthook

        def tell(kind: type[BaseException], error: BaseException,
                 trace: TracebackType | None) -> None:
            sys.excepthook = before
            if issubclass(kind, KeyboardInterrupt):
                print('\ninterrupted.', file=sys.stderr)
            else:
                before(kind, error, trace)
        sys.excepthook = tell
        raise


with _one_line_if_interrupted():
    from rdkd import functional

__version__ = '0.1.0'
__all__ = ['__version__', 'distillation_config', 'functional']

#: What registers names, low to high.
_REGISTERED = (
    'rdkd.layers.adapter', 'rdkd.layers.attention', 'rdkd.layers.review',
    'rdkd.objectives.decoupled_pyramid_loss', 'rdkd.objectives.fgd',
    'rdkd.objectives.level', 'rdkd.objectives.rdkd',
    'rdkd.objectives.response', 'rdkd.algorithm',
    'rdkd.runtime.deploy_hook', 'rdkd.runtime.epoch_seed_hook',
    'rdkd.runtime.finite_loss_hook', 'rdkd.runtime.resume_hook',
    'rdkd.runtime.status', 'rdkd.runtime.teacher_classes_hook')


def _missing(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is None
    except ModuleNotFoundError:
        return True


_absent = [name for name in ('mmengine', 'mmcv', 'mmdet', 'mmrazor')
           if _missing(name)]
if _absent:
    _message = (
        f'rdkd needs {", ".join(_absent)}, which are not installed: only '
        'rdkd.functional works. Where MMDetection is, `pip install '
        '--no-deps mmcv-lite==2.1.0` adds an MMCV; where nothing is, `pip '
        'install "rdkd[lite]"` adds all of it. Neither compiles anything; '
        'docs/versions.md has the other ways.')
    warnings.warn(_message, stacklevel=2)

    def __getattr__(name: str) -> NoReturn:
        """Say what is missing, whatever is asked for."""
        if name.startswith('__'):
            raise AttributeError(name)
        raise ImportError(_message)
else:
    # The fork of MMDetection prints a note when it is imported; standard
    # output is for what was asked for (`rdkd train CONFIG --print`).  Not to
    # a buffer: the logger that MMEngine makes now keeps its stream.
    with (_one_line_if_interrupted(),
          contextlib.redirect_stdout(sys.stderr)):
        from rdkd.compat import mmengine, operators
        from rdkd.compat.mmrazor import import_mmrazor

        operators.install()
        import_mmrazor()
        mmengine.install()
        for _name in _REGISTERED:
            importlib.import_module(_name)
        from rdkd.runtime.plan import distillation_config
