"""The distillation step on devices that this machine has not.

Fake tensors have no values, so that any value that is read on the host
raises; meta tensors refuse to meet a tensor of another device.
"""
from collections import defaultdict

import pytest
import torch
from helpers import pyramid_loss, review_fusion
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    FakeTensorMode,
)
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from rdkd.detectors.samples import batch_masks
from rdkd.layers.adapter import ChannelAdapter

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
        review = review_fusion([64] * 5, kv_size=8)
        student = [torch.empty(2, 32, *size, requires_grad=True)
                   for size in SIZES]
        teacher = [torch.empty(2, 64, *size) for size in SIZES]
    data_samples = list(samples(device))
    reviewed = review(adapter(student))
    masks = batch_masks(data_samples, SIZES, True)
    loss = pyramid_loss()(reviewed, teacher, masks)
    loss.backward()
    tensors = [loss, *masks, *(x.grad for x in (
        *student, *adapter.parameters(), *review.parameters()))]
    return {x.device.type for x in tensors}


def test_the_step_reads_no_value_on_the_host(device_without_autocast):
    """Forward and backward on a device that is not the CPU."""
    with FakeTensorMode():
        assert step('meta') == {'meta'}


def test_the_step_reads_no_value_on_the_host_with_autocast_as_it_is():
    with FakeTensorMode():
        assert step('cpu') == {'cpu'}


def test_a_value_that_is_read_would_be_noticed():
    for device in ('cpu', 'meta'):
        with FakeTensorMode(), pytest.raises(DataDependentOutputException):
            torch.empty(3, device=device).sum().item()


def test_the_step_makes_every_tensor_on_its_device(device_without_autocast):
    assert step('meta') == {'meta'}


def test_a_tensor_on_another_device_would_be_noticed():
    with pytest.raises((RuntimeError, NotImplementedError)):
        torch.empty(3, device='meta') + torch.arange(3)


class Precisions(TorchDispatchMode):
    """Notes in which precisions operators compute."""

    def __init__(self):
        super().__init__()
        self.of = defaultdict(set)

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func._schema.name
        for x in tree_leaves(args):
            if isinstance(x, torch.Tensor) and x.is_floating_point():
                self.of[name].add(x.dtype)
        return func(*args, **(kwargs or {}))


def mixed_loss(amp):
    torch.manual_seed(0)
    adapter = ChannelAdapter([32] * 5, [64] * 5)
    review = review_fusion([64] * 5, kv_size=8)
    for parameter in review.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    student = [torch.randn(2, 32, *size) for size in SIZES]
    teacher = [torch.randn(2, 64, *size) for size in SIZES]
    masks = batch_masks(
        [DetDataSample(metainfo=dict(img_shape=(190, 250),
                                     batch_input_shape=(192, 256)),
                       gt_instances=InstanceData(bboxes=torch.tensor(
                           [[10., 20., 90., 120.]]))) for _ in range(2)],
        SIZES, True)
    with (torch.autocast('cpu', torch.bfloat16, enabled=amp),
          Precisions() as seen):
        loss = pyramid_loss()(review(adapter(student)), teacher, masks)
    loss.backward()
    return loss.item(), seen.of


def test_softmaxes_and_distances_stay_in_float32_under_autocast():
    full, _ = mixed_loss(False)
    mixed, precisions = mixed_loss(True)
    assert precisions['aten::convolution'] == {torch.bfloat16}
    attention, = (name for name in precisions
                  if 'scaled_dot_product' in name)
    for name in ('aten::_softmax', attention, 'aten::linalg_vector_norm'):
        assert precisions[name] == {torch.float32}, name
    # The convolutions keep eight bits.
    assert mixed == pytest.approx(full, rel=0.01)
    assert mixed != full
