"""The fusion chain: shapes, start, flow of gradients."""
import pytest
import torch
import torch.nn.functional as F
from helpers import review_fusion

from rdkd.experiments.measure import SavedBytes
from rdkd.layers.adapter import ChannelAdapter
from rdkd.layers.review import pointwise


def levels(channels=(8, 8, 8), requires_grad=False):
    torch.manual_seed(0)
    return [torch.randn(2, c, 16 // 2**i, 12 // 2**i,
                        requires_grad=requires_grad)
            for i, c in enumerate(channels)]


def convolve(x, conv):
    out = torch.einsum('nchw,oc->nohw', x, conv.weight[:, :, 0, 0])
    return out if conv.bias is None else out + conv.bias.view(1, -1, 1, 1)


def literal_chain(module, features):
    """The review of docs/method.md for a chain without attention."""
    out, below = [], None
    for x, level in zip(reversed(features), reversed(module.levels),
                        strict=True):
        narrow = x
        if isinstance(level.reduce, torch.nn.Conv2d):
            narrow = convolve(x, level.reduce)
        if below is not None:
            coarser = torch.empty(*below.shape[:2], *x.shape[-2:])
            for row in range(x.shape[2]):
                for column in range(x.shape[3]):
                    coarser[:, :, row, column] = below[
                        :, :, row * below.shape[2] // x.shape[2],
                        column * below.shape[3] // x.shape[3]]
            narrow = narrow + convolve(coarser, level.carry)
        below = narrow
        out.insert(0, below if level.expand is None
                   else x + convolve(below, level.expand))
    return out


def randomized(module):
    """A chain that does not start as the identity."""
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return module


@pytest.mark.parametrize('count', [1, 2, 3, 5])
def test_any_number_of_levels(count):
    module = review_fusion([4] * count)
    features = [torch.randn(1, 4, s, s) for s in (16, 8, 4, 2, 1)[:count]]
    out = module(features)
    assert [x.shape for x in out] == [x.shape for x in features]


@pytest.mark.parametrize('reduction', [1, 4])
def test_the_fusion_is_the_chain_written_out(reduction):
    module = randomized(review_fusion([8, 8, 8], attention=False,
                                     reduction=reduction))
    features = levels()
    for found, expected in zip(module(features),
                               literal_chain(module, features), strict=True):
        torch.testing.assert_close(found, expected)


def test_full_width_is_the_convolution_of_both_concatenated():
    """The paper's fusion: resize, concatenate, convolve."""
    module = randomized(review_fusion([8, 8], attention=False, reduction=1))
    fine, coarse = levels((8, 8))
    level = module.levels[0]
    weight = torch.cat([level.reduce.weight, level.carry.weight], dim=1)
    both = torch.cat([fine, F.interpolate(coarse, fine.shape[-2:])], dim=1)
    torch.testing.assert_close(module([fine, coarse])[0],
                               F.conv2d(both, weight, level.reduce.bias))


def test_it_keeps_no_copy_of_a_level_and_stays_in_half_precision():
    x = torch.randn(3, 64, 32, 32, requires_grad=True)
    module = review_fusion([64], attention=False)
    with SavedBytes([x, *module.parameters()]) as saved:
        module([x])
    assert saved.bytes() < x.nbytes / 2
    with torch.autocast('cpu', torch.bfloat16):
        assert pointwise(module.levels[0].reduce, x).dtype == torch.bfloat16


@pytest.mark.parametrize('reduction', [1, 4])
def test_it_starts_as_the_identity(reduction):
    features = levels()
    module = review_fusion([8, 8, 8], reduction=reduction)
    for found, given in zip(module(features), features, strict=True):
        torch.testing.assert_close(found, given)


def test_a_narrow_fusion_has_few_parameters():
    counts = [sum(p.numel() for p in review_fusion(
        [256] * 5, reduction=reduction).parameters()) for reduction in (4, 1)]
    assert counts[0] < counts[1] / 3


def test_channels_may_change_from_level_to_level():
    out = review_fusion([8, 16, 4])(levels((8, 16, 4)))
    assert [x.shape[1] for x in out] == [8, 16, 4]


@pytest.mark.parametrize('reduction', [1, 4])
def test_gradient_of_a_level_reaches_it_and_all_coarser_ones(reduction):
    module = randomized(review_fusion([8, 8, 8], attention=False,
                                     reduction=reduction))
    for k in range(3):
        features = levels(requires_grad=True)
        module(features)[k].sum().backward()
        reached = [f.grad is not None and f.grad.abs().sum() > 0
                   for f in features]
        assert reached == [level >= k for level in range(3)]


@pytest.mark.parametrize('reduction', [1, 4])
def test_every_parameter_gets_a_gradient_in_one_step(reduction):
    """What DDP needs with find_unused_parameters=False."""
    module = review_fusion([8, 8, 8], reduction=reduction)
    sum(x.square().sum() for x in module(levels())).backward()
    assert all(p.grad is not None for p in module.parameters())


def test_a_wrong_number_of_levels_is_said():
    with pytest.raises(ValueError, match='3 levels but got 2'):
        review_fusion([8, 8, 8])(levels()[:2])


def test_adapter_passes_equal_widths_and_converts_others():
    adapter = ChannelAdapter([8, 8, 4], [8, 16, 8])
    features = levels((8, 8, 4))
    out = adapter(features)
    assert out[0] is features[0]
    assert [x.shape[1] for x in out] == [8, 16, 8]
