"""Student, teacher and objectives as one model."""

import torch
from helpers import build, steps
from mmengine.registry import MODELS

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
    """Losses, gradients, weights and random state, bit by bit."""
    distilled = build(rdkd_cfg, loss_weight=0)
    after_build = torch.get_rng_state()
    torch.manual_seed(0)
    plain = MODELS.build(student_cfg.model)
    plain.init_weights()
    plain.train()
    assert torch.equal(after_build, torch.get_rng_state())

    ours = steps(distilled, batch, 3)
    state = torch.get_rng_state()
    torch.manual_seed(0)
    torch.set_rng_state(after_build)
    theirs = steps(plain, batch, 3)
    assert torch.equal(state, torch.get_rng_state())
    for one, other in zip(ours, theirs, strict=True):
        assert {k.removeprefix('student.'): v for k, v in one.items()} == other
    for (key, p), q in zip(plain.named_parameters(),
                           distilled.student.parameters(), strict=True):
        assert torch.equal(p, q), key
        assert torch.equal(p.grad, q.grad), key


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
