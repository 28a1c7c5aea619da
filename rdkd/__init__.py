"""Review-and-decouple knowledge distillation for MMDetection.

Importing it registers all of its parts with MMEngine's registries and lets
:mod:`rdkd.compat.mmengine` replace MMEngine's loaders.  Without the OpenMMLab
packages only :mod:`rdkd.functional` works.
"""
import warnings
from importlib import import_module
from typing import Any

from rdkd.compat.stack import not_installed

__version__ = '0.1.0'

_problem = not_installed()

if _problem:
    warnings.warn(_problem, stacklevel=2)

    def __getattr__(name: str) -> Any:
        """Say what to install, whatever else is asked for."""
        if name in ('functional', 'errors'):
            return import_module(f'rdkd.{name}')
        if name.startswith('__'):  # asked for by Python itself
            raise AttributeError(name)
        raise ImportError(_problem)
else:
    from rdkd.compat.mmrazor import import_mmrazor
    import_mmrazor()  # first: whatever imports mmrazor needs it

    from rdkd.algorithm import DetectorDistillation
    from rdkd.compat import mmengine as _mmengine
    from rdkd.objectives.fgd import FGDDistiller
    from rdkd.objectives.level import LevelDistiller
    from rdkd.objectives.rdkd import RDKDDistiller
    from rdkd.objectives.response import ResponseLoss
    from rdkd.runtime.deploy_hook import DeployHook
    from rdkd.runtime.epoch_seed_hook import EpochSeedHook
    from rdkd.runtime.plan import distillation_config
    from rdkd.runtime.teacher_classes_hook import TeacherClassesHook

    _mmengine.install()

    __all__ = [
        'DeployHook', 'DetectorDistillation', 'EpochSeedHook', 'FGDDistiller',
        'LevelDistiller', 'RDKDDistiller', 'ResponseLoss',
        'TeacherClassesHook', '__version__', 'distillation_config']
