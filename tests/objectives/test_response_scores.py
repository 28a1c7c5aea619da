"""The loss of scores against a loop, and at extremes."""
import math

import pytest
import torch

from rdkd.objectives.response import soft_binary_loss


def sigmoid(z):
    return 1 / (1 + math.exp(-z)) if z >= 0 else math.exp(z) / (
        1 + math.exp(z))


def softplus(z):
    return max(z, 0) + math.log1p(math.exp(-abs(z)))


def soft_binary(student, teacher, temperature=1.0):
    """One element, as in the paper."""
    s, t = student / temperature, teacher / temperature
    p = sigmoid(t)
    entropy = p * softplus(-s) + (1 - p) * softplus(s)
    return temperature ** 2 * abs(p - sigmoid(s)) * entropy


@pytest.mark.parametrize('temperature', [0.5, 1.0, 4.0, 50.0])
def test_scores_against_a_loop(temperature):
    torch.manual_seed(0)
    student, teacher = (5 * torch.randn(2, 3, 7).double()).unbind()
    found = soft_binary_loss(student, teacher, temperature)
    expected = [[soft_binary(s, t, temperature) for s, t in
                 zip(*rows, strict=True)] for rows in
                zip(student.tolist(), teacher.tolist(), strict=True)]
    torch.testing.assert_close(found, torch.tensor(expected).double())
    assert (found > 0).all()
    assert (soft_binary_loss(student, student, temperature) == 0).all()


def test_a_higher_temperature_looks_at_sure_answers_more():
    """At 1 two sure answers agree; 50 tells them apart."""
    sure, surer = torch.tensor(12.), torch.tensor(24.)
    assert soft_binary_loss(sure, surer) < 1e-6
    assert soft_binary_loss(sure, surer, 50) > 50


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16,
                                   torch.float32])
def test_extreme_scores_are_finite(dtype):
    logits = torch.tensor([-100., -1., 0., 1., 100.], dtype=dtype)
    student = logits[:, None].expand(5, 5).clone().requires_grad_()
    loss = soft_binary_loss(student, logits.expand(5, 5))
    loss.sum().backward()
    assert loss.dtype == dtype
    assert loss.isfinite().all()
    assert student.grad.isfinite().all()
    assert (loss.diagonal() == 0).all()
    # A sure student that is sure of the wrong thing.
    assert loss[0, 4] == loss[4, 0] == 100


@pytest.mark.parametrize('temperature', [1.0, 3.0])
def test_the_gradient_of_the_scores(temperature):
    torch.manual_seed(0)
    student = torch.randn(12, dtype=torch.float64, requires_grad=True)
    teacher = torch.randn(12, dtype=torch.float64)
    assert torch.autograd.gradcheck(
        lambda x: soft_binary_loss(x, teacher, temperature), student)
