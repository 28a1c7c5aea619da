"""Mixed precision, accumulated gradients, values that are not finite."""
import copy

import torch
from helpers import build
from mmengine.optim import OptimWrapper


def test_mixed_precision_gives_the_distillation_losses_in_float32(rdkd_cfg,
                                                                  batch):
    model = build(rdkd_cfg)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        losses = model(**batch, mode='loss')
    for name, value in losses.items():
        if name.startswith('distill'):
            assert value.dtype == torch.float32
            assert value.isfinite()


def test_bfloat16_autocast_trains(rdkd_cfg, batch):
    """A few real steps in mixed precision."""
    model = build(rdkd_cfg, loss_weight=3.)
    optimizer = torch.optim.AdamW(model.parameters(), 2e-3)
    sums = []
    for _ in range(10):
        with torch.autocast('cpu', dtype=torch.bfloat16):
            losses = model(**copy.deepcopy(batch), mode='loss')
        total, log_vars = model.parse_losses(losses)
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        sums.append(sum(v for k, v in log_vars.items()
                        if k.startswith('distill')))
    assert sums[-1] < 0.8 * sums[0]
    assert all(p.isfinite().all() for p in model.parameters())


def test_accumulated_gradients_are_those_of_the_batches(rdkd_cfg, batch):
    """Two halves with `accumulative_counts=2` make one step of their mean."""
    halves = [dict(inputs=batch['inputs'][i:i + 2],
                   data_samples=batch['data_samples'][i:i + 2])
              for i in (0, 2)]
    model = build(rdkd_cfg)
    expected = copy.deepcopy(list(model.parameters()))
    optimizer = torch.optim.SGD(model.parameters(), 1.0)
    wrapper = OptimWrapper(optimizer, accumulative_counts=2)
    wrapper.initialize_count_status(model, 0, 2)
    other = build(rdkd_cfg)
    for half in copy.deepcopy(halves):
        total, _ = other.parse_losses(other(**half, mode='loss'))
        (total / 2).backward()
    for half in copy.deepcopy(halves):
        with wrapper.optim_context(model):
            total, _ = model.parse_losses(model(**half, mode='loss'))
        wrapper.update_params(total)
    moved = 0
    for parameter, before, same in zip(model.parameters(), expected,
                                       other.parameters(), strict=True):
        torch.testing.assert_close(parameter, before - same.grad)
        moved += int((parameter != before).any())
    assert moved > 50


def test_all_terms_go_to_the_host_in_one_copy(rdkd_cfg, batch, monkeypatch):
    copies = []
    to_host = torch.Tensor.cpu
    monkeypatch.setattr(torch.Tensor, 'cpu', lambda self: copies.append(
        self.shape) or to_host(self))
    model = build(rdkd_cfg)
    losses = model(**batch, mode='loss')
    copies.clear()
    total, log_vars = model.parse_losses(losses)
    assert copies == [torch.Size([len(log_vars)])]
    assert total.requires_grad
    assert log_vars['loss'] == total
    for name in ('student.loss_cls', 'distill.loss_fg_s8'):
        value = losses[name]
        value = sum(value) if isinstance(value, list) else value
        torch.testing.assert_close(log_vars[name], value.detach())
