"""How like two necks are, against numpy's own coefficient."""
import numpy as np
import pytest
import torch

from rdkd.analysis.features import correlation


def levels(seed):
    torch.manual_seed(seed)
    return [torch.randn(3, 8, 6), torch.randn(3, 4, 3), torch.randn(3, 1, 1)]


def test_correlation_is_pearsons_over_the_positions():
    student, teacher = levels(0), levels(1)
    literal = [np.mean([
        np.corrcoef(s.flatten().numpy(), t.flatten().numpy())[0, 1]
        for s, t in zip(student[i], teacher[i], strict=True)])
        for i in (0, 1)]
    assert correlation(student, teacher) == pytest.approx(
        np.mean(literal), abs=1e-5)


def test_scale_and_shift_of_a_channel_do_not_count():
    student = levels(0)
    assert correlation(student, [5 * x + 2 for x in student]) == (
        pytest.approx(1))
    assert correlation(student, [-x for x in student]) == pytest.approx(-1)


def test_a_constant_channel_is_like_nothing():
    student = levels(0)[:1]
    other = [student[0].clone()]
    other[0][2] = 7
    assert correlation(student, other) == pytest.approx(2 / 3)
