"""Review-and-decouple knowledge distillation for MMDetection."""
from rdkd.bridge import import_mmrazor

import_mmrazor()

from rdkd import checkpoint, engine, model_zoo, models  # noqa: E402
from rdkd.distill import distillation_config  # noqa: E402

__version__ = '0.1.0'
__all__ = ['__version__', 'checkpoint', 'distillation_config', 'engine',
           'model_zoo', 'models']
