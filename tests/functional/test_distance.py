"""Distances against a literal reference, identities and extremes."""
import pytest
import torch
import torch.nn.functional as F
from helpers import draw, pyramid_loss
from hypothesis import given, settings
from hypothesis import strategies as st

from rdkd.experiments.measure import SavedBytes
from rdkd.functional.distance import region_distance
from rdkd.functional.scales import region_scales
from rdkd.functional.standardization import standardize


def random_weights(n, r, h, w, seed=0):
    """Masks whose cells weigh something between 0 and 2."""
    generator = torch.Generator().manual_seed(seed)
    weights = 2 * torch.rand(n, r, h, w, generator=generator).double()
    return random_masks(n, r, h, w, seed) * weights


def random_masks(n, r, h, w, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 2, (n, r, h, w), generator=generator).double()


def distance(student, teacher, masks, sizes=(4, 2, 1)):
    return region_distance(student, teacher, region_scales(masks, sizes),
                           standardized=False)


def literal_standardize(x, valid):
    """Mean 0 and variance 1 over the valid cells, by image and channel."""
    rows = []
    for image, counted in zip(x, valid[:, 0] > 0, strict=True):
        values = image[:, counted]
        mean = values.mean(dim=1)[:, None, None]
        variance = values.var(dim=1, correction=0)[:, None, None]
        rows.append((image - mean) / (variance + 1e-5).sqrt() * counted)
    return torch.stack(rows)


def literal_distance(student, teacher, mask, sizes):
    """The distance of docs/method.md for an image and a mask, by cell."""
    channels, height, width = student.shape
    if not mask.any():
        return torch.zeros((), dtype=student.dtype)
    total, weights = torch.zeros((), dtype=student.dtype), 1.0
    for row in range(height):
        for column in range(width):
            if mask[row, column]:
                d = student[:, row, column] - teacher[:, row, column]
                total = total + mask[row, column] * (d**2).sum()
    total = total / (channels * mask.sum())
    for i, size in enumerate(sizes):
        if size >= min(height, width):
            continue
        pooled = [F.adaptive_avg_pool2d(x[None], size)[0] for x in (
            mask[None], mask * student, mask * teacher)]
        terms = []
        for row in range(size):
            for column in range(size):
                share = pooled[0][0, row, column]
                if share > 0:
                    d = (pooled[1][:, row, column] / share -
                         pooled[2][:, row, column] / share)
                    terms.append((d**2).mean())
        total = total + 0.5**(i + 1) * torch.stack(terms).mean()
        weights += 0.5**(i + 1)
    return total / weights


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 99))
def test_distance_is_the_literal_one(height, width, seed):
    student, teacher = draw(2, 2, 3, height, width, seed=seed)
    for draw_masks in (random_masks, random_weights):
        masks = draw_masks(2, 2, height, width, seed)
        found = distance(student, teacher, masks)
        for n in range(2):
            for r in range(2):
                torch.testing.assert_close(
                    found[n, r], literal_distance(student[n], teacher[n],
                                                  masks[n, r], (4, 2, 1)))


def test_only_the_ratio_of_weights_in_a_region_counts():
    student, teacher = draw(2, 2, 3, 8, 8)
    masks = random_weights(2, 2, 8, 8)
    torch.testing.assert_close(distance(student, teacher, masks),
                               distance(student, teacher, 1e-3 * masks))


def test_zero_where_equal_and_positive_where_not():
    x = draw(2, 4, 8, 8)
    masks = torch.ones(2, 1, 8, 8, dtype=torch.float64)
    assert distance(x, x, masks).eq(0).all()
    assert distance(x, x.flip(1), masks).gt(0).all()


def test_without_pooling_a_full_mask_gives_the_mean_squared_error():
    x, y = draw(2, 2, 4, 8, 8)
    found = distance(x, y, torch.ones(2, 1, 8, 8).double(), ())
    torch.testing.assert_close(found.mean(), F.mse_loss(x, y))


def test_cells_outside_the_mask_do_not_matter():
    x = draw(1, 4, 8, 8)
    mask = torch.zeros(1, 1, 8, 8, dtype=torch.float64)
    mask[..., 2:5, 1:7] = 1
    changed = x + (1 - mask) * 100
    torch.testing.assert_close(distance(x, x.flip(1), mask),
                               distance(changed, x.flip(1), mask))


def test_an_empty_mask_gives_zero_and_a_zero_gradient():
    x = draw(1, 4, 8, 8).requires_grad_()
    found = distance(x, x.detach().flip(1), torch.zeros(1, 2, 8, 8).double())
    assert found.eq(0).all()
    grad, = torch.autograd.grad(found.sum(), x)
    assert grad.eq(0).all()


@pytest.mark.parametrize('standardized', [True, False])
@pytest.mark.parametrize('size', [(5, 6), (1, 1), (3, 9)])
def test_gradients(size, standardized):
    x, teacher = draw(2, 2, 3, *size)
    x.requires_grad_()
    scales = region_scales(random_masks(2, 2, *size))
    if standardized:
        teacher, _ = standardize(teacher, scales.valid)
    assert torch.autograd.gradcheck(
        lambda x: region_distance(x, teacher, scales, standardized), (x, ))


def test_standardized_distance_is_the_literal_one():
    """Value and gradient, the gradient by autograd of the literal form."""
    x, teacher = draw(2, 2, 3, 7, 6)
    x.requires_grad_()
    masks = random_weights(2, 2, 7, 6)
    masks[0, :, 4:] = 0  # padding
    scales = region_scales(masks)
    found = region_distance(x, standardize(teacher, scales.valid)[0], scales,
                            standardized=True)
    student, other = (literal_standardize(each, scales.valid)
                      for each in (x, teacher))
    expected = torch.stack([torch.stack([
        literal_distance(student[n], other[n], masks[n, r], (4, 2, 1))
        for r in range(2)]) for n in range(2)])
    torch.testing.assert_close(found, expected)
    weights = draw(2, 2, seed=3)
    for a, b in zip(torch.autograd.grad((found * weights).sum(), x),
                    torch.autograd.grad((expected * weights).sum(), x),
                    strict=True):
        torch.testing.assert_close(a, b)


def test_nothing_is_kept_for_the_backward_pass_but_inputs():
    x, teacher = draw(2, 2, 16, 32, 32).float()
    x.requires_grad_()
    scales = region_scales(torch.ones(2, 2, 32, 32))
    with SavedBytes([x, teacher, *scales[:-1]]) as saved:
        region_distance(x, teacher, scales, standardized=True)
    assert saved.bytes() < 0.05 * 4 * x.numel()


def test_standardized_maps_have_mean_zero_and_variance_one():
    x = draw(2, 3, 8, 8) * 5 + 3
    valid = torch.ones(2, 1, 8, 8, dtype=torch.float64)
    valid[:, :, 5:] = 0
    out = standardize(x, valid)[0][:, :, :5]
    torch.testing.assert_close(out.mean(dim=(2, 3)),
                               torch.zeros(2, 3).double())
    torch.testing.assert_close(out.var(dim=(2, 3), correction=0),
                               torch.ones(2, 3).double(), rtol=1e-4, atol=0)


def test_standardization_ignores_scale_shift_and_the_rest_of_the_batch():
    x = draw(3, 4, 8, 8)
    valid = torch.ones(3, 1, 8, 8).double()
    scaled = x * torch.tensor([2., 7., 30., 4.]).view(1, 4, 1, 1) + 5
    torch.testing.assert_close(standardize(x, valid)[0],
                               standardize(scaled, valid)[0], rtol=1e-4,
                               atol=1e-4)
    torch.testing.assert_close(standardize(x, valid)[0][:1],
                               standardize(x[:1], valid[:1])[0])


@pytest.mark.parametrize('shape', [(1, 8, 1, 1), (2, 8, 1, 7), (1, 8, 3, 2)])
@pytest.mark.parametrize('make', [
    torch.zeros, torch.ones, lambda *s: 1e4 * torch.randn(*s),
    lambda *s: 100 * torch.randn(*s).half(),
    lambda *s: 100 * torch.randn(*s).bfloat16()])
def test_loss_is_finite_at_extremes(shape, make):
    torch.manual_seed(0)
    student = make(*shape).requires_grad_()
    teacher = make(*shape).flip(1)
    for mask in (None, torch.zeros(shape[0], 2, *shape[2:])):
        loss = pyramid_loss()([student], [teacher],
                              None if mask is None else [mask])
        assert loss.isfinite().all()
        assert loss.dtype == torch.float32
        grad, = torch.autograd.grad(loss, student)
        assert grad.isfinite().all()


def test_loss_is_the_weighted_sum_over_levels_and_sides():
    student = [draw(2, 4, s, s, seed=s) for s in (8, 4)]
    teacher = [draw(2, 4, s, s, seed=s + 50) for s in (8, 4)]
    masks = [random_masks(2, 1, s, s) for s in (8, 4)]
    masks = [torch.cat([m, 1 - m], dim=1) for m in masks]
    loss = pyramid_loss(fg_weight=3, bg_weight=.25, standardize=False)
    expected = sum(
        weight * literal_distance(s[n], t[n], m[n, r], (4, 2, 1)) / 2
        for s, t, m in zip(student, teacher, masks, strict=True)
        for n in range(2) for r, weight in ((0, 3), (1, .25)))
    torch.testing.assert_close(loss(student, teacher, masks), expected)


def test_loss_with_every_switch_off_is_the_mean_squared_error():
    student, teacher = draw(2, 2, 4, 8, 8)
    loss = pyramid_loss(pyramid=False, standardize=False)
    torch.testing.assert_close(loss([student], [teacher]),
                               F.mse_loss(student, teacher))


def test_loss_is_computed_in_float32_under_autocast():
    student, teacher = draw(2, 1, 4, 8, 8).float()
    loss = pyramid_loss()
    with torch.autocast('cpu', dtype=torch.bfloat16):
        mixed = loss([student], [teacher])
    torch.testing.assert_close(mixed, loss([student], [teacher]))
