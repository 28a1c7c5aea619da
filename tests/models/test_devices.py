"""The distillation step on devices that this machine has not.

Fake tensors have no values, so that any value that is read on the host
raises; meta tensors refuse to meet a tensor of another device.
"""
from contextlib import nullcontext

import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    FakeTensorMode,
)

from rdkd.models import ChannelAdapter, DecoupledPyramidLoss, ReviewFusion
from rdkd.models.masks import region_masks

SIZES = ((24, 32), (12, 16), (6, 8), (3, 4), (2, 2))


def samples(device):
    for boxes in (3, 0):
        sample = DetDataSample(metainfo=dict(
            img_shape=(190, 250), batch_input_shape=(192, 256)))
        sample.gt_instances = InstanceData(
            bboxes=torch.empty(boxes, 4, device=device))
        sample.ignored_instances = InstanceData(
            bboxes=torch.empty(1, 4, device=device))
        yield sample


def step(device):
    """Forward and backward of everything between the necks and the loss."""
    with torch.device(device):
        adapter = ChannelAdapter([32] * 5, [64] * 5)
        review = ReviewFusion([64] * 5, kv_size=8)
        student = [torch.empty(2, 32, *size, requires_grad=True)
                   for size in SIZES]
        teacher = [torch.empty(2, 64, *size) for size in SIZES]
    data_samples = list(samples(device))
    reviewed = review(adapter(student))
    masks = [region_masks(data_samples, size, True) for size in SIZES]
    loss = DecoupledPyramidLoss()(reviewed, teacher, masks)
    loss.backward()
    tensors = [loss, *masks, *(x.grad for x in (
        *student, *adapter.parameters(), *review.parameters()))]
    return {x.device.type for x in tensors}


def test_the_step_reads_no_value_on_the_host():
    with FakeTensorMode():
        assert step('cpu') == {'cpu'}


def test_a_value_that_is_read_would_be_noticed():
    with FakeTensorMode(), pytest.raises(DataDependentOutputException):
        torch.empty(3).sum().item()


def test_the_step_makes_every_tensor_on_its_device(monkeypatch):
    # Autocast knows no meta device; here it is only ever switched off.
    monkeypatch.setattr(torch, 'autocast',
                        lambda *args, **kwargs: nullcontext())
    assert step('meta') == {'meta'}


def test_a_tensor_on_another_device_would_be_noticed():
    with pytest.raises((RuntimeError, NotImplementedError)):
        torch.empty(3, device='meta') + torch.arange(3)
