"""Review-and-decouple knowledge distillation for MMDetection."""
from rdkd.compat.mmrazor import import_mmrazor

import_mmrazor()

from rdkd import algorithm  # noqa: E402
from rdkd.io import atomic, checkpoint, model_zoo  # noqa: E402
from rdkd.objectives import fgd, level, rdkd, response  # noqa: E402
from rdkd.runtime import (  # noqa: E402
    deploy_hook,
    epoch_seed_hook,
    teacher_classes_hook,
)
from rdkd.runtime.plan import distillation_config  # noqa: E402

__version__ = '0.1.0'
__all__ = ['__version__', 'algorithm', 'atomic', 'checkpoint', 'deploy_hook',
           'distillation_config', 'epoch_seed_hook', 'fgd', 'level',
           'model_zoo', 'rdkd', 'response', 'teacher_classes_hook']
