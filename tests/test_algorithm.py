"""Student, teacher and objectives as one model."""

import copy
import gc
import weakref

import pytest
import torch
from helpers import assert_weight_zero_is_the_baseline, build, steps
from mmengine.config import ConfigDict
from mmengine.registry import MODELS

from rdkd.compat.compiled import Compiled
from rdkd.errors import InputError
from rdkd.io.checkpoint import detector_state_dict


def test_the_student_ships_clean(rdkd_cfg, student_cfg, batch):
    """Its weights load strictly into the plain config and act the same."""
    model = build(rdkd_cfg)
    steps(model, batch)
    plain = MODELS.build(student_cfg.model)
    plain.load_state_dict(
        detector_state_dict(dict(state_dict=model.state_dict()), 'test'))
    model.eval()
    plain.eval()
    with torch.no_grad():
        for ours, theirs in zip(model(batch['inputs'], mode='tensor'),
                                plain(batch['inputs'], mode='tensor'),
                                strict=True):
            assert all(map(torch.equal, ours, theirs))


def test_weight_zero_is_the_baseline(rdkd_cfg, student_cfg, batch):
    assert_weight_zero_is_the_baseline(student_cfg, rdkd_cfg, batch)


def test_a_distilled_student_starts_where_the_baseline_does(
        rdkd_cfg, student_cfg):
    distilled = build(rdkd_cfg)
    state = torch.get_rng_state()
    torch.manual_seed(0)
    plain = MODELS.build(student_cfg.model)
    plain.init_weights()
    assert torch.equal(state, torch.get_rng_state())
    for key, value in plain.state_dict().items():
        assert torch.equal(value, distilled.student.state_dict()[key]), key


def test_stopping_keeps_every_parameter_in_the_graph(rdkd_cfg, batch):
    """DDP hangs on parameters that get no gradient."""
    model = build(rdkd_cfg)
    model.distillation_stopped = True
    losses, = steps(model, batch, 1)
    assert losses['distill.loss_stopped'] == 0
    assert all(p.grad is not None for p in model.parameters()
               if p.requires_grad)


def test_another_objective_is_one_more_entry_of_the_config(rdkd_cfg, batch,
                                                           student_cfg):
    """With losses and checkpoint keys of its name, and nothing deployed."""
    expected, = steps(build(rdkd_cfg), batch, 1)
    rdkd_cfg.model.objectives = dict(
        focal=dict(type='FGDDistiller', loss_weight=10.0))
    model = build(rdkd_cfg)
    losses, = steps(model, batch, 1)
    assert losses['focal.loss_fg_s8'] > 0
    for name, value in expected.items():
        if name != 'loss':
            assert losses[name] == value, name
    assert losses['loss'] > expected['loss']
    state = model.state_dict()
    assert any(key.startswith('objectives.focal.connectors.')
               for key in state)
    assert MODELS.build(student_cfg.model).state_dict().keys() == (
        detector_state_dict(dict(state_dict=state), 'test').keys())


def test_all_objectives_stop_and_keep_their_parameters_in_the_graph(
        rdkd_cfg, batch):
    rdkd_cfg.model.objectives = dict(focal=dict(type='FGDDistiller'))
    model = build(rdkd_cfg)
    model.distillation_stopped = True
    losses, = steps(model, batch, 1)
    assert {name.split('.')[0] for name in losses} == {
        'student', 'distill', 'loss'}
    assert losses['distill.loss_stopped'] == 0
    assert all(p.grad is not None for p in model.parameters()
               if p.requires_grad)


def test_nothing_of_a_step_is_kept(rdkd_cfg, batch):
    """What was captured dies with the step: its graph is most of memory."""
    model = build(rdkd_cfg)
    kept = []
    model.student.neck.register_forward_hook(
        lambda module, inputs, outputs: kept.extend(map(weakref.ref,
                                                        outputs)))
    losses = model(**copy.deepcopy(batch), mode='loss')
    assert kept
    del losses
    gc.collect()
    assert not [each for each in kept if each() is not None]


@pytest.mark.parametrize('name', ['distill', 'student', 'keys', 'a.b'])
def test_an_objective_s_name_is_its_own(rdkd_cfg, name):
    rdkd_cfg.model.objectives = ConfigDict(
        {name: dict(type='FGDDistiller')})
    with pytest.raises(InputError, match=f'the name {name!r}'):
        build(rdkd_cfg)


def test_any_objective_may_be_compiled(rdkd_cfg, monkeypatch):
    monkeypatch.setattr(torch, 'compile', lambda function: function)
    rdkd_cfg.model.update(
        compile=True, distiller=dict(type='ResponseLoss', _delete_=True),
        objectives=dict(focal=dict(type='FGDDistiller')))
    rdkd_cfg.model.distiller.pop('_delete_')
    for key in list(rdkd_cfg.model.distiller):
        if key != 'type':
            rdkd_cfg.model.distiller.pop(key)
    model = build(rdkd_cfg)
    for part in model.objectives['focal'].connectors.values():
        assert isinstance(part.forward, Compiled)
