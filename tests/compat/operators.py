"""MMCV's compiled operators, and those that take their place."""
import pytest
import torch

from rdkd.compat.operators import Operators

try:
    from mmcv import _ext as COMPILED
except ImportError:
    COMPILED = None
if isinstance(COMPILED, Operators):
    COMPILED = None

PLAIN = Operators()
needs_compiled = pytest.mark.skipif(
    COMPILED is None, reason='MMCV has no compiled operators here')


def both(monkeypatch, module, call):
    """What ``call()`` gives with compiled operators, and without."""
    results = []
    for operators in (COMPILED, PLAIN):
        monkeypatch.setattr(module, 'ext_module', operators)
        results.append(call())
    return results


def with_gradients(function, *inputs):
    """The result and its gradients, for a fixed gradient of the result."""
    leaves = [value.clone().requires_grad_() for value in inputs]
    result = function(*leaves)
    weights = torch.linspace(-1, 1, result.numel(), dtype=result.dtype)
    gradients = torch.autograd.grad(result, leaves, weights.view_as(result))
    return [result.detach(), *gradients]
