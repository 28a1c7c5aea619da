"""MMCV's compiled operators and those that take their place, side by side."""
import importlib
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from rdkd.compat.operators import Operators
from rdkd.errors import InputError
from rdkd.experiments.benchmark_rounds import Times, take_turns

COMPILED, PLAIN = 'compiled', 'without a compiler'
#: ``call(*inputs)``, with a gradient for the first ``leaves`` inputs.
Case = tuple[str, Callable[..., Any], list[Tensor], int]
#: Largest difference of results and of gradients, and the times.
Compared = tuple[float, Times]


def _boxes(count: int, spread: float, device: torch.device
           ) -> tuple[Tensor, Tensor]:
    corner = torch.rand(count, 2, device=device) * spread
    size = torch.rand(count, 2, device=device) * 120 + 8
    return torch.cat([corner, corner + size], 1), torch.rand(
        count, device=device)


def cases(device: torch.device) -> list[Case]:
    """Operators at the sizes at which detectors call them.

    Args:
        device (torch.device): Where the inputs are.

    Returns:
        list: For each the name of its file in ``mmcv.ops``, the call, its
        inputs, and how many of these get a gradient.
    """
    ops = importlib.import_module('mmcv.ops')
    there: Any = dict(device=device)
    spread, crowded = _boxes(1000, 4000, device), _boxes(1000, 40, device)
    maps = torch.randn(1, 256, 100, 168, **there)
    regions = torch.cat([torch.zeros(512, 1, **there),
                         _boxes(512, 600, device)[0]], 1)
    small = torch.randn(2, 64, 50, 84, **there)
    offset = torch.randn(2, 18, 50, 84, **there)
    weight = torch.randn(64, 64, 3, 3, **there) / 24
    mask = torch.rand(2, 9, 50, 84, **there)
    found: list[Case] = [
        ('nms, 1000 boxes apart', partial(ops.nms, iou_threshold=0.5),
         [*spread], 0),
        ('nms, 1000 boxes on a heap', partial(ops.nms, iou_threshold=0.5),
         [*crowded], 0),
        ('soft_nms, 200 boxes', partial(ops.soft_nms, iou_threshold=0.3),
         [crowded[0][:200].cpu(), crowded[1][:200].cpu()], 0),
        *((f'roi_align, {pool}, 512 regions', partial(
            ops.roi_align, output_size=7, spatial_scale=0.125,
            sampling_ratio=ratio, pool_mode=pool, aligned=True),
            [maps, regions], 1) for pool, ratio in (('avg', 0), ('max', 2))),
        ('deform_conv2d', partial(ops.deform_conv2d, stride=1, padding=1),
         [small, offset, weight], 3),
        ('modulated_deform_conv2d', lambda x, o, m, w:
         ops.modulated_deform_conv2d(x, o, m, w, None, 1, 1),
         [small, offset, mask, weight], 4)]
    if device.type == 'cuda':  # compiled for nothing else
        logits = torch.randn(20000, 80, **there)
        target = torch.randint(81, (20000,), **there)
        found += [
            (name, partial(getattr(ops, name), gamma=2.0, alpha=0.25),
             [logits, target], 1)
            for name in ('sigmoid_focal_loss', 'softmax_focal_loss')]
    return found


def _tensors(result: Any) -> list[Tensor]:
    return [result] if isinstance(result, Tensor) else list(result)


def _compute(call: Callable[..., Any], inputs: list[Tensor], leaves: int
             ) -> list[Tensor]:
    """Results, then gradients of their sum of squares."""
    given = [x.detach().requires_grad_(i < leaves)
             for i, x in enumerate(inputs)]
    results = _tensors(call(*given))
    if not leaves:
        return results
    results[0].square().sum().backward()
    return [x.detach() for x in results] + [
        x.grad for x in given[:leaves] if x.grad is not None]


def _difference(one: list[Tensor], other: list[Tensor]) -> float:
    """Largest difference, of the largest value; infinite if sizes differ."""
    if [x.shape for x in one] != [x.shape for x in other]:
        return float('inf')
    return max(float((x - y).abs().max() / y.abs().max().clamp(min=1e-12))
               for x, y in zip(one, other, strict=True))


def compare_operators(device: torch.device, rounds: int
                      ) -> dict[str, Compared]:
    """Call each operator with the same inputs, both ways.

    Args:
        device (torch.device): Where.
        rounds (int): How often each is timed.

    Returns:
        dict: By the case, the largest difference of results and gradients,
        as a share of the largest value, and seconds in each round.

    Raises:
        InputError: If MMCV has no compiled operators here.
    """
    extension: Any = importlib.import_module('mmcv._ext')
    if isinstance(extension, Operators):
        raise InputError(
            'MMCV has no compiled operators here to compare with: `bash '
            'tools/quickstart.sh --compiled` compiles them.')
    files = [importlib.import_module(f'mmcv.ops.{name}') for name in (
        'nms', 'roi_align', 'deform_conv', 'modulated_deform_conv',
        'focal_loss')]
    found = {}

    def work(operators: Any, case: Case) -> list[Tensor]:
        for file in files:
            file.ext_module = operators  # type: ignore[attr-defined]
        return _compute(*case[1:])

    try:
        for case in cases(device):
            ways = {COMPILED: partial(work, extension, case),
                    PLAIN: partial(work, Operators(), case)}
            found[case[0]] = (
                _difference(ways[PLAIN](), ways[COMPILED]()),
                take_turns(ways, rounds, device, case[0]))
    finally:
        for file in files:
            file.ext_module = extension  # type: ignore[attr-defined]
    return found
