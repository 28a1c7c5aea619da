"""What a config says: keys, types and numbers, before anything is built."""
import copy

import pytest
from mmdet.models import RetinaNet
from mmengine.registry import MODELS

from rdkd.errors import InputError
from rdkd.io.config import load_config
from rdkd.objectives.base import Objective
from rdkd.runtime.settings import (
    check_loader,
    check_model,
    check_settings,
)


@pytest.fixture(scope='module')
def shipped():
    return {role: load_config(f'rdkd::{role}_mini{end}.py') for role, end in (
        ('rdkd_retinanet', ''), ('retinanet', '_student'))}


@pytest.fixture
def rdkd_cfg(shipped):
    cfg = copy.deepcopy(shipped['rdkd_retinanet'])
    cfg.randomness = dict(seed=0)
    return cfg


@pytest.fixture
def student_cfg(shipped):
    return copy.deepcopy(shipped['retinanet'])


def refuse(cfg, *named):
    with pytest.raises(InputError) as error:
        check_settings(cfg)
    for text in named:
        assert text in str(error.value), str(error.value)


def test_good_settings_pass(rdkd_cfg, student_cfg):
    check_settings(rdkd_cfg)
    check_settings(student_cfg)


@pytest.mark.parametrize('option, value, named', [
    ('train_cfg.max_epochs', 0, 'train_cfg: max_epochs is 0'),
    ('train_cfg.max_epochs', -1, 'at least 1'),
    ('train_cfg.max_epochs', None, 'max_epochs is None'),
    ('train_cfg.max_epochs', 1.5, 'a whole number'),
    ('train_cfg.val_interval', 0, 'val_interval is 0'),
    ('train_cfg.max_epoch', 3, "did you mean 'max_epochs'"),
    ('train_cfg.type', 'NoLoop', "train_cfg.type: nothing is registered as "
                                 "'NoLoop'"),
    ('train_cfg', None, 'has no `train_cfg`, which training needs'),
    ('optim_wrapper', {}, 'has no `optim_wrapper`'),
    ('train_dataloader', None, 'has no `train_dataloader`'),
    ('randomness.seed', -1, 'randomness: seed is -1; it must be a whole '
                            'number from 0 to 4294967295 or None.'),
    ('randomness.seed', 99999999999, 'seed is 99999999999'),
    ('model.type', 'NoNet', "model.type: nothing is registered as 'NoNet'"),
    ('model.architecture', 'foo', "model: architecture is 'foo'"),
    ('model.architecture.type', 'NoNet', 'model.architecture.type'),
    ('model.teacher', None, 'model: teacher is None'),
    ('model.distiller', None, 'model: distiller is None'),
    ('model.distiller.type', 'NoDistiller', 'model.distiller.type'),
    ('model.distiller.type', 3, 'nothing is registered as 3'),
    ('model.distiller', dict(type='RDKDDistiller'),
     'model.distiller (RDKDDistiller) needs loss_weight.'),
    ('model.distiller.review', 'off', 'model.distiller: review is'),
    ('model.distiller.preset', 'none', "no preset 'none'"),
    ('model.distiller.loss_weight', 'abc', 'model.distiller: loss_weight is'),
    ('model.inherit', 'no', "model: inherit is 'no'; it must be True or False"
     ),
    ('model.response', 'ResponseLoss', "model: response is 'ResponseLoss'; it "
                                       'must be a dict with `type` or None.'),
    ('model.response', dict(type='ResponseLoss', temperature=0),
     'model.response: temperature is 0'),
    ('model.objectives', dict(mine=3), 'model: objectives is'),
    ('model.objectives', dict(mine=dict(type='ResponseLoss', box_weight=-1)),
     'model.objectives.mine: box_weight is -1')])
def test_what_no_run_could_use_is_named(rdkd_cfg, option, value, named):
    *places, last = option.split('.')
    part = rdkd_cfg
    for place in places:
        part = part[place]
    part[last] = value
    refuse(rdkd_cfg, named)


@pytest.mark.parametrize('step', [
    dict(type='Resize', scale=[96, 96]),
    dict(type='mmdet.Resize', scale=[96, 96]),
    dict(type='RandomResize', scale=[[96, 64], [96, 96]]),
    dict(type='RandomChoiceResize', scales=[(96, 64), [96, 96]])])
def test_a_list_in_the_place_of_a_tuple_is_told(student_cfg, step):
    """As all sizes of configs in JSON are."""
    pipeline = student_cfg.train_dataloader.dataset.pipeline
    for good in (dict(type='Resize', scale=(96, 96)),
                 dict(type='RandomResize', scale=[(96, 64), (96, 96)]),
                 dict(type='RandomChoiceResize', scales=[(96, 64), 96])):
        pipeline[2] = good
        check_settings(student_cfg)
    pipeline[2] = step
    refuse(student_cfg, 'train_dataloader has a ', 'a list: write it as a')


@pytest.mark.parametrize('kind', ['RetinaNet', 'mmdet.RetinaNet', RetinaNet])
def test_a_type_is_a_name_with_or_without_its_package_or_a_class(
        rdkd_cfg, student_cfg, kind):
    for model in (student_cfg.model, rdkd_cfg.model.architecture):
        model.pop('_scope_', None)
        model.type = kind
    check_settings(student_cfg)
    check_settings(rdkd_cfg)


def test_iterations_are_counted_too(student_cfg):
    student_cfg.train_cfg = dict(by_epoch=False, max_iters=10, val_interval=5)
    check_settings(student_cfg)
    student_cfg.train_cfg.update(max_iters=1e4, val_interval=1e4 / 4)
    check_settings(student_cfg)
    student_cfg.train_cfg.max_iters = 0
    refuse(student_cfg, 'max_iters is 0')
    student_cfg.train_cfg = dict(type='IterBasedTrainLoop', max_epochs=3)
    refuse(student_cfg, "'max_epochs'", 'max_iters')


@pytest.mark.parametrize('key, value, named', [
    ('bach_size', 4, "train_dataloader has the unknown key 'bach_size'; did "
                     "you mean 'batch_size'"),
    ('batch_size', 0, 'train_dataloader: batch_size is 0'),
    ('batch_size', 'all', "batch_size is 'all'"),
    ('num_workers', -1, 'num_workers is -1'),
    ('dataset', None, 'train_dataloader: dataset is None')])
def test_a_loader_that_could_not_be_built_is_named(student_cfg, key, value,
                                                   named):
    student_cfg.train_dataloader[key] = value
    with pytest.raises(InputError) as error:
        check_loader('train_dataloader', student_cfg.train_dataloader)
    assert named in str(error.value)


@pytest.mark.parametrize('where, key, near', [
    ('model', 'teacher_checkpoint', 'teacher_ckpt'),
    ('distiller', 'loss_wieght', 'loss_weight')])
def test_an_unknown_key_is_named_with_the_nearest(rdkd_cfg, where, key, near):
    part = rdkd_cfg.model if where == 'model' else rdkd_cfg.model.distiller
    part[key] = 1
    refuse(rdkd_cfg, key, f"did you mean '{near}'")


@pytest.mark.parametrize('part', ['response', 'objectives'])
def test_keys_of_every_objective_are_checked(rdkd_cfg, part):
    objective = dict(type='ResponseLoss', cls_wieght=2)
    rdkd_cfg.model[part] = (
        objective if part == 'response' else dict(heads=objective))
    with pytest.raises(InputError) as error:
        check_model(rdkd_cfg.model)
    where = 'model.response' if part == 'response' else (
        'model.objectives.heads')
    assert f"{where} has the unknown key 'cls_wieght'" in str(error.value)
    assert "did you mean 'cls_weight'" in str(error.value)


def test_algorithms_of_mmrazor_are_sent_to_the_document(rdkd_cfg):
    rdkd_cfg.model.update(_scope_='mmrazor')
    check_model(rdkd_cfg.model)
    rdkd_cfg.model.type = 'SingleTeacherDistill'
    with pytest.raises(InputError, match=r'coming_from_mmrazor\.md'):
        check_model(rdkd_cfg.model)


@pytest.mark.parametrize('distiller', [
    dict(type='RDKDDistiller', preset='paper', loss_weight=2.0),
    dict(type='FGDDistiller', preset='fcos'),
    dict(type='LevelDistiller', preset='pkd')])
def test_a_preset_is_a_key_like_others(rdkd_cfg, distiller):
    model = dict(rdkd_cfg.model, distiller=distiller)
    check_model(model)
    with pytest.raises(InputError, match="did you mean 'preset'"):
        check_model(dict(model, distiller=dict(distiller, presett='paper')))


def test_what_an_objective_passes_on_is_known(rdkd_cfg):
    class Passing(Objective):
        def __init__(self, scale=1, **kwargs):
            super().__init__(**kwargs)

    rdkd_cfg.model.objectives = dict(
        mine=dict(type='Passing', scale=2, loss_weight=3))
    MODELS.register_module(module=Passing)
    try:
        check_model(rdkd_cfg.model)
        rdkd_cfg.model.objectives.mine.kwargs = 1
        with pytest.raises(InputError, match="unknown key 'kwargs'"):
            check_model(rdkd_cfg.model)
    finally:
        MODELS.module_dict.pop('Passing')
