"""What plugs into mmengine's runner."""
from rdkd.engine.atomic_backend import AtomicLocalBackend
from rdkd.engine.deploy_hook import DeployHook
from rdkd.engine.epoch_seed_hook import EpochSeedHook
from rdkd.engine.teacher_classes_hook import TeacherClassesHook

__all__ = ['AtomicLocalBackend', 'DeployHook', 'EpochSeedHook',
           'TeacherClassesHook']
