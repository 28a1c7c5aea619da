"""What every run gets without its config saying so."""
import copy

import pytest
from mmengine.config import Config

from rdkd.runtime.defaults import EVERY_RUN, add_imports, complete
from rdkd.runtime.epoch_seed_hook import EpochSeedHook


def hooks(cfg):
    return [hook['type'] for hook in cfg.custom_hooks]


def test_a_distillation_gets_hooks_saver_and_imports(rdkd_cfg):
    cfg = complete(rdkd_cfg)
    assert hooks(cfg) == [*EVERY_RUN, 'TeacherClassesHook', 'DeployHook']
    assert cfg.default_hooks.checkpoint.backend_args.backend == 'atomic'
    assert cfg.custom_imports['imports'] == ['rdkd']


def test_a_baseline_sees_the_batches_of_its_distillation(student_cfg):
    cfg = complete(student_cfg)
    assert hooks(cfg) == list(EVERY_RUN)
    assert cfg.default_hooks.checkpoint.backend_args.backend == 'atomic'


def test_twice_is_once(rdkd_cfg):
    once = complete(copy.deepcopy(rdkd_cfg)).to_dict()
    assert complete(complete(rdkd_cfg)).to_dict() == once


def test_what_the_config_says_stays(rdkd_cfg):
    rdkd_cfg.custom_hooks = [
        dict(type='DeployHook', metric='coco/bbox_mAP_50'),
        dict(type='EMAHook')]
    rdkd_cfg.default_hooks.checkpoint.backend_args = dict(backend='local')
    rdkd_cfg.default_hooks.checkpoint.interval = 7
    rdkd_cfg.custom_imports = dict(imports=['json'],
                                   allow_failed_imports=True)
    cfg = complete(rdkd_cfg)
    assert cfg.custom_hooks[0].metric == 'coco/bbox_mAP_50'
    assert hooks(cfg) == ['DeployHook', 'EMAHook', *EVERY_RUN,
                          'TeacherClassesHook']
    assert cfg.default_hooks.checkpoint.backend_args.backend == 'local'
    assert cfg.default_hooks.checkpoint.interval == 7
    assert cfg.custom_imports == dict(imports=['json', 'rdkd'],
                                      allow_failed_imports=True)


def test_a_config_that_saves_nothing_keeps_to_it():
    cfg = complete(Config(dict(model=dict(type='RetinaNet'),
                               default_hooks=dict(checkpoint=None))))
    assert cfg.default_hooks.checkpoint is None


@pytest.mark.parametrize('kind', [EpochSeedHook, 'mmengine.EpochSeedHook'])
def test_a_hook_is_known_by_its_class_and_scope_too(kind):
    cfg = complete(Config(dict(model=dict(type='RetinaNet'),
                               custom_hooks=[dict(type=kind)])))
    assert len(cfg.custom_hooks) == len(EVERY_RUN)


def test_an_import_may_be_one_name(rdkd_cfg):
    rdkd_cfg.custom_imports = dict(imports='json')
    assert complete(rdkd_cfg).custom_imports['imports'] == ['json', 'rdkd']


def test_imports_of_both_detectors_are_joined(rdkd_cfg):
    rdkd_cfg.custom_imports = dict(imports='json')
    add_imports(rdkd_cfg, 'math')
    add_imports(rdkd_cfg, ['json', 'cmath'])
    assert complete(rdkd_cfg).custom_imports['imports'] == [
        'json', 'math', 'cmath', 'rdkd']


@pytest.mark.parametrize('default_hooks', [None, {}])
def test_a_config_without_a_saver_gets_one(default_hooks):
    cfg = complete(Config(dict(model=dict(type='RetinaNet'),
                               default_hooks=default_hooks)))
    assert cfg.default_hooks.checkpoint.type == 'CheckpointHook'
    assert cfg.default_hooks.checkpoint.backend_args.backend == 'atomic'
